// From what an index can be made again so that nothing is missing in it.
#pragma once

#include <optional>
#include <string>

#include "store/file_system.h"
#include "store/recovery.h"

namespace hikyaku::store {

struct IndexSource {
  std::optional<std::string> copy;  ///< the directory of one to begin with; nullopt: an empty one
};

/// A copy that reclaiming keeps, all of whose tables are whole, or nothing, from which the journal
/// leads without a gap to its end: to group `least` at least, which an index has, and to the clean
/// end, if there is one. Reads the copy and the groups. Corrupt, with the reason: there is none.
/// Io.
Result<IndexSource> find_index_source(FileSystem& files, bool simulated,
                                      const std::string& directory, const LogChain& chain,
                                      Lsn least);

/// Whether the journal holds all groups behind this position.
bool is_within(JournalPosition position, const LogChain& chain);

}  // namespace hikyaku::store
