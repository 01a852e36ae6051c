// Turn: how long somebody may work on an event loop before others have it.
#pragma once

#include <chrono>

namespace hikyaku {

/// A piece of long work on an event loop. By the clock: what a command, a row or a name costs is up
/// to the client, and may differ a thousandfold. Not by the kernel's tick, which costs less to look
/// at: a hundred that work at once would each have 4 ms, and others wait for all of them.
class Turn {
 public:
  bool is_over() const { return Clock::now() - begun_ >= std::chrono::milliseconds(1); }
  void begin() { begun_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun_ = Clock::now();
};

}  // namespace hikyaku
