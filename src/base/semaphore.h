// Semaphore: at most so many coroutines, of all event loops together, are in a section at once.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

#include "base/completion.h"
#include "base/task.h"

namespace hikyaku {

/// For work that is dear in memory or processors (password hashes, large parses). First come, first
/// served. A waiting coroutine must not be destroyed: its turn would be lost.
class Semaphore {
 public:
  explicit Semaphore(std::size_t permits) : free_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Gives its place back when destroyed.
  class [[nodiscard]] Permit {
   public:
    explicit Permit(Semaphore* owner) : owner_(owner) {}
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (owner_) owner_->release();
    }

   private:
    Semaphore* owner_;
  };

  Task<Permit> acquire() {
    Completion<bool> turn;
    {
      std::lock_guard lock(mutex_);
      if (free_ > 0) {
        --free_;
        co_return Permit(this);
      }
      waiting_.push_back(turn.giver());
    }
    co_await turn;
    co_return Permit(this);
  }

  /// How many wait now.
  std::size_t waiting() const {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  void release() {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next(true);
  }

  mutable std::mutex mutex_;
  std::size_t free_;
  std::deque<Completion<bool>::Giver> waiting_;
};

}  // namespace hikyaku
