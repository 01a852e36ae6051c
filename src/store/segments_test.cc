// All segments of a store, and which of them are written to.
#include "store/segments.h"

#include <doctest/doctest.h>

#include "store/simulated_file_system.h"
#include "testing/test_loop.h"

using namespace hikyaku;
using namespace hikyaku::store;

TEST_CASE("segments: who looks at all of them throws no open one out") {
  testing::TestLoop loop;
  SimulatedFileSystem files{1};
  REQUIRE(files.make_directory("/journal"));
  Segments segments(files, loop, "/journal", std::string(16, 's'));
  SegmentHeader header;
  header.kind = SegmentKind::Bulk;
  for (int i = 0; i < 200; ++i) REQUIRE(segments.create(header, kSegmentStart + 5));
  auto open = [&] {
    std::vector<SegmentNumber> numbers;
    for (auto name : segments.names())
      if (segments.opened(name.number)) numbers.push_back(name.number);
    return numbers;
  };
  auto before = open();
  CHECK(before.size() < 200);
  auto created = loop.now();
  loop.advance(std::chrono::hours(1));
  for (int times = 0; times < 2; ++times) {
    for (auto name : segments.names()) {
      auto known = segments.sealed(name.number);
      REQUIRE(known);
      CHECK(known->size == kSegmentStart + 5);
      CHECK(known->created == created);
    }
    // The second time nothing is read.
    REQUIRE(files.unlink("/journal/" + segment_name(SegmentNumber(1 + times), SegmentKind::Bulk)));
  }
  CHECK(open() == before);
}

TEST_CASE("segments: one that somebody may write to is not taken for sealed, not for a moment") {
  testing::TestLoop loop;
  SimulatedFileSystem files{1};
  REQUIRE(files.make_directory("/journal"));
  std::shared_ptr<Segment> writer;
  {
    Segments segments(files, loop, "/journal", std::string(16, 's'));
    SegmentHeader header;
    header.kind = SegmentKind::Bulk;
    writer = segments.create(header, kSegmentStart).value();
    auto number = writer->number();
    auto copy = writer;
    auto reader = segments.open(number);
    REQUIRE(reader);
    for (auto* one : {&writer, &copy}) {
      CHECK(segments.is_written(number));
      auto known = segments.sealed(number);
      REQUIRE_FALSE(known);
      CHECK(known.error().code == ErrorCode::Conflict);
      REQUIRE(write_all((*one)->file(), segments.size(number).value(), "bytes"));
      one->reset();
    }
    CHECK_FALSE(segments.is_written(number));
    CHECK(segments.sealed(number)->size == kSegmentStart + 10);
    writer = segments.create(header, kSegmentStart).value();
  }
  writer.reset();  // who writes may be the last one
}

TEST_CASE("segments: one that is there and was not listed is not replaced") {
  testing::TestLoop loop;
  SimulatedFileSystem files{1};
  REQUIRE(files.make_directory("/journal"));
  Segments segments(files, loop, "/journal", std::string(16, 's'));
  auto path = "/journal/" + segment_name(1, SegmentKind::Log);
  REQUIRE(write_all(**files.open(path, OpenMode::Create), 0, "mail of somebody"));
  SegmentHeader header;
  header.kind = SegmentKind::Log;
  auto refused = segments.create(header, kSegmentStart);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::Io);
  CHECK(read_file(files, path, 100).value() == "mail of somebody");
  CHECK(files.list("/journal")->size() == 1);
  // Numbers are not given out again: the next is beside it.
  CHECK(segments.create(header, kSegmentStart));
}

namespace {

struct Unreadable : SimulatedFileSystem {
  using SimulatedFileSystem::SimulatedFileSystem;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::Read) return fail(ErrorCode::Io, "cannot open {}", path);
    return SimulatedFileSystem::open(path, mode);
  }
};

/// Of a new segment in an empty journal.
ErrorCode error_of_creating(SimulatedFileSystem& files) {
  testing::TestLoop loop;
  REQUIRE(files.make_directory("/journal"));
  Segments segments(files, loop, "/journal", std::string(16, 's'));
  SegmentHeader header;
  header.kind = SegmentKind::Log;
  auto created = segments.create(header, kSegmentStart);
  REQUIRE_FALSE(created);
  return created.error().code;
}

}  // namespace

TEST_CASE("segments: one that may be there, but cannot be opened, is not replaced") {
  Unreadable files{1};
  CHECK(error_of_creating(files) == ErrorCode::Io);
  CHECK(files.list("/journal")->empty());
}

namespace {

struct UnsureOfNames : SimulatedFileSystem {
  using SimulatedFileSystem::SimulatedFileSystem;
  Result<void> sync_directory(const std::string&) override {
    return fail(ErrorCode::NoSpace, "no space for names");
  }
};

}  // namespace

TEST_CASE("segments: one whose name may be there ends the log, though only space is missing") {
  UnsureOfNames files{1};
  CHECK(error_of_creating(files) == ErrorCode::Io);
}
