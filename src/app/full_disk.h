// A disk on which so little is free that mail is refused: senders and clients are told to come
// again, and whoever runs the server is told by the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/log.h"

namespace hikyaku::app {

/// Tells the log when the store begins to refuse mail for lack of space, and when it takes mail
/// again: once for each time, also while what is free goes up and down around the limit.
class FullDisk {
 public:
  using Clock = std::chrono::steady_clock;
  explicit FullDisk(Log log) : log_(std::move(log)) {}

  /// How it is at `now`: so many bytes are free, and so many must be. Call it every second.
  void look(std::uint64_t free, std::uint64_t needed, Clock::time_point now);

 private:
  /// When what is told of began, and when there was last too little.
  struct Lack {
    Clock::time_point began;
    Clock::time_point seen;
  };

  Log log_;
  std::optional<Lack> lack_;
};

}  // namespace hikyaku::app
