#include "base/gate.h"

#include <cassert>
#include <coroutine>
#include <utility>

namespace hikyaku {

void end_process(std::exception_ptr error) {
  std::rethrow_exception(error);  // out of a task that nobody waits for: std::terminate
}

/// The outermost frame of a spawned task: starts at once, frees itself at its end.
struct Gate::Root {
  struct promise_type {
    Root get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

Gate::Gate(OnError on_error) : on_error_(std::move(on_error)) {}

Gate::~Gate() {
  assert(running_ == 0 && "close the gate and wait for it first");
}

bool Gate::spawn(Task<void> task) {
  if (closed_) return false;
  ++running_;
  run(std::move(task));
  return true;
}

Gate::Root Gate::run(Task<void> task) {
  std::exception_ptr error;
  try {
    co_await std::move(task);
  } catch (...) {
    error = std::current_exception();
  }
  task = {};  // what the task owned ends before the gate counts it as ended
  if (error) on_error_(error);
  ended();
}

void Gate::ended() {
  --running_;
  if (closed_ && running_ == 0 && all_ended_) std::exchange(all_ended_, nullptr)();
}

void Gate::close(Callback all_ended) {
  closed_ = true;
  all_ended_ = std::move(all_ended);
  if (running_ == 0 && all_ended_) std::exchange(all_ended_, nullptr)();
}

}  // namespace hikyaku
