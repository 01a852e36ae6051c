// Worker threads for unit tests.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace hikyaku::testing {

/// Runs what is submitted on a few threads; the destructor finishes everything first.
class TestPool final : public WorkerPool {
 public:
  explicit TestPool(std::size_t threads = 2);
  ~TestPool() override;
  void submit(Callback work) override;

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Callback> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hikyaku::testing
