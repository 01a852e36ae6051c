// Started<T>: a task that runs beside its holder, whose value is asked for later.
#pragma once

#include <exception>
#include <memory>
#include <utility>

#include "base/cancellation.h"
#include "base/completion.h"
#include "base/task.h"

namespace hikyaku {

/// Begins `task` at once and lets it run beside whatever its holder does: questions to the DNS
/// while a client still talks. Destroying it gives the task up, wherever it waits. Everything on
/// one event loop; one coroutine at a time waits.
template <class T>
class Started {
 public:
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  explicit Started(Task<T> task) : running_(cancellation_detail::run(std::move(task), state_)) {
    running_.frame.resume();
  }

  /// The task has ended, with a value or an exception.
  bool ended() const { return state_.value || state_.error; }
  /// The value; null while there is none.
  const T* value() const { return state_.value ? &*state_.value : nullptr; }

  /// Waits for the task's end and gives its value, as often as asked; rethrows what it threw. The
  /// value lives as long as this.
  Task<const T*> wait() {
    if (!ended()) {
      Completion<bool> end;
      state_.give.emplace(end.giver());
      co_await end;
    }
    if (state_.error) std::rethrow_exception(state_.error);
    co_return &*state_.value;
  }

 private:
  cancellation_detail::State<T> state_;
  cancellation_detail::Running running_;
};

}  // namespace hikyaku
