// The tables of reports/, all under store::kInstance. Keys begin with the day (days since 1970,
// UTC), so that a day's rows lie together and go together. Values only ever grow at their end.
#pragma once

#include "store/key.h"

namespace hikyaku::reports {

// key: u32 day                                  value: EvaluationDay
inline constexpr store::Table kTableEvaluationDay = 0x70;
// key: u32 day, text policy domain, u64 configuration      value: EvaluatedDomain
inline constexpr store::Table kTableEvaluatedDomain = 0x71;
// key: u32 day, text policy domain, u64 configuration, 16 bytes of the row's hash
// value: count, identity
inline constexpr store::Table kTableEvaluationRow = 0x72;
// key: u32 day, text policy domain, u64 configuration              value: Outgoing
inline constexpr store::Table kTableOutgoing = 0x73;

// key: u64 message                              value: Taken. Also the owner key of its body.
inline constexpr store::Table kTableTaken = 0x74;
// key: u32 day, u64 message                     value: ReceivedReport
inline constexpr store::Table kTableReceived = 0x75;
// key: u32 day, u64 message, u32 number         value: count, identity
inline constexpr store::Table kTableReceivedRow = 0x76;
// key: u32 day, 16 bytes of a hash of who reports and the report's id        value: -
inline constexpr store::Table kTableKnownReport = 0x77;
// key: u32 day, u64 message                     value: ReceivedFailure
inline constexpr store::Table kTableReceivedFailure = 0x78;
// key: u32 day; and u8 1: those that nobody is shown to have sent    value: varint reports taken in
inline constexpr store::Table kTableTakenDay = 0x79;
// key: u32 day, u64 message                     value: UnreadReport
inline constexpr store::Table kTableUnreadReport = 0x7A;
// key: u32 day on which it came, u64 message    value: ReceivedReport
inline constexpr store::Table kTableUnprovedReport = 0x7B;

}  // namespace hikyaku::reports
