// An index made out of what can be read of a damaged one, where nothing whole is left to make it
// from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/index.h"
#include "store/open.h"
#include "store/recovery.h"

namespace hikyaku::store {

struct SalvagedIndex {
  std::uint64_t rows = 0;  ///< that could be read
  /// Keys whose rows could not be read, and which neither a copy of the index nor the end of the
  /// journal has for certain; ascending. The best that is known of them is in the index.
  std::vector<KeyRange> unreadable;
  /// Which tables were the index's, and in which order, could be read of the one with all groups.
  /// Otherwise rows that were erased may be there again.
  bool certain = true;

  bool complete() const { return unreadable.empty() && certain; }
};

/// Puts into `to`, in place of what may be there, an index with every row that can be read of the
/// newest of the store's own and its copies, block by block. Of what cannot be read in it the
/// others, and the groups of the journal, say what they had, the later ones before the earlier
/// ones. Replaying from its position sets right what later groups touch. Nothing else changes.
/// NotFound: there is nothing to read. Io, NoSpace. Nobody has the store open. Blocks.
Result<SalvagedIndex> salvage_index(const Options& options, FileSystem& files,
                                    const LogChain& chain, const std::string& to);

/// How far the store's own index has come, also when parts of it are damaged. Zeros: that cannot be
/// read. nullopt: nothing of it can. Io, NoSpace. Blocks.
Result<std::optional<JournalPosition>> salvage_position(const Options& options, FileSystem& files);

/// "rows from account 3, table 0x12 to …", for people who look for what is gone.
std::string describe_keys(const KeyRange& range);

}  // namespace hikyaku::store
