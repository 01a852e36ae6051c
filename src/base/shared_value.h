// A value that is replaced as a whole while others read it.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace hikyaku {

/// What std::atomic<std::shared_ptr<const Value>> is for; libstdc++ 12's load() does not order its
/// reads before a store(). From any thread.
template <class Value>
class SharedValue {
 public:
  std::shared_ptr<const Value> load() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  void store(std::shared_ptr<const Value> value) {
    std::lock_guard lock(mutex_);
    value_.swap(value);  // the old one goes with the argument, behind the lock
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Value> value_;
};

}  // namespace hikyaku
