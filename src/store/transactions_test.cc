// Transactions, snapshots and notification: what a step sees, and what others see of it.
#include <algorithm>
#include <doctest/doctest.h>

#include "base/async.h"
#include "base/gate.h"
#include "store/store_on_disk_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = StoreOnDisk::kTable;

}  // namespace

TEST_CASE("store: a step sees what it wrote; an error or exception drops it alone") {
  StoreOnDisk disk;
  disk.put("a", "1");
  auto failed = disk.transact([](Transaction& tx) -> Result<void> {
    auto key = Key(1, kTable).raw("a");
    tx.put(key, "2");
    CHECK(tx.get(key) == "2");
    CHECK(tx.has_put(key));
    tx.erase_range(Key(1, kTable).children());
    CHECK(tx.get(key) == std::nullopt);
    CHECK_FALSE(tx.has_put(key));
    return fail(ErrorCode::Denied, "no");
  });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::Denied);
  auto threw = disk.transact([](Transaction& tx) -> Result<void> {
    tx.put(Key(1, kTable).raw("a"), "3");
    throw std::runtime_error("a defect");
  });
  REQUIRE_FALSE(threw);
  CHECK(threw.error().code == ErrorCode::Internal);
  auto bad_key = disk.transact([](Transaction& tx) -> Result<void> {
    tx.put("x", "");
    return {};
  });
  REQUIRE_FALSE(bad_key);
  CHECK(disk.get("a") == "1");
  CHECK(disk.store->statistics().failed_steps >= 3);
}

TEST_CASE("store: concurrent transactions share groups and see each other in order") {
  StoreOnDisk disk;
  int ended = 0;
  Gate gate{end_process};
  auto client = [](Store& store, AccountId account, int count, int& done) -> Task<void> {
    for (int i = 0; i < count; ++i) {
      auto result = co_await store.transact({account}, [&](Transaction& tx) -> Result<void> {
        auto key = Key(9, kTable).raw("counter");
        auto value = tx.get(key);
        tx.put(key, std::to_string(std::stoi(value.value_or("0")) + 1));
        return {};
      });
      CHECK(result);
    }
    ++done;
  };
  for (AccountId i = 0; i < 50; ++i) gate.spawn(client(*disk.store, i % 7, 10, ended));
  auto wait = [&]() -> Task<void> {
    while (ended < 50) co_await yield_now();
  };
  disk.loop.run(wait());
  gate.close([] {});
  CHECK(disk.loop.run(disk.store->read(
            [](Reader& reader) { return reader.get(Key(9, kTable).raw("counter")); })) == "500");
  CHECK(disk.store->statistics().groups < 400);
}

TEST_CASE("store: snapshots stay as they were, scans go both ways") {
  StoreOnDisk disk;
  for (auto key : {"a", "b", "c", "d"}) disk.put(key, key);
  auto pinned = disk.store->snapshot();
  auto erased = disk.transact([](Transaction& tx) -> Result<void> {
    tx.erase(Key(1, kTable).raw("b"));
    tx.put(Key(1, kTable).raw("e"), "e");
    return {};
  });
  REQUIRE(erased);
  auto list = [](Reader::Direction direction) {
    return [=](Reader& reader) {
      std::string all;
      reader.scan(Key(1, kTable).children(), direction, [&](auto, std::string_view value) {
        all += value;
        return all.size() < 4;
      });
      return all;
    };
  };
  using enum Reader::Direction;
  CHECK(disk.loop.run(disk.store->read_at(pinned, list(Forward))) == "abcd");
  CHECK(disk.loop.run(disk.store->read_at(pinned, list(Backward))) == "dcba");
  CHECK(disk.loop.run(disk.store->read(list(Forward))) == "acde");
  CHECK(disk.loop.run(disk.store->read(list(Backward))) == "edca");
}

