// Wakeup: one coroutine sleeps until somebody on its event loop wakes it, or until a time has
// passed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "base/completion.h"
#include "base/executor.h"
#include "base/task.h"

namespace hikyaku {

/// For loops that look after something: `co_await wakeup.wait(delay)`, then look what there is to
/// do. A wake() before the wait counts. One waiting coroutine; everything on one event loop.
class Wakeup {
 public:
  /// Ends the present wait, or the next one.
  void wake() {
    pending_ = true;
    if (auto give = std::exchange(give_, std::nullopt)) (*give)(true);
  }

  /// Waits for a wake(), at most `at_most` if given.
  Task<void> wait(std::optional<std::chrono::nanoseconds> at_most = std::nullopt) {
    if (!pending_) {
      Completion<bool> woken;
      give_.emplace(woken.giver());
      std::unique_ptr<Executor::Timer> timer;
      if (at_most) timer = Executor::current()->after(*at_most, [this] { wake(); });
      co_await woken;
    }
    pending_ = false;
  }

 private:
  bool pending_ = false;
  std::optional<Completion<bool>::Giver> give_;
};

}  // namespace hikyaku
