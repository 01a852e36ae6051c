// "Did you mean …?": the known word nearest to a mistyped one.
#pragma once

#include <span>
#include <string_view>

namespace hikyaku {

/// How many letters must be changed, inserted, removed or swapped with their neighbour to make `b`
/// of `a`, without regard to ASCII case; `limit` + 1 as soon as it is more than `limit`. Words
/// longer than 64 bytes are never near.
int edit_distance(std::string_view a, std::string_view b, int limit);

/// The candidate nearest to `word`, or "" if none is near enough to be meant: at most one mistake
/// in three letters, or the one candidate that begins with `word` (two letters or more).
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace hikyaku
