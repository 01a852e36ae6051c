#include "store/table_salvage.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>

#include "store/key.h"
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
    REQUIRE(tables->size() == 1);
    path = tables->front().path;
    CHECK(tables->front().last == key_of(kRows - 1));
    size = files.open(path, OpenMode::Read).value()->size().value();
  }

  struct Found {
    std::map<std::string, std::optional<std::string>> rows;
    std::vector<UnreadableKeys> unreadable;
  };
  Found read() {
    Found found;
    auto salvaged = salvage_table(
        files, path,
        [&](std::string_view key, std::optional<std::string_view> value) -> Result<void> {
          if (!is_position_key(key))
            found.rows[std::string(key)] =
                value ? std::optional(std::string(*value)) : std::nullopt;
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
    CHECK(list_rocks_tables({"/index", 8 << 20, {}, &table.files}, table.files)->size() == 1);
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
