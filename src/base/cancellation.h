// Cancellation: ends waits of coroutines from outside, for work that is given up at shutdown.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/completion.h"
#include "base/task.h"

namespace hikyaku {

/// Gives up what is awaited under it (unless_cancelled). Used on one event loop; outlives what is
/// awaited under it.
class Cancellation {
 public:
  /// Everything that is awaited under it ends, now and from now on. Who waits goes on later, never
  /// inside this call.
  void cancel() {
    cancelled_ = true;
    for (auto* entry : entries_) entry->end_();
  }
  bool cancelled() const { return cancelled_; }

  /// One wait in the list, until destroyed. `end` may be called more than once.
  class Entry {
   public:
    Entry(Cancellation& cancellation, std::function<void()> end)
        : cancellation_(cancellation), end_(std::move(end)) {
      cancellation_.entries_.insert(this);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { cancellation_.entries_.erase(this); }

   private:
    friend class Cancellation;
    Cancellation& cancellation_;
    std::function<void()> end_;
  };

 private:
  std::set<Entry*> entries_;
  bool cancelled_ = false;
};

namespace cancellation_detail {

/// What a wait has come to. The first of task and cancellation wakes who waits.
template <class T>
struct State {
  std::optional<T> value;
  std::exception_ptr error;
  std::optional<Completion<bool>::Giver> give;

  void end() {
    if (auto first = std::exchange(give, std::nullopt)) (*first)(true);
  }
};

/// A coroutine that its holder starts and destroys.
struct Running {
  struct promise_type {
    Running get_return_object() { return Running(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  using Handle = std::coroutine_handle<promise_type>;

  explicit Running(Handle handle) : frame(handle) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { frame.destroy(); }

  Handle frame;
};

/// `state` outlives the coroutine.
template <class T>
Running run(Task<T> task, State<T>& state) {
  try {
    state.value.emplace(co_await std::move(task));
  } catch (...) {
    state.error = std::current_exception();
  }
  state.end();
}

}  // namespace cancellation_detail

/// Awaits `task`; nullopt when it was cancelled first: the task is destroyed then, wherever it
/// waits, with everything in its frame.
template <class T>
Task<std::optional<T>> unless_cancelled(Cancellation& cancellation, Task<T> task) {
  if (cancellation.cancelled()) co_return std::nullopt;
  cancellation_detail::State<T> state;
  auto running = cancellation_detail::run(std::move(task), state);
  running.frame.resume();
  // Much of what is asked is known already: nothing has to be waited for then.
  if (!state.value && !state.error) {
    Completion<bool> ended;
    state.give.emplace(ended.giver());
    Cancellation::Entry entry(cancellation, [&state] { state.end(); });
    co_await ended;
  }
  if (state.error) std::rethrow_exception(state.error);
  co_return std::move(state.value);
}

}  // namespace hikyaku
