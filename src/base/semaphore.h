// Semaphore: at most so many coroutines, or so much of what they need, of all event loops together,
// are in a section at once.
#pragma once

#include <algorithm>
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
  explicit Semaphore(std::size_t permits) : permits_(permits), free_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Gives its place back when destroyed.
  class [[nodiscard]] Permit {
   public:
    Permit(Semaphore* owner, std::size_t count) : owner_(owner), count_(count) {}
    Permit(Permit&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), count_(other.count_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (owner_) owner_->release(count_);
    }

   private:
    Semaphore* owner_;
    std::size_t count_;
  };

  /// `count` of the permits; who wants more than there are gets all of them, and is alone.
  Task<Permit> acquire(std::size_t count = 1) {
    count = std::min(count, permits_);
    Completion<bool> turn;
    {
      std::lock_guard lock(mutex_);
      if (free_ >= count && waiting_.empty()) {
        free_ -= count;
        co_return Permit(this, count);
      }
      waiting_.push_back({count, turn.giver()});
    }
    co_await turn;
    co_return Permit(this, count);
  }

  /// How many wait now.
  std::size_t waiting() const {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  struct Waiting {
    std::size_t count;
    Completion<bool>::Giver turn;
  };

  void release(std::size_t count) {
    std::lock_guard lock(mutex_);
    free_ += count;
    while (!waiting_.empty() && waiting_.front().count <= free_) {
      free_ -= waiting_.front().count;
      auto next = std::move(waiting_.front().turn);
      waiting_.pop_front();
      next(true);
    }
  }

  const std::size_t permits_;
  mutable std::mutex mutex_;
  std::size_t free_;
  std::deque<Waiting> waiting_;
};

}  // namespace hikyaku
