// The index on RocksDB: one column family, no log of its own (the journal is that).
#pragma once

#include "base/log.h"
#include "store/index.h"

namespace hikyaku::store {

struct RocksIndexOptions {
  std::string directory;
  /// For block cache and write buffers together.
  std::uint64_t memory = 64ull << 20;
  Log log;
};

/// Opens or makes the index. Conflict, Corrupt, Io.
Result<std::unique_ptr<Index>> open_rocks_index(const RocksIndexOptions& options);

/// Removes the files of an index that is not open.
Result<void> remove_rocks_index(const std::string& directory);

}  // namespace hikyaku::store
