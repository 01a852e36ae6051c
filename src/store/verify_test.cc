#include "store/verify.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "store/epoch.h"
#include "store/key.h"
#include "store/rocks_index.h"
#include "store/segment.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;

/// A store with RocksDB in a directory of its own, with some transactions and bodies in it.
struct Yard {
  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  Options options;
  std::unique_ptr<Store> store;
  std::vector<BlobId> bodies;

  Yard() : options{.directory = directory.path.string(), .workers = pool, .clock = loop} {
    options.if_missing = IfMissing::Make;
    options.reserve = 0;
    options.smallest_segment = 64 << 10;
    options.largest_segment = 256 << 10;
    options.index_memory = 8 << 20;
    open();
    for (int i = 0; i < 10; ++i) {
      put("k" + std::to_string(i));
      bodies.push_back(deliver(i == 5 ? 300'000 : 9'000, "salvage " + std::to_string(i)));
    }
    REQUIRE(loop.run(store->transact({1}, [&](Transaction& tx) -> Result<void> {
      tx.disown(bodies[0], Key(1, kTable).raw("owner"));
      return {};
    })));
  }
  void open() {
    auto opened = open_store(options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  void put(std::string key) {
    REQUIRE(loop.run(store->transact({1}, [=](Transaction& tx) -> Result<void> {
      tx.put(Key(1, kTable).raw(key), std::string(100, 'v'));
      return {};
    })));
  }
  std::optional<std::string> get(std::string key) {
    return loop.run(
        store->read([=](Reader& reader) { return reader.get(Key(1, kTable).raw(key)); }));
  }
  BlobId deliver(std::size_t size, std::string salvage) {
    return deliver(std::string(size, 'b'), std::move(salvage));
  }
  BlobId deliver(std::string body, std::string salvage) {
    auto whole = [](Store& in, std::string bytes, std::string beside) -> Task<BlobId> {
      auto writer = in.stage(beside);
      REQUIRE(co_await writer->append(bytes));
      auto staged = *co_await writer->finish();
      BlobId id = 0;
      REQUIRE(co_await in.transact({1}, [&](Transaction& tx) -> Result<void> {
        id = tx.own(staged, Key(1, kTable).raw("owner"));
        return {};
      }));
      co_return id;
    };
    return loop.run(whole(*store, body, salvage));
  }
  VerifyReport verify(bool repair = false) {
    store.reset();
    VerifyOptions how;
    how.repair = repair;
    auto report = verify_store(options, how);
    REQUIRE_MESSAGE(report, report.error().describe());
    return *report;
  }
  void lose_index() {
    store.reset();
    std::filesystem::remove_all(directory.path / "index");
  }
  void flip(const std::string& name, std::streamoff offset) {
    std::fstream file(directory.path / "journal" / name,
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    char c = static_cast<char>(file.get() ^ 4);
    file.seekp(offset);
    file.put(c);
    REQUIRE(file.good());
  }
  std::string last_log() {
    std::string last;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path / "journal"))
      if (entry.path().extension() == ".log")
        last = std::max(last, entry.path().filename().string());
    return last;
  }
  /// Where the text stands in a log segment.
  std::pair<std::string, std::streamoff> find(const std::string& text) {
    for (const auto& entry : std::filesystem::directory_iterator(directory.path / "journal")) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(file)), {});
      if (auto at = bytes.find(text); at != bytes.npos)
        return {entry.path().filename().string(), static_cast<std::streamoff>(at)};
    }
    FAIL("not found");
    return {};
  }
};

}  // namespace

