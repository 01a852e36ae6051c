#include "dsn/fields.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace hikyaku::dsn {
namespace {

constexpr std::size_t kMaxValue = 8192;  // octets of one field that are kept
constexpr std::size_t kFold = 76;        // RFC 5322 §2.1.1 asks for 78 with CRLF
constexpr std::size_t kHardFold = 900;   // and forbids more than 998

std::string_view take_line(std::string_view& left) {
  auto end = left.find('\n');
  auto line = left.substr(0, end);
  left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Adds a line to the group: a new field, or more of the one before.
void add_line(std::vector<Field>& group, std::string_view line) {
  if (is_ascii_space(line.front())) {
    if (group.empty() || group.back().value.size() > kMaxValue) return;
    group.back().value += ' ';
    group.back().value += trim_space(line).substr(0, kMaxValue);
    return;
  }
  auto colon = line.find(':');
  auto name = trim_space(line.substr(0, colon));
  if (colon == std::string_view::npos || name.empty() || name.find(' ') != std::string_view::npos)
    return;
  group.push_back({std::string(name.substr(0, 100)),
                   std::string(trim_space(line.substr(colon + 1)).substr(0, kMaxValue))});
}

std::string cleaned(std::string_view value, bool utf8) {
  std::string text = utf8 ? to_valid_utf8(value) : std::string(value);
  for (char& c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\t' || c == '\r' || c == '\n') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) c = '?';
  }
  return text;
}

}  // namespace

std::vector<std::vector<Field>> parse_groups(std::string_view body, std::size_t most) {
  std::vector<std::vector<Field>> groups;
  std::vector<Field> group;
  constexpr std::size_t kMaxFields = 100;
  while (!body.empty() && groups.size() < most) {
    auto line = take_line(body);
    if (!trim_space(line).empty()) {
      if (group.size() < kMaxFields) add_line(group, line);
      continue;
    }
    if (!group.empty()) groups.push_back(std::exchange(group, {}));
  }
  if (!group.empty() && groups.size() < most) groups.push_back(std::move(group));
  return groups;
}

std::string format_field(std::string_view name, std::string_view value, bool utf8) {
  std::string field(name);
  field += ':';
  std::size_t column = field.size();
  auto text = cleaned(value, utf8);
  for (auto word : split(text, ' ')) {
    while (!word.empty()) {
      auto piece = utf8 ? utf8_prefix(word, kHardFold) : word.substr(0, kHardFold);
      word.remove_prefix(piece.size());
      bool fold = column + 1 + piece.size() > kFold && column > name.size() + 1;
      field += fold ? "\r\n " : " ";
      field += piece;
      column = fold ? 1 + piece.size() : column + 1 + piece.size();
    }
  }
  return field + "\r\n";
}

}  // namespace hikyaku::dsn
