// Reclaiming where something is damaged, and what is made again of what it has left.
#include <algorithm>
#include <doctest/doctest.h>
#include <map>

#include "store/key.h"
#include "store/rows.h"
#include "store/simulated_store_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

TEST_CASE("reclaim: an index that cannot be read is an error, and ends nothing else") {
  SimulatedStore disk;
  std::map<int, BlobId> there;
  for (int i = 0; i < 100; ++i) there[i] = disk.add(i, 9'000);
  for (int i = 0; i < 100; ++i)
    if (i % 4 != 0) {
      disk.drop(i, there[i]);
      there.erase(i);
    }
  for (auto table : {kFreedTable, kSegmentTable, kPlaceTable}) {
    disk.faults->damaged = table;
    Result<Reclaimed> done = Reclaimed{.more = true};
    for (int steps = 0; done && done->more && steps < 100; ++steps)
      done = disk.loop.run(disk.store->reclaim(disk.at_once()));
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ErrorCode::Corrupt);
    if (table == kSegmentTable)
      CHECK(disk.loop.run(disk.store->space_use()).error().code == ErrorCode::Corrupt);
    disk.faults->damaged = 0;
  }
  CHECK(disk.reclaim().segments_removed > 0);
  for (auto& [number, id] : there) CHECK(disk.reads(number, id, 9'000));
  disk.verify();
}

TEST_CASE("reclaim: a segment whose counters are damaged keeps its bodies") {
  SimulatedStore disk;
  std::map<int, BlobId> there;
  for (int i = 0; i < 60; ++i) there[i] = disk.add(i, 9'000);
  REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [](Transaction& tx) -> Result<void> {
    std::vector<std::string> rows;
    tx.scan(Key(kInstance, kSegmentTable).children(), [&](std::string_view key, std::string_view) {
      rows.emplace_back(key);
      return true;
    });
    for (const auto& key : rows) tx.put(key, "");
    return {};
  })));
  disk.open();
  for (int i = 0; i < 60; ++i)
    if (i % 4 != 0) {
      disk.drop(i, there[i]);
      there.erase(i);
    }
  disk.reclaim();
  for (auto& [number, id] : there) CHECK(disk.reads(number, id, 9'000));
  auto use = disk.use();
  CHECK(use.live_bytes <= use.journal_bytes);
  disk.open();
  disk.reclaim();
  for (auto& [number, id] : there) CHECK(disk.reads(number, id, 9'000));
}

TEST_CASE("reclaim: a segment that cannot be read is passed over") {
  SimulatedStore disk;
  std::map<int, BlobId> there;
  for (int i = 0; i < 100; ++i) there[i] = disk.add(i, 9'000);
  for (int i = 0; i < 100; ++i)
    if (i % 4 != 0) {
      disk.drop(i, there[i]);
      there.erase(i);
    }
  disk.store.reset();
  auto names = disk.files.list("/store/journal");
  REQUIRE(names);
  std::ranges::sort(*names);
  REQUIRE(names->size() > 5);
  for (std::uint64_t at = 0; at < kSegmentStart; at += 7)
    disk.files.flip_bit("/store/journal/" + (*names)[2], at);
  disk.open();
  CHECK(disk.use().segments >= names->size());
  auto done = disk.reclaim();
  CHECK(done.bodies_moved > 10);
  CHECK(done.segments_removed > 3);
  CHECK(disk.use().segments < names->size());
  auto whole = std::ranges::count_if(
      there, [&](const auto& body) { return disk.reads(body.first, body.second, 9'000); });
  CHECK(whole > 15);
}

TEST_CASE("reclaim: what was removed from the journal is in the copy of the index") {
  struct Real : SimulatedStore {
    Options options() {
      auto options = SimulatedStore::options();
      options.open_index = nullptr;
      options.on_one_thread = true;
      return options;
    }
    void reopen() {
      store.reset();
      auto opened = open_store(options());
      REQUIRE_MESSAGE(opened, opened.error().describe());
      store = std::move(*opened);
      REQUIRE(store->statistics().read_only == "");
    }
    VerifyReport verify(bool repair) {
      store.reset();
      VerifyOptions how;
      how.repair = repair;
      auto report = verify_store(options(), how);
      REQUIRE_MESSAGE(report, report.error().describe());
      return std::move(*report);
    }
    void damage(const std::string& directory, std::string_view beginning) {
      store.reset();
      auto names = files.list(directory);
      REQUIRE(names);
      for (const auto& name : *names)
        if (name.starts_with(beginning))
          for (std::uint64_t at = 0; at < 4096; at += 7) files.flip_bit(directory + "/" + name, at);
    }
  } disk;
  disk.store.reset();
  disk.reopen();
  std::map<int, BlobId> there;
  for (int i = 0; i < 60; ++i) there[i] = disk.add(i, 9'000);
  for (int i = 0; i < 50; ++i) {
    disk.drop(i, there[i]);
    there.erase(i);
  }
  REQUIRE(disk.reclaim().segments_removed > 0);
  for (int i = 60; i < 65; ++i) there[i] = disk.add(i, 9'000);
  auto whole = [&] {
    disk.reopen();
    for (auto& [n, id] : there) CHECK(disk.reads(n, id, 9'000));
    CHECK(disk.store->epoch() == 1);
  };
  CHECK(disk.verify(false).good());
  SUBCASE("RocksDB's list of files is damaged") {
    disk.damage("/store/index", "MANIFEST");
    whole();
  }
  SUBCASE("its files are gone") {
    disk.store.reset();
    REQUIRE(remove_files(disk.files, "/store/index"));
    SUBCASE("opening") {}
    SUBCASE("verify") {
      CHECK_FALSE(disk.verify(false).good());
    }
    SUBCASE("verify --repair") {
      CHECK_FALSE(disk.verify(true).repairs.empty());
    }
    whole();
  }
  SUBCASE("its rows are damaged") {
    disk.damage("/store/index", "0");
    auto report = disk.verify(true);
    CHECK_FALSE(report.good());
    CHECK(report.lost.empty());
    whole();
  }
  SUBCASE("the copy is damaged") {
    disk.damage("/store/checkpoint", "0");
    CHECK_FALSE(disk.verify(false).good());
    disk.verify(true);
  }
  auto report = disk.verify(false);
  for (const auto& problem : report.problems) FAIL_CHECK(problem);
}
