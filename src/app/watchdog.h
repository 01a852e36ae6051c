// Watchdog: tells systemd that the server is not stuck, as long as that is so.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/executor.h"

namespace hikyaku::app {

/// How long systemd waits for a sign of this process before it ends it ($WATCHDOG_USEC, WatchdogSec
/// of the unit; sd_watchdog_enabled(3)). nullopt: it does not, or means another ($WATCHDOG_PID).
std::optional<std::chrono::microseconds> watchdog_limit();

/// Gives a sign at half of that time, if every event loop has run what was posted to it since the
/// sign before. A loop that does so no longer holds its sessions for ever, and only another start
/// mends that.
///
/// Only the loops are asked. The store's committer and the workers wait for the disk, and a disk
/// that hangs is mended by no start: what is served meanwhile from memory would be cut off, and the
/// new process would hang before it listens. /health and the log tell of it (hung_disk.h).
///
/// Lives on the first of the loops, which outlive it.
class Watchdog {
 public:
  /// `give_sign` must not block.
  Watchdog(std::vector<Executor*> loops, std::chrono::nanoseconds limit, Callback give_sign)
      : loops_(std::move(loops)), every_(limit / 2), give_sign_(std::move(give_sign)) {}

  void start() { ask(); }

 private:
  void ask();
  void answered();
  void give_sign();

  std::vector<Executor*> loops_;
  std::chrono::nanoseconds every_;
  Callback give_sign_;
  std::size_t missing_ = 0;  ///< loops that have not answered yet
  bool due_ = false;
  std::unique_ptr<Executor::Timer> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hikyaku::app
