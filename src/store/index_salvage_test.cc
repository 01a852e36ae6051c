// What an index is made of when it, its copy and the journal are all damaged: the newest of what is
// left, nothing that was erased, or it is told.
#include "store/index_salvage.h"

#include <algorithm>
#include <climits>
#include <doctest/doctest.h>
#include <map>
#include <random>

#include "store/key.h"
#include "store/made_table_test.h"
#include "store/rocks_index.h"
#include "store/simulated_file_system.h"
#include "store/store_files.h"
#include "store/table_salvage.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;
constexpr int kRows = 3'000;

std::string key_of(int number) {
  return Key(1, kTable).u32(static_cast<std::uint32_t>(number)).bytes();
}
std::string value_of(int number) {
  std::mt19937 random(static_cast<std::uint32_t>(number));
  std::string value(60, 'v');
  for (std::size_t at = 0; at < value.size(); at += 2) value[at] = static_cast<char>(random());
  return value;
}

/// A bit of a file flips when it is opened once more than so many times.
class WearingFiles final : public SimulatedFileSystem {
 public:
  using SimulatedFileSystem::SimulatedFileSystem;
  std::string path;
  int opened = 0;
  int lasts = INT_MAX;
  std::uint64_t place = 0;

  Result<std::unique_ptr<File>> open(const std::string& what, OpenMode mode) override {
    if (what == path && opened++ == lasts) flip_bit(path, place);
    return SimulatedFileSystem::open(what, mode);
  }
};

/// A journal of a segment with many rows and of one for each that comes behind it; an index that
/// has all of it, and a copy of what it was at some moment.
struct Damaged {
  testing::TestLoop loop;
  testing::TestPool pool;
  WearingFiles files{1};
  Options options{.directory = "/store", .workers = pool, .clock = loop};
  Segments segments{files, loop, "/store/journal", std::string(16, 'i')};
  LogWriter log{segments, {64 << 10, 1 << 20}};
  std::unique_ptr<Index> index;
  JournalPosition position;
  /// What the index says, and what its copy did.
  std::map<std::string, std::string> rows;
  SalvagedIndex found;

  Damaged() {
    options.files = &files;
    REQUIRE(files.make_directory("/store/journal"));
    auto opened = open_rocks_index({"/store/index", 8 << 20, {}, &files});
    REQUIRE_MESSAGE(opened, opened.error().describe());
    index = std::move(*opened);
    Overlay writes;
    for (int i = 0; i < kRows; ++i) writes.put(key_of(i), value_of(i));
    add(writes);
  }

  /// A group in a segment of its own; gives the segment's path.
  std::string add(const Overlay& writes) {
    Writes group;
    group.rows = writes;
    REQUIRE(
        log.roll(position.lsn + 1, LogWriter::bound(writes.encoded_bound(), group.body_bytes())));
    auto appended = log.append(group, position.lsn + 1, loop.now());
    REQUIRE_MESSAGE(appended, appended.error().describe());
    position = *appended;
    REQUIRE(index->apply(writes, position));
    for (const auto& [key, value] : writes.entries())
      if (value)
        rows[key] = *value;
      else
        rows.erase(key);
    return "/store/journal/" + segment_name(position.segment, SegmentKind::Log);
  }
  std::string put(int number, std::string value) {
    Overlay writes;
    writes.put(key_of(number), value);
    return add(writes);
  }
  std::string erase(int number) {
    Overlay writes;
    writes.erase(key_of(number));
    return add(writes);
  }
  void keep_copy() { REQUIRE(index->checkpoint("/store/checkpoint")); }
  void close() {
    REQUIRE(index->flush());
    index.reset();
  }

