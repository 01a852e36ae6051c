// How long a session may work before it lets others run. Private to imapd/.
#pragma once

#include <chrono>

namespace hikyaku::imapd {

/// A piece of long work on an event loop. By the clock: what a row or a name costs is up to the
/// client, and may differ a thousandfold.
class Turn {
 public:
  bool is_over() const { return Clock::now() - begun_ >= std::chrono::milliseconds(1); }
  void begin() { begun_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun_ = Clock::now();
};

}  // namespace hikyaku::imapd
