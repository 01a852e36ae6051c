// Subscriptions to changes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "store/store.h"

namespace hikyaku::store {

/// What runs on which loop after a commit: one post for each, however many wait there.
class Deliveries {
 public:
  void add(Executor& loop, Callback work) { work_[&loop].push_back(std::move(work)); }
  void post();

 private:
  std::unordered_map<Executor*, std::vector<Callback>> work_;
};

/// From any thread.
class Subscriptions {
 public:
  Subscriptions();
  ~Subscriptions();
  /// Called on the loop where `changed` is to run. The subscription may outlive this object.
  std::unique_ptr<Subscription> add(AccountId account, std::uint32_t topic,
                                    std::function<void()> changed);
  void notify(const std::set<std::pair<AccountId, std::uint32_t>>& topics, Deliveries& into);

 private:
  struct Subscriber;
  struct Table;
  class Handle;
  std::shared_ptr<Table> table_;
};

}  // namespace hikyaku::store
