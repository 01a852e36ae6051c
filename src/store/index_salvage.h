// An index made out of what can be read of a damaged one, where nothing whole is left to make it
// from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/index.h"
#include "store/open.h"
#include "store/recovery.h"

namespace hikyaku::store {

struct SalvagedIndex {
  std::uint64_t rows = 0;  ///< that could be read
  /// Keys whose rows could not be read, and which neither a copy of the index nor the end of the
  /// journal has for certain; ascending. What older parts of the journal say of them is in the
  /// index.
  std::vector<KeyRange> unreadable;
};

/// Puts into `to`, in place of what may be there, an index with every row that can be read of the
/// store's, block by block. Rows that cannot be read come from the copies of the index, as far as
/// the journal goes on from them, and from what there is of the journal. Its position is where the
/// last run of groups without a gap begins, so that replaying sets right what they touch. Nothing
/// else changes. NotFound: there is nothing to read. Io, NoSpace. Nobody has the store open.
/// Blocks.
Result<SalvagedIndex> salvage_index(const Options& options, FileSystem& files,
                                    const LogChain& chain, const std::string& to);

/// "rows of account 3 (table 0x12) to …", for people who look for what is gone.
std::string describe_keys(const KeyRange& range);

}  // namespace hikyaku::store
