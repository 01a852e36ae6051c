// The tags of a DMARC record one by one, for record.cc and examine.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace hikyaku::dmarc {

enum class KnownTag : std::uint8_t { P, Sp, Np, Psd, T, Adkim, Aspf, Fo, Rua, Ruf, Pct, Rf, Ri };
inline constexpr std::array<std::string_view, 13> kTagNames{
    "p", "sp", "np", "psd", "t", "adkim", "aspf", "fo", "rua", "ruf", "pct", "rf", "ri"};

/// The tag of that name in any case.
std::optional<KnownTag> known_tag(std::string_view name);
/// Whether the value follows the tag's grammar; true for lists of URIs, which are looked at one by
/// one, and for historic tags.
bool is_valid_value(KnownTag tag, std::string_view value);

struct Tag {
  std::string_view piece;  ///< all of it, trimmed
  std::string_view name;
  std::string_view value;
  bool has_equals = false;
};

/// What stands behind `v=DMARC1` in a record: nothing, or ";" and tags. nullopt: no record.
std::optional<std::string_view> after_version(std::string_view text);
/// The next piece between semicolons that is not empty; `rest` moves behind it.
bool next_tag(std::string_view& rest, Tag& tag);
/// 1*dmarc-value: printable ASCII.
bool is_tag_value(std::string_view value);

/// What was probably meant by a value that the tag cannot have; empty: it cannot be told.
std::string_view nearest_value(KnownTag tag, std::string_view value);
/// Where a comma of the value is followed by a tag, so that a semicolon was meant; npos: nowhere.
std::size_t comma_before_tag(std::string_view value);

inline std::string_view trim_front(std::string_view text) {
  while (!text.empty() && is_ascii_space(text.front())) text.remove_prefix(1);
  return text;
}

}  // namespace hikyaku::dmarc
