// Making a copied store one that may go on.
#pragma once

#include <cstdint>

#include "store/open.h"

namespace hikyaku::store {

/// Raises the epoch of a store that nobody has open and that was closed well (a copied backup), at
/// least to `least`: numbers that were given out after the copy was made are out of reach then.
/// Gives the new epoch. Conflict, Corrupt, Io. Blocks.
Result<std::uint32_t> raise_epoch(const Options& options, std::uint32_t least);

/// The epoch of the store in a directory, whatever state it is in; 0 if that cannot be told.
std::uint32_t epoch_of(const Options& options);

}  // namespace hikyaku::store
