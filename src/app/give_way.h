// Who gives way when connections hold nearly all the memory that they may (limits.memory).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "app/session_facts.h"

namespace hikyaku::app {

/// Whether a session may have to give way: it has not logged in. Programs of this machine have a
/// limit of their own, and whoever asks what is going on must be answered.
bool is_stranger(const Activity& activity);

/// What is to be had back, and by what measure.
struct Shortage {
  std::uint64_t bytes = 0;  ///< so much is to come free
  std::uint64_t fair = 0;   ///< what the strangers of one network (Admission's) may hold together
  bool urgent = false;      ///< nobody else can be let in
};

/// The ids of sessions to end, sorted. Only of peers that have not logged in: first of the network
/// that holds most, while that is more than its fair share; then of all who say nothing for some
/// seconds; when it is urgent, also those whose command goes on for a minute. Each time the one
/// that was silent for longest. Fewer than needed, when there are no such.
std::vector<std::uint64_t> choose_to_give_way(const std::vector<SessionFacts>& all,
                                              Shortage shortage);

/// When to look for them. To look at all sessions takes milliseconds, and while those who have
/// logged in hold the memory by themselves there is nobody to be found. From any thread.
class GiveWayPace {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kPause{200};
  /// After a look that has found nobody.
  static constexpr std::chrono::milliseconds kLongPause{3000};

  /// Whether it is time; whoever is told so looks.
  bool begin(Moment now) {
    auto next = next_.load();
    auto ticks = now.time_since_epoch().count();
    return ticks >= next && ticks >= long_until_.load() &&
           next_.compare_exchange_strong(next, (now + kPause).time_since_epoch().count());
  }
  void found_nobody(Moment now) { long_until_ = (now + kLongPause).time_since_epoch().count(); }
  /// There is enough of all: who fills it next is somebody else, maybe.
  void relax() {
    if (long_until_.load(std::memory_order_relaxed) != kNever) long_until_ = kNever;
  }

 private:
  static constexpr Moment::rep kNever = Moment::min().time_since_epoch().count();
  std::atomic<Moment::rep> next_{kNever};
  std::atomic<Moment::rep> long_until_{kNever};
};

}  // namespace hikyaku::app
