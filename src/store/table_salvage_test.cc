#include "store/table_salvage.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>

#include "store/key.h"
#include "store/made_table_test.h"
#include "store/rocks_index.h"
#include "store/rocks_table.h"
#include "store/simulated_file_system.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;
constexpr int kRows = 3'000;
constexpr std::size_t kFooter = 53;

std::string key_of(int number) {
  return Key(1, kTable).u32(static_cast<std::uint32_t>(number)).bytes();
}

/// An index with one table of several blocks; every seventh row has been erased.
struct OneTable {
  SimulatedFileSystem files{1};
  std::map<std::string, std::optional<std::string>> rows;
  std::string path;
  std::uint64_t size = 0;

  OneTable() {
    std::mt19937 random(7);
    auto index = open_rocks_index({"/index", 8 << 20, {}, &files});
    REQUIRE_MESSAGE(index, index.error().describe());
    Overlay writes;
    for (int i = 0; i < kRows; ++i) {
      std::string value(60, 'v');
      for (std::size_t at = 0; at < value.size(); at += 2) value[at] = static_cast<char>(random());
      if (i % 7 == 0)
        writes.erase(key_of(i));
      else
        writes.put(key_of(i), value);
      rows[key_of(i)] = i % 7 == 0 ? std::nullopt : std::optional(value);
    }
    REQUIRE((*index)->apply(writes, {7, 1, 4096}));
    REQUIRE((*index)->flush());
    index->reset();
    auto tables = list_rocks_tables({"/index", 8 << 20, {}, &files}, files);
    REQUIRE_MESSAGE(tables, tables.error().describe());
    REQUIRE(tables->all.size() == 1);
    CHECK(tables->listed);
    path = tables->all.front().path;
    CHECK(tables->all.front().last == key_of(kRows - 1));
    size = files.open(path, OpenMode::Read).value()->size().value();
  }

  struct Found {
    std::map<std::string, std::optional<std::string>> rows;
    std::vector<UnreadableKeys> unreadable;
  };
  Found read() {
    Found found;
    auto salvaged = salvage_table(files, path, [&](const SalvagedRow& row) -> Result<void> {
      if (!is_position_key(row.key))
        found.rows[std::string(row.key)] =
            row.value ? std::optional(std::string(*row.value)) : std::nullopt;
      return {};
    });
    REQUIRE_MESSAGE(salvaged, salvaged.error().describe());
    found.unreadable = salvaged->unreadable;
    return found;
  }
  static bool covers(const std::vector<UnreadableKeys>& all, const std::string& key) {
    return std::ranges::any_of(all, [&](const UnreadableKeys& keys) {
      return key > keys.after && (!keys.up_to || key <= *keys.up_to);
    });
  }
  /// Every row is there as it was, or said to be unreadable; gives how many are not there.
  int missing() {
    auto found = read();
    int missing = 0;
    for (const auto& [key, value] : rows) {
      auto there = found.rows.find(key);
      if (there != found.rows.end()) {
        CHECK(there->second == value);
        CHECK_FALSE(covers(found.unreadable, key));
      } else {
        ++missing;
        CHECK(covers(found.unreadable, key));
      }
    }
    CHECK(found.rows.size() + static_cast<std::size_t>(missing) == rows.size());
    return missing;
  }
};

}  // namespace

TEST_CASE("salvaging a table: a whole one gives every row, and what was erased") {
  OneTable table;
  auto found = table.read();
  CHECK(found.rows == table.rows);
  CHECK(found.unreadable.empty());
}

TEST_CASE(
    "salvaging a table: a damaged block costs its own rows, and a damaged list of blocks none") {
  OneTable table;
  int costly = 0, harmless = 0;
  for (std::uint64_t offset = 50; offset < table.size; offset += table.size / 23) {
    CAPTURE(offset);
    table.files.flip_bit(table.path, offset);
    auto missing = table.missing();
    CHECK(missing < kRows / 4);
    ++(missing == 0 ? harmless : costly);
    table.files.flip_bit(table.path, offset);
  }
  CHECK(costly > 10);
  for (auto offset : {table.size - kFooter + 3, table.size - 3}) {
    CAPTURE(offset);
    table.files.flip_bit(table.path, offset);
    CHECK(table.missing() == 0);
    CHECK(list_rocks_tables({"/index", 8 << 20, {}, &table.files}, table.files)->all.size() == 1);
    table.files.flip_bit(table.path, offset);
  }
}

TEST_CASE("salvaging a table: without its list the rows before the first damaged block are read") {
  OneTable table;
  table.files.flip_bit(table.path, table.size - 3);
  table.files.flip_bit(table.path, table.size / 2);
  auto missing = table.missing();
  CHECK(missing > kRows / 4);
  CHECK(missing < kRows * 3 / 4);
}

TEST_CASE("salvaging a table: a checksum that holds by chance ends no block, and no table") {
  for (std::uint8_t kind : {0, 4, 7}) {
    CAPTURE(kind);
    // Within the value of its first row a checksum of all that stands before it.
    auto prefix = made_rows({{"key 1", std::string(100, 'v'), 1}});
    prefix.resize(prefix.size() - 50);
    auto block = prefix + table_trailer(prefix, kind) + std::string(45, 'w');
    block += made_rows({{"key 2", "value", 1}});
    add_restarts(block);
    std::string table;
    add_table_block(table, block, 0);
    auto last = made_rows({{"key 3", "value", 1}});
    add_restarts(last);
    add_table_block(table, last, 0);
    add_table_block(table, std::string(1'000, '\xAB'), 0);  // the filter
    table += table_footer({0, 1});                          // no list
    SimulatedFileSystem files(1);
    REQUIRE(files.make_directory("/index"));
    REQUIRE(replace_file(files, "/index", "1.sst", table));
    std::vector<std::string> keys;
    auto salvaged = salvage_table(files, "/index/1.sst", [&](const SalvagedRow& row) {
      keys.emplace_back(row.key);
      return Result<void>();
    });
    REQUIRE(salvaged);
    CHECK(keys == std::vector<std::string>{"key 1", "key 2", "key 3"});
    CHECK(salvaged->unreadable.empty());
  }
}

TEST_CASE("salvaging a table: a large filter ends the rows, and hides none") {
  auto block = made_rows({{"key 1", "value", 1}});
  add_restarts(block);
  std::string table;
  add_table_block(table, block, 0);
  add_table_block(table, std::string(800'000, '\xAB'), 0);
  table += table_footer({0, 1});
  SimulatedFileSystem files(1);
  REQUIRE(files.make_directory("/index"));
  REQUIRE(replace_file(files, "/index", "1.sst", table));
  auto salvaged =
      salvage_table(files, "/index/1.sst", [](const SalvagedRow&) { return Result<void>(); });
  REQUIRE(salvaged);
  CHECK(salvaged->rows == 1);
  CHECK(salvaged->unreadable.empty());
}
