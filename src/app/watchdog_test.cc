#include "app/watchdog.h"

#include <atomic>
#include <cstdlib>
#include <doctest/doctest.h>
#include <future>
#include <string>
#include <thread>
#include <unistd.h>

#include "base/async.h"
#include "net/cores.h"
#include "testing/test_loop.h"

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;

TEST_CASE("watchdog: asked for by systemd, of this process") {
  auto limit = [](const char* usec, const char* pid) {
    usec ? ::setenv("WATCHDOG_USEC", usec, 1) : ::unsetenv("WATCHDOG_USEC");
    pid ? ::setenv("WATCHDOG_PID", pid, 1) : ::unsetenv("WATCHDOG_PID");
    auto found = watchdog_limit();
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
    return found ? found->count() : -1;
  };
  auto own = std::to_string(::getpid());
  CHECK(limit(nullptr, nullptr) == -1);
  CHECK(limit("60000000", nullptr) == 60'000'000);
  CHECK(limit("60000000", own.c_str()) == 60'000'000);
  CHECK(limit("60000000", "1") == -1);
  CHECK(limit("60000000", "x") == -1);
  CHECK(limit("0", nullptr) == -1);
  CHECK(limit("a minute", nullptr) == -1);
  CHECK(limit("18446744073709551615", nullptr) == -1);
}

/// A loop that is stuck for as long as the test wants.
struct StuckLoop final : Executor {
  bool stuck = false;
  std::vector<Callback> waiting;
  void post(Callback work) override {
    waiting.push_back(std::move(work));
    if (!stuck) go_on();
  }
  void go_on() {
    for (auto& work : std::exchange(waiting, {})) work();
  }
  std::unique_ptr<Timer> after(std::chrono::nanoseconds, Callback) override { return nullptr; }
};

TEST_CASE(
    "watchdog: a sign at half the time, none while a loop is stuck, at once when it goes on") {
  testing::TestLoop home;
  StuckLoop other;
  int signs = 0;
  Watchdog watchdog({&home, &other}, 60s, [&] { ++signs; });
  auto pass = [&](std::chrono::seconds time) { home.run(sleep_for(time)); };
  watchdog.start();
  pass(29s);
  CHECK(signs == 0);
  pass(2s);
  CHECK(signs == 1);
  pass(60s);
  CHECK(signs == 3);

  other.stuck = true;
  pass(30s);  // what it was asked before, it has answered
  CHECK(signs == 4);
  pass(300s);
  CHECK(signs == 4);
  other.stuck = false;
  other.go_on();
  home.run_ready();
  CHECK(signs == 5);
  pass(31s);
  CHECK(signs == 6);
}

TEST_CASE("watchdog: real loops; one that does not come back silences it") {
  net::Cores cores(2);
  cores.start();
  std::atomic<int> signs = 0;
  auto more_than = [&](int before) {
    for (auto end = std::chrono::steady_clock::now() + 10s; signs <= before;
         std::this_thread::sleep_for(5ms))
      if (std::chrono::steady_clock::now() > end) return false;
    return true;
  };
  std::unique_ptr<Watchdog> watchdog;
  cores.call(0, [&] {
    watchdog =
        std::make_unique<Watchdog>(std::vector{&cores[0], &cores[1]}, 40ms, [&] { ++signs; });
    watchdog->start();
  });
  CHECK(more_than(2));
  for (std::size_t loop : {0, 1}) {
    std::promise<void> stuck, free;
    cores[loop].post([&] {
      stuck.set_value();
      free.get_future().wait();
    });
    stuck.get_future().wait();
    std::this_thread::sleep_for(100ms);  // what was answered before
    auto before = signs.load();
    std::this_thread::sleep_for(300ms);
    CHECK(signs == before);
    free.set_value();
    CHECK(more_than(before + 2));
  }
  cores.call(0, [&] { watchdog.reset(); });
  auto before = signs.load();
  std::this_thread::sleep_for(100ms);
  CHECK(signs == before);
}

}  // namespace
}  // namespace hikyaku::app