  std::vector<std::string> tables(const std::string& directory) {
    auto names = files.list(directory);
    REQUIRE(names);
    std::erase_if(*names, [](auto& name) { return !is_table(name); });
    for (auto& name : *names) name = directory + "/" + name;
    return *names;
  }
  std::uint64_t size_of(const std::string& path) {
    return files.open(path, OpenMode::Read).value()->size().value();
  }
  std::string largest_table(const std::string& directory) {
    auto all = tables(directory);
    return *std::ranges::max_element(all, {}, [&](auto& path) { return size_of(path); });
  }
  /// Damages the block in the `part`th eighth of the largest table; gives a key that was in it.
  int spoil(const std::string& directory, int part) {
    return spoil_table(largest_table(directory), part);
  }
  int spoil_table(const std::string& path, int part) {
    files.flip_bit(path, size_of(path) * static_cast<std::uint64_t>(part) / 8);
    auto nothing = [](const SalvagedRow&) { return Result<void>(); };
    auto salvaged = salvage_table(files, path, nothing);
    REQUIRE(salvaged);
    REQUIRE(salvaged->unreadable.size() == 1);
    auto number = key_fields(salvaged->unreadable[0].after).u32_be() + 2;
    return static_cast<int>(number);
  }
  /// Which row lies in such a block; nothing changes.
  int row_in(int part) {
    REQUIRE(index->flush());
    auto path = largest_table("/store/index");
    auto place = size_of(path) * static_cast<std::uint64_t>(part) / 8;
    auto number = spoil("/store/index", part);
    files.flip_bit(path, place);
    return number;
  }

  /// Salvages, replays what the journal has as a repair does, and gives the rows.
  std::map<std::string, std::string> salvage() {
    Segments anew(files, loop, "/store/journal", std::string(16, 'i'));
    REQUIRE(anew.load(false));
    auto chain = open_log_chain(anew);
    REQUIRE(chain);
    auto salvaged = salvage_index(options, files, *chain, "/store/new");
    REQUIRE_MESSAGE(salvaged, salvaged.error().describe());
    found = std::move(*salvaged);
    auto made = open_rocks_index({"/store/new", 8 << 20, {}, &files});
    REQUIRE_MESSAGE(made, made.error().describe());
    auto apply = [&](const GroupRecord& group, JournalPosition at) {
      return (*made)->apply(group.writes, at);
    };
    auto replayed = replay(*chain, (*made)->position(), apply);
    REQUIRE(replayed);
    auto view = (*made)->view();
    KeyRange all{key_of(0), key_of(1 << 30)};
    auto cursor = view->cursor(all, Reach::Disk);
    std::map<std::string, std::string> there;
    for (cursor->seek(all.begin); cursor->valid(); cursor->next())
      there.emplace(cursor->key(), cursor->value());
    return there;
  }
  bool told(int number) const {
    return !found.certain || std::ranges::any_of(found.unreadable, [&](const KeyRange& range) {
      return range.begin <= key_of(number) && key_of(number) < range.end;
    });
  }
  void is_as_it_was(const std::map<std::string, std::string>& there) const {
    CHECK(found.complete());
    CHECK(there == rows);
  }
};

}  // namespace

TEST_CASE("salvage: a row that was erased in a gap of the journal does not come back from before") {
  Damaged store;
  auto victim = store.row_in(3);
  auto gap = store.erase(victim);
  store.put(5, "later");
  // All in one table, whose tombstones hide nothing: the block has no row of the victim's.
  store.close();
  auto index = open_rocks_index({"/store/index", 8 << 20, {}, &store.files});
  REQUIRE(index);
  store.index = std::move(*index);
  store.keep_copy();
  store.put(6, "last");
  store.close();
  REQUIRE(store.files.unlink(gap));
  SUBCASE("the copy has its block whole") {
    store.spoil("/store/checkpoint", 6);
  }
  SUBCASE("the copy is whole") {}
  store.spoil("/store/index", 3);
  store.is_as_it_was(store.salvage());
}

TEST_CASE("salvage: index and copy damaged in different places give all rows as they were last") {
  Damaged store;
  auto changed = store.row_in(2), in_copy = store.row_in(5);
  auto first = store.put(changed, "before the copy");
  store.keep_copy();
  store.put(changed, "after the copy");
  store.put(in_copy, "after the copy, too");
  store.erase(in_copy + 1);
  store.erase(changed + 1);
  store.close();
  // Without its first groups the journal alone is not enough.
  REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
  REQUIRE(store.files.unlink(first));
  store.spoil("/store/index", 2);
  store.spoil("/store/checkpoint", 5);
  store.is_as_it_was(store.salvage());
}

