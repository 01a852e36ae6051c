#include "net/worker_pool.h"

#include <algorithm>
#include <sys/resource.h>

namespace hikyaku::net {

namespace {
/// What nice(1) calls 10: about a tenth of a processor that others want too.
constexpr int kLowPriority = 10;
}  // namespace

ThreadPool::ThreadPool(std::size_t threads, Priority priority)
    : size_(std::max<std::size_t>(threads, 1)) {
  for (std::size_t i = 0; i < size_; ++i) {
    threads_.emplace_back([this, priority] {
      // On Linux it is the thread's own. Without it, it only takes its turns like the others.
      if (priority == Priority::Low) ::setpriority(PRIO_PROCESS, 0, kLowPriority);
      run();
    });
  }
}

ThreadPool::~ThreadPool() {
  join();
}

void ThreadPool::submit(Callback work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    longest_ = std::max(longest_, queue_.size());
  }
  changed_.notify_one();
}

void ThreadPool::join() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

ThreadPool::Load ThreadPool::load() const {
  std::lock_guard lock(mutex_);
  return {size_, running_, queue_.size(), longest_};
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --running_;
  }
}

}  // namespace hikyaku::net
