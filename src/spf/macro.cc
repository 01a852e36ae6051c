#include "spf/macro.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <vector>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::spf {
namespace {

constexpr std::string_view kTermLetters = "slodiphv";
constexpr std::string_view kExplanationLetters = "crt";
constexpr std::string_view kDelimiters = ".-+,/_=";
/// More right-hand parts than any value has (§7.3 asks for 127 at least).
constexpr unsigned kManyParts = 100'000;
/// While a name is put together only its end matters: longer ones lose labels on the left.
constexpr std::size_t kLongestTail = 4 * dns::kMaxHostName;

/// i: dotted, for IPv6 digit by digit; c: as people read it (§7.3). The test suites want capital
/// digits in explanations; names to look up are made small anyway.
std::string address_value(const IpAddress& ip, char letter) {
  if (ip.is_v4() || letter == 'c') return ip.to_string();
  std::string digits;
  for (char c : ip.bytes()) {
    unsigned byte = static_cast<unsigned char>(c);
    for (unsigned nibble : {byte >> 4, byte & 15}) {
      if (!digits.empty()) digits += '.';
      digits += "0123456789ABCDEF"[nibble];
    }
  }
  return digits;
}

std::string macro_value(char letter, const MacroValues& values) {
  switch (letter) {
    case 's':
      return fmt::format("{}@{}", values.local_part, values.sender_domain);
    case 'l':
      return std::string(values.local_part);
    case 'o':
      return std::string(values.sender_domain);
    case 'd':
      return std::string(values.domain);
    case 'h':
      return std::string(values.helo);
    case 'p':
      return std::string(values.validated.empty() ? "unknown" : values.validated);
    case 'r':
      return std::string(values.receiver.empty() ? "unknown" : values.receiver);
    case 't':
      return std::to_string(
          std::chrono::floor<std::chrono::seconds>(values.now).time_since_epoch().count());
    case 'v':
      return values.ip.is_v4() ? "in-addr" : "ip6";
    default:
      return address_value(values.ip, letter);
  }
}

/// Splits, reverses, takes parts from the right, joins with dots (§7.3).
std::string transform(std::string_view value, const MacroPiece& piece) {
  auto delimiters = piece.delimiters.empty() ? "." : piece.delimiters;
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= value.size();) {
    auto end = std::min(value.find_first_of(delimiters, begin), value.size());
    parts.push_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  if (piece.reverse) std::ranges::reverse(parts);
  auto first = piece.keep == 0 || piece.keep >= parts.size() ? 0 : parts.size() - piece.keep;
  std::string result;
  for (auto i = first; i < parts.size(); ++i) {
    if (i > first) result += '.';
    result += parts[i];
  }
  return result;
}

/// Everything but RFC 3986's unreserved characters as %XX.
std::string url_escape(std::string_view value) {
  std::string result;
  for (char c : value) {
    if (is_ascii_alnum(c) || std::string_view("-._~").contains(c))
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

void append_piece(std::string& out, const MacroPiece& piece, const MacroValues& values) {
  if (piece.kind == MacroPiece::Kind::Literal) {
    out += piece.literal;
    return;
  }
  auto value = macro_value(piece.letter, values);
  if (piece.keep > 0 || piece.reverse || !piece.delimiters.empty()) value = transform(value, piece);
  out += piece.url ? url_escape(value) : value;
}

/// toplabel (§7.1): letters, digits and inner hyphens, not digits alone.
bool is_top_label(std::string_view label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return is_ascii_alnum(c) || c == '-'; }) &&
         !std::ranges::all_of(label, is_ascii_digit);
}

}  // namespace

std::optional<MacroPiece> MacroReader::wrong(std::string_view why, std::size_t at) {
  problem_ = why;
  offset_ = at;
  text_ = text_.substr(0, at);  // next() has ended
  return std::nullopt;
}

std::optional<MacroPiece> MacroReader::next() {
  if (offset_ >= text_.size()) return std::nullopt;
  if (text_[offset_] != '%') return take_literal();
  auto after = offset_ + 1 < text_.size() ? text_[offset_ + 1] : '\0';
  switch (after) {
    case '{':
      return take_macro();
    case '%':
      return take_escape("%");
    case '_':
      return take_escape(" ");
    case '-':
      return take_escape("%20");
    default:
      return wrong("% must be followed by {, %, _ or - (a plain percent sign is written %%)",
                   offset_);
  }
}

std::optional<MacroPiece> MacroReader::take_literal() {
  auto begin = offset_;
  auto allowed = [&](char c) {
    return (c > ' ' && c < 0x7F && c != '%') ||
           (c == ' ' && letters_ == MacroLetters::OfExplanations);
  };
  while (offset_ < text_.size() && allowed(text_[offset_])) ++offset_;
  if (offset_ < text_.size() && text_[offset_] != '%')
    return wrong("only visible ASCII characters are allowed", offset_);
  MacroPiece piece;
  piece.literal = text_.substr(begin, offset_ - begin);
  return piece;
}

std::optional<MacroPiece> MacroReader::take_escape(std::string_view stands_for) {
  offset_ += 2;
  MacroPiece piece;
  piece.literal = stands_for;
  piece.escape = true;
  return piece;
}

