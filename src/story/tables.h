// The tables of story/, all under store::kInstance. Keys begin with the day of the message's
// number, so that trimming erases whole ranges.
#pragma once

#include "store/key.h"

namespace hikyaku::story {

// key: u32 day, u64 message, u8 0                          value: Arrival, outcomes, their takers
//      u32 day, u64 message, u8 1, u64 ms, u32 hash         value: Attempt
//      u32 day, u64 message, u8 2, u64 ms, u32 hash         value: Note
inline constexpr store::Table kTableStory = 0x60;
// key: u32 day, u64 hash of an address, u64 message         value: the address, in lower case and
// cut (as hashed); nothing in rows from before
inline constexpr store::Table kTableStoryAddress = 0x61;
// key: u32 day, u64 hash of a Message-ID, u64 message       value: the Message-ID, likewise
inline constexpr store::Table kTableStoryMessageId = 0x62;

}  // namespace hikyaku::story
