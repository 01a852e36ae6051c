// Gate: starts coroutines from ordinary code, counts them, and lets shutdown wait until all have
// ended.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <string_view>

#include "base/executor.h"
#include "base/task.h"

namespace hikyaku {

/// What a task throws ends the process: for tests, and tools whose tasks must not throw. Never for
/// a server, where an unreadable block of the index is thrown by every read that meets it.
[[noreturn]] void end_process(std::exception_ptr error);

/// Every task that nobody awaits belongs to a Gate. One Gate serves one event loop and is used on
/// its thread only; it must outlive its tasks (close it and wait before destroying it).
class Gate {
 public:
  /// Called with what a task threw. Whatever runs in a server tells it and lives (base/rounds.h).
  using OnError = std::function<void(std::exception_ptr)>;

  explicit Gate(OnError on_error);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  /// Starts `task` at once, on this thread; returns when it first waits. False (and the task is
  /// dropped) once closed.
  bool spawn(Task<void> task);

  /// No new tasks from now on. `all_ended` runs when the last one has ended (at once if there is
  /// none).
  void close(Callback all_ended);

  bool closed() const { return closed_; }
  std::size_t running() const { return running_; }

 private:
  struct Root;
  Root run(Task<void> task);
  void ended();

  OnError on_error_;
  Callback all_ended_;
  std::size_t running_ = 0;
  bool closed_ = false;
};

}  // namespace hikyaku