std::optional<MacroPiece> MacroReader::take_macro() {
  auto begin = offset_;
  auto at = begin + 2;
  auto peek = [&] { return at < text_.size() ? text_[at] : '\0'; };
  MacroPiece piece;
  piece.kind = MacroPiece::Kind::Macro;
  piece.letter = ascii_lower(peek());
  piece.url = peek() != piece.letter;
  bool of_explanations = kExplanationLetters.contains(piece.letter);
  if (!of_explanations && !kTermLetters.contains(piece.letter))
    return wrong("there is no macro of this letter", begin);
  if (of_explanations && letters_ == MacroLetters::OfTerms)
    return wrong("the macros c, r and t are for explanation texts only", begin);
  ++at;
  bool digits = false;
  for (; is_ascii_digit(peek()); ++at) {
    digits = true;
    piece.keep = std::min(piece.keep * 10 + static_cast<unsigned>(peek() - '0'), kManyParts);
  }
  if (digits && piece.keep == 0) return wrong("a macro cannot keep 0 parts", begin);
  piece.reverse = ascii_lower(peek()) == 'r';
  if (piece.reverse) ++at;
  auto delimiters = at;
  while (at < text_.size() && kDelimiters.contains(peek())) ++at;
  piece.delimiters = text_.substr(delimiters, at - delimiters);
  if (peek() != '}') return wrong("the macro is not closed by }", begin);
  offset_ = at + 1;
  return piece;
}

std::optional<MacroProblem> check_macro_string(std::string_view text, MacroLetters letters) {
  MacroReader reader(text, letters);
  while (reader.next()) continue;
  if (reader.problem().empty()) return std::nullopt;
  return MacroProblem{reader.problem(), reader.offset()};
}

std::optional<MacroProblem> check_domain_spec(std::string_view text) {
  if (text.empty()) return MacroProblem{"a domain name is missing", 0};
  MacroReader reader(text, MacroLetters::OfTerms);
  MacroPiece last;
  while (auto piece = reader.next()) last = *piece;
  if (!reader.problem().empty()) return MacroProblem{reader.problem(), reader.offset()};
  if (last.kind == MacroPiece::Kind::Macro || last.escape) return std::nullopt;
  auto end = last.literal;
  if (end.ends_with('.')) end.remove_suffix(1);
  auto dot = end.rfind('.');
  if (dot == std::string_view::npos)
    return MacroProblem{"a domain name needs a dot (one label alone is no domain)", 0};
  auto top = end.substr(dot + 1);
  if (is_top_label(top)) return std::nullopt;
  auto offset = static_cast<std::size_t>(end.data() - text.data()) + dot + 1;
  if (!top.empty() && std::ranges::all_of(top, is_ascii_digit))
    return MacroProblem{"a domain name cannot end with a number (an address is written ip4:…)",
                        offset};
  return MacroProblem{"the last label of a domain name has letters, digits and inner hyphens only",
                      offset};
}

bool uses_macro(std::string_view text, std::string_view letters) {
  if (!text.contains('%')) return false;
  MacroReader reader(text, MacroLetters::OfExplanations);
  while (auto piece = reader.next())
    if (piece->kind == MacroPiece::Kind::Macro && letters.contains(piece->letter)) return true;
  return false;
}

std::optional<std::string> query_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  while (text.size() > dns::kMaxHostName) {
    auto dot = text.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    text.remove_prefix(dot + 1);
  }
  std::string name;
  name.reserve(text.size());
  std::size_t label = 0;
  for (char c : text) {
    if (c == '.') {
      if (label == 0) return std::nullopt;
      label = 0;
      name += '.';
      continue;
    }
    if (++label > dns::kMaxLabel) return std::nullopt;
    if (c == '\\')
      name += "\\\\";
    else if (c > ' ' && c < 0x7F)
      name += ascii_lower(c);
    else
      name += fmt::format("\\{:03}", static_cast<unsigned char>(c));
  }
  if (label == 0) return std::nullopt;
  return name;
}

std::optional<std::string> expand_name(std::string_view domain_spec, const MacroValues& values) {
  if (!domain_spec.contains('%')) return query_name(domain_spec);
  std::string expanded;
  MacroReader reader(domain_spec, MacroLetters::OfTerms);
  while (auto piece = reader.next()) {
    bool has_local_part = piece->letter == 's' || piece->letter == 'l';
    if (has_local_part && !is_ascii(values.local_part)) return std::nullopt;
    append_piece(expanded, *piece, values);
    if (expanded.size() > 2 * kLongestTail) expanded.erase(0, expanded.size() - kLongestTail);
  }
  return query_name(expanded);
}

std::optional<std::string> expand_explanation(std::string_view text, const MacroValues& values,
                                              std::size_t limit) {
  if (check_macro_string(text, MacroLetters::OfExplanations)) return std::nullopt;
  std::string result;
  MacroReader reader(text, MacroLetters::OfExplanations);
  while (result.size() < limit) {
    auto piece = reader.next();
    if (!piece) break;
    append_piece(result, *piece, values);
  }
  if (result.size() > limit) result.resize(limit);
  for (char& c : result)
    if (c < ' ' || c >= 0x7F) c = '?';
  return result;
}

}  // namespace hikyaku::spf
