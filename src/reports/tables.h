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

}  // namespace hikyaku::reports
