// ThreadPool: the worker threads of the process.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace hikyaku::net {

/// A fixed number of threads and one queue. Whoever submits bounds how much it submits (sessions
/// wait for their own work; password hashes have a limit of their own): the pool measures.
class ThreadPool final : public WorkerPool {
 public:
  /// Low: its threads get the processor when nobody else wants it much.
  enum class Priority { Normal, Low };
  explicit ThreadPool(std::size_t threads, Priority priority = Priority::Normal);
  /// Finishes what is queued, then ends the threads.
  ~ThreadPool() override;

  void submit(Callback work) override;

  /// Finishes what is queued and ends the threads. Nothing may be submitted afterwards. Idempotent.
  void join();

  /// What the pool does at this moment, for metrics.
  struct Load {
    std::size_t threads = 0;
    std::size_t running = 0;  ///< work in progress
    std::size_t queued = 0;   ///< work that waits
    std::size_t longest = 0;  ///< the longest the queue ever was
  };
  Load load() const;

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Callback> queue_;
  std::size_t running_ = 0;
  std::size_t longest_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
  std::size_t size_ = 0;
};

}  // namespace hikyaku::net
