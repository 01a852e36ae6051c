// A disk that takes what is written to it no longer, or hardly: who waits for it sees nothing, so
// the log tells.
#pragma once

#include <chrono>

#include "app/spell.h"
#include "base/log.h"

namespace hikyaku::app {

/// A write that goes on for so long is worth a look: a group of transactions, or the frame of a
/// body, has 16 MB at most.
inline constexpr std::chrono::seconds kLongWrite{5};
/// After so long the server counts as one that accepts no mail: no disk that works needs it, and
/// programs that wait for an answer begin to give up.
inline constexpr std::chrono::seconds kHungWrite{30};

/// Tells the log when writes begin to take long, and when they do no longer: once for each time,
/// also when a disk that is merely slow ends them and begins to hang again at once.
class HungDisk {
 public:
  using Clock = Spell::Clock;
  explicit HungDisk(Log log) : log_(std::move(log)) {}

  /// How it is at `now`: `under_way` is store::Store::write_under_way(). Call it every second.
  void look(std::chrono::nanoseconds under_way, Clock::time_point now);

 private:
  Log log_;
  /// Longer than kLongWrite, or each of many slow writes would have its lines.
  Spell spell_{std::chrono::seconds(10)};
};

}  // namespace hikyaku::app
