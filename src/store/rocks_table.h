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

}  // namespace hikyaku::store
