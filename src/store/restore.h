// Making a copied store one that may go on.
#pragma once

#include <cstdint>
#include <string>

#include "store/open.h"

namespace hikyaku::store {

/// Raises the epoch of a store that nobody has open and that was closed well (a copied backup), at
/// least to `least`: numbers that were given out after the copy was made are out of reach then.
/// Gives the new epoch. Conflict, Corrupt, Io. Blocks.
Result<std::uint32_t> raise_epoch(const Options& options, std::uint32_t least);

/// What the files in a directory tell of the epoch of a store, whatever state it is in.
struct SeenEpoch {
  std::uint32_t epoch = 0;  ///< the highest of all segments, whichever store they name; 0: none
  std::string file;         ///< the segment that says so
  /// False: the store has had a higher one, maybe; segments, or the headers of some, are lost.
  bool certain = true;
};
/// Writes nothing. {0, true} where there is nothing of a store. Blocks.
SeenEpoch epoch_of(const std::string& directory);

}  // namespace hikyaku::store
