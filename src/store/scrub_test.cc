// Scrubbing: damage that nobody reads is found, and nothing else is told.
#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/codec.h"
#include "store/passing_files_test.h"
#include "store/rows.h"
#include "store/scrub_note.h"
#include "store/segment.h"
#include "store/simulated_store_test.h"
#include "store/store_on_disk_test.h"
#include "store/yard_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

struct Scrubbing : SimulatedStore {
  Scrubbed step() {
    auto done = loop.run(store->scrub({}));
    REQUIRE_MESSAGE(done, done.error().describe());
    return std::move(*done);
  }
  /// To the end of this round, or of one that begins now: the bodies that were found.
  std::set<BlobId> round(std::uint64_t* bytes = nullptr) {
    std::set<BlobId> found;
    for (int steps = 0; steps < 10'000; ++steps) {
      auto done = step();
      found.insert(done.found.begin(), done.found.end());
      if (bytes) *bytes += done.bytes;
      if (!done.more) return found;
    }
    FAIL("the round does not end");
    return found;
  }
  std::optional<BodyPlace> place(BlobId id) {
    auto row =
        loop.run(store->read([id](Reader& reader) { return reader.get(place_key(id).bytes()); }));
    auto place = row ? decode_body_place(*row) : fail(ErrorCode::NotFound, "");
    return place ? std::optional(*place) : std::nullopt;
  }
  std::string path_of(SegmentNumber number) {
    for (auto kind : {SegmentKind::Log, SegmentKind::Bulk}) {
      auto path = "/store/journal/" + segment_name(number, kind);
      if (files.open(path, OpenMode::Read)) return path;
    }
    FAIL("no segment ", number);
    return "";
  }
  /// The last byte of a body's bytes, wherever its header stands.
  void flip(const BodyPlace& place) {
    auto end = place.contiguous ? place.header_offset + place.stored : place.header_offset;
    files.flip_bit(path_of(place.segment), end - 1);
  }
  /// A bit of the header of the first group in a segment.
  void flip_group(SegmentNumber number) { files.flip_bit(path_of(number), kSegmentStart + 20); }
  std::uint64_t unreadable() { return store->statistics().unreadable_bodies; }
};

}  // namespace

