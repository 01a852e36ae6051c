// Places: how many of something each of many may have at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace hikyaku::auth {

/// Counts what is in use for each key, from every thread. What it gives out may outlive it.
template <class Key>
class Places {
 public:
  /// One place; empty when there were `most` already. Given back when the last copy goes.
  std::shared_ptr<void> take(const Key& key, std::uint32_t most) {
    std::lock_guard lock(counts_->mutex);
    auto& used = counts_->used[key];
    if (used >= most) {
      if (used == 0) counts_->used.erase(key);
      return nullptr;
    }
    ++used;
    return std::shared_ptr<void>(counts_.get(),
                                 [counts = counts_, key](void*) { counts->give(key); });
  }

 private:
  struct Counts {
    std::mutex mutex;
    std::unordered_map<Key, std::uint32_t> used;

    void give(const Key& key) {
      std::lock_guard lock(mutex);
      auto found = used.find(key);
      if (--found->second == 0) used.erase(found);
    }
  };
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace hikyaku::auth
