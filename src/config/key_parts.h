// How deep the keys of a TOML text go, before the TOML library follows them.
#pragma once

#include <optional>
#include <string_view>

namespace hikyaku::config {

/// No option has more than two ("smtp.max_errors").
inline constexpr int kMostKeyParts = 64;

/// The line (from 1) of the first key with more than kMostKeyParts parts ("a.b.c" has three). The
/// library makes a table of each and goes down them by recursion, so that one line of many dots
/// would use up the stack. For any text, TOML or not; dots in strings and comments do not count.
std::optional<int> find_deep_key(std::string_view text);

}  // namespace hikyaku::config
