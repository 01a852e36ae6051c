#include "dkim/tag_list.h"

#include <algorithm>

#include "base/base64.h"
#include "base/text.h"

namespace hikyaku::dkim {
namespace {

/// ALPHA *(ALPHA / DIGIT / "_")
bool is_tag_name(std::string_view name) {
  return !name.empty() && is_ascii_alpha(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_ascii_alnum(c) || c == '_'; });
}

/// True when every CR LF is followed by space (a fold), no other control character stands there,
/// and the rest is ASCII or UTF-8.
bool is_foldable_text(std::string_view text) {
  bool ascii = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c > 0x20 && c < 0x7f) continue;
    if (c == '\r') {
      if (i + 2 >= text.size() || text[i + 1] != '\n' || !is_ascii_space(text[i + 2])) return false;
      ++i;
    } else if (c >= 0x80) {
      ascii = false;
    } else if (c != ' ' && c != '\t') {
      return false;
    }
  }
  return ascii || is_utf8(text);
}

constexpr bool is_any_space(char c) {
  return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

}  // namespace

hikyaku::Result<TagList> TagList::parse(std::string_view text, TagLimits limits) {
  if (text.size() > limits.bytes)
    return fail(ErrorCode::TooLarge, "longer than {} bytes", limits.bytes);
  text = trim(text);
  if (!is_foldable_text(text))
    return fail(ErrorCode::Invalid, "a control character, a bare line end or ill-formed UTF-8");
  if (text.ends_with(';')) text.remove_suffix(1);
  TagList list;
  list.tags_.reserve(16);
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find(';', at), text.size());
    auto piece = trim(text.substr(at, end - at));
    at = end + 1;
    auto equals = piece.find('=');
    if (equals == piece.npos)
      return piece.empty()
                 ? fail(ErrorCode::Invalid, "an empty tag stands in it")
                 : fail(ErrorCode::Invalid, "\"{}\" is no tag=value", printable(piece, 40));
    Tag tag{trim(piece.substr(0, equals)), trim(piece.substr(equals + 1))};
    if (!is_tag_name(tag.name))
      return fail(ErrorCode::Invalid, "\"{}\" is no name of a tag", printable(tag.name, 40));
    if (list.find(tag.name))
      return fail(ErrorCode::Invalid, "the tag {}= stands there twice", printable(tag.name, 40));
    if (list.tags_.size() == limits.tags)
      return fail(ErrorCode::TooLarge, "more than {} tags", limits.tags);
    list.tags_.push_back(tag);
  }
  return list;
}

std::optional<std::string_view> TagList::find(std::string_view name) const {
  for (auto& tag : tags_)
    if (tag.name == name) return tag.value;
  return std::nullopt;
}

std::string without_space(std::string_view value) {
  std::string result;
  result.reserve(value.size() + 2);
  for (std::size_t at = 0; at < value.size();) {
    auto start = at;
    while (at < value.size() && !is_any_space(value[at])) ++at;
    result += value.substr(start, at - start);
    while (at < value.size() && is_any_space(value[at])) ++at;
  }
  return result;
}

std::optional<std::string> decode_base64_value(std::string_view value) {
  if (value.empty()) return std::nullopt;
  auto text = without_space(value);
  // The grammar of §2.10 has the padding optional.
  if (!text.ends_with('=')) text.append((4 - text.size() % 4) % 4, '=');
  return base64_decode(text);
}

std::vector<std::string_view> split_colons(std::string_view value) {
  std::vector<std::string_view> pieces;
  pieces.reserve(static_cast<std::size_t>(std::ranges::count(value, ':')) + 1);
  for (std::size_t at = 0; at <= value.size();) {
    auto end = std::min(value.find(':', at), value.size());
    pieces.push_back(trim(value.substr(at, end - at)));
    at = end + 1;
  }
  return pieces;
}

}  // namespace hikyaku::dkim