TEST_CASE("salvage: damaged in the same place, it is told, and nothing later is undone") {
  Damaged store;
  auto changed = store.row_in(2);
  store.keep_copy();
  store.put(changed, "after the copy");
  store.close();
  REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
  store.spoil("/store/index", 2);
  store.spoil("/store/checkpoint", 2);
  auto there = store.salvage();
  CHECK(store.told(changed));
  CHECK(store.told(changed + 1));
  CHECK_FALSE(store.told(kRows / 2));
  CHECK(there[key_of(changed)] == "after the copy");
  for (const auto& [key, value] : there) CHECK(store.rows[key] == value);
  CHECK(there.size() > kRows * 3 / 4);
}

TEST_CASE(
    "salvage: an index that is ahead of the journal takes the journal's last word, and tells") {
  Damaged store;
  auto changed = store.row_in(2);
  store.keep_copy();
  store.put(changed, "after the copy");
  auto torn = store.erase(changed + 1);
  store.close();
  // The end of the journal cannot be read.
  REQUIRE(store.files.unlink(torn));
  store.spoil("/store/index", 2);
  auto there = store.salvage();
  CHECK(there[key_of(changed)] == "after the copy");
  CHECK(store.told(changed + 1));
  there.erase(key_of(changed + 1));
  CHECK(there == store.rows);
}

TEST_CASE("salvage: what the journal says does not undo what an index that is ahead of it has") {
  Damaged store;
  Overlay early, newer, spanning;
  for (int i = 1; i < kRows; i += 4) early.put(key_of(i), "early");
  for (int i = 1; i < kRows; i += 4) newer.put(key_of(i), "newer " + std::to_string(i));
  for (int i = 2; i < kRows; i += 4) newer.erase(key_of(i));
  for (int i = 0; i < kRows; i += 4) spanning.put(key_of(i), value_of(i + kRows));
  for (int i = 0; i < kRows; i += 16) spanning.erase(key_of(i));
  store.keep_copy();
  store.add(early);
  // The journal loses these: the one is in tables that are good, the other in one that is not.
  auto torn = {store.add(newer), [&] {
                 REQUIRE(store.index->flush());
                 return store.add(spanning);
               }()};
  bool same = false;
  SUBCASE("a copy has what the journal has") {}
  SUBCASE("a copy has all of it, which nothing older undoes") {
    same = true;
    REQUIRE(remove_files(store.files, "/store/checkpoint"));
    store.keep_copy();
  }
  store.close();
  for (const auto& path : torn) REQUIRE(store.files.unlink(path));
  auto tables = store.tables("/store/index");
  REQUIRE(tables.size() > 2);
  auto lost = store.spoil_table(std::ranges::max(tables), 3);
  auto there = store.salvage();
  if (same) return store.is_as_it_was(there);
  CHECK(store.told(lost));
  int told = 0;
  for (int i = 0; i < kRows; ++i) {
    CAPTURE(i);
    if (i % 4 == 0 && store.told(i)) {
      ++told;
      CHECK(there[key_of(i)] == value_of(i));
    } else {
      CHECK(there.contains(key_of(i)) == store.rows.contains(key_of(i)));
      if (store.rows.contains(key_of(i))) CHECK(there[key_of(i)] == store.rows[key_of(i)]);
    }
  }
  CHECK(told > 50);
  CHECK(told < kRows / 8);
}

TEST_CASE("salvage: a block that can be read once, and then no more, is told like any other") {
  Damaged store;
  auto in_both = store.row_in(3);
  store.keep_copy();
  store.close();
  REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
  bool complete = false;
  auto wears = [&](const std::string& directory) {
    store.files.path = store.largest_table(directory);
    store.files.place = store.size_of(store.files.path) * 3 / 8;
    store.files.opened = 0;
    auto there = store.salvage();
    CHECK(there == store.rows);
    // Its rows are read at last when it is opened for the last time.
    store.files.lasts = store.files.opened - 1;
    store.files.opened = 0;
  };
  SUBCASE("the copy has it") {
    complete = true;
    wears("/store/index");
  }
  SUBCASE("the copy has lost the same") {
    store.spoil("/store/checkpoint", 3);
    wears("/store/index");
  }
  SUBCASE("it is the copy's") {
    store.spoil("/store/index", 3);
    wears("/store/checkpoint");
  }
  auto there = store.salvage();
  CHECK(store.files.opened > store.files.lasts);
  if (complete) {
    store.is_as_it_was(there);
  } else {
    CHECK(store.told(in_both));
    CHECK_FALSE(store.told(kRows / 8));
    CHECK(there.size() > kRows * 3 / 4);
  }
}

