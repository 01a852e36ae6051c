#include "store/verify.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <functional>

#include "store/epoch.h"
#include "store/key.h"
#include "store/passing_files_test.h"
#include "store/rocks_index.h"
#include "store/rows.h"
#include "store/segment.h"
#include "store/yard_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = Yard::kTable;

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

TEST_CASE("verify: one damaged copy of a segment's header is told, and written again") {
  Yard yard;
  yard.store.reset();
  auto bulk = std::string("0000000002.bulk");
  REQUIRE(std::filesystem::exists(yard.directory.path / "journal" / bulk));
  std::streamoff at = 0, other = 0;
  SUBCASE("the first") {
    at = 0, other = 2048 + 40;
  }
  SUBCASE("its checksum") {
    at = 127, other = 2048;
  }
  SUBCASE("the second") {
    at = 2048 + 20, other = 3;
  }
  for (const auto& name : {bulk, yard.last_log()}) {
    auto path = yard.directory.path / "journal" / name;
    std::filesystem::create_hard_link(path, yard.directory.path / "of a backup");
    yard.flip(name, at);
    auto report = yard.verify();
    REQUIRE(report.problems.size() == 1);
    CHECK_MESSAGE(report.problems[0].contains(fmt::format("at byte {}", at < 2048 ? 0 : 2048)),
                  report.problems[0]);
    auto repaired = yard.verify(true);
    CHECK(repaired.lost.empty());
    CHECK(repaired.lost_groups == 0);
    CHECK(repaired.repairs.size() == 1);
    CHECK(Epoch::of(repaired.epoch).turn == 1);
    CHECK(yard.verify().good());
    // Nothing was written into what a backup may have.
    CHECK(std::filesystem::hard_link_count(path) == 1);
    CHECK(std::filesystem::file_size(path) ==
          std::filesystem::file_size(yard.directory.path / "of a backup"));
    std::filesystem::remove(yard.directory.path / "of a backup");
    yard.flip(name, other);
    CHECK(yard.verify(true).lost.empty());
    CHECK(yard.verify().good());
  }
}

