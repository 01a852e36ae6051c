// SessionMemory: what sessions hold for their peers, all together and each by itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace hikyaku {

/// Sessions say how much they hold (Activity::hold); who holds too much is to end. From any thread.
class SessionMemory {
 public:
  /// What a session may hold even when all together hold too much: a connection with its buffers.
  static constexpr std::uint64_t kAlways = 64 * 1024;

  struct Limits {
    std::uint64_t total = UINT64_MAX;
    std::uint64_t per_session = UINT64_MAX;
  };
  /// Each takes effect by itself: who asks meanwhile may see one of them new and the other old,
  /// which are both limits that were wanted.
  void set_limits(Limits limits) {
    total_ = limits.total;
    per_session_ = limits.per_session;
  }

  void begin_session() { ++sessions_; }
  void end_session() { --sessions_; }

  /// New sessions must wait for better times.
  bool full() const { return held_ >= total_; }
  /// It becomes tight: strangers give way, and what is left is for newcomers.
  bool crowded() const { return held_ >= total_ / 4 * 3; }
  std::uint64_t held() const { return held_; }
  std::uint64_t total() const { return total_; }

  /// A session that held `before` bytes holds `now`, by its own count, which only its loop changes.
  /// False, and the caller must end it, when it has too much: more than one may, or than its part
  /// while all have. So the total has a bound; the last eighth of it is not for growing, but for
  /// whoever comes. `now` is counted all the same, until the session says that it holds less.
  /// `by_others` of it came by what others did: one may hold that beyond the limit of one.
  bool change(std::uint64_t before, std::uint64_t now, std::uint64_t by_others = 0) {
    auto held = held_ += now - before;
    return now <= most(held, by_others);
  }
  /// How much more than `now` a session may hold at this moment: the measure for the pieces that it
  /// works in.
  std::uint64_t room(std::uint64_t now, std::uint64_t by_others = 0) const {
    auto limit = most(held_, by_others);
    return limit > now ? limit - now : 0;
  }

 private:
  /// What one may hold while all hold `held`.
  std::uint64_t most(std::uint64_t held, std::uint64_t by_others) const {
    std::uint64_t limit = per_session_;
    limit += std::min(by_others, UINT64_MAX - limit);
    if (held > total_ / 8 * 7)
      limit = std::min<std::uint64_t>(limit, total_ / std::max<std::uint64_t>(sessions_, 1));
    return std::max(limit, kAlways);
  }

  std::atomic<std::uint64_t> total_{UINT64_MAX};
  std::atomic<std::uint64_t> per_session_{UINT64_MAX};
  std::atomic<std::uint64_t> held_{0};
  std::atomic<std::uint64_t> sessions_{0};
};

}  // namespace hikyaku
