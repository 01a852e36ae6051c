// The copy of the index: what it shares, what it leaves of a disk, and what of it is damaged.
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <memory>

#include "store/passing_files_test.h"
#include "store/rocks_index.h"
#include "store/store_files.h"
#include "store/table_salvage.h"
#include "store/yard_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace fs = std::filesystem;

namespace {

class TightFiles final : public PassingFiles {
 public:
  std::uint64_t free = 0;
  Result<std::uint64_t> free_space(const std::string&) override { return free; }
};

struct Lines final : LogSink {
  std::string text;
  void write(LogLevel, std::string_view line) override { text.append(line).append("\n"); }
};

/// An index with tables of its own making.
struct Kept {
  testing::TemporaryDirectory directory;
  TightFiles files;
  std::unique_ptr<Index> index;
  JournalPosition position{1, 1, 4096};

  Kept() {
    auto opened = open_rocks_index({(directory.path / "index").string(), 8 << 20, {}});
    REQUIRE_MESSAGE(opened, opened.error().describe());
    index = std::move(*opened);
  }
  /// A table more, of about 200 KB.
  void add(int from) {
    Overlay rows;
    for (int i = from; i < from + 1'000; ++i)
      rows.put(ReclaimedYard::row(i), ReclaimedYard::value(i, 200));
    ++position.lsn;
    REQUIRE(index->apply(rows, position));
    REQUIRE(index->flush());
  }
  void keep(KeptIndexRules rules) {
    auto kept = keep_rocks_index(*index, files, directory.path.string(), rules);
    REQUIRE_MESSAGE(kept, kept.error().describe());
    CHECK(kept->lsn == position.lsn);
  }
  std::uint64_t bytes() {
    std::uint64_t bytes = 0;
    for (const auto& file : index->files()) bytes += file.bytes;
    return bytes;
  }
  /// How many tables the copy has, and how many of them it shares.
  std::pair<int, int> tables() {
    int all = 0, shared = 0;
    for (const auto& table : kept_tables(files, directory.path.string())) {
      ++all;
      shared += fs::hard_link_count(table.name) > 1 ? 1 : 0;
    }
    return {all, shared};
  }
};

void scrub_all(Yard& yard) {
  for (int steps = 0; steps < 10'000; ++steps) {
    auto done = yard.loop.run(yard.store->scrub({}));
    REQUIRE_MESSAGE(done, done.error().describe());
    if (!done->more) return;
  }
  FAIL("the round does not end");
}

/// Index and copy have the same two tables: the smaller one with the yard's rows.
void make_two_tables(ReclaimedYard& yard) {
  yard.open();
  REQUIRE(yard.loop.run(yard.store->transact({2}, [&](Transaction& tx) -> Result<void> {
    for (int i = ReclaimedYard::kRows; i < 2 * ReclaimedYard::kRows; ++i)
      tx.put(yard.row(i), yard.value(i, 200));
    return {};
  })));
  yard.store.reset();
  fs::remove_all(yard.directory.path / "checkpoint");
  yard.open();
}

/// Damages the smallest table of the index; gives its name.
std::string spoil_smallest(Yard& yard) {
  fs::path smallest;
  for (const auto& entry : fs::directory_iterator(yard.directory.path / "index"))
    if (entry.path().extension() == ".sst" &&
        (smallest.empty() || entry.file_size() < fs::file_size(smallest)))
      smallest = entry.path();
  yard.flip((".." / smallest.lexically_relative(yard.directory.path)).string(),
            static_cast<std::streamoff>(fs::file_size(smallest) / 2));
  return smallest.filename();
}

}  // namespace

TEST_CASE(
    "the copy of the index takes tables of its own only if all of them leave room and reserve") {
  Kept kept;
  for (int i = 0; i < 3; ++i) kept.add(i * 1'000);
  auto bytes = kept.bytes();
  // Room for each of them, but not for all.
  kept.files.free = bytes * 2;
  kept.keep({});
  auto [all, shared] = kept.tables();
  CHECK(all >= 1);
  CHECK(shared == all);
  // Enough, were it not for the reserve.
  kept.files.free = bytes * 4;
  kept.keep({.reserve = bytes * 2});
  CHECK(kept.tables() == std::pair(all, all));
  kept.files.free = bytes * 6;
  kept.keep({.reserve = bytes * 2});
  CHECK(kept.tables() == std::pair(all, 0));
  // What the copy before has costs nothing.
  kept.files.free = bytes;
  kept.keep({});
  CHECK(kept.tables() == std::pair(all, 0));
}

TEST_CASE("a copy of the index that is made anew has nothing of the damaged one") {
  Kept kept;
  kept.add(0);
  kept.files.free = UINT64_MAX;
  kept.keep({});
  auto table = kept_tables(kept.files, kept.directory.path.string()).at(0);
  std::fstream file(table.name, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(table.bytes / 2));
  file.write("damage", 6);
  file.close();
  auto check = [&] {
    return check_rocks_index({(kept.directory.path / "checkpoint").string(), 8 << 20, {}});
  };
  CHECK_FALSE(check());
  kept.keep({.anew = true});
  CHECK(check());
  CHECK(kept.tables() == std::pair(1, 0));
}

TEST_CASE("scrub: a table of the copy of the index that went bad is found, and not passed on") {
  ReclaimedYard yard;
  yard.spoil("checkpoint");
  auto copy = (yard.directory.path / "checkpoint").string();
  auto check = [&] { return check_rocks_index({copy, 8 << 20, {}}); };
  REQUIRE_FALSE(check());
  yard.open();
  scrub_all(yard);
  CHECK(yard.store->statistics().scrub_found == 1);
  CHECK(yard.store->statistics().index_damage == "");
  yard.store.reset();
  auto checked = check();
  CHECK_MESSAGE(checked, checked.error().describe());
  PosixFileSystem files;
  CHECK(has_own_kept_index(files, yard.directory.path.string()));
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
}

TEST_CASE("scrub: a copy with a bad table stays while the index has another one") {
  ReclaimedYard yard;
  make_two_tables(yard);
  yard.store.reset();
  Lines lines;
  yard.options.log = Log(lines, LogLevel::Warn);
  yard.open();
  auto in_copy = yard.directory.path / "checkpoint" / spoil_smallest(yard);
  yard.spoil("checkpoint");
  auto is_good = [](const fs::path& table) {
    PosixFileSystem files;
    auto nothing = [](const SalvagedRow&) { return Result<void>(); };
    return salvage_table(files, table.string(), nothing).value().unreadable.empty();
  };
  REQUIRE(is_good(in_copy));
  REQUIRE(yard.store->statistics().index_damage == "");
  for (int rounds = 0; rounds < 2; ++rounds) {
    scrub_all(yard);
    CHECK(yard.store->statistics().index_damage != "");
    CHECK(lines.text.contains("store.index_copy_damaged"));
    CHECK_MESSAGE(lines.text.contains("cannot be made again: the index is damaged"), lines.text);
    CHECK(is_good(in_copy));
    lines.text.clear();
    yard.loop.advance(std::chrono::hours(24 * 365));
  }
  CHECK(yard.verify(true).perhaps_lost.empty());
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
  CHECK(yard.verify().good());
}