TEST_CASE("verify: a good store is good, and everything is counted") {
  Yard yard;
  auto report = yard.verify();
  for (const auto& problem : report.problems) MESSAGE(problem);
  CHECK(report.good());
  CHECK(report.groups == 21);
  CHECK(report.bodies == 10);
  CHECK(report.body_bytes == 381'000);
  CHECK(report.rows > 30);
  CHECK(report.epoch == 1);
  yard.open();
  auto locked = verify_store(yard.options, {});
  CHECK(locked.error().code == ErrorCode::Conflict);
}

TEST_CASE("verify: a damaged body is named with its owners and salvage") {
  Yard yard;
  yard.store.reset();
  auto [name, at] = yard.find("salvage 3");
  yard.flip(name, at + 1'000);
  auto report = yard.verify();
  CHECK_FALSE(report.good());
  REQUIRE(report.lost.size() == 1);
  CHECK(report.lost[0].id == yard.bodies[3]);
  CHECK(report.lost[0].salvage == "salvage 3");
  CHECK(report.lost[0].size == 9'000);
  CHECK(report.lost[0].owners == std::vector<std::string>{Key(1, kTable).raw("owner").bytes()});
}

TEST_CASE("verify --repair: goes over a damaged group, keeps all others, raises the epoch") {
  Yard yard;
  yard.lose_index();
  auto [name, at] = yard.find("salvage 7");
  yard.flip(name, at - 90);  // the group's header, or the body's before its salvage
  yard.flip(name, at - 130);
  yard.open();
  CHECK(yard.store->statistics().read_only != "");
  CHECK(yard.get("k7"));
  CHECK_FALSE(yard.get("k9"));
  CHECK_FALSE(yard.verify().good());

  auto repaired = yard.verify(true);
  CHECK(repaired.lost_groups == 1);
  CHECK(Epoch::of(repaired.epoch).turn == 2);
  CHECK_FALSE(repaired.repairs.empty());
  yard.open();
  CHECK(yard.store->statistics().read_only == "");
  CHECK(Epoch::of(yard.store->epoch()).turn == 2);
  for (int i = 0; i < 10; ++i) CHECK(yard.get("k" + std::to_string(i)));
  yard.put("more");
  yard.store.reset();
  yard.open();
  CHECK(yard.get("more"));
  CHECK(Epoch::of(yard.store->epoch()).turn == 2);
}

TEST_CASE("verify --repair: the last segment's only group is damaged") {
  Yard yard;
  for (auto last = yard.last_log(); yard.last_log() == last;) yard.deliver(9'000, "");
  auto last = yard.last_log();
  yard.lose_index();
  yard.flip(last, kSegmentStart + 10);
  auto repaired = yard.verify(true);
  CHECK(repaired.lost_groups == 1);
  CHECK(Epoch::of(repaired.epoch).turn == 2);
  auto again = yard.verify();
  for (const auto& problem : again.problems) MESSAGE(problem);
  CHECK(again.good());
}

TEST_CASE("verify --repair: an index that does not agree with the journal is made again") {
  Yard yard;
  yard.store.reset();
  auto change = [&](auto edit) {
    auto index = open_rocks_index({(yard.directory.path / "index").string(), 8 << 20, {}});
    REQUIRE_MESSAGE(index, index.error().describe());
    Overlay rows;
    edit(rows);
    REQUIRE((*index)->apply(rows, (*index)->position()));
    REQUIRE((*index)->flush());
  };
  auto row = [](const char* name) { return Key(1, kTable).raw(name).bytes(); };
  std::string told;
  SUBCASE("a value is another one") {
    change([&](Overlay& rows) { rows.put(row("k3"), "wrong"); });
    told = "1 rows of the index";
  }
  SUBCASE("a row is gone") {
    change([&](Overlay& rows) { rows.erase(row("k4")); });
    told = "1 rows of the index";
  }
  SUBCASE("there are rows that nobody has written") {
    change([&](Overlay& rows) {
      rows.put(row("more"), "wrong");
      rows.put(row("still more"), "wrong");
    });
    told = "2 rows of the index";
  }
  SUBCASE("all of it is gone") {
    std::filesystem::remove_all(yard.directory.path / "index");
  }
  auto report = yard.verify();
  if (!told.empty()) {
    REQUIRE(report.problems.size() == 1);
    CHECK_MESSAGE(report.problems[0].starts_with(told), report.problems[0]);
  }
  auto repaired = yard.verify(true);
  CHECK(repaired.repairs.empty() == told.empty());
  auto again = yard.verify();
  for (const auto& problem : again.problems) MESSAGE(problem);
  CHECK(again.good());
  CHECK(again.bodies == 10);
  CHECK(again.rows > 30);
  CHECK(again.epoch == 1);
  CHECK_FALSE(std::filesystem::exists(yard.directory.path / "verify" / "CURRENT"));
  yard.open();
  for (int i = 0; i < 10; ++i) CHECK(yard.get("k" + std::to_string(i)) == std::string(100, 'v'));
  CHECK_FALSE(yard.get("more"));
}

TEST_CASE("verify: a missing segment is named; repair goes on without it") {
  Yard yard;
  for (int i = 0; i < 30; ++i) yard.deliver(9'000, "");
  yard.lose_index();
  std::vector<std::string> logs;
  for (const auto& entry : std::filesystem::directory_iterator(yard.directory.path / "journal"))
    if (entry.path().extension() == ".log") logs.push_back(entry.path().filename());
  std::ranges::sort(logs);
  REQUIRE(logs.size() >= 3);
  std::filesystem::remove(yard.directory.path / "journal" / logs[logs.size() - 2]);
  yard.open();
  CHECK(yard.store->statistics().read_only.find("missing") != std::string::npos);
  CHECK_FALSE(yard.verify().good());
  auto repaired = yard.verify(true);
  CHECK(Epoch::of(repaired.epoch).turn == 2);
  yard.open();
  CHECK(yard.store->statistics().read_only == "");
  yard.put("more");
  CHECK(yard.get("more"));
  CHECK(Epoch::of(yard.verify(true).epoch).turn == 2);
}

TEST_CASE("verify --repair: the number of a lost segment is not given out again") {
  for (bool repair : {true, false}) {
    CAPTURE(repair);
    Yard yard;
    auto journal = yard.directory.path / "journal";
    std::string highest;
    yard.deliver(300'000, "");
    yard.store.reset();
    for (const auto& entry : std::filesystem::directory_iterator(journal))
      highest = std::max(highest, entry.path().filename().string());
    REQUIRE(highest.ends_with(".bulk"));
    std::filesystem::remove(journal / highest);
    if (repair) CHECK_FALSE(yard.verify(true).good());
    yard.open();
    yard.deliver(300'000, "");
    yard.store.reset();
    CHECK_FALSE(std::filesystem::exists(journal / highest));
  }
}

TEST_CASE("a start tells which segments are lost") {
  Yard yard;
  auto lost = [&] {
    yard.store.reset();
    yard.open();
    return yard.store->statistics();
  };
  CHECK(lost().lost_segments == 0);
  auto [name, at] = yard.find("salvage 5");
  auto path = yard.directory.path / "journal" / name;
  REQUIRE(path.extension() == ".bulk");
  SUBCASE("missing") {
    std::filesystem::remove(path);
    CHECK(lost().lost_segment.find("is missing") != std::string::npos);
  }
  SUBCASE("too short") {
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    CHECK(lost().lost_segment.find("should have") != std::string::npos);
  }
  SUBCASE("nobody misses it") {
    REQUIRE(yard.loop.run(yard.store->transact({1}, [&](Transaction& tx) -> Result<void> {
      tx.disown(yard.bodies[5], Key(1, kTable).raw("owner"));
      return {};
    })));
    std::filesystem::remove(path);
    CHECK(lost().lost_segments == 0);
  }
}

TEST_CASE("a body that cannot be read is counted once, and found by looking at it alone") {
  Yard yard;
  auto [name, at] = yard.find("salvage 5");
  yard.flip(name, at - 10'000);  // near its end: the frames stand before the header
  auto blob = yard.loop.run(yard.store->open_blob(yard.bodies[5]));
  REQUIRE(blob);
  CHECK(yard.loop.run((*blob)->check(0, 100'000)));
  CHECK(yard.store->statistics().unreadable_bodies == 0);
  for (int i = 0; i < 2; ++i)
    CHECK(yard.loop.run((*blob)->check(0, UINT64_MAX)).error().code == ErrorCode::Corrupt);
  CHECK(yard.loop.run((*blob)->read(299'000, 1'000)).error().code == ErrorCode::Corrupt);
  CHECK(yard.store->statistics().unreadable_bodies == 1);
}

namespace {

/// A journal of which segments in the middle are gone, many rows, and (unless told otherwise) a
/// copy of the index.
struct ReclaimedYard : Yard {
  static constexpr int kRows = 4'000;

  ReclaimedYard() {
    std::vector<BlobId> dropped;
    for (int i = 0; i < 40; ++i) dropped.push_back(deliver(value(i, 9'000), ""));
    REQUIRE(loop.run(store->transact({1}, [&](Transaction& tx) -> Result<void> {
      for (int i = 0; i < kRows; ++i) tx.put(row(i), value(i));
      for (auto id : dropped) tx.disown(id, Key(1, kTable).raw("owner"));
      return {};
    })));
    // Into the tables, and out of the segments that go.
    store.reset();
    open();
    auto rules =
        ReclaimRules{.before = Time::max(), .dead_percent = 1, .least_age = {}, .urgent = true};
    for (bool more = true; more;) {
      auto done = loop.run(store->reclaim(rules));
      REQUIRE_MESSAGE(done, done.error().describe());
      more = done->more;
    }
    for (int i = 0; i < 30; ++i) put("later " + std::to_string(i));
    store.reset();
    REQUIRE_FALSE(std::filesystem::exists(directory.path / "journal" / "0000000003.log"));
    REQUIRE(std::filesystem::exists(directory.path / "checkpoint" / "CURRENT"));
  }
  static std::string row(int i) {
    return Key(2, kTable).u32(static_cast<std::uint32_t>(i)).bytes();
  }
  static std::string value(int i, std::size_t size = 64) {
    std::string text;
    for (std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761U; text.size() < size;
         x = x * 1664525U + 1013904223U)
      text += static_cast<char>(x >> 24);
    return text;
  }
  /// Damages the largest table.
  void spoil(const std::string& of) {
    std::filesystem::path table;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path / of))
      if (entry.path().extension() == ".sst" &&
          (table.empty() || entry.file_size() > std::filesystem::file_size(table)))
        table = entry.path();
    flip((".." / std::filesystem::path(of) / table.filename()).string(),
         static_cast<std::streamoff>(std::filesystem::file_size(table) / 2));
  }
  int rows_there() {
    open();
    int there = 0;
    for (int i = 0; i < kRows; ++i) {
      auto found = loop.run(store->read([&](Reader& reader) { return reader.get(row(i)); }));
      if (!found) continue;
      CHECK(*found == value(i));
      ++there;
    }
    store.reset();
    return there;
  }
};

}  // namespace

TEST_CASE("the copy of the index has tables of its own") {
  ReclaimedYard yard;
  int tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(yard.directory.path / "checkpoint"))
    if (entry.path().extension() == ".sst") {
      CHECK(std::filesystem::hard_link_count(entry.path()) == 1);
      ++tables;
    }
  CHECK(tables > 0);
  yard.spoil("index");
  CHECK_FALSE(yard.verify().good());
  auto repaired = yard.verify(true);
  CHECK(repaired.perhaps_lost.empty());
  CHECK(Epoch::of(repaired.epoch).turn == 1);
  auto again = yard.verify();
  CHECK(again.good());
  CHECK(again.rows > ReclaimedYard::kRows);
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
}

TEST_CASE("verify: without a copy of the index its damage is found all the same, and salvaged") {
  ReclaimedYard yard;
  bool copy = false;
  SUBCASE("there is none") {
    std::filesystem::remove_all(yard.directory.path / "checkpoint");
  }
  SUBCASE("it is damaged in the same place") {
    copy = true;
    yard.spoil("checkpoint");
  }
  if (!copy) {
    auto report = yard.verify();
    CHECK(report.good());
    CHECK_FALSE(report.rows_compared());
    CHECK(report.rows == 0);
  }
  yard.spoil("index");
  auto found = yard.verify();
  REQUIRE_FALSE(found.good());
  CHECK(found.problems.front().contains("the index cannot be read"));
  CHECK_FALSE(std::filesystem::exists(yard.directory.path / "index.damaged"));
  auto repaired = yard.verify(true);
  CHECK(repaired.lost.empty());
  CHECK(repaired.lost_groups == 0);
  REQUIRE(repaired.perhaps_lost.size() == 1);
  CHECK_MESSAGE(repaired.perhaps_lost[0].starts_with("some rows of account 2, table 0xf0"),
                repaired.perhaps_lost[0]);
  CHECK(Epoch::of(repaired.epoch).turn == 2);
  CHECK(std::filesystem::exists(yard.directory.path / "index.damaged"));
  auto again = yard.verify();
  for (const auto& problem : again.problems) MESSAGE(problem);
  CHECK(again.good());
  auto there = yard.rows_there();
  CHECK(there < ReclaimedYard::kRows);
  CHECK(there > ReclaimedYard::kRows - 500);
  yard.open();
  for (int i = 0; i < 10; ++i) CHECK(yard.get("k" + std::to_string(i)));
  for (int i = 0; i < 30; ++i) CHECK(yard.get("later " + std::to_string(i)));
}

TEST_CASE("a store whose journal is not whole gets a copy of its index at the start") {
  ReclaimedYard yard;
  std::filesystem::remove_all(yard.directory.path / "checkpoint");
  yard.open();
  yard.store.reset();
  CHECK(std::filesystem::exists(yard.directory.path / "checkpoint" / "CURRENT"));
  auto report = yard.verify();
  CHECK(report.good());
  CHECK(report.rows_compared());
  CHECK(report.rows > ReclaimedYard::kRows);
}
