// Reclaiming: space returns, and nothing that anybody owns, reads or may bring back goes with it.
#include <algorithm>
#include <atomic>
#include <doctest/doctest.h>
#include <map>
#include <random>

#include "base/async.h"
#include "base/gate.h"
#include "store/epoch.h"
#include "store/key.h"
#include "store/memory_index.h"
#include "store/open.h"
#include "store/rows.h"
#include "store/segments.h"
#include "store/simulated_file_system.h"
#include "store/verify.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;

std::string some_bytes(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)  // half of it can be compressed away
    bytes[i] = i % 2 ? 'x' : static_cast<char>(random());
  return bytes;
}

/// What is wrong with an index, and what was asked of it.
struct IndexFaults {
  std::atomic<Table> damaged{0};  ///< rows of this table of the instance cannot be read; 0: none
  std::atomic<int> places{0};     ///< rows of bodies' places that were walked over
  std::atomic<int> applied{0};    ///< groups
  std::atomic<bool> removing{false};  ///< a group has said that segments go
  /// Copies the index to a directory.
  std::function<Result<void>(const std::string&)> copy;
};

/// Counts its steps.
class CountingCursor final : public IndexCursor {
 public:
  CountingCursor(std::unique_ptr<IndexCursor> cursor, std::atomic<int>& steps)
      : cursor_(std::move(cursor)), steps_(steps) {}
  void seek(std::string_view key) override { cursor_->seek(key); }
  void seek_before(std::string_view key) override { cursor_->seek_before(key); }
  bool valid() const override { return cursor_->valid(); }
  void next() override {
    ++steps_;
    cursor_->next();
  }
  void previous() override { cursor_->previous(); }
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() const override { return cursor_->value(); }

 private:
  std::unique_ptr<IndexCursor> cursor_;
  std::atomic<int>& steps_;
};

class FaultyView final : public IndexView {
 public:
  FaultyView(std::shared_ptr<const IndexView> view, std::shared_ptr<IndexFaults> faults)
      : view_(std::move(view)), faults_(std::move(faults)) {}
  std::optional<std::string> get(std::string_view key, Reach reach) const override {
    check(key);
    return view_->get(key, reach);
  }
  std::unique_ptr<IndexCursor> cursor(const KeyRange& range, Reach reach) const override {
    check(range.begin);
    auto cursor = view_->cursor(range, reach);
    if (!range.begin.starts_with(Key(kInstance, kPlaceTable).bytes())) return cursor;
    return std::make_unique<CountingCursor>(std::move(cursor), faults_->places);
  }

 private:
  void check(std::string_view key) const {
    Table table = faults_->damaged;
    if (table != 0 && key.starts_with(Key(kInstance, table).bytes()))
      throw IndexError("a block is damaged");
  }

  std::shared_ptr<const IndexView> view_;
  std::shared_ptr<IndexFaults> faults_;
};

class FaultyIndex final : public Index {
 public:
  FaultyIndex(std::shared_ptr<MemoryIndexDisk> disk, std::shared_ptr<IndexFaults> faults)
      : index_(std::move(disk)), faults_(std::move(faults)) {}
  JournalPosition position() const override { return index_.position(); }
  Result<void> apply(const Overlay& writes, JournalPosition position) override {
    for (const auto& [key, value] : writes.entries())
      if (key.starts_with(Key(kInstance, kReclaimedTable).bytes())) faults_->removing = true;
    ++faults_->applied;
    return index_.apply(writes, position);
  }
  Result<JournalPosition> checkpoint(const std::string& directory) override {
    TRY_DO(faults_->copy(directory));
    return position();
  }
  std::shared_ptr<const IndexView> view() override {
    return std::make_shared<FaultyView>(index_.view(), faults_);
  }
  Result<void> flush() override { return index_.flush(); }
  JournalPosition flushed() const override { return index_.flushed(); }

