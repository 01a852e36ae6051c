// Semaphores: one Semaphore for each key, as long as somebody uses it.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <utility>

#include "base/semaphore.h"
#include "base/task.h"

namespace hikyaku {

/// Who has much to do waits for others of the same key (an account), and for nobody else. From all
/// event loops.
template <class Key>
class Semaphores {
  struct Entry {
    explicit Entry(std::size_t permits) : semaphore(permits) {}
    Semaphore semaphore;
    std::size_t users = 0;  ///< who has a permit or waits for one
  };
  using Entries = std::map<Key, Entry>;

  /// Keeps an entry from being forgotten.
  class Use {
   public:
    Use(Semaphores& owner, const Key& key) : owner_(&owner) {
      std::lock_guard lock(owner.mutex_);
      at_ = owner.entries_.try_emplace(key, owner.permits_).first;
      ++at_->second.users;
    }
    Use(Use&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), at_(other.at_) {}
    Use& operator=(Use&&) = delete;
    ~Use() {
      if (!owner_) return;
      std::lock_guard lock(owner_->mutex_);
      if (--at_->second.users == 0) owner_->entries_.erase(at_);
    }
    Semaphore& semaphore() { return at_->second.semaphore; }

   private:
    Semaphores* owner_;
    typename Entries::iterator at_;
  };

 public:
  /// `permits` of each key.
  explicit Semaphores(std::size_t permits) : permits_(permits) {}
  Semaphores(const Semaphores&) = delete;
  Semaphores& operator=(const Semaphores&) = delete;

  /// Gives its place back when destroyed. The Semaphores must outlive it.
  class [[nodiscard]] Permit {
   public:
    Permit(Use use, Semaphore::Permit permit) : use_(std::move(use)), permit_(std::move(permit)) {}

   private:
    Use use_;  // goes last
    Semaphore::Permit permit_;
  };

  /// One of the permits of `key`. First come, first served; a waiting coroutine must not be
  /// destroyed.
  Task<Permit> acquire(Key key) {
    Use use(*this, key);
    auto permit = co_await use.semaphore().acquire();
    co_return Permit(std::move(use), std::move(permit));
  }

  /// Keys in use.
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  const std::size_t permits_;
  mutable std::mutex mutex_;
  Entries entries_;
};

}  // namespace hikyaku
