// Where code runs: interfaces of the event loops and of the worker pool. net/ implements them,
// tests have their own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace hikyaku {

using Callback = std::move_only_function<void()>;

/// An event loop bound to one thread (a "core"). Everything posted to it runs there, one after
/// another.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `work` later on this loop's thread. From any thread.
  virtual void post(Callback work) = 0;

  /// A timer that has not fired yet; destroying it cancels it. Use it only on the loop's thread.
  class Timer {
   public:
    virtual ~Timer() = default;
  };
  /// Runs `work` on this loop's thread after `delay`, unless the timer is destroyed first. Call it
  /// on that thread.
  [[nodiscard]] virtual std::unique_ptr<Timer> after(std::chrono::nanoseconds delay,
                                                     Callback work) = 0;

  /// The loop whose thread this is. Null on other threads (workers, the store's committer, main).
  static Executor* current();

 protected:
  /// Implementations call this when their thread starts (with `this`) and ends (with nullptr).
  static void set_current(Executor* executor);
};

/// Threads for work that would hold up an event loop for more than about a millisecond:
/// password hashes, cold reads, large parses, signatures, searches.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;
  /// Runs `work` on some worker thread. From any thread. `work` must not throw.
  virtual void submit(Callback work) = 0;
};

}  // namespace hikyaku
