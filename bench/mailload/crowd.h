// Many sessions at once, a thread each, that share a number of operations.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
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

/// Runs `session(number, work, times)` in `sessions` threads; each puts the milliseconds of every
/// operation into its `times`. Prints one line of JSON; throws the first Failure.
template <class Session>
void run_crowd(int sessions, int total, Session session) {
  Work work;
  work.total = total;
  std::vector<std::vector<double>> times(static_cast<std::size_t>(sessions));
  std::exception_ptr failure;
  std::mutex guard;
  auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < sessions; ++i)
      threads.emplace_back([&, i] {
        try {
          session(i, work, times[static_cast<std::size_t>(i)]);
        } catch (...) {
          std::lock_guard lock(guard);
          if (!failure) failure = std::current_exception();
          work.stop();
        }
      });
  }
  auto seconds = milliseconds_since(start) / 1000;
  if (failure) std::rethrow_exception(failure);
  std::vector<double> all;
  for (auto& part : times) all.insert(all.end(), part.begin(), part.end());
  std::printf("{\"operations\": %zu, \"seconds\": %.6f, \"median_ms\": %.3f, \"p99_ms\": %.3f}\n",
              all.size(), seconds, quantile(all, 0.5), quantile(all, 0.99));
}

}  // namespace mailload
