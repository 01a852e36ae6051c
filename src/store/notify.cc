#include "store/notify.h"

#include <atomic>
#include <cassert>

namespace hikyaku::store {

void Deliveries::post() {
  for (auto& [loop, list] : work_)
    loop->post([work = std::move(list)]() mutable {
      for (auto& piece : work) piece();
    });
  work_.clear();
}

struct Subscriptions::Subscriber {
  Executor* loop = nullptr;
  std::function<void()> changed;
  /// Posted and not yet begun: further changes join that call.
  std::atomic<bool> pending{false};
  /// Held during the call, so that destroying the subscription on another thread waits for it.
  /// Recursive: the call itself may destroy it.
  std::recursive_mutex mutex;
  bool alive = true;

  void call() {
    std::lock_guard lock(mutex);
    pending = false;
    if (alive) changed();
  }
};

struct Subscriptions::Table {
  using Place = std::multimap<std::pair<AccountId, std::uint32_t>, std::shared_ptr<Subscriber>>;
  std::mutex mutex;
  Place subscribers;
};

class Subscriptions::Handle final : public Subscription {
 public:
  Handle(std::shared_ptr<Table> table, Table::Place::iterator place)
      : table_(std::move(table)), place_(place) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override {
    std::shared_ptr<Subscriber> subscriber = place_->second;
    {
      std::lock_guard lock(table_->mutex);
      table_->subscribers.erase(place_);
    }
    std::lock_guard lock(subscriber->mutex);
    subscriber->alive = false;
  }

 private:
  std::shared_ptr<Table> table_;
  Table::Place::iterator place_;
};

Subscriptions::Subscriptions() : table_(std::make_shared<Table>()) {}
Subscriptions::~Subscriptions() = default;

std::unique_ptr<Subscription> Subscriptions::add(AccountId account, std::uint32_t topic,
                                                 std::function<void()> changed) {
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->loop = Executor::current();
  assert(subscriber->loop && "subscribed outside an event loop");
  subscriber->changed = std::move(changed);
  std::lock_guard lock(table_->mutex);
  auto place = table_->subscribers.emplace(std::pair(account, topic), std::move(subscriber));
  return std::make_unique<Handle>(table_, place);
}

void Subscriptions::notify(const std::set<std::pair<AccountId, std::uint32_t>>& topics,
                           Deliveries& into) {
  std::lock_guard lock(table_->mutex);
  auto wake = [&](std::pair<AccountId, std::uint32_t> topic) {
    auto [from, to] = table_->subscribers.equal_range(topic);
    for (auto at = from; at != to; ++at) {
      auto subscriber = at->second;
      if (subscriber->pending.exchange(true)) continue;
      auto& loop = *subscriber->loop;
      into.add(loop, [subscriber = std::move(subscriber)] { subscriber->call(); });
    }
  };
  AccountId before = 0;
  bool first = true;
  for (const auto& topic : topics) {
    wake(topic);
    if (first || topic.first != before) wake({topic.first, Store::kEveryTopic});
    first = false;
    before = topic.first;
  }
}

}  // namespace hikyaku::store
