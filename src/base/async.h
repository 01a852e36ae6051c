// Small coroutine helpers on top of Task, Completion and the executors.
#pragma once

#include <chrono>
#include <type_traits>
#include <utility>

#include "base/completion.h"
#include "base/executor.h"
#include "base/task.h"

namespace hikyaku {

/// Runs `function` on a worker and gives its value back on this loop. `function` must not throw and
/// must own what it uses, or use only things that outlive the session: the awaiting coroutine may
/// be destroyed meanwhile.
template <class Function>
auto run_on(WorkerPool& pool, Function function) -> Task<std::invoke_result_t<Function&>> {
  using Value = std::invoke_result_t<Function&>;
  if constexpr (std::is_void_v<Value>) {
    Completion<bool> done;
    pool.submit([give = done.giver(), function = std::move(function)]() mutable {
      function();
      give(true);
    });
    co_await done;
  } else {
    Completion<Value> done;
    pool.submit(
        [give = done.giver(), function = std::move(function)]() mutable { give(function()); });
    co_return co_await done;
  }
}

/// Lets everything else that is ready on this loop run first. Long work does it every 1,000 rows or
/// millisecond.
inline Task<void> yield_now() {
  Completion<bool> done;
  Executor::current()->post([give = done.giver()]() mutable { give(true); });
  co_await done;
}

/// Waits for at least `delay` on this loop.
inline Task<void> sleep_for(std::chrono::nanoseconds delay) {
  Completion<bool> done;
  auto timer = Executor::current()->after(delay, [give = done.giver()]() mutable { give(true); });
  co_await done;
}

}  // namespace hikyaku
