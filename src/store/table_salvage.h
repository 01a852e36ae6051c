// What can still be read of one of RocksDB's tables when parts of it are damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/file_system.h"
#include "store/key.h"

namespace hikyaku::store {

/// Keys of which a table cannot tell any more what it had.
struct UnreadableKeys {
  std::string after;                 ///< empty: from the first key on
  std::optional<std::string> up_to;  ///< itself among them; nullopt: whatever comes behind
};

struct TableSalvage {
  std::uint64_t rows = 0;
  std::vector<UnreadableKeys> unreadable;
};

/// What a table says of a key. Valid in the call only.
struct SalvagedRow {
  std::string_view key;
  std::optional<std::string_view> value;  ///< nullopt: it was erased
  /// Of two tables' rows the one with the higher number was written later. 0: before all that have
  /// one, for what lies at the bottom loses its number.
  std::uint64_t number = 0;
};

/// Of each key what was written last.
using VisitRow = std::function<Result<void>(const SalvagedRow& row)>;

/// Reads a table as rocks_index.cc has them written, block by block, each by its own checksum: what
/// cannot be read costs the rows in it. Where the list of the blocks is damaged they are found by
/// their checksums, for they stand one behind the other. Errors of `visit`, and NotFound.
Result<TableSalvage> salvage_table(FileSystem& files, const std::string& path,
                                   const VisitRow& visit);

}  // namespace hikyaku::store