TEST_CASE("store: subscriptions are called after the commit, once for many, never when destroyed") {
  StoreOnDisk disk;
  int exact = 0, every = 0, other = 0;
  auto a = disk.store->subscribe(1, 7, [&] { ++exact; });
  auto b = disk.store->subscribe(1, Store::kEveryTopic, [&] { ++every; });
  auto c = disk.store->subscribe(2, 7, [&] { ++other; });
  auto notify = [&](std::uint32_t topic) {
    auto done = disk.transact([=](Transaction& tx) -> Result<void> {
      tx.put(Key(1, kTable).raw("n"), std::to_string(topic));
      tx.notify(1, topic);
      return {};
    });
    REQUIRE(done);
    disk.loop.run_ready();
    // The answer of the next transaction comes behind the notifications of this one.
    disk.put("flush", "");
    disk.loop.run_ready();
  };
  notify(7);
  CHECK(exact == 1);
  CHECK(every == 1);
  notify(8);
  CHECK(exact == 1);
  CHECK(every == 2);
  CHECK(other == 0);
  a.reset();
  notify(7);
  CHECK(exact == 1);
  CHECK(every == 3);
  disk.put("x", "");  // a step without notifications wakes nobody
  CHECK(every == 3);
}

TEST_CASE("store: lazy transactions are seen by later steps, and are there after closing") {
  StoreOnDisk disk;
  auto lazy = disk.transact(
      [](Transaction& tx) -> Result<void> {
        tx.put(Key(1, kTable).raw("lazy"), "1");
        return {};
      },
      {.durability = Durability::Lazy});
  REQUIRE(lazy);
  CHECK(disk.store->statistics().groups == 0);
  auto seen = disk.transact([](Transaction& tx) -> Result<void> {
    CHECK(tx.get(Key(1, kTable).raw("lazy")) == "1");
    return {};
  });
  REQUIRE(seen);
  disk.reopen();
  CHECK(disk.get("lazy") == "1");
}

TEST_CASE("store: a transaction whose waiter goes away is harmless") {
  StoreOnDisk disk;
  for (int i = 0; i < 100; ++i) {
    auto seen = std::make_unique<int>(0);  // the step uses what the frame holds
    auto wait = [](Store& store, int& value) -> Task<void> {
      (void)co_await store.transact({1}, [&](Transaction&) -> Result<void> {
        ++value;
        return {};
      });
    };
    Gate gate{end_process};
    {
      // A frame that is destroyed while it waits.
      struct Starter {
        struct promise_type {
          Starter get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
          }
          std::suspend_never initial_suspend() { return {}; }
          std::suspend_always final_suspend() noexcept { return {}; }
          void return_void() {}
          void unhandled_exception() { std::terminate(); }
        };
        std::coroutine_handle<promise_type> frame;
      };
      auto start = [](Task<void> task) -> Starter { co_await std::move(task); };
      auto starter = start(wait(*disk.store, *seen));
      if (i % 2) disk.put("x", "y");
      starter.frame.destroy();
    }
    seen.reset();
  }
  disk.loop.run_ready();
}

TEST_CASE("store: accounts take turns") {
  StoreOnDisk disk;
  std::vector<int> order;
  Gate gate{end_process};
  int ended = 0;
  auto one = [](Store& store, AccountId account, int name, std::vector<int>& seen,
                int& count) -> Task<void> {
    auto done = co_await store.transact({account}, [&seen, name](Transaction&) -> Result<void> {
      // The first holds up the committer until all others wait.
      if (name == 0) usleep(100'000);
      if (std::ranges::find(seen, name) == seen.end()) seen.push_back(name);
      return {};
    });
    CHECK(done);
    ++count;
  };
  for (int i = 0; i < 100; ++i) gate.spawn(one(*disk.store, 1, i, order, ended));
  gate.spawn(one(*disk.store, 2, 1000, order, ended));
  auto wait = [&]() -> Task<void> {
    while (ended < 101) co_await yield_now();
  };
  disk.loop.run(wait());
  gate.close([] {});
  auto place = std::ranges::find(order, 1000) - order.begin();
  CHECK(place <= 3);
}
