// What stands at the end of each of RocksDB's tables, checked before RocksDB reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace hikyaku::store {

/// The form of the tables' footers, as RocksDB counts them. rocks_index.cc has them written so, and
/// with XXH3 as their checksum; others are damage.
constexpr std::uint32_t kTableFormat = 5;

inline bool is_table(std::string_view path) {
  return path.ends_with(".sst");
}

/// Fills `into` with the bytes of a table from `offset` on; all of them stand before its end.
using ReadTable = std::function<Result<void>(std::uint64_t offset, std::span<char> into)>;

/// RocksDB believes a footer, which has no checksum, and takes the block of properties apart before
/// it looks at that one's: a single flipped bit there can be a failed assertion, or a block of more
/// bytes than there is memory (7.8). Reads footer, metaindex and properties, some thousand bytes,
/// and says Corrupt unless they are as they were written. All else in a table RocksDB checks itself
/// before it uses it. The errors of `read`.
Result<void> check_table(std::uint64_t size, const ReadTable& read);

/// Where in a table a block stands, without its trailer.
struct TablePlace {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  /// Whether it can stand in a table of so many bytes.
  bool is_inside(std::uint64_t table) const;
};
/// Behind each block: how it is compressed (1 byte), its checksum (4).
constexpr std::size_t kTableTrailer = 5;
/// A block ends with the count of its restart points.
constexpr std::size_t kSmallestTableBlock = 4;

/// Where the footer says that the list of the blocks of rows stands. Corrupt, and what `read` says.
Result<TablePlace> find_table_list(std::uint64_t size, const ReadTable& read);

/// Whether a block has the checksum that stands behind it in `bytes`.
bool table_block_holds(std::string_view bytes);
/// The same, when the hash of the block is known.
bool table_trailer_holds(std::uint32_t hash, std::string_view trailer);

std::uint64_t little_endian(std::string_view bytes);

}  // namespace hikyaku::store