TEST_CASE(
    "scrub: a flipped bit in a body that nobody reads is found, told once, and forgotten "
    "when it is mended") {
  Scrubbing disk;
  std::map<int, BlobId> ids;
  for (int i = 0; i < 40; ++i) ids[i] = disk.add(i, 9'000);
  ids[40] = disk.add(40, 700'000);  // in a bulk segment, of several frames
  CHECK(disk.round().empty());
  auto before = disk.store->statistics();
  CHECK(before.scrub_found == 0);
  CHECK(before.scrubbed_bytes > 40 * 4'000 + 350'000);
  CHECK(before.scrub_ended != Time{});

  std::set<BlobId> damaged{ids[0], ids[17], ids[39], ids[40]};
  for (auto id : damaged) disk.flip(*disk.place(id));
  auto header = *disk.place(ids[21]);
  disk.files.flip_bit(disk.path_of(header.segment), header.header_offset + 30);
  damaged.insert(ids[21]);
  CHECK(disk.round() == damaged);
  CHECK(disk.unreadable() == damaged.size());
  CHECK(disk.round().empty());  // known
  CHECK(disk.store->statistics().unreadable_found == damaged.size());
  CHECK(disk.store->statistics().scrub_found == damaged.size());
  CHECK(disk.store->statistics().damaged_records == 0);

  disk.flip(*disk.place(ids[17]));
  disk.flip(*disk.place(ids[40]));
  disk.round();
  CHECK(disk.unreadable() == damaged.size() - 2);
  disk.flip(*disk.place(ids[17]));
  CHECK(disk.round() == std::set{ids[17]});
}

TEST_CASE("scrub: what nobody has any more does not count, though it is still there") {
  Scrubbing disk;
  std::map<int, BlobId> ids;
  for (int i = 0; i < 60; ++i) ids[i] = disk.add(i, 9'000);
  for (int i : {10, 11}) disk.flip(*disk.place(ids[i]));
  SUBCASE("deleted before anybody met it") {
    disk.drop(10, ids[10]);
    CHECK(disk.round() == std::set{ids[11]});
  }
  SUBCASE("deleted when it was known") {
    CHECK(disk.round() == std::set{ids[10], ids[11]});
    disk.drop(10, ids[10]);
    SUBCASE("the next backup is told so") {
      CHECK(disk.loop.run(disk.store->freeze()));
    }
    SUBCASE("also behind a start") {
      disk.open();
      CHECK(disk.loop.run(disk.store->freeze()));
    }
    SUBCASE("the next round sees it") {
      CHECK(disk.round().empty());
    }
  }
  CHECK(disk.unreadable() == 1);
  CHECK(disk.place(ids[10]));
  // Its time is over: it is no news.
  REQUIRE(disk.loop.run(disk.store->reclaim({.before = Time::max(), .dead_percent = 100})));
  REQUIRE_FALSE(disk.place(ids[10]));
  CHECK(disk.round().empty());
  CHECK(disk.unreadable() == 1);
}

TEST_CASE("scrub: a damaged record is told by its place, and those behind it are looked at") {
  Scrubbing disk;
  for (int i = 0; i < 60; ++i) disk.add(i, 9'000);
  auto names = disk.files.list("/store/journal");
  REQUIRE(names);
  std::vector<SegmentNumber> logs;
  for (const auto& name : *names)
    if (auto parsed = parse_segment_name(name); parsed->kind == SegmentKind::Log)
      logs.push_back(parsed->number);
  REQUIRE(logs.size() > 3);
  disk.round();
  CHECK(disk.store->statistics().damaged_records == 0);
  disk.flip_group(logs[1]);
  // The end of the last group of a segment is its operations'.
  auto path = disk.path_of(logs[1]);
  auto file = disk.files.open(path, OpenMode::Read);
  auto size = *(*file)->size();
  disk.files.flip_bit(path, size - 2);
  CHECK(disk.round().empty());  // no body
  auto known = disk.store->statistics();
  CHECK(known.damaged_records == 2);
  CHECK(known.damaged_record.starts_with("journal segment " + std::to_string(logs[1]) +
                                         ", byte 4096:"));
  CHECK(known.scrub_found == 2);
  disk.flip_group(logs[1]);
  disk.round();
  CHECK(disk.store->statistics().damaged_records == 1);

  // Both copies of a header: nothing in that segment can be read.
  for (std::uint64_t at = 0; at < kSegmentStart; at += 7)
    disk.files.flip_bit(disk.path_of(logs[2]), at);
  CHECK(disk.round().size() > 5);
  CHECK(disk.store->statistics().damaged_records == 2);
}

TEST_CASE(
    "scrub: it gets to the end beside deliveries, reclaiming and backups, and finds nothing") {
  Scrubbing disk;
  std::map<int, BlobId> ids;
  int next = 0;
  for (; next < 150; ++next) ids[next] = disk.add(next, next % 30 == 0 ? 300'000 : 9'000);
  for (int i = 0; i < 150; ++i)
    if (i % 3 != 0) disk.drop(i, ids[i]);
  std::shared_ptr<const Frozen> frozen;
  int steps = 0;
  std::uint64_t removed = 0;
  for (bool more = true; more; ++steps) {
    REQUIRE(steps < 10'000);
    auto done = disk.step();
    more = done.more;
    CHECK(done.found.empty());
    if (steps % 4 == 0) ids[next] = disk.add(next, 9'000), ++next;
    if (steps == 10) frozen = *disk.loop.run(disk.store->freeze());
    if (steps == 20) frozen.reset();
    auto reclaimed = disk.loop.run(disk.store->reclaim(disk.at_once()));
    REQUIRE(reclaimed);
    removed += reclaimed->segments_removed;
  }
  CHECK(removed > 3);
  auto told = disk.store->statistics();
  CHECK(told.unreadable_found == 0);
  CHECK(told.damaged_records == 0);
  // And what has moved meanwhile is found where it is now.
  disk.reclaim();
  disk.flip(*disk.place(ids[0]));
  disk.flip(*disk.place(ids[99]));
  CHECK(disk.round() == std::set{ids[0], ids[99]});
}

TEST_CASE("scrub: goes on where it was after a restart, and still knows what it has found") {
  Scrubbing disk;
  std::map<int, BlobId> ids;
  for (int i = 0; i < 200; ++i) ids[i] = disk.add(i, 9'000);
  std::uint64_t whole = 0;
  disk.round(&whole);
  disk.flip(*disk.place(ids[3]));
  bool crash = false;
  SUBCASE("a clean end") {}
  SUBCASE("a crash") {
    crash = true;
  }
  std::set<BlobId> found;
  std::uint64_t bytes = 0;
  while (bytes < whole / 2) {
    auto done = disk.step();
    REQUIRE(done.more);
    bytes += done.bytes;
    found.insert(done.found.begin(), done.found.end());
  }
  CHECK(found == std::set{ids[3]});
  if (crash)
    disk.crash();
  else
    disk.open();
  CHECK(disk.unreadable() == 0);  // that was another process
  CHECK(disk.step().found == std::vector{ids[3]});
  CHECK(disk.unreadable() == 1);
  disk.round(&bytes);
  CHECK(bytes < (crash ? 2 * whole : whole + whole / 4));
  auto ended = disk.store->statistics().scrub_ended;
  disk.open();
  CHECK(disk.store->statistics().scrub_ended == ended);

  disk.flip(*disk.place(ids[3]));
  disk.open();
  disk.step();
  CHECK(disk.unreadable() == 0);
}

TEST_CASE("scrub: one round in each time") {
  Scrubbing disk;
  for (int i = 0; i < 20; ++i) disk.add(i, 9'000);
  ScrubRules daily{.every = std::chrono::hours(24)};
  auto run = [&] {
    std::uint64_t bytes = 0;
    for (bool more = true; more;) {
      auto done = disk.loop.run(disk.store->scrub(daily));
      REQUIRE(done);
      bytes += done->bytes;
      more = done->more;
    }
    return bytes;
  };
  CHECK(run() > 0);
  disk.loop.advance(std::chrono::hours(23));
  CHECK(run() == 0);
  disk.open();  // who is started every day reads not more often
  CHECK(run() == 0);
  disk.loop.advance(std::chrono::hours(2));
  CHECK(run() > 0);
}

TEST_CASE("scrub: an index that cannot be read ends nothing") {
  Scrubbing disk;
  std::map<int, BlobId> ids;
  for (int i = 0; i < 40; ++i) ids[i] = disk.add(i, 9'000);
  disk.faults->damaged = kPlaceTable;
  int failed = 0;
  for (int steps = 0;; ++steps) {
    REQUIRE(steps < 1'000);
    auto done = disk.loop.run(disk.store->scrub({}));
    if (done && !done->more) break;
    if (!done) ++failed;
    if (!done) CHECK(done.error().code == ErrorCode::Corrupt);
  }
  CHECK(failed > 1);
  CHECK(disk.unreadable() == 0);
  disk.faults->damaged = 0;
  disk.flip(*disk.place(ids[7]));
  CHECK(disk.round() == std::set{ids[7]});
}

TEST_CASE("scrub: the note of where it is") {
  ScrubNote note{.began = Time(milliseconds(5)),
                 .ended = Time(milliseconds(3)),
                 .in_round = true,
                 .next = 7,
                 .last = 9,
                 .bodies = {1, 300, UINT64_MAX},
                 .records = {{2, 4096}, {3, 0}}};
  auto bytes = encode_scrub_note(note);
  auto read = decode_scrub_note(bytes);
  REQUIRE(read);
  CHECK(encode_scrub_note(*read) == bytes);
  CHECK(read->bodies == note.bodies);
  CHECK(read->records == note.records);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    CHECK_FALSE(decode_scrub_note(damaged));
    CHECK_FALSE(decode_scrub_note(bytes.substr(0, i)));
  }
}

namespace {

void flip_in_file(const std::filesystem::path& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  auto byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
  REQUIRE(file.good());
}

std::vector<BlobId> scrub_all(StoreOnDisk& disk) {
  std::vector<BlobId> found;
  for (int steps = 0; steps < 1'000; ++steps) {
    auto done = disk.loop.run(disk.store->scrub({}));
    REQUIRE_MESSAGE(done, done.error().describe());
    found.insert(found.end(), done->found.begin(), done->found.end());
    if (!done->more) break;
  }
  return found;
}

}  // namespace

TEST_CASE("scrub: real files, read past the kernel's memory") {
  StoreOnDisk disk;
  std::vector<BlobId> ids;
  for (int i = 0; i < 30; ++i)
    ids.push_back(disk.own(disk.stage(random_bytes(i == 9 ? 2'000'000 : 50'000 + 777 * i)),
                           "owner" + std::to_string(i)));
  CHECK(scrub_all(disk).empty());
  auto row = disk.loop.run(
      disk.store->read([&](Reader& reader) { return reader.get(place_key(ids[9]).bytes()); }));
  auto place = *decode_body_place(*row);
  flip_in_file(disk.directory.path / "journal" / segment_name(place.segment, SegmentKind::Bulk),
               place.header_offset - 1'000'000);
  CHECK(scrub_all(disk) == std::vector{ids[9]});
  CHECK(disk.store->statistics().scrub_found == 1);
}

TEST_CASE("scrub: what is written while a segment is looked at is no damage") {
  StoreOnDisk disk;
  auto written = 0;
  auto write = [&] {
    auto name = std::to_string(++written);
    disk.put("key" + name, "value");                                         // a group
    disk.own(disk.stage(random_bytes(500 + 10 * written)), "owner" + name);  // and a body
  };
  write();
  for (int rounds = 0; rounds < 3; ++rounds) {
    // Whatever a step has read, the next one meets a segment that has grown.
    for (bool more = true; more; write()) {
      auto done = disk.loop.run(disk.store->scrub({}));
      REQUIRE_MESSAGE(done, done.error().describe());
      CHECK(done->found.empty());
      more = done->more;
    }
  }
  CHECK(disk.store->statistics().damaged_record == "");
  CHECK(disk.store->statistics().scrub_found == 0);
}

TEST_CASE("scrub: a block of the index's table is told though nobody needs it") {
  StoreOnDisk disk;
  for (int i = 0; i < 500; ++i) disk.put("key" + std::to_string(i), random_bytes(200));
  disk.reopen();  // which brings it to the disk
  CHECK(scrub_all(disk).empty());
  CHECK(disk.store->statistics().index_damage == "");
  for (const auto& entry : std::filesystem::directory_iterator(disk.directory.path / "index"))
    if (entry.path().extension() == ".sst") flip_in_file(entry.path(), 5'000);
  scrub_all(disk);
  CHECK(disk.store->statistics().index_damage != "");
  CHECK(disk.store->statistics().scrub_found == 1);
  CHECK(std::filesystem::exists(disk.directory.path / "index" / "DAMAGED"));
  disk.reopen();
  CHECK(disk.store->statistics().index_damage == "");
  CHECK(disk.get("key7") == random_bytes(200));
}

TEST_CASE("scrub: one damaged copy of a segment's header is told once, and forgotten when mended") {
  Scrubbing disk;
  disk.add(0, 9'000);
  disk.add(1, 700'000);
  disk.round();
  CHECK(disk.store->statistics().damaged_records == 0);
  auto bulk = disk.place(disk.add(2, 700'000))->segment;
  std::uint64_t at = 0;
  SUBCASE("the first") {
    at = 20;
  }
  SUBCASE("the second") {
    at = 2048 + 3;
  }
  disk.files.flip_bit(disk.path_of(bulk), at);
  SUBCASE("by a round") {}
  SUBCASE("by the first steps behind a start") {
    disk.store.reset();
    disk.open();
    disk.step();
    CHECK(disk.store->statistics().damaged_records == 1);
  }
  for (int i = 0; i < 3; ++i) {
    disk.loop.advance(std::chrono::hours(24 * 40));
    disk.round();
    CHECK(disk.store->statistics().damaged_records == 1);
    CHECK(disk.store->statistics().scrub_found == 1);
  }
  disk.files.flip_bit(disk.path_of(bulk), at);
  disk.loop.advance(std::chrono::hours(24 * 40));
  disk.round();
  CHECK(disk.store->statistics().damaged_records == 0);
}

TEST_CASE("scrub: a segment that cannot be read counts while somebody misses something") {
  Scrubbing disk;
  std::map<int, BlobId> ids;
  for (int i = 0; i < 60; ++i) ids[i] = disk.add(i, i == 30 ? 700'000 : 9'000);
  auto damaged = [&] {
    disk.store.reset();
    disk.open();
    disk.round();
    return disk.store->statistics().damaged_records;
  };
  int lost = 0;
  SUBCASE("of bodies alone") {
    lost = 30;
  }
  SUBCASE("of the log") {
    lost = 1;
  }
  auto segment = disk.place(ids[lost])->segment;
  disk.store.reset();
  for (std::uint64_t at = 0; at < kSegmentStart; at += 7)
    disk.files.flip_bit(disk.path_of(segment), at);
  VerifyOptions repair{.repair = true, .open_scratch = [] {
                         return Result<std::unique_ptr<Index>>(
                             std::make_unique<MemoryIndex>(std::make_shared<MemoryIndexDisk>()));
                       }};
  REQUIRE(verify_store(disk.options(), repair));
  CHECK(damaged() == 1);
  CHECK(disk.unreadable() > 0);
  // As the mailboxes' repair takes them out.
  for (auto& [number, id] : ids)
    if (disk.place(id)->segment == segment) disk.drop(number, id);
  CHECK(damaged() == 0);
  CHECK(disk.unreadable() == 0);
}

TEST_CASE("scrub: what was known stays known when the index does not say where it is") {
  Scrubbing disk;
  auto id = disk.add(0, 9'000);
  disk.flip(*disk.place(id));
  disk.round();
  disk.open();
  disk.faults->damaged = kPlaceTable;
  CHECK_FALSE(disk.loop.run(disk.store->scrub({})));
  CHECK(disk.unreadable() == 1);
  disk.faults->damaged = 0;
  disk.flip(*disk.place(id));
  disk.round();
  CHECK(disk.unreadable() == 0);
}

TEST_CASE("scrub: a backup does not wait for all that a failing disk is known not to give") {
  class Slow final : public PassingFiles {
   public:
    explicit Slow(testing::TestLoop& loop) : loop_(loop) {}
    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
      if (mode == OpenMode::Scrub) ++opened, loop_.advance(std::chrono::seconds(4));
      return PassingFiles::open(path, mode);
    }
    int opened = 0;

   private:
    testing::TestLoop& loop_;
  };
  Yard yard;
  auto flip = [&](int body) {
    auto [name, at] = yard.find("salvage " + std::to_string(body));
    yard.flip(name, at - 1);  // in the body's header
    return std::pair(name, at - 1);
  };
  std::vector<std::pair<std::string, std::streamoff>> flipped;
  for (int i = 1; i < 10; ++i) flipped.push_back(flip(i));
  auto round = [&] {
    for (bool more = true; more;) more = yard.loop.run(yard.store->scrub({})).value().more;
    return yard.store->statistics().unreadable_bodies;
  };
  CHECK(round() == 9);
  yard.store.reset();
  Slow slow(yard.loop);
  yard.options.files = &slow;
  yard.open();
  slow.opened = 0;
  CHECK(yard.loop.run(yard.store->freeze()));
  CHECK(slow.opened == 3);
  // But what it may lack is told.
  CHECK(yard.store->statistics().unreadable_bodies == 9);
  CHECK(yard.loop.run(yard.store->freeze()));
  CHECK(slow.opened == 3);
  for (const auto& [name, at] : flipped) yard.flip(name, at);
  CHECK(round() == 0);
  yard.store.reset();
}
