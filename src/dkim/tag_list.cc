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

/// True when every CR LF is followed by space (a fold) and no other control character stands there.
bool is_foldable_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c == '\r') {
      if (i + 2 >= text.size() || text[i + 1] != '\n' || !is_ascii_space(text[i + 2])) return false;
      ++i;
    } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
      return false;
    }
  }
  return true;
}

bool is_any_space(char c) {
  return is_ascii_space(c) || c == '\r' || c == '\n';
}

}  // namespace

hikyaku::Result<TagList> TagList::parse(std::string_view text, TagLimits limits) {
  if (text.size() > limits.bytes)
    return fail(ErrorCode::TooLarge, "longer than {} bytes", limits.bytes);
  text = trim(text);
  if (!is_foldable_text(text))
    return fail(ErrorCode::Invalid, "a control character or a bare line end stands in it");
  if (!is_ascii(text) && !is_utf8(text)) return fail(ErrorCode::Invalid, "not in UTF-8");
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
  std::string result(value);
  std::erase_if(result, is_any_space);
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
  auto pieces = split(value, ':');
  for (auto& piece : pieces) piece = trim(piece);
  return pieces;
}

}  // namespace hikyaku::dkim
