// Full disks, failing devices, damaged bytes, cold caches: on the simulated file system.
#include <doctest/doctest.h>

#include "store/ballast.h"
#include "store/epoch.h"
#include "store/key.h"
#include "store/memory_index.h"
#include "store/open.h"
#include "store/segment.h"
#include "store/simulated_file_system.h"
#include "store/verify.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;

struct Lab {
  testing::TestLoop loop;
  testing::TestPool pool;
  SimulatedFileSystem files{1};
  std::shared_ptr<MemoryIndexDisk> disk = std::make_shared<MemoryIndexDisk>();
  MemoryIndex* index = nullptr;
  std::vector<std::string> failures;
  std::uint64_t reserve = 0;
  std::uint64_t ballast = 0;
  std::unique_ptr<Store> store;

  Lab() {
    disk->writable = [this] { return files.powered(); };
    open();
  }
  Options options() {
    Options options{.directory = "/store", .workers = pool, .clock = loop};
    options.if_missing = IfMissing::Make;
    options.files = &files;
    options.reserve = reserve;
    options.ballast = ballast;
    options.smallest_segment = 64 << 10;
    options.largest_segment = 256 << 10;
    options.open_index = [this]() -> Result<std::unique_ptr<Index>> {
      auto made = std::make_unique<MemoryIndex>(disk);
      index = made.get();
      return made;
    };
    options.journal_failed = [this](const Error& error) { failures.push_back(error.describe()); };
    return options;
  }
  void open() {
    auto opened = open_store(options());
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  /// As after kill -9 and a power failure that loses nothing that was synced.
  void crash() {
    files.power_off();
    store.reset();
    files.power_on();
    failures.clear();
    open();
  }
  Result<void> put(std::string key, std::string value, TransactOptions how = {}) {
    return loop.run(store->transact(
        {1},
        [=](Transaction& tx) -> Result<void> {
          tx.put(Key(1, kTable).raw(key), value);
          return {};
        },
        how));
  }
  std::optional<std::string> get(std::string key) {
    return loop.run(
        store->read([=](Reader& reader) { return reader.get(Key(1, kTable).raw(key)); }));
  }
  Task<Result<BlobId>> deliver(std::string bytes) {
    auto writer = store->stage("salvage");
    CO_TRY_DO(co_await writer->append(bytes));
    CO_TRY(auto staged, co_await writer->finish());
    BlobId id = 0;
    CO_TRY_DO(co_await store->transact({1}, [&](Transaction& tx) -> Result<void> {
      id = tx.own(staged, Key(1, kTable).raw("owner"));
      return {};
    }));
    co_return id;
  }
  Task<Result<std::string>> body(BlobId id) {
    CO_TRY(auto blob, co_await store->open_blob(id));
    co_return co_await blob->read(0, 1 << 20);
  }
};

const std::string kFirstLog = "/store/journal/" + segment_name(1, SegmentKind::Log);

}  // namespace

TEST_CASE("faults: a failed sync or write of the journal acknowledges nothing, and nothing after") {
  for (bool sync : {true, false}) {
    Lab lab;
    REQUIRE(lab.put("a", "1"));
    if (sync) {
      lab.files.fail_sync_at(1);
    } else {
      lab.files.fail_write_at(1);
    }
    CHECK_FALSE(lab.put("b", "2"));
    CHECK(lab.failures.size() == 1);
    CHECK_FALSE(lab.put("c", "3"));
    lab.crash();
    CHECK(lab.get("a") == "1");
    CHECK(lab.get("c") == std::nullopt);
    CHECK(lab.put("d", "4"));
  }
}

