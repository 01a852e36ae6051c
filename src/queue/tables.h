// The tables of queue/, all under store::kInstance: key fields, value. Values only ever grow at
// their end.
#pragma once

#include "store/key.h"

namespace hikyaku::queue {

// key: u64 message                    value: Message. Also the owner key of its body.
inline constexpr store::Table kTableMessage = 0x50;
// key: u64 message, u32 number        value: Entry
inline constexpr store::Table kTableEntry = 0x51;
// key: u64 due ms, u64 message, u32 number   value: -   waiting entries that nobody attempts
inline constexpr store::Table kTableDue = 0x52;
// key: u64 message, u32 number        value: -   entries with a noted attempt (what a crash leaves
// behind), or held without anybody knowing
inline constexpr store::Table kTableAttempting = 0x53;
// key: -                              value: u64 ms: no due row lies before it
inline constexpr store::Table kTableLowWater = 0x54;
// key: -                              value: varint entries, varint bytes: what the queue holds;
// none when it is empty
inline constexpr store::Table kTableTotals = 0x55;

}  // namespace hikyaku::queue
