// A store that a newer version of the program has written.
#include <algorithm>
#include <doctest/doctest.h>

#include "store/simulated_store_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

TEST_CASE("a store of a newer version is refused, and stays as it was") {
  SimulatedStore disk;
  auto id = disk.add(1, 100);
  disk.store.reset();
  auto newer = disk.options();
  newer.schema = 2;
  {
    auto opened = open_store(newer);
    REQUIRE(opened);
    disk.store = std::move(*opened);
    CHECK(disk.reads(1, id, 100));
    disk.add(2, 100);
    disk.store.reset();
  }
  auto refused = open_store(disk.options());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::Unsupported);
  CHECK(refused.error().describe().find("newer version") != std::string::npos);
  auto opened = open_store(newer);
  REQUIRE(opened);
  disk.store = std::move(*opened);
  CHECK(disk.reads(1, id, 100));
}

TEST_CASE("a store of a newer version is refused, however it ended") {
  SimulatedStore disk;
  disk.add(1, 100);
  disk.store.reset();
  auto newer = disk.options();
  newer.schema = 2;
  auto open_newer = [&] {
    auto opened = open_store(newer);
    REQUIRE(opened);
    disk.store = std::move(*opened);
  };
  auto lose_power = [&] {
    disk.files.power_off();
    disk.store.reset();
    disk.files.power_on();
  };
  open_newer();
  SUBCASE("its rows are in the journal alone") {
    auto id = disk.add(2, 100);
    lose_power();
    disk.faults->applied = 0;
    auto refused = open_store(disk.options());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Unsupported);
    CHECK(disk.faults->applied.load() == 0);
    open_newer();
    CHECK(disk.reads(2, id, 100));
  }
  SUBCASE("its journal is damaged") {
    disk.add(2, 100);
    disk.store.reset();
    open_newer();
    for (int i = 10; i < 70; ++i) disk.add(i, 9'000);
    lose_power();
    auto names = disk.files.list("/store/journal");
    REQUIRE(names);
    std::ranges::sort(*names);
    REQUIRE(names->size() > 3);
    REQUIRE(disk.files.unlink("/store/journal/" + (*names)[names->size() - 2]));
    auto refused = open_store(disk.options());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Unsupported);
  }
}
