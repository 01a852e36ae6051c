// An event loop for unit tests: runs coroutines on this thread, with a clock that jumps to the next
// timer.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "base/executor.h"
#include "base/gate.h"
#include "base/task.h"
#include "base/time.h"

namespace hikyaku::testing {

/// `loop.run(task)` runs a task to its end and gives its value (or throws what it threw). When
/// nothing is ready and a timer is set, time jumps to it: sleeping costs nothing. post() may come
/// from other threads (workers, committer).
class TestLoop final : public Executor, public Clock {
 public:
  TestLoop();
  ~TestLoop() override;

  void post(Callback work) override;
  std::unique_ptr<Timer> after(std::chrono::nanoseconds delay, Callback work) override;
  Time now() const override { return std::chrono::time_point_cast<milliseconds>(now_.load()); }
  void advance(std::chrono::nanoseconds by) {
    now_ = now_.load() + std::chrono::duration_cast<Duration>(by);
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    run_void(store(std::move(task), value));
    return std::move(*value);
  }
  void run(Task<void> task) { run_void(std::move(task)); }

  /// Runs what is posted and due until nothing is left to do at the present time. False if nothing
  /// ran.
  bool run_ready();

  /// How long run() waits for other threads before it gives up and throws (a test that hangs is a
  /// test that fails).
  std::chrono::milliseconds patience{20'000};
  /// How long other threads get to post something before time jumps; 0 where there are none.
  std::chrono::milliseconds grace{2};

 private:
  using Duration = std::chrono::nanoseconds;
  using Moment = std::chrono::sys_time<Duration>;
  struct Entry;
  using Timers = std::multimap<Moment, std::shared_ptr<Callback>>;
  class LoopTimer;

  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>& into) {
    into.emplace(co_await std::move(task));
  }
  void run_void(Task<void> task);
  bool fire_next_timer();

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Callback> queue_;
  std::shared_ptr<Timers> timers_ = std::make_shared<Timers>();
  /// Read by other threads, too: the loop is a Clock.
  std::atomic<Moment> now_{Moment(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21))};
  Executor* outer_ = nullptr;
};

}  // namespace hikyaku::testing
