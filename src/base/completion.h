// Completion<T>: how a coroutine waits for something that ends on another thread or in a callback.
#pragma once

#include <atomic>
#include <cassert>
#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "base/executor.h"

namespace hikyaku {

/// One value handed from any thread to one coroutine, which goes on on its own loop.
///
///     Completion<int> done;
///     start_something([give = done.giver()]() mutable { give(42); });
///     int answer = co_await done;
///
/// The giver may outlive the Completion (the waiting coroutine was destroyed): the value is dropped
/// then. A giver that is destroyed without giving leaves the coroutine waiting for ever: every path
/// must give. Await it at most once, on a thread that has an Executor, and destroy it there.
template <class T>
class Completion {
  struct State {
    Executor* home = nullptr;
    std::coroutine_handle<> waiting;
    std::optional<T> value;
    /// 0 = neither side has come, 1 = one has. Who comes second resumes the coroutine.
    std::atomic<int> arrived{0};
    std::atomic<bool> abandoned{false};
  };

 public:
  class Giver {
   public:
    explicit Giver(std::shared_ptr<State> state) : state_(std::move(state)) {}
    /// Gives the value, once. From any thread.
    void operator()(T value) {
      auto state = std::exchange(state_, nullptr);
      assert(state && "given twice");
      state->value.emplace(std::move(value));
      if (state->arrived.fetch_add(1, std::memory_order_acq_rel) == 0) return;
      auto home = state->home;
      home->post([state = std::move(state)] {
        if (!state->abandoned.load(std::memory_order_relaxed)) state->waiting.resume();
      });
    }

   private:
    std::shared_ptr<State> state_;
  };

  Completion() : state_(std::make_shared<State>()) {}
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() { state_->abandoned.store(true, std::memory_order_relaxed); }

  /// The other end. Call it once.
  Giver giver() { return Giver(state_); }

  bool await_ready() const noexcept { return state_->arrived.load(std::memory_order_acquire) != 0; }
  bool await_suspend(std::coroutine_handle<> waiting) noexcept {
    state_->home = Executor::current();
    assert(state_->home && "awaited outside an event loop");
    state_->waiting = waiting;
    return state_->arrived.fetch_add(1, std::memory_order_acq_rel) == 0;
  }
  T await_resume() { return std::move(*state_->value); }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace hikyaku