TEST_CASE("salvage: what a later table has of a lost key is what counts") {
  Damaged store;
  auto changed = store.row_in(2);
  store.keep_copy();
  REQUIRE(store.index->flush());
  auto lost = store.put(changed, "in a table of its own");
  store.close();
  REQUIRE(store.tables("/store/index").size() > 1);
  REQUIRE(store.files.unlink(lost));
  store.spoil("/store/index", 2);
  auto there = store.salvage();
  CHECK(there[key_of(changed)] == "in a table of its own");
  CHECK(there == store.rows);
}

TEST_CASE("salvage: of a copy from before a gap the rows are better than none, and told") {
  Damaged store;
  auto changed = store.row_in(2);
  store.keep_copy();
  auto gap = store.put(changed, "within the gap");
  store.put(5, "later");
  store.close();
  REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
  REQUIRE(store.files.unlink(gap));
  store.spoil("/store/index", 2);
  auto there = store.salvage();
  CHECK(store.told(changed));
  CHECK(there.size() == store.rows.size());
  there[key_of(changed)] = "within the gap";
  CHECK(there == store.rows);
}

TEST_CASE("salvage: where nothing of the index can be read its copy is taken") {
  Damaged store;
  store.keep_copy();
  store.put(7, "after the copy");
  store.close();
  REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
  for (const auto& table : store.tables("/store/index")) REQUIRE(store.files.unlink(table));
  store.spoil("/store/checkpoint", 3);
  auto there = store.salvage();
  CHECK_FALSE(store.found.complete());
  CHECK(there[key_of(7)] == "after the copy");
  CHECK(there.size() > kRows * 3 / 4);
  for (const auto& [key, value] : there) CHECK(store.rows[key] == value);
}

TEST_CASE(
    "salvage: without the list of its tables a copy counts, and all of it is told if there is "
    "none") {
  for (bool copy : {true, false}) {
    CAPTURE(copy);
    Damaged store;
    if (copy) store.keep_copy();
    store.put(7, "later");
    store.erase(8);
    store.close();
    REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
    auto names = store.files.list("/store/index").value();
    for (const auto& name : names)
      if (name.starts_with("MANIFEST")) REQUIRE(store.files.unlink("/store/index/" + name));
    int lost = 0;
    if (copy) lost = store.spoil("/store/checkpoint", 3);
    auto there = store.salvage();
    CHECK(there == store.rows);
    CHECK_FALSE(store.found.complete());
    CHECK(store.told(lost));
    CHECK(store.found.certain == copy);
    CHECK(store.told(kRows / 8) != copy);
  }
}

TEST_CASE(
    "salvage: without the list of its tables the later row counts, whatever else is in its table") {
  Damaged store;
  store.close();
  auto names = store.files.list("/store/index").value();
  for (const auto& name : names) REQUIRE(store.files.unlink("/store/index/" + name));
  auto write = [&](const char* name, const std::vector<MadeRow>& rows) {
    REQUIRE(replace_file(store.files, "/store/index", name, made_table(rows)));
  };
  // The lower one has an old row, and one that kept its number for somebody who read.
  write("000001.sst",
        {{key_of(1), "at the bottom", 0}, {key_of(2), "long ago", 0}, {key_of(3), "new", 200}});
  write("000002.sst",
        {{key_of(1), "new", 100}, {key_of(2), std::nullopt, 90}, {key_of(3), "old", 80}});
  write("000003.sst", {{key_of(1), "old", 50}});
  REQUIRE(store.files.unlink("/store/journal/0000000001.log"));
  auto there = store.salvage();
  CHECK(there == std::map<std::string, std::string>{{key_of(1), "new"}, {key_of(3), "new"}});
  CHECK_FALSE(store.found.complete());
}

TEST_CASE("salvage: how far a damaged index had come") {
  Damaged store;
  store.keep_copy();
  store.put(7, "later");
  auto last = store.position;
  store.close();
  CHECK(salvage_position(store.options, store.files) == last);
  store.spoil("/store/index", 3);
  CHECK(salvage_position(store.options, store.files) == last);
  auto names = store.files.list("/store/index").value();
  for (const auto& name : names)
    if (name.starts_with("MANIFEST")) REQUIRE(store.files.unlink("/store/index/" + name));
  CHECK(salvage_position(store.options, store.files) == last);
}
