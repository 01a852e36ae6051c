// What sessions did that have ended, by address and by account: a client that connects anew for
// each command is as busy as one that stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "auth/aged_map.h"
#include "base/time.h"

namespace hikyaku::app {

/// The totals of those whose name was heard last; who is not among them begins anew. At most some
/// 300 bytes of memory each.
class EndedSessions {
 public:
  static constexpr std::size_t kMostNames = 2'000;
  /// What is recent ended in this time, or in up to twice as much.
  static constexpr seconds kRecent{10};
  using Moment = std::chrono::steady_clock::time_point;

  struct Sum {
    std::uint64_t commands = 0;
    std::uint64_t bytes = 0;
    std::uint64_t recent = 0;  ///< of the commands, those of sessions that ended lately

    Sum& operator+=(const Sum& other) {
      commands += other.commands;
      bytes += other.bytes;
      recent += other.recent;
      return *this;
    }
  };

  explicit EndedSessions(std::size_t most = kMostNames) : kept_(most) {}

  /// Nothing for an empty name.
  void add(const std::string& name, std::uint64_t commands, std::uint64_t bytes, Moment now);
  /// Adds all of them.
  void add_to(std::map<std::string, Sum>& sums, Moment now) const;

 private:
  struct Kept {
    std::uint64_t commands = 0;
    std::uint64_t bytes = 0;
    std::int64_t window = 0;  ///< in which the last one ended
    std::uint64_t in_window = 0;
    std::uint64_t in_last = 0;  ///< in the window before that
  };
  auth::AgedMap<std::string, Kept> kept_;
};

}  // namespace hikyaku::app
