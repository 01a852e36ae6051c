// Erasing many rows in pieces.
#include "store/erase.h"

#include <doctest/doctest.h>

#include "store/key.h"
#include "store/memory_store.h"
#include "testing/test_loop.h"

namespace hikyaku::store {
namespace {

constexpr Table kFirst = 61, kSecond = 62;

struct World {
  testing::TestLoop loop;
  MemoryStore store;

  World(int first, int second) {
    for (int i = 0; i < first; ++i) put(kFirst, i);
    for (int i = 0; i < second; ++i) put(kSecond, i);
  }
  void put(Table table, int i) {
    store.keys().put(Key(kInstance, table).u32(static_cast<std::uint32_t>(i)), "x");
  }
  std::size_t count(Table table) {
    std::size_t rows = 0;
    store.keys().scan(Key(kInstance, table).children(), [&](std::string_view, std::string_view) {
      ++rows;
      return true;
    });
    return rows;
  }
  Result<void> erase(std::size_t most, std::function<bool()> stopping) {
    return loop.run(erase_in_pieces(
        store, kInstance,
        [most](Transaction& tx) {
          auto left = most;
          return erase_some(tx, Key(kInstance, kFirst).children(), left) &&
                 erase_some(tx, Key(kInstance, kSecond).children(), left);
        },
        std::move(stopping)));
  }
};

bool never() {
  return false;
}

TEST_CASE("what one transaction erases is bounded, over all ranges together") {
  struct Case {
    int first, second;
    std::size_t most;
    std::size_t left_first, left_second;
    bool done;
  };
  for (auto& c : {Case{0, 0, 5, 0, 0, true}, Case{3, 0, 5, 0, 0, true}, Case{5, 0, 5, 0, 0, true},
                  Case{6, 2, 5, 1, 2, false}, Case{3, 4, 5, 0, 2, false}, Case{3, 2, 5, 0, 0, true},
                  Case{5, 1, 5, 0, 1, false}}) {
    CAPTURE(c.first);
    CAPTURE(c.second);
    World world(c.first, c.second);
    auto most = c.most;
    bool done = erase_some(world.store.keys(), Key(kInstance, kFirst).children(), most) &&
                erase_some(world.store.keys(), Key(kInstance, kSecond).children(), most);
    CHECK(done == c.done);
    CHECK(world.count(kFirst) == c.left_first);
    CHECK(world.count(kSecond) == c.left_second);
    CHECK(c.most - most ==
          static_cast<std::size_t>(c.first + c.second) - c.left_first - c.left_second);
  }
}

TEST_CASE("piece after piece until all is gone, also on a full disk") {
  World world(12, 7);
  world.store.fail_with(ErrorCode::NoSpace);
  int pieces = 0;
  world.store.before_step = [&] { ++pieces; };
  REQUIRE(world.erase(5, never));
  CHECK(pieces == 4);
  CHECK(world.count(kFirst) + world.count(kSecond) == 0);
  CHECK(world.erase(5, never));  // nothing to do
}

TEST_CASE("between two pieces it can be stopped") {
  World world(12, 7);
  int asked = 0;
  REQUIRE(world.erase(5, [&] { return asked++ == 2; }));
  CHECK(world.count(kFirst) == 2);
  CHECK(world.count(kSecond) == 7);
}

TEST_CASE(
    "a store that takes nothing more: what is erased stays so, the rest is left, it is said") {
  World world(12, 7);
  int pieces = 0;
  world.store.before_step = [&] {
    if (pieces++ == 1) world.store.fail_with(ErrorCode::Io);
  };
  auto erased = world.erase(5, never);
  REQUIRE_FALSE(erased);
  CHECK(erased.error().code == ErrorCode::Io);
  CHECK(world.count(kFirst) == 7);
  CHECK(world.count(kSecond) == 7);
}

}  // namespace
}  // namespace hikyaku::store
