// A record with mistakes, mended without losing what its owner has decided.
#include <algorithm>

#include "base/suggest.h"
#include "base/text.h"
#include "dmarc/record.h"
#include "dmarc/report_address.h"
#include "dmarc/tags_internal.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::string_view kVersion = "v=DMARC1";

std::string_view without_quotes(std::string_view text) {
  text = trim(text);
  while (!text.empty() && text.front() == '"') text.remove_prefix(1);
  while (!text.empty() && text.back() == '"') text.remove_suffix(1);
  return trim(text);
}

/// What stands behind a version however it is written, or everything where there is none.
std::string_view behind_version(std::string_view text) {
  if (auto rest = after_version(text)) return *rest;
  auto rest = text;
  if (istarts_with(rest, "v")) {
    rest = trim_front(rest.substr(1));
    if (!rest.starts_with('=')) return text;
    rest = trim_front(rest.substr(1));
  }
  auto word = rest.substr(0, std::min(rest.find_first_of(" \t;,"), rest.size()));
  if (edit_distance(word, "DMARC1", 2) > 2 && !istarts_with(word, "dmarc")) return text;
  rest = trim_front(rest.substr(word.size()));
  if (!rest.empty() && (rest.front() == ';' || rest.front() == ',')) rest.remove_prefix(1);
  return rest;
}

/// With semicolons where commas stand before a tag.
std::string with_semicolons(std::string_view text) {
  std::string mended(text.substr(0, kMaxRecord));
  for (auto at = comma_before_tag(mended); at != mended.npos;) {
    mended[at] = ';';
    auto next = comma_before_tag(std::string_view(mended).substr(at + 1));
    at = next == mended.npos ? next : at + 1 + next;
  }
  return mended;
}

/// nullopt: an address cannot be told.
std::optional<std::string> mended_uris(std::string_view value) {
  std::string uris;
  for (auto piece : split(value, ',')) {
    piece = trim_space(piece);
    if (piece.empty()) continue;
    if (!uris.empty()) uris += ',';
    if (parse_report_uri(piece)) {
      uris += piece;
      continue;
    }
    auto mailto = "mailto:" + std::string(piece);
    if (piece.contains(':') || !piece.contains('@') || !parse_report_uri(mailto))
      return std::nullopt;
    uris += mailto;
  }
  return uris;
}

/// One tag as it was meant; "" when it means nothing. nullopt: it cannot be told.
std::optional<std::string> mended_tag(const Tag& tag, KnownTag known, std::string_view name) {
  auto with = [&](std::string_view value) { return std::string(name) + '=' + std::string(value); };
  if (known == KnownTag::Rua || known == KnownTag::Ruf) {
    auto uris = mended_uris(tag.value);
    if (!uris) return std::nullopt;
    return uris->empty() ? std::string() : with(*uris);
  }
  if (is_valid_value(known, tag.value)) return with(tag.value);
  auto meant = nearest_value(known, tag.value);
  if (!meant.empty()) return with(meant);
  if (known == KnownTag::P || known == KnownTag::Sp || known == KnownTag::Np) return std::nullopt;
  return std::string();
}

}  // namespace

std::optional<std::string> mend_record(std::string_view text) {
  auto tags = with_semicolons(behind_version(without_quotes(text.substr(0, kMaxRecord))));
  std::string_view rest = tags;
  std::string mended(kVersion);
  unsigned seen = 0;
  Tag tag;
  while (next_tag(rest, tag)) {
    if (!tag.has_equals) return std::nullopt;
    auto name = tag.name;
    auto known = known_tag(name);
    if (!known && !closest(name, kTagNames).empty()) {
      name = closest(name, kTagNames);
      known = known_tag(name);
      // What only looks like a tag is not made one by a value that the tag cannot have.
      if (!is_valid_value(*known, tag.value)) known.reset();
    }
    if (!known || (seen & (1u << static_cast<unsigned>(*known)))) continue;
    seen |= 1u << static_cast<unsigned>(*known);
    auto one = mended_tag(tag, *known, name);
    if (!one) return std::nullopt;
    if (!one->empty()) mended += "; " + *one;
  }
  if (mended == text) return std::nullopt;
  auto remarks = examine_record(mended);
  if (std::ranges::any_of(remarks, &Remark::is_mistake)) return std::nullopt;
  if (std::ranges::none_of(examine_record(text), &Remark::is_mistake)) return std::nullopt;
  return mended;
}

}  // namespace hikyaku::dmarc
