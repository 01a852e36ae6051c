// Erasing many rows: in transactions that each erase few, so that nobody waits for them.
#pragma once

#include <cstddef>
#include <functional>

#include "store/store.h"

namespace hikyaku::store {

/// So many rows one transaction erases.
inline constexpr std::size_t kEraseAtOnce = 1'000;

/// Erases rows of the range, at most `most`, and lowers that by their number, for the next range of
/// the same transaction: so `most` belongs to the step, which may run twice. True if there are no
/// others.
bool erase_some(Transaction& tx, const KeyRange& range, std::size_t& most);

/// Runs `piece` in one transaction after another until it returns true, or `stopping` does, which
/// is asked on this loop. Both are used until the end. `piece` is a step (Store::transact): it may
/// run twice for one transaction, on another thread. An error is the store's; what was erased
/// before stays so.
Task<Result<void>> erase_in_pieces(Store& store, AccountId account,
                                   std::function<bool(Transaction&)> piece,
                                   std::function<bool()> stopping);

}  // namespace hikyaku::store