 private:
  MemoryIndex index_;
  std::shared_ptr<IndexFaults> faults_;
};

/// Keeps back what is given to it once a group has said that segments go, if told to.
class PausingPool final : public WorkerPool {
 public:
  explicit PausingPool(std::shared_ptr<IndexFaults> faults) : faults_(std::move(faults)) {}
  void submit(Callback work) override {
    if (next.exchange(false)) {
      late_ = std::move(work);
      paused = true;
    } else if (pausing && faults_->removing.exchange(false)) {
      pausing = false;
      late_ = std::move(work);
      paused = true;
    } else {
      pool_.submit(std::move(work));
    }
  }
  void go_on() {
    paused = false;
    pool_.submit(std::move(late_));
  }
  std::atomic<bool> next{false};  ///< what comes next is kept back, whatever it is
  std::atomic<bool> pausing{false};
  std::atomic<bool> paused{false};

 private:
  std::shared_ptr<IndexFaults> faults_;
  Callback late_;
  testing::TestPool pool_;
};

/// A store on a simulated disk, with small segments.
struct Disk {
  testing::TestLoop loop;
  SimulatedFileSystem files{1};
  std::shared_ptr<MemoryIndexDisk> index = std::make_shared<MemoryIndexDisk>();
  std::shared_ptr<IndexFaults> faults = std::make_shared<IndexFaults>();
  PausingPool pool{faults};
  std::unique_ptr<Store> store;

  Disk() {
    index->writable = [this] { return files.powered(); };
    faults->copy = [this](const std::string& directory) { return files.make_directory(directory); };
    open();
  }
  Options options() {
    Options options{.directory = "/store", .workers = pool, .clock = loop};
    options.if_missing = IfMissing::Make;
    options.files = &files;
    options.reserve = 0;
    options.smallest_segment = 64 << 10;
    options.largest_segment = 256 << 10;
    options.lazy_delay = std::chrono::milliseconds(5);
    options.open_index = [this]() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<FaultyIndex>(index, faults);
    };
    options.journal_failed = [](const Error&) {};
    return options;
  }
  void open() {
    store.reset();
    auto opened = open_store(options());
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
    REQUIRE(store->statistics().read_only == "");
  }
  void crash() {
    files.power_off();
    store.reset();
    files.power_on();
    open();
  }

  static std::string owner(int number) {
    return Key(1 + static_cast<AccountId>(number) % 3, kTable)
        .u32(static_cast<std::uint32_t>(number))
        .bytes();
  }
  BlobId add(int number, std::size_t size) { return loop.run(add_body(number, size)); }
  Task<BlobId> add_body(int number, std::size_t size) {
    auto writer = store->stage("salvage");
    REQUIRE(co_await writer->append(some_bytes(static_cast<std::uint64_t>(number), size)));
    auto staged = co_await writer->finish();
    REQUIRE(staged);
    BlobId id = 0;
    auto done = co_await store->transact({1}, [&](Transaction& tx) -> Result<void> {
      id = tx.own(*staged, owner(number));
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
    co_return id;
  }
  void drop(int number, BlobId id) {
    REQUIRE(loop.run(store->transact({1}, [=](Transaction& tx) -> Result<void> {
      tx.disown(id, owner(number));
      return {};
    })));
  }
  bool reads(int number, BlobId id, std::size_t size) {
    auto blob = loop.run(store->open_blob(id));
    if (!blob) return false;
    std::string bytes;
    while (bytes.size() < size) {
      auto piece = loop.run((*blob)->read(bytes.size(), 1 << 20));
      REQUIRE_MESSAGE(piece, piece.error().describe());
      REQUIRE_FALSE(piece->empty());
      bytes += *piece;
    }
    return bytes == some_bytes(static_cast<std::uint64_t>(number), size);
  }
  static ReclaimRules at_once() {
    return {.before = Time::max(), .dead_percent = 30, .least_age = {}, .urgent = true};
  }
  Reclaimed reclaim(ReclaimRules rules = at_once()) {
    Reclaimed all;
    for (int i = 0; i < 1000; ++i) {
      auto done = loop.run(store->reclaim(rules));
      REQUIRE_MESSAGE(done, done.error().describe());
      all.bodies_forgotten += done->bodies_forgotten;
      all.bodies_moved += done->bodies_moved;
      all.segments_removed += done->segments_removed;
      all.bytes_returned += done->bytes_returned;
      all.busy = done->busy;
      if (!done->more) return all;
    }
    FAIL("reclaiming does not end");
    return all;
  }
  SpaceUse use() {
    auto use = loop.run(store->space_use());
    REQUIRE(use);
    return *use;
  }
  void verify() {
    store.reset();
    VerifyOptions how;
    how.open_scratch = []() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<MemoryIndex>(std::make_shared<MemoryIndexDisk>());
    };
    auto report = verify_store(options(), how);
    REQUIRE_MESSAGE(report, report.error().describe());
    for (const auto& problem : report->problems) MESSAGE(problem);
    CHECK(report->good());
    open();
  }
};

}  // namespace

