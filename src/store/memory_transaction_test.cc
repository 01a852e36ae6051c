#include "store/memory_transaction.h"

#include <doctest/doctest.h>

#include "store/key.h"

namespace hikyaku::store {
namespace {

TEST_CASE("a step that fails leaves nothing behind") {
  MemoryTransaction memory;
  Key kept(1, 0x10), gone(1, 0x11);
  memory.run([&](Transaction& tx) -> Result<void> {
    tx.put(kept, "one");
    tx.own(MemoryTransaction::stage(10), kept);
    return {};
  });
  auto failed = memory.run([&](Transaction& tx) -> Result<void> {
    tx.put(kept, "two");
    tx.put(gone, "new");
    tx.disown(1, kept);
    tx.own(MemoryTransaction::stage(20), gone);
    tx.erase_range(Key(1, 0x10).children());
    return fail(ErrorCode::Conflict, "no");
  });
  CHECK(!failed);
  CHECK(memory.keys().size() == 1);
  CHECK(memory.get(kept) == "one");
  CHECK(memory.bodies().size() == 1);
  CHECK(memory.bodies().at(1).owners.size() == 1);
}

TEST_CASE("a transaction knows what it has put itself") {
  MemoryTransaction memory;
  Key key(1, 0x10), other(1, 0x11);
  memory.run([&](Transaction& tx) -> Result<void> {
    CHECK(!tx.has_put(key));
    tx.put(key, "x");
    tx.put(other, "x");
    CHECK(tx.has_put(key));
    tx.erase(key);
    CHECK(!tx.has_put(key));
    tx.erase_range(Key(1, 0x11).children());
    CHECK(!tx.has_put(other));
    tx.put(key, "y");
    return {};
  });
  memory.begin();
  CHECK(!memory.has_put(key));
}

TEST_CASE("scanning both ways stops when told") {
  MemoryTransaction memory;
  for (std::uint32_t i = 0; i < 5; ++i) memory.put(Key(1, 0x10).u32(i), "v");
  std::vector<std::uint32_t> seen;
  auto take = [&](std::string_view key, std::string_view) {
    seen.push_back(key_fields(key).u32_be());
    return seen.size() < 3;
  };
  memory.scan(Key(1, 0x10).children(), take);
  CHECK(seen == std::vector<std::uint32_t>{0, 1, 2});
  seen.clear();
  memory.scan(Key(1, 0x10).children(), Reader::Direction::Backward, take);
  CHECK(seen == std::vector<std::uint32_t>{4, 3, 2});
}

}  // namespace
}  // namespace hikyaku::store
