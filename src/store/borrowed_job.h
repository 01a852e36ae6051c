// Work on a worker that uses what the awaiting coroutine's frame holds.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "base/completion.h"
#include "base/executor.h"
#include "base/task.h"

namespace hikyaku::store {

/// Runs `work` on a worker and rethrows what it throws. If the coroutine is destroyed meanwhile,
/// destruction waits until `work` has ended (or makes sure that it does not begin).
inline Task<void> run_borrowed(WorkerPool& pool, std::function<void()> work) {
  struct Shared {
    std::mutex running;
    bool abandoned = false;
    std::exception_ptr error;
  };
  struct Guard {
    std::shared_ptr<Shared> shared = std::make_shared<Shared>();
    Guard() = default;
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      std::lock_guard lock(shared->running);
      shared->abandoned = true;
    }
  };
  Guard guard;
  Completion<bool> done;
  pool.submit([shared = guard.shared, work = std::move(work), give = done.giver()]() mutable {
    {
      std::lock_guard lock(shared->running);
      try {
        if (!shared->abandoned) work();
      } catch (...) {
        shared->error = std::current_exception();
      }
    }
    give(true);
  });
  co_await done;
  if (guard.shared->error) std::rethrow_exception(guard.shared->error);
}

}  // namespace hikyaku::store
