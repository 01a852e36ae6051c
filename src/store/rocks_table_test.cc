// Damage of what RocksDB reads of its tables without looking at a checksum first: the index says
// that it is damaged, and the process lives.
#include "store/rocks_table.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "base/codec.h"
#include "store/key.h"
#include "store/rocks_index.h"
#include "store/simulated_file_system.h"
#include "testing/temporary_directory.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;
constexpr std::size_t kFooter = 53;
/// RocksDB's first property, behind three lengths of a byte each.
constexpr std::string_view kFirstProperty = "rocksdb.block.based.table.index.type";

std::string row(int number) {
  return Key(1, kTable).u32(static_cast<std::uint32_t>(number)).bytes();
}

/// An index with one table of one block.
void make_index(const std::string& directory, FileSystem* files) {
  auto index = open_rocks_index({directory, 8 << 20, {}, files});
  REQUIRE_MESSAGE(index, index.error().describe());
  Overlay rows;
  for (int i = 0; i < 20; ++i) rows.put(row(i), "value " + std::to_string(i));
  REQUIRE((*index)->apply(rows, {7, 1, 4096}));
  REQUIRE((*index)->flush());
}

/// Nothing when it opens with all that make_index has put there.
std::optional<Error> open_index(const std::string& directory, FileSystem* files) {
  auto index = open_rocks_index_for_reading({directory, 8 << 20, {}, files});
  if (!index) return index.error();
  CHECK((*index)->position() == JournalPosition{7, 1, 4096});
  for (int i = 0; i < 20; ++i)
    CHECK((*index)->view()->get(row(i), Reach::Disk) == "value " + std::to_string(i));
  return std::nullopt;
}

Result<void> check(std::string_view table) {
  return check_table(table.size(), [&](std::uint64_t offset, std::span<char> into) -> Result<void> {
    REQUIRE(offset <= table.size());
    REQUIRE(into.size() <= table.size() - offset);
    table.copy(into.data(), into.size(), offset);
    return {};
  });
}

struct SimulatedIndex {
  SimulatedFileSystem files{1};
  std::string path;
  std::string table;
  std::size_t properties = 0;   ///< where they begin
  std::size_t index_place = 0;  ///< in the footer
  std::size_t padding = 0;      ///< behind it

  SimulatedIndex() {
    make_index("/index", &files);
    auto names = files.list("/index").value();
    auto name = std::ranges::find_if(names, is_table);
    REQUIRE(name != names.end());
    path = "/index/" + *name;
    table = read_file(files, path, 1 << 20).value();
    auto first = table.find(kFirstProperty);
    REQUIRE(first != std::string::npos);
    properties = first - 3;
    Decoder footer(std::string_view(table).substr(table.size() - kFooter + 1));
    for (int part = 0; part < 2; ++part) footer.varint();
    index_place = table.size() - footer.remaining();
    for (int part = 0; part < 2; ++part) footer.varint();
    padding = table.size() - footer.remaining();
  }
  /// The place of the index block in the footer. RocksDB looks at the checksum there.
  bool is_place_of_index(std::size_t offset) const {
    return offset >= index_place && offset < padding;
  }
  /// Zeros that nobody reads stand behind the places, and may lengthen the last number of those.
  bool is_harmless(std::size_t offset, int bit) const {
    return (offset >= padding && offset < table.size() - 12) || (offset == padding - 1 && bit == 7);
  }
};

}  // namespace

TEST_CASE("check_table: every flipped bit and every cut of the end of a table is seen") {
  SimulatedIndex index;
  REQUIRE(check(index.table));
  for (auto offset = index.properties; offset < index.table.size(); ++offset)
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = index.table;
      damaged[offset] = static_cast<char>(damaged[offset] ^ 1 << bit);
      auto checked = check(damaged);
      if (checked && (index.is_harmless(offset, bit) || index.is_place_of_index(offset))) continue;
      INFO("bit ", bit, " of byte ", offset, " of ", damaged.size());
      REQUIRE(!checked);
      CHECK(checked.error().code == ErrorCode::Corrupt);
    }
  for (std::size_t size = 0; size < index.table.size(); ++size) {
    auto checked = check(std::string_view(index.table).substr(0, size));
    REQUIRE_MESSAGE(!checked, size);
    CHECK(checked.error().code == ErrorCode::Corrupt);
  }
}

TEST_CASE("rocks index: a flipped bit at the end of a table is damage, or harms nobody") {
  SimulatedIndex index;
  REQUIRE(!open_index("/index", &index.files));
  for (auto offset = index.properties; offset < index.table.size(); ++offset) {
    // The highest bit of a block's last byte says that hashes stand in it: the assertion.
    for (int bit : {7, static_cast<int>(offset % 7)}) {
      INFO("bit ", bit, " of byte ", offset, " of ", index.table.size());
      index.files.flip_bit(index.path, offset, bit);
      auto error = open_index("/index", &index.files);
      index.files.flip_bit(index.path, offset, bit);
      if (!error) CHECK(index.is_harmless(offset, bit));
      if (error) CHECK(error->code == ErrorCode::Corrupt);
    }
  }
  CHECK(!open_index("/index", &index.files));
}

TEST_CASE("rocks index: the same on the operating system's files") {
  testing::TemporaryDirectory directory;
  auto path = directory.path / "index";
  make_index(path.string(), nullptr);
  REQUIRE(!open_index(path.string(), nullptr));
  std::filesystem::path table;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (is_table(entry.path().string())) table = entry.path();
  std::ifstream in(table, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  auto first = bytes.find(kFirstProperty);
  REQUIRE(first != std::string::npos);
  // Of the properties the count at their end, of the footer the places.
  auto metaindex = bytes.find("fullfilter.");
  REQUIRE(metaindex != std::string::npos);
  for (auto offset : {first, metaindex - 3 - 5 - 1, metaindex, bytes.size() - kFooter,
                      bytes.size() - kFooter + 2, bytes.size() - 1}) {
    INFO(offset, " of ", bytes.size());
    auto damaged = bytes;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 0x80);
    std::ofstream(table, std::ios::binary) << damaged;
    auto error = open_index(path.string(), nullptr);
    REQUIRE(error);
    CHECK(error->code == ErrorCode::Corrupt);
    CHECK(error->text.find(table.filename().string()) != std::string::npos);
  }
}