TEST_CASE("faults: a full disk refuses, loses nothing, and serves again when there is space") {
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  lab.files.set_capacity(100 << 10);
  int stored = 0;
  Result<void> last;
  while ((last = lab.put("k" + std::to_string(stored), std::string(5000, 'v')))) ++stored;
  CHECK(last.error().code == ErrorCode::NoSpace);
  CHECK(stored > 5);
  CHECK(lab.failures.empty());
  CHECK(lab.loop.run(lab.deliver(std::string(500'000, 'x'))).error().code == ErrorCode::NoSpace);
  CHECK(lab.failures.empty());
  lab.files.set_capacity(10 << 20);
  CHECK(lab.put("more", "1"));
  CHECK(lab.loop.run(lab.deliver(std::string(500'000, 'x'))));
  lab.files.set_capacity(0);
  lab.crash();  // opens on a full disk, too
  CHECK(lab.get("more") == "1");
  CHECK(lab.put("x", "1").error().code == ErrorCode::NoSpace);
  lab.files.set_capacity(10 << 20);
  CHECK(lab.put("x", "1"));
  for (int i = 0; i < stored; ++i) CHECK(lab.get("k" + std::to_string(i)));
}

TEST_CASE("faults: below the reserve only what may use it goes on") {
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  lab.store.reset();
  lab.reserve = 1 << 20;
  lab.files.set_capacity(500 << 10);
  lab.open();
  CHECK(lab.put("b", "2").error().code == ErrorCode::NoSpace);
  CHECK(lab.loop.run(lab.deliver("x")).error().code == ErrorCode::NoSpace);
  CHECK(lab.put("b", "2", {.may_use_half_reserve = true}).error().code == ErrorCode::NoSpace);
  CHECK(lab.put("b", "2", {.may_use_reserve = true}));
  CHECK(lab.get("b") == "2");
  // Some of the reserve is left: for moving too, not for what is new.
  lab.files.set_capacity(900 << 10);
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  CHECK(lab.put("c", "3").error().code == ErrorCode::NoSpace);
  CHECK(lab.put("c", "3", {.may_use_half_reserve = true}));
}

TEST_CASE("faults: others fill the disk: the ballast is for those who make room, and comes again") {
  constexpr std::uint64_t kSize = 2 << 20;
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  lab.store.reset();
  lab.ballast = kSize;
  lab.files.set_capacity(64 << 20);
  lab.open();
  CHECK(lab.store->statistics().ballast_bytes == kSize);
  lab.files.set_capacity(lab.files.used_space());
  Result<void> last;
  for (int i = 0; (last = lab.put("k" + std::to_string(i), std::string(5000, 'v'))); ++i) {
  }
  CHECK(last.error().code == ErrorCode::NoSpace);
  CHECK(lab.store->statistics().ballast_bytes == kSize);  // not for what adds to the store
  SUBCASE("at work") {}
  SUBCASE("after a crash") {
    lab.crash();
    CHECK(lab.store->statistics().ballast_bytes == kSize);
  }
  CHECK(lab.put("b", std::string(50'000, 'v'), {.may_use_reserve = true}));
  CHECK(lab.store->statistics().ballast_bytes == 0);
  // There is room now, and it is not theirs.
  CHECK(lab.put("c", "3").error().code == ErrorCode::NoSpace);
  CHECK(lab.loop.run(lab.deliver("x")).error().code == ErrorCode::NoSpace);
  CHECK(lab.put("c", "3", {.may_use_reserve = true}));
  // With it the way out ends, and the remedy is named.
  lab.files.set_capacity(lab.files.used_space());
  while ((last = lab.put("d", std::string(50'000, 'v'), {.may_use_reserve = true}))) {
  }
  CHECK(last.error().code == ErrorCode::NoSpace);
  CHECK(last.error().describe().contains("make 16 MB of room"));
  CHECK(lab.failures.empty());
  lab.files.set_capacity(64 << 20);
  while (lab.loop.run(lab.store->reclaim({}))->more) {
  }
  CHECK(lab.store->statistics().ballast_bytes == kSize);
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  CHECK(lab.put("e", "5"));
  lab.crash();
  CHECK(lab.get("c") == "3");
  CHECK(lab.get("e") == "5");
}

TEST_CASE("ballast: no more than an eighth of what is free, and it grows when there is more") {
  SimulatedFileSystem files(1);
  REQUIRE(files.make_directory("/store"));
  Ballast ballast(files, "/store", 4 << 20, {});
  files.set_capacity(4 << 20);
  ballast.keep();
  CHECK(ballast.missing());  // what is free is too little for one
  CHECK_FALSE(ballast.give(Error{ErrorCode::NoSpace, "full", nullptr}));
  files.set_capacity(Ballast::kRoom);
  ballast.keep();
  CHECK(ballast.bytes() == Ballast::kRoom / 8);
  files.set_capacity(100 << 20);
  ballast.keep();
  CHECK(ballast.bytes() == 4 << 20);
  CHECK_FALSE(ballast.missing());
  files.power_off();
  files.power_on();
  CHECK(files.used_space() == 4 << 20);
  CHECK(ballast.give(Error{ErrorCode::NoSpace, "full", nullptr}));
  CHECK(files.used_space() == 0);
  CHECK(ballast.missing());
}

TEST_CASE("faults: short writes are gone on with") {
  Lab lab;
  lab.files.set_short_writes(true);
  REQUIRE(lab.put("a", std::string(10'000, 'a')));
  auto id = lab.loop.run(lab.deliver(std::string(400'000, 'b')));
  REQUIRE(id);
  lab.crash();
  CHECK(lab.get("a") == std::string(10'000, 'a'));
  CHECK(*lab.loop.run(lab.body(*id)) == std::string(400'000, 'b'));
}

TEST_CASE("faults: a damaged record with records behind it opens for reading only, and is named") {
  Lab lab;
  for (int i = 0; i < 5; ++i) REQUIRE(lab.put("k" + std::to_string(i), std::string(100, 'v')));
  lab.files.power_off();
  lab.store.reset();
  lab.files.power_on();
  // In the middle of the second group; every byte of the groups is under some checksum.
  lab.files.flip_bit(kFirstLog, kSegmentStart + 300);
  lab.open();
  auto reason = lab.store->statistics().read_only;
  CHECK(reason.find("journal segment 1, bytes") != std::string::npos);
  CHECK(lab.get("k0"));
  CHECK_FALSE(lab.get("k4"));
  CHECK(lab.put("x", "1").error().code == ErrorCode::Unavailable);
  CHECK(lab.loop.run(lab.deliver("x")).error().code == ErrorCode::Unavailable);
}

TEST_CASE("faults: a damaged body is reported, never given out") {
  for (std::size_t size : {3'000u, 400'000u}) {
    Lab lab;
    auto id = lab.loop.run(lab.deliver(std::string(size, 'b')));
    REQUIRE(id);
    auto names = *lab.files.list("/store/journal");
    auto name = size > 300'000 ? names[1] : names[0];
    lab.files.flip_bit("/store/journal/" + name, kSegmentStart + 2'000, 3);
    auto bytes = lab.loop.run(lab.body(*id));
    REQUIRE_FALSE(bytes);
    CHECK(bytes.error().code == ErrorCode::Corrupt);
  }
}

TEST_CASE("faults: a segment's header has a copy") {
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  lab.files.power_off();
  lab.store.reset();
  lab.files.power_on();
  lab.files.flip_bit(kFirstLog, 20);
  lab.open();
  CHECK(lab.store->statistics().read_only == "");
  CHECK(lab.get("a") == "1");
}

TEST_CASE("faults: a journal that ends before its clean end opens for reading only") {
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  REQUIRE(lab.put("b", "2"));
  lab.store.reset();
  lab.disk->rows.clear();  // the index is lost too, so the journal is all there is
  lab.disk->position = {};
  auto log = lab.files.open(kFirstLog, OpenMode::Write);
  auto size = *(*log)->size();
  lab.files.flip_bit(kFirstLog, size - 5);
  lab.open();
  CHECK(lab.store->statistics().read_only != "");
  CHECK(lab.get("a") == "1");

  auto options = lab.options();
  lab.store.reset();
  VerifyOptions how;
  how.open_scratch = []() -> Result<std::unique_ptr<Index>> {
    return std::make_unique<MemoryIndex>(std::make_shared<MemoryIndexDisk>());
  };
  CHECK_FALSE(verify_store(options, how)->good());
  how.repair = true;
  auto report = verify_store(options, how);
  REQUIRE(report);
  CHECK(report->lost_groups == 1);
  CHECK(Epoch::of(report->epoch).turn == 2);
  lab.open();
  CHECK(lab.store->statistics().read_only == "");
  CHECK(Epoch::of(lab.store->epoch()).turn == 2);
  CHECK(lab.get("a") == "1");
  REQUIRE(lab.put("c", "3"));
  lab.crash();
  CHECK(lab.get("c") == "3");
}

TEST_CASE("faults: a log segment that the index knows and that is gone opens for reading only") {
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  lab.crash();  // goes on in segment 2
  REQUIRE(lab.put("b", "2"));
  lab.store.reset();
  REQUIRE(lab.files.unlink("/store/journal/" + segment_name(2, SegmentKind::Log)));
  lab.open();
  CHECK(lab.store->statistics().read_only.find("segment 2") != std::string::npos);
  CHECK(lab.get("b") == "2");
}

TEST_CASE("faults: a lost index is made again from the journal") {
  Lab lab;
  for (int i = 0; i < 20; ++i) REQUIRE(lab.put("k" + std::to_string(i), std::string(9'000, 'v')));
  auto id = lab.loop.run(lab.deliver("body"));
  lab.store.reset();
  lab.disk->rows.clear();
  lab.disk->position = {};
  lab.open();
  CHECK(lab.store->statistics().replayed_groups == 21);
  for (int i = 0; i < 20; ++i) CHECK(lab.get("k" + std::to_string(i)));
  CHECK(*lab.loop.run(lab.body(*id)) == "body");
}

TEST_CASE("faults: cold reads run again, on a worker") {
  Lab lab;
  REQUIRE(lab.put("a", "1"));
  lab.index->make_cold(1);
  CHECK(lab.get("a") == "1");
  for (int cold : {1, 3, 30}) {
    lab.index->make_cold(cold);
    int value = 0;
    auto done = lab.loop.run(lab.store->transact({1}, [&](Transaction& tx) -> Result<void> {
      for (int i = 0; i < 3; ++i) value = std::stoi(*tx.get(Key(1, kTable).raw("a")));
      tx.put(Key(1, kTable).raw("b"), std::to_string(value));
      return {};
    }));
    CHECK(done);
    CHECK(value == 1);
    CHECK(lab.get("b") == "1");
  }
  CHECK(lab.store->statistics().cold_steps > 0);
}
