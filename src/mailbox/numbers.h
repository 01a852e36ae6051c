// The numbers that no client may meet twice, in one rule: they grow within an account, leap over
// what a restore took back, and go on behind those of accounts that were removed, whose addresses
// may be used again. docs/data-model.md, "Numbers that never come twice".
#pragma once

#include <cstdint>

#include "base/time.h"
#include "mailbox/rows.h"

namespace hikyaku::mailbox {

/// So many numbers may be given out in a time that is lost, and do not come twice for that.
inline constexpr std::uint64_t kLostNumbers = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kLostMailboxes = std::uint64_t{1} << 16;

/// The time as UIDVALIDITY knows it; 0: the clock is far off.
std::uint64_t uid_validity_time(Time now);

/// The same numbers in another epoch: out of reach of what was given out in the times between that
/// are lost. Throws std::overflow_error where they would come round.
Numbers in_epoch(Numbers numbers, std::uint32_t epoch, Time now);

/// Before the store's first account is made, or the first by this version: from then on it is noted
/// what the numbers of removed accounts have come to. What came before nobody knows.
void begin_former_numbers(store::Transaction& tx, bool is_first_account);

/// The row of an account that has none yet.
void begin_account(store::Transaction& tx, AccountId account, Time now);

}  // namespace hikyaku::mailbox