TEST_CASE("reclaim: the space of bodies that nobody owns returns, the others stay whole") {
  Disk disk;
  std::map<int, std::pair<BlobId, std::size_t>> kept;
  std::vector<BlobId> gone;
  for (int i = 0; i < 300; ++i) {
    auto size = static_cast<std::size_t>(i % 40 == 7 ? 400'000 : 3'000 + i * 10);
    auto id = disk.add(i, size);
    if (i % 4 == 0 || i % 40 == 7) kept[i] = {id, size};
    if (i % 4 != 0 && i % 80 != 7) {
      disk.drop(i, id);
      kept.erase(i);
      gone.push_back(id);
    }
  }
  auto before = disk.use();
  CHECK(before.retained_bytes > 600'000);

  SUBCASE("not before its time") {
    ReclaimRules rules = disk.at_once();
    rules.before = disk.loop.now() - std::chrono::hours(24);
    auto done = disk.reclaim(rules);
    CHECK(done.bodies_forgotten == 0);
    for (auto id : gone) CHECK(disk.loop.run(disk.store->open_blob(id)));
  }
  SUBCASE("after its time") {
    auto reading = disk.loop.run(disk.store->open_blob(gone[0]));
    REQUIRE(reading);
    auto done = disk.reclaim();
    CHECK(done.bodies_forgotten == gone.size());
    CHECK(done.bodies_moved > 20);
    CHECK(done.segments_removed > 5);
    auto after = disk.use();
    CHECK(after.retained_bytes == 0);
    CHECK(after.journal_bytes < before.journal_bytes / 2);
    CHECK(after.journal_bytes < after.live_bytes * 2 + (512 << 10));
    // Who was reading reads on.
    CHECK(disk.loop.run((*reading)->read(0, 100)));
    for (auto id : gone) {
      auto opened = disk.loop.run(disk.store->open_blob(id));
      REQUIRE_FALSE(opened);
      CHECK(opened.error().code == ErrorCode::NotFound);
    }
  }
  SUBCASE("not while a body is staged that nobody owns yet") {
    auto writer = disk.store->stage();
    REQUIRE(disk.loop.run(writer->append(some_bytes(5000, 600'000))));
    disk.reclaim();
    auto staged = disk.loop.run(writer->finish());
    REQUIRE(staged);
    writer.reset();
    disk.reclaim();
    BlobId id = 0;
    REQUIRE(disk.loop.run(disk.store->transact({1}, [&](Transaction& tx) -> Result<void> {
      id = tx.own(*staged, disk.owner(5000));
      return {};
    })));
    *staged = {};
    disk.reclaim();
    CHECK(disk.reads(5000, id, 600'000));
    kept[5000] = {id, 600'000};
  }
  for (auto& [number, body] : kept)
    CHECK_MESSAGE(disk.reads(number, body.first, body.second), number);
  disk.verify();
  for (auto& [number, body] : kept) CHECK(disk.reads(number, body.first, body.second));
  // Twice is not more than once, also after a restart.
  disk.reclaim();
  disk.verify();
  for (auto& [number, body] : kept) CHECK(disk.reads(number, body.first, body.second));
}

TEST_CASE("reclaim: an index that cannot be read is an error, and ends nothing else") {
  Disk disk;
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

TEST_CASE("reclaim: bodies that move while many are being opened are found where they are then") {
  Disk disk;
  std::vector<int> numbers;
  std::vector<BlobId> ids;
  for (int i = 0; i < 60; ++i) {
    auto id = disk.add(i, 3'000);
    if (i % 4 == 0) {
      numbers.push_back(i);
      ids.push_back(id);
    } else {
      disk.drop(i, id);
    }
  }
  disk.open();
  OpenedBlobs opened;
  bool ended = false;
  Gate gate;
  auto open = [&]() -> Task<void> {
    opened = co_await disk.store->open_blobs(ids);
    ended = true;
  };
  // Their places are known, and no segment is open yet.
  disk.pool.next = true;
  gate.spawn(open());
  while (!disk.pool.paused) disk.loop.run_ready();
  CHECK(disk.reclaim().bodies_moved > 10);
  disk.pool.go_on();
  disk.loop.run([](bool& done) -> Task<void> {
    while (!done) co_await yield_now();
  }(ended));
  gate.close([] {});
  REQUIRE(opened.size() == ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    REQUIRE_MESSAGE(opened[i], opened[i].error().describe());
    auto bytes = disk.loop.run((*opened[i])->read(0, 1 << 20));
    REQUIRE(bytes);
    CHECK(*bytes == some_bytes(static_cast<std::uint64_t>(numbers[i]), 3'000));
  }
}

TEST_CASE("reclaim: a segment whose counters are damaged keeps its bodies") {
  Disk disk;
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
  Disk disk;
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

TEST_CASE("reclaim: rows of bodies that do not wait are given up, and forgetting ends") {
  Disk disk;
  auto kept = disk.add(1, 5'000);
  auto dropped = disk.add(2, 5'000);
  disk.drop(2, dropped);
  auto long_ago = disk.loop.now() - std::chrono::hours(24);
  REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
    tx.put(freed_key(long_ago, kept), "");
    tx.put(freed_key(long_ago, dropped), "");
    tx.put(freed_key(long_ago, 777), "");
    tx.put(Key(kInstance, kFreedTable).u32(5), "");
    return {};
  })));
  CHECK(disk.reclaim().bodies_forgotten == 1);
  CHECK(disk.reads(1, kept, 5'000));
  CHECK_FALSE(disk.loop.run(disk.store->open_blob(dropped)));
  disk.verify();
}

TEST_CASE("reclaim: bodies of segments that span many others are found in one walk, in pieces") {
  Disk disk;
  std::map<int, BlobId> there;
  auto deliver = [&](int from, int to) {
    for (int i = from; i < to; ++i) there[i] = disk.add(i, 9'000);
  };
  deliver(0, 50);
  // Between those and the next there are 15,000 others.
  auto next_id = there[49] + 15'001;
  REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
    tx.put(next_blob_key(), encode_number(next_id));
    return {};
  })));
  disk.open();
  deliver(50, 100);
  REQUIRE(there[50] == next_id);
  for (auto id = there[49] + 1; id < next_id; id += 1'000)
    REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
      for (auto each = id; each < id + 1'000; ++each)
        tx.put(place_key(each), encode(BodyPlace{.segment = 9'999}));
      return {};
    })));
  for (int i = 0; i < 100; ++i)
    if (i % 4 != 0) {
      disk.drop(i, there[i]);
      there.erase(i);
    }
  disk.faults->places = 0;
  std::uint64_t moved = 0;
  for (bool more = true; more;) {
    auto before = disk.faults->places.load();
    auto done = disk.loop.run(disk.store->reclaim(disk.at_once()));
    REQUIRE(done);
    CHECK(disk.faults->places.load() - before <= 10'000);
    moved += done->bodies_moved;
    more = done->more;
  }
  CHECK(moved > 15);
  CHECK(disk.faults->places.load() > 15'000);
  CHECK(disk.faults->places.load() < 2 * 15'100);
  for (auto& [number, id] : there) CHECK(disk.reads(number, id, 9'000));
}

TEST_CASE("reclaim: segments that a backup keeps are counted when they go") {
  Disk disk;
  for (int i = 0; i < 60; ++i) disk.drop(i, disk.add(i, 9'000));
  Gate gate;
  Reclaimed first;
  bool ended = false;
  auto all = [&]() -> Task<void> {
    for (bool more = true; more;) {
      auto done = co_await disk.store->reclaim(disk.at_once());
      REQUIRE(done);
      first.segments_removed += done->segments_removed;
      first.bytes_returned += done->bytes_returned;
      more = done->more;
    }
    ended = true;
  };
  auto until = [&](auto condition) -> Task<void> {
    while (!condition()) co_await sleep_for(std::chrono::milliseconds(1));
  };
  disk.faults->removing = false;
  disk.pool.pausing = true;
  gate.spawn(all());
  disk.loop.run(until([&] { return disk.pool.paused.load(); }));
  auto frozen = disk.loop.run(disk.store->freeze());
  REQUIRE_MESSAGE(frozen, frozen.error().describe());
  disk.pool.go_on();
  disk.loop.run(until([&] { return ended; }));
  CHECK(first.segments_removed == 0);
  CHECK(first.bytes_returned == 0);
  for (const auto& file : (*frozen)->files)
    if (file.from.starts_with("journal/"))
      CHECK(disk.files.open("/store/" + file.from, OpenMode::Read));
  frozen->reset();
  CHECK(disk.reclaim().segments_removed > 1);
  gate.close([] {});
}

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

TEST_CASE("reclaim: what is given up while reclaiming goes on stays") {
  Disk disk;
  auto early = disk.add(1, 5'000);
  auto late = disk.add(2, 5'000);
  disk.drop(1, early);
  disk.loop.advance(std::chrono::seconds(1));
  auto rules = disk.at_once();
  // A retention that is longer than the world is old is no reason to forget everything.
  rules.before = Time{} - std::chrono::hours(1);
  CHECK(disk.reclaim(rules).bodies_forgotten == 0);
  rules.before = disk.loop.now();
  disk.loop.advance(std::chrono::seconds(1));
  disk.drop(2, late);
  disk.loop.advance(std::chrono::minutes(10));
  CHECK(disk.reclaim(rules).bodies_forgotten == 1);
  CHECK_FALSE(disk.loop.run(disk.store->open_blob(early)));
  CHECK(disk.reads(2, late, 5'000));
  disk.verify();
}

TEST_CASE("reclaim: what lost its owner by a clock that was ahead goes in the end, too") {
  Disk disk;
  auto early = disk.add(1, 1000);
  auto late = disk.add(2, 1000);
  auto again = disk.add(3, 1000);
  disk.drop(1, early);
  // As a clock that is a year ahead dates it.
  auto now = disk.loop.now();
  auto ahead = now + std::chrono::hours(24 * 365);
  for (auto id : {late, again}) {
    disk.drop(id == late ? 2 : 3, id);
    REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
      auto was = decode_number(*tx.get(freed_at_key(id)));
      tx.erase(freed_key(Time(milliseconds(static_cast<std::int64_t>(was))), id));
      auto when = static_cast<std::uint64_t>(ahead.time_since_epoch().count());
      tx.put(freed_at_key(id), encode_number(when));
      tx.put(freed_key(ahead, id), "");
      return {};
    })));
  }
  REQUIRE(disk.loop.run(disk.store->transact({1}, [=](Transaction& tx) -> Result<void> {
    tx.own(again, Disk::owner(3));
    return {};
  })));
  ReclaimRules rules{.before = disk.loop.now() + std::chrono::hours(1)};
  CHECK(disk.reclaim(rules).bodies_forgotten == 1);
  CHECK(disk.reads(2, late, 1000));
  // Once the clock is believed, its time begins; and no sooner.
  rules.clock_is_settled = true;
  rules.before = disk.loop.now() - std::chrono::hours(1);
  CHECK(disk.reclaim(rules).bodies_forgotten == 0);
  CHECK(disk.reads(2, late, 1000));
  rules.before = disk.loop.now() + std::chrono::hours(1);
  CHECK(disk.reclaim(rules).bodies_forgotten == 1);
  CHECK_FALSE(disk.reads(2, late, 1000));
  CHECK(disk.reads(3, again, 1000));
  disk.verify();
}

TEST_CASE("reclaim: a body that is owned again in time stays") {
  Disk disk;
  auto id = disk.add(1, 5000);
  disk.drop(1, id);
  REQUIRE(disk.loop.run(disk.store->transact({1}, [=](Transaction& tx) -> Result<void> {
    tx.own(id, Disk::owner(2));
    return {};
  })));
  CHECK(disk.reclaim().bodies_forgotten == 0);
  CHECK(disk.reads(1, id, 5000));
  disk.verify();
}

TEST_CASE("reclaim: a full disk, and the way out of it") {
  Disk disk;
  std::map<int, BlobId> there;
  disk.files.set_capacity(3 << 20);
  int number = 0;
  auto fill = [&]() -> Task<bool> {
    while (number < 10'000) {
      auto writer = disk.store->stage();
      if (!co_await writer->append(some_bytes(static_cast<std::uint64_t>(number), 8'000)))
        co_return true;
      auto staged = co_await writer->finish();
      if (!staged) co_return true;
      BlobId id = 0;
      auto done = co_await disk.store->transact({1}, [&](Transaction& tx) -> Result<void> {
        id = tx.own(*staged, Disk::owner(number));
        return {};
      });
      if (!done) {
        CHECK(done.error().code == ErrorCode::NoSpace);
        co_return true;
      }
      there[number++] = id;
    }
    co_return false;
  };
  for (int round = 0; round < 3; ++round) {
    REQUIRE(disk.loop.run(fill()));
    auto full = there.size();
    CHECK(full > 100);
    for (auto& [n, id] : there) CHECK(disk.reads(n, id, 8'000));
    // Something is given up (another program leaves the disk a little room, as the reserve does).
    disk.files.set_capacity((3 << 20) + (256 << 10));
    int dropped = 0;
    for (auto it = there.begin(); it != there.end();) {
      if (dropped++ % 3 == 0) {
        ++it;
        continue;
      }
      disk.drop(it->first, it->second);
      it = there.erase(it);
    }
    auto done = disk.reclaim();
    CHECK(done.bytes_returned > 1 << 20);
    disk.files.set_capacity(3 << 20);
    if (round == 1) disk.crash();
    auto left = there.size();
    REQUIRE(disk.loop.run(fill()));
    CHECK(there.size() > left + full / 4);
    for (auto& [n, id] : there) CHECK(disk.reads(n, id, 8'000));
    disk.files.set_capacity((3 << 20) + (512 << 10));
    disk.verify();
    disk.files.set_capacity(3 << 20);
  }
}

TEST_CASE("reclaim: a store of a newer version is refused, and stays as it was") {
  Disk disk;
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
  Disk disk;
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

TEST_CASE("reclaim: what was removed from the journal is in the copy of the index") {
  struct Real : Disk {
    Options options() {
      auto options = Disk::options();
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
