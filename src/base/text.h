// ASCII text helpers that every protocol needs. Locale-free; "space" means SP and HTAB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
constexpr char ascii_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
}
constexpr bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_ascii_alpha(char c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
constexpr bool is_ascii_alnum(char c) {
  return is_ascii_digit(c) || is_ascii_alpha(c);
}
constexpr bool is_ascii_space(char c) {
  return c == ' ' || c == '\t';
}

/// ASCII letters made small (or large); other bytes, UTF-8 among them, stay.
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

/// Equal but for the case of ASCII letters.
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
bool iends_with(std::string_view text, std::string_view suffix);
/// The position of `needle` without regard to ASCII case, or npos.
std::size_t ifind(std::string_view text, std::string_view needle);

/// Without SP and HTAB (trim_space), or SP, HTAB, CR and LF (trim) at both ends.
std::string_view trim_space(std::string_view text);
std::string_view trim(std::string_view text);

/// The pieces between separators; "" gives one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);

/// Every LF as CRLF, those that are one already too. A CR alone stays, or is a line end as well.
enum class LoneCr { Stays, EndsLine };
std::string with_crlf(std::string_view text, LoneCr lone_cr = LoneCr::Stays);

/// A decimal number and nothing else (no sign, no space); nullopt also when it exceeds `max`.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max = UINT64_MAX);

bool is_ascii(std::string_view text);
/// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);
/// Every ill-formed sequence replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);
/// At most `limit` bytes, cut between characters.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

/// For showing bytes from strangers to people and in logs: control characters become \r, \n, \t,
/// \x1b and so on, ill-formed UTF-8 \xNN; cut to `limit` bytes with "…".
std::string printable(std::string_view text, std::size_t limit = 512);

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);

}  // namespace hikyaku
