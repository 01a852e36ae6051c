#include "store/counted_workers.h"

namespace hikyaku::store {

void CountedWorkers::submit(Callback work) {
  {
    std::lock_guard lock(mutex_);
    ++running_;
  }
  workers_.submit([this, work = std::move(work)]() mutable {
    work();
    work = nullptr;  // what it owns goes before the store can
    std::lock_guard lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
  });
}

void CountedWorkers::wait_until_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return running_ == 0; });
}

}  // namespace hikyaku::store
