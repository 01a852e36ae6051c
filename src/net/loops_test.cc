// Event loops beside their connections: timers, workers, signals.
#include <atomic>
#include <csignal>
#include <doctest/doctest.h>
#include <future>
#include <string>
#include <unistd.h>

#include "base/async.h"
#include "net/cores.h"
#include "net/signals.h"
#include "net/worker_pool.h"

namespace hikyaku::net {

using namespace std::chrono_literals;

TEST_CASE("timers: fire in order, and not when destroyed") {
  Cores cores(1);
  cores.start();
  std::string order;
  cores.run(0, [&]() -> Task<void> {
    auto* loop = Executor::current();
    auto second = loop->after(10ms, [&] { order += '2'; });
    auto first = loop->after(1ms, [&] { order += '1'; });
    auto never = loop->after(5ms, [&] { order += 'x'; });
    auto late = loop->after(0ms, [&] { order += 'y'; });
    late = nullptr;
    never = nullptr;
    co_await sleep_for(20ms);
  });
  CHECK(order == "12");
}

TEST_CASE("ThreadPool: runs everything, also what is queued at the end") {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(2);
    for (int i = 0; i < 1000; ++i) pool.submit([&] { ++ran; });
    CHECK(pool.load().threads == 2);
    CHECK(pool.load().longest >= 1);
  }
  CHECK(ran == 1000);
  Cores cores(1);
  cores.start();
  ThreadPool pool(1);
  CHECK(cores.run(0, [&] { return run_on(pool, [] { return Executor::current() == nullptr; }); }));
}

TEST_CASE("a loop may be destroyed as soon as a worker's last words are heard") {
  // What fails without it, ThreadSanitizer sees: the worker is still inside post().
  ThreadPool pool(1);
  for (int i = 0; i < 200; ++i) {
    Cores cores(1);
    cores.start();
    CHECK(cores.run(0, [&] { return run_on(pool, [] { return true; }); }));
  }
}

TEST_CASE("Signals arrive on the first loop") {
  Cores cores(2);
  std::promise<int> got;
  Executor* where = nullptr;
  Signals signals(cores, {SIGHUP}, [&](int number) {
    where = Executor::current();
    got.set_value(number);
  });
  cores.start();
  ::kill(::getpid(), SIGHUP);
  CHECK(got.get_future().get() == SIGHUP);
  CHECK(where == &cores[0]);
  cores.stop();
  cores.join();
}

}  // namespace hikyaku::net
