// Opening and closing a store, and what is there then.
#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "store/posix_file_system.h"
#include "store/store_on_disk_test.h"
#include "store/verify.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = StoreOnDisk::kTable;

}  // namespace

TEST_CASE("store: what was written is there, also after reopening") {
  StoreOnDisk disk;
  disk.put("a", "1");
  disk.put("b", "2");
  CHECK(disk.get("a") == "1");
  disk.reopen();
  CHECK(disk.get("a") == "1");
  CHECK(disk.get("b") == "2");
  CHECK(disk.get("c") == std::nullopt);
  disk.put("c", "3");
  disk.reopen();
  CHECK(disk.get("c") == "3");
}

TEST_CASE("store: only one process owns it") {
  StoreOnDisk disk;
  auto second = open_store(disk.options());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::Conflict);
  CHECK(second.error().text.find(std::to_string(getpid())) != std::string::npos);
}

TEST_CASE("store: after closing nothing is taken") {
  StoreOnDisk disk;
  disk.put("a", "1");
  auto& store = *disk.store;
  auto late = [&]() -> Task<Result<void>> {
    co_return co_await store.transact({1}, [](Transaction&) -> Result<void> { return {}; });
  };
  CHECK(disk.loop.run(late()));
  store.close();
  store.close();
}

TEST_CASE("store: as after kill -9, with RocksDB's unflushed rows gone") {
  StoreOnDisk disk;
  for (int i = 0; i < 30; ++i) disk.put("k" + std::to_string(i), std::string(50, 'v'));
  auto bytes = random_bytes(300'000);
  auto id = disk.own(disk.stage(bytes), "o");
  // What is on the disk while the store is open and idle is what a killed process leaves.
  auto copy = disk.directory.path;
  copy += "-copy";
  std::filesystem::copy(disk.directory.path, copy, std::filesystem::copy_options::recursive);
  disk.store.reset();
  std::filesystem::remove_all(disk.directory.path);
  std::filesystem::rename(copy, disk.directory.path);
  disk.open();
  CHECK(disk.store->statistics().replayed_groups == 31);
  for (int i = 0; i < 30; ++i) CHECK(disk.get("k" + std::to_string(i)));
  CHECK(disk.body(id) == bytes);
}

TEST_CASE("store: the index is flushed before a restart would have too much to replay") {
  StoreOnDisk disk;
  disk.store.reset();
  auto options = disk.options();
  options.most_tail_records = 20;
  disk.store = *open_store(options);
  for (int i = 0; i < 100; ++i) disk.put("k" + std::to_string(i), "v");
  CHECK(disk.store->statistics().index_flushes >= 1);
  CHECK(disk.store->statistics().tail_records <= 100);
  for (int i = 0; i < 100; ++i) CHECK(disk.get("k" + std::to_string(i)) == "v");
}

TEST_CASE("store: after a restart rows come from the disk, on a worker, for reads and steps") {
  StoreOnDisk disk;
  REQUIRE(disk.transact([](Transaction& tx) -> Result<void> {
    for (int i = 0; i < 500; ++i)
      tx.put(Key(1, kTable).raw("k" + std::to_string(i)), random_bytes(400));
    return {};
  }));
  disk.reopen();
  auto done = disk.transact([](Transaction& tx) -> Result<void> {
    int count = 0;
    tx.scan(Key(1, kTable).children(), [&](auto, auto) { return ++count > 0; });
    CHECK(count == 500);
    return {};
  });
  CHECK(done);
  CHECK(disk.store->statistics().cold_steps >= 1);
  disk.reopen();
  CHECK(disk.get("k7") == random_bytes(400));
}

TEST_CASE("store: where there is none, nothing is made unless that is asked for") {
  testing::TemporaryDirectory directory;
  testing::TestLoop loop;
  testing::TestPool pool;
  auto place = directory.path / "data";
  Options options{.directory = place.string(), .workers = pool, .clock = loop};
  for (bool empty : {false, true}) {
    CAPTURE(empty);
    if (empty) std::filesystem::create_directory(place);
    auto opened = open_store(options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::NotFound);
    auto verified = verify_store(options, {});
    REQUIRE_FALSE(verified);
    CHECK(verified.error().code == ErrorCode::NotFound);
    CHECK(std::filesystem::exists(place) == empty);
    if (empty) CHECK(std::filesystem::is_empty(place));
  }
  options.if_missing = IfMissing::Make;
  REQUIRE(open_store(options));
  options.if_missing = IfMissing::Refuse;
  CHECK(open_store(options));

  auto is_missing = [&] {
    PosixFileSystem files;
    return store::is_missing(files, place.string()).value();
  };
  auto move = [&](const char* from, const char* to) {
    std::filesystem::rename(place / from, place / to);
  };
  // A journal without its name is damaged, not missing; so is an index without a journal.
  move("STORE", "name");
  CHECK_FALSE(is_missing());
  CHECK(open_store(options).error().code == ErrorCode::Corrupt);
  move("name", "STORE");
  move("journal", "away");
  CHECK_FALSE(is_missing());
  // A name is not yet a store, nor is what lies about where a journal was.
  move("index", "index.away");
  std::filesystem::create_directory(place / "journal");
  std::ofstream(place / "journal/notes.txt") << "x";
  CHECK(is_missing());
  auto opened = open_store(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::NotFound);
  CHECK(verify_store(options, {}).error().code == ErrorCode::NotFound);
  // Who wants another one gets one that can be written to.
  options.if_missing = IfMissing::Make;
  opened = open_store(options);
  REQUIRE(opened);
  CHECK((*opened)->statistics().read_only == "");
}