namespace {

/// Puts the whole header of another segment in the place of both copies or of one.
void misdirect(Yard& yard, const std::string& name, std::vector<std::streamoff> places,
               const std::function<void(SegmentHeader&)>& change) {
  auto path = yard.directory.path / "journal" / name;
  PosixFileSystem files;
  auto header = read_segment_header(files, path.string(), std::nullopt).value();
  change(header);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (auto at : places) {
    file.seekp(at);
    file.write(encode_segment_header(header).data(), 512);
  }
  REQUIRE(file.good());
}

std::string bytes_of(const Yard& yard, const std::string& name) {
  std::ifstream file(yard.directory.path / "journal" / name, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// One file of the journal cannot be copied.
struct NoCopies final : PassingFiles {
  Error why{ErrorCode::Io, "the disk", nullptr};
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (path.ends_with(".bulk.new")) return std::unexpected(why);
    return PassingFiles::open(path, mode);
  }
};

}  // namespace

TEST_CASE("verify: of a header's two copies counts the one that is this segment's") {
  Yard yard;
  yard.store.reset();
  std::function<void(SegmentHeader&)> change;
  SUBCASE("the other is of another store") {
    change = [](SegmentHeader& header) { header.store_id.assign(16, 'x'); };
  }
  SUBCASE("the other is of another number") {
    change = [](SegmentHeader& header) { header.number = 1; };
  }
  SUBCASE("the other is of another number, which no file has") {
    change = [](SegmentHeader& header) { header.number = 77; };
  }
  SUBCASE("the other is of another kind") {
    change = [](SegmentHeader& header) {
      header.kind = header.kind == SegmentKind::Log ? SegmentKind::Bulk : SegmentKind::Log;
    };
  }
  for (const auto& name : {std::string("0000000002.bulk"), yard.last_log()}) {
    for (std::streamoff at : {0, 2048}) {
      auto before = bytes_of(yard, name);
      misdirect(yard, name, {at}, change);
      auto report = yard.verify();
      REQUIRE(report.problems.size() == 1);
      CHECK_MESSAGE(report.problems[0].contains(fmt::format("at byte {}", at)), report.problems[0]);
      CHECK(report.lost.empty());
      auto repaired = yard.verify(true);
      CHECK(repaired.repairs.size() == 1);
      CHECK(repaired.lost.empty());
      CHECK(bytes_of(yard, name).starts_with(before.substr(0, kSegmentStart)));
      CHECK(yard.verify().good());
    }
  }
  yard.open();
  for (int i = 0; i < 10; ++i) CHECK(yard.get("k" + std::to_string(i)));
}

TEST_CASE("verify --repair: where it is in doubt which header counts, none is written") {
  Yard yard;
  yard.store.reset();
  auto bulk = std::string("0000000002.bulk");
  SUBCASE("none of the two is this segment's") {
    misdirect(yard, bulk, {0, 2048}, [](auto& header) { header.store_id.assign(16, 'x'); });
    auto before = bytes_of(yard, bulk);
    auto report = yard.verify();
    CHECK(report.lost.size() == 1);
    REQUIRE(report.problems.size() == 1);
    CHECK_MESSAGE(report.problems[0].contains("belongs to another store"), report.problems[0]);
    CHECK(yard.verify(true).lost.size() == 1);
    CHECK(bytes_of(yard, bulk) == before);
  }
  SUBCASE("both are, and they differ") {
    misdirect(yard, bulk, {2048}, [](auto& header) { ++header.seed; });
    auto before = bytes_of(yard, bulk);
    auto repaired = yard.verify(true);
    REQUIRE(repaired.problems.size() == 2);
    CHECK_MESSAGE(repaired.problems[1].contains("is not written again"), repaired.problems[1]);
    CHECK(repaired.problems[1].contains("contradict each other"));
    CHECK(repaired.lost.empty());
    CHECK(bytes_of(yard, bulk) == before);
  }
}

TEST_CASE("verify --repair: a header that cannot be written again ends no repair") {
  Yard yard;
  yard.store.reset();
  auto bulk = std::string("0000000002.bulk");
  auto log = yard.last_log();
  auto before = bytes_of(yard, bulk);
  yard.flip(bulk, 20);
  yard.flip(log, 20);
  NoCopies files;
  yard.options.files = &files;
  SUBCASE("for want of space it is, in place") {
    files.why.code = ErrorCode::NoSpace;
    CHECK(yard.verify(true).repairs.size() == 2);
    CHECK(bytes_of(yard, bulk) == before);
    CHECK(yard.verify().good());
  }
  SUBCASE("otherwise it stays, and is told") {
    auto damaged = bytes_of(yard, bulk);
    auto repaired = yard.verify(true);
    REQUIRE(repaired.problems.size() == 3);
    CHECK_MESSAGE(repaired.problems[1].contains("segment 2: its header is not written again"),
                  repaired.problems[1]);
    CHECK(repaired.repairs.size() == 1);  // the other's is
    CHECK(repaired.lost.empty());
    CHECK(bytes_of(yard, bulk) == damaged);
    CHECK(yard.verify().problems.size() == 1);
  }
}

TEST_CASE("verify: what stood behind the end of a file that was cut short is told so") {
  Yard yard;
  yard.store.reset();
  std::filesystem::resize_file(yard.directory.path / "journal" / "0000000002.bulk",
                               kSegmentStart + 1'000);
  auto report = yard.verify();
  REQUIRE(report.lost.size() == 1);
  REQUIRE(report.problems.size() == 1);
  CHECK_MESSAGE(report.problems[0].contains("and the file ends before"), report.problems[0]);
}

TEST_CASE("verify --repair: a record that the index was past is not said to be in it") {
  Yard yard;
  yard.store.reset();
  auto [name, at] = yard.find("salvage 7");
  yard.flip(name, at - 130);
  auto repaired = yard.verify(true);
  CHECK(repaired.lost_groups == 0);
  REQUIRE_FALSE(repaired.repairs.empty());
  // Whether it had all that stood there, a repair that was cut off before may know better.
  CHECK_MESSAGE(repaired.repairs[0].ends_with("went over; the index was past it"),
                repaired.repairs[0]);
}

TEST_CASE("verify --repair: the number of a body that is lost is not given to another") {
  Yard yard;
  SUBCASE("with its group") {
    yard.lose_index();
    auto [name, at] = yard.find("salvage 9");
    yard.flip(name, at - 130);
  }
  SUBCASE("with the rows that say it, of which one is left") {
    yard.store.reset();
    auto index = open_rocks_index({(yard.directory.path / "index").string(), 8 << 20, {}});
    REQUIRE(index);
    Overlay rows;
    rows.erase(next_blob_key());
    rows.erase(place_key(yard.bodies[9]));
    REQUIRE((*index)->apply(rows, (*index)->position()));
    REQUIRE((*index)->flush());
    // Nothing says otherwise: the journal begins later.
    std::filesystem::remove(yard.directory.path / "journal" / "0000000001.log");
  }
  yard.verify(true);
  yard.open();
  auto given = yard.deliver(100, "new");
  CHECK(std::ranges::find(yard.bodies, given) == yard.bodies.end());
  CHECK(given > yard.bodies[9]);
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
