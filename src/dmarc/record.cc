#include "dmarc/record.h"

#include <algorithm>

#include "base/text.h"
#include "dmarc/tags_internal.h"

namespace hikyaku::dmarc {
namespace {

/// fo=0, 1, d, s between colons; 0 and 1 exclude each other (RFC 9989 §4.8, dmarc-fo).
std::optional<FailureOptions> parse_failure_options(std::string_view value) {
  FailureOptions options{.all = false};
  int pieces = 0;
  while (true) {
    auto colon = value.find(':');
    auto piece = trim_space(value.substr(0, colon));
    if (++pieces > 4) return std::nullopt;
    if (piece == "0")
      options.all = true;
    else if (piece == "1")
      options.any = true;
    else if (iequals(piece, "d"))
      options.dkim = true;
    else if (iequals(piece, "s"))
      options.spf = true;
    else
      return std::nullopt;
    if (colon == value.npos) break;
    value.remove_prefix(colon + 1);
  }
  if (options.all && options.any) return std::nullopt;
  return options;
}

std::optional<Alignment> parse_alignment(std::string_view value) {
  if (iequals(value, "r")) return Alignment::Relaxed;
  if (iequals(value, "s")) return Alignment::Strict;
  return std::nullopt;
}

std::optional<Psd> parse_psd(std::string_view value) {
  if (iequals(value, "y")) return Psd::Yes;
  if (iequals(value, "n")) return Psd::No;
  if (iequals(value, "u")) return Psd::Unknown;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Policy policy) {
  switch (policy) {
    case Policy::None:
      return "none";
    case Policy::Quarantine:
      return "quarantine";
    case Policy::Reject:
      break;
  }
  return "reject";
}

std::optional<Policy> parse_policy(std::string_view text) {
  for (auto policy : {Policy::None, Policy::Quarantine, Policy::Reject})
    if (iequals(text, to_string(policy))) return policy;
  return std::nullopt;
}

std::string_view to_string(Alignment alignment) {
  return alignment == Alignment::Strict ? "strict" : "relaxed";
}

Policy weaker(Policy policy) {
  return policy == Policy::Reject ? Policy::Quarantine : Policy::None;
}

std::optional<std::string_view> after_version(std::string_view text) {
  // dmarc-version = "v" *WSP "=" *WSP %s"DMARC1", and then the end or a separator.
  if (text.empty() || ascii_lower(text.front()) != 'v') return std::nullopt;
  auto rest = trim_front(text.substr(1));
  if (!rest.starts_with('=')) return std::nullopt;
  rest = trim_front(rest.substr(1));
  if (!rest.starts_with("DMARC1")) return std::nullopt;
  rest = trim_front(rest.substr(6));
  if (!rest.empty() && rest.front() != ';') return std::nullopt;
  return rest;
}

bool next_tag(std::string_view& rest, Tag& tag) {
  while (!rest.empty()) {
    if (rest.front() == ';') rest.remove_prefix(1);
    auto end = std::min(rest.find(';'), rest.size());
    auto piece = trim_space(rest.substr(0, end));
    rest.remove_prefix(end);
    if (piece.empty()) continue;
    auto equals = piece.find('=');
    tag.piece = piece;
    tag.has_equals = equals != piece.npos;
    tag.name = trim_space(piece.substr(0, equals));
    tag.value = tag.has_equals ? trim_space(piece.substr(equals + 1)) : std::string_view();
    return true;
  }
  return false;
}

bool is_tag_value(std::string_view value) {
  return !value.empty() && std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<KnownTag> known_tag(std::string_view name) {
  for (std::size_t i = 0; i < kTagNames.size(); ++i)
    if (iequals(name, kTagNames[i])) return static_cast<KnownTag>(i);
  return std::nullopt;
}

bool is_valid_value(KnownTag tag, std::string_view value) {
  switch (tag) {
    case KnownTag::P:
    case KnownTag::Sp:
    case KnownTag::Np:
      return parse_policy(value).has_value();
    case KnownTag::Psd:
      return parse_psd(value).has_value();
    case KnownTag::T:
      return iequals(value, "y") || iequals(value, "n");
    case KnownTag::Adkim:
    case KnownTag::Aspf:
      return parse_alignment(value).has_value();
    case KnownTag::Fo:
      return parse_failure_options(value).has_value();
    case KnownTag::Rua:
    case KnownTag::Ruf:
    case KnownTag::Pct:
    case KnownTag::Rf:
    case KnownTag::Ri:
      break;
  }
  return true;
}

bool is_record(std::string_view text) {
  return after_version(text).has_value();
}

std::optional<Record> parse_record(std::string published) {
  if (published.size() > kMaxRecord) published.resize(kMaxRecord);
  Record record;
  record.text = std::move(published);
  std::string_view text = record.text;
  auto rest = after_version(text);
  if (!rest) return std::nullopt;
  unsigned seen = 0;
  Tag tag;
  while (next_tag(*rest, tag)) {
    auto known = tag.has_equals ? known_tag(tag.name) : std::nullopt;
    if (!known) continue;
    auto bit = 1u << static_cast<unsigned>(*known);
    if (seen & bit) continue;
    seen |= bit;
    auto value = is_tag_value(tag.value) ? tag.value : std::string_view();
    switch (*known) {
      case KnownTag::P:
        record.p = parse_policy(value);
        break;
      case KnownTag::Sp:
        record.sp = parse_policy(value);
        record.bad_sp = !record.sp;
        break;
      case KnownTag::Np:
        record.np = parse_policy(value);
        record.bad_np = !record.np;
        break;
      case KnownTag::Psd:
        record.psd = parse_psd(value).value_or(Psd::Unknown);
        break;
      case KnownTag::T:
        record.testing = iequals(value, "y");
        break;
      case KnownTag::Adkim:
        record.adkim = parse_alignment(value).value_or(Alignment::Relaxed);
        break;
      case KnownTag::Aspf:
        record.aspf = parse_alignment(value).value_or(Alignment::Relaxed);
        break;
      case KnownTag::Fo:
        record.fo = parse_failure_options(value).value_or(FailureOptions{});
        break;
      case KnownTag::Rua:
        record.rua_size = value.size();
        if (!value.empty()) record.rua_at = static_cast<std::size_t>(value.data() - text.data());
        break;
      case KnownTag::Ruf:
        record.ruf_size = value.size();
        if (!value.empty()) record.ruf_at = static_cast<std::size_t>(value.data() - text.data());
        break;
      case KnownTag::Pct:
      case KnownTag::Rf:
      case KnownTag::Ri:
        break;
    }
  }
  return record;
}

}  // namespace hikyaku::dmarc
