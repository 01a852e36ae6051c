// Turn: how long somebody may work on an event loop before others have it.
#pragma once

#include <chrono>
#include <ctime>

namespace hikyaku {

/// A piece of long work on an event loop. By the clock: what a command, a row or a name costs is up
/// to the client, and may differ a thousandfold. The clock is the kernel's tick: it costs a
/// fraction of a look at the time itself, and a turn may be a tick (1 to 10 ms) longer.
class Turn {
 public:
  bool is_over() const { return tick() - begun_ >= std::chrono::milliseconds(1); }
  void begin() { begun_ = tick(); }

 private:
  static std::chrono::nanoseconds tick() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }

  std::chrono::nanoseconds begun_ = tick();
};

}  // namespace hikyaku
