// A disk on which so little is free that mail is refused: senders and clients are told to come
// again, and whoever runs the server is told by the log.
#pragma once

#include <chrono>
#include <cstdint>

#include "app/spell.h"
#include "base/log.h"

namespace hikyaku::app {

/// Tells the log when the store begins to refuse mail for lack of space, and when it takes mail
/// again: once for each time, also while what is free goes up and down around the limit.
class FullDisk {
 public:
  using Clock = Spell::Clock;
  explicit FullDisk(Log log) : log_(std::move(log)) {}

  /// How it is at `now`: so many bytes are free, and so many must be. Call it every second.
  void look(std::uint64_t free, std::uint64_t needed, Clock::time_point now);

 private:
  Log log_;
  Spell spell_{std::chrono::seconds(10)};
};

}  // namespace hikyaku::app
