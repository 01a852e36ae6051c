// Many sessions at once, a thread each, that share a number of operations.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "connection.h"

namespace mailload {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// The share that is smaller than the returned value is `part`.
inline double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  auto place = std::min(values.size() - 1,
                        static_cast<std::size_t>(part * static_cast<double>(values.size())));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(place));
  return values[place];
}

struct Work {
  std::atomic<int> next{0};
  int total = 0;
  /// False when all is done.
  bool take() { return next.fetch_add(1) < total; }
  void stop() { next = total; }
};

/// What one session of a crowd is given. ready() waits until all are ready: the clock starts then.
struct Part {
  int number;
  Work& work;
  std::latch& gate;
  std::vector<double> times;  // milliseconds, one an operation
  bool waited = false;

  void ready() {
    waited = true;
    gate.arrive_and_wait();
  }
};

/// Runs `session(part)` in `sessions` threads. Prints one line of JSON; throws the first Failure.
template <class Session>
void run_crowd(int sessions, int total, Session session) {
  Work work;
  work.total = total;
  std::latch gate(sessions);
  std::vector<double> all;
  std::exception_ptr failure;
  std::mutex guard;
  Clock::time_point start;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < sessions; ++i)
      threads.emplace_back([&, i] {
        Part part{i, work, gate, {}};
        try {
          session(part);
        } catch (...) {
          std::lock_guard lock(guard);
          if (!failure) failure = std::current_exception();
          work.stop();
        }
        if (!part.waited) gate.count_down();
        std::lock_guard lock(guard);
        all.insert(all.end(), part.times.begin(), part.times.end());
      });
    gate.wait();
    start = Clock::now();
  }
  auto seconds = milliseconds_since(start) / 1000;
  if (failure) std::rethrow_exception(failure);
  std::printf("{\"operations\": %zu, \"seconds\": %.6f, \"median_ms\": %.3f, \"p99_ms\": %.3f}\n",
              all.size(), seconds, quantile(all, 0.5), quantile(all, 0.99));
}

}  // namespace mailload
