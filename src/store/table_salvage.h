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
  std::uint64_t newest = 0;  ///< the highest number of a write in it
  std::vector<UnreadableKeys> unreadable;
};

/// Of each key what was written last; no value: it was erased. The views are valid in the call
/// only.
using VisitRow =
    std::function<Result<void>(std::string_view key, std::optional<std::string_view> value)>;

/// Reads a table as rocks_index.cc has them written, block by block, each by its own checksum: what
/// cannot be read costs the rows in it. Where the list of the blocks is damaged they are found by
/// their checksums, for they stand one behind the other. Errors of `visit`, and NotFound.
Result<TableSalvage> salvage_table(FileSystem& files, const std::string& path,
                                   const VisitRow& visit);

}  // namespace hikyaku::store
