// Work that a store has given to the workers, which outlive it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/executor.h"

namespace hikyaku::store {

/// Counts what runs on the workers for the store, so that closing can wait for it.
class CountedWorkers final : public WorkerPool {
 public:
  explicit CountedWorkers(WorkerPool& workers) : workers_(workers) {}
  void submit(Callback work) override;
  void wait_until_idle();

 private:
  WorkerPool& workers_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t running_ = 0;
};

}  // namespace hikyaku::store
