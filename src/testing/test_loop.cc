#include "testing/test_loop.h"

#include <exception>

namespace hikyaku::testing {

class TestLoop::LoopTimer final : public Timer {
 public:
  LoopTimer(std::shared_ptr<Timers> timers, Timers::iterator place, std::shared_ptr<Callback> work)
      : timers_(std::move(timers)), place_(place), work_(std::move(work)) {}
  ~LoopTimer() override {
    // A fired timer's entry is gone already; its callback was moved out and is empty.
    if (*work_) timers_->erase(place_);
  }

 private:
  std::shared_ptr<Timers> timers_;
  Timers::iterator place_;
  std::shared_ptr<Callback> work_;
};

TestLoop::TestLoop() : outer_(current()) {
  set_current(this);
}

TestLoop::~TestLoop() {
  set_current(outer_);
}

void TestLoop::post(Callback work) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  posted_.notify_all();
}

std::unique_ptr<Executor::Timer> TestLoop::after(std::chrono::nanoseconds delay, Callback work) {
  auto shared = std::make_shared<Callback>(std::move(work));
  auto place = timers_->emplace(now_.load() + delay, shared);
  return std::make_unique<LoopTimer>(timers_, place, shared);
}

bool TestLoop::run_ready() {
  bool ran = false;
  while (true) {
    std::deque<Callback> ready;
    {
      std::lock_guard lock(mutex_);
      ready.swap(queue_);
    }
    if (ready.empty()) return ran;
    ran = true;
    for (auto& work : ready) work();
  }
}

bool TestLoop::fire_next_timer() {
  if (timers_->empty()) return false;
  auto first = timers_->begin();
  now_ = std::max(now_.load(), first->first);
  Callback work = std::exchange(*first->second, nullptr);
  timers_->erase(first);
  work();
  return true;
}

void TestLoop::run_void(Task<void> task) {
  std::exception_ptr error;
  bool ended = false;
  Gate gate([&](std::exception_ptr thrown) { error = thrown; });
  gate.spawn(std::move(task));
  gate.close([&] { ended = true; });
  while (!ended) {
    if (run_ready()) continue;
    // Give other threads a moment before time jumps: what they post comes first.
    {
      std::unique_lock lock(mutex_);
      if (posted_.wait_for(lock, timers_->empty() ? patience : grace,
                           [&] { return !queue_.empty(); }))
        continue;
    }
    if (!fire_next_timer())
      throw std::runtime_error("TestLoop: the task waits for something that does not come");
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace hikyaku::testing
