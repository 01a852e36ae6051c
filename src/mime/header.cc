#include "mime/header.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

/// The length of the first line with its LF.
std::size_t line_length(std::string_view bytes) {
  auto end = bytes.find('\n');
  return end == std::string_view::npos ? bytes.size() : end + 1;
}

bool is_empty_line(std::string_view line) {
  return line == "\r\n" || line == "\n" || line == "\r";
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// A name that hardly begins a line of text.
bool is_common_field(std::string_view name) {
  static constexpr std::string_view kNames[] = {"received",
                                                "from",
                                                "to",
                                                "cc",
                                                "subject",
                                                "date",
                                                "sender",
                                                "bcc",
                                                "message-id",
                                                "reply-to",
                                                "mime-version",
                                                "return-path",
                                                "list-id",
                                                "user-agent",
                                                "references",
                                                "in-reply-to",
                                                "dkim-signature",
                                                "authentication-results",
                                                "delivered-to",
                                                "thread-index",
                                                "thread-topic"};
  return istarts_with(name, "x-") || istarts_with(name, "content-") || istarts_with(name, "arc-") ||
         std::ranges::any_of(kNames, [&](auto known) { return iequals(name, known); });
}

/// True when the junk at the front of `bytes` stands inside the header: within three lines after it
/// a field begins, or within thirty one that is surely a field. (Programs that strip the space from
/// folded lines leave many in a row.)
bool field_follows_junk(std::string_view bytes) {
  constexpr int kLines = 30, kNearLines = 3;
  constexpr std::size_t kBytes = 8192;
  bytes.remove_prefix(line_length(bytes));
  bytes = bytes.substr(0, kBytes);
  for (int i = 0; i < kLines && !bytes.empty(); ++i) {
    auto line = bytes.substr(0, line_length(bytes));
    std::size_t name_length = 0, colon = 0;
    if (is_empty_line(line)) return false;
    if (begins_field(line, name_length, colon) &&
        (i < kNearLines || is_common_field(line.substr(0, name_length))))
      return true;
    bytes.remove_prefix(line.size());
  }
  return false;
}

bool is_mbox_line(std::string_view line) {
  return line.starts_with("From ") || line.starts_with(">From ");
}

}  // namespace

bool begins_field(std::string_view line, std::size_t& name_length, std::size_t& colon) {
  // RFC 5322 §4.5: obsolete fields may have space before the colon.
  std::size_t i = 0;
  while (i < line.size() && line[i] > 32 && line[i] < 127 && line[i] != ':') ++i;
  if (i == 0) return false;
  name_length = i;
  while (i < line.size() && is_ascii_space(line[i])) ++i;
  if (i == line.size() || line[i] != ':') return false;
  colon = i;
  return true;
}

bool Field::is(std::string_view field_name) const {
  return iequals(name, field_name);
}

void HeaderView::iterator::advance() {
  auto first = left_.substr(0, line_length(left_));
  if (first.empty() || is_empty_line(first)) {
    done_ = true;
    return;
  }
  auto length = first.size();
  while (length < left_.size() && is_ascii_space(left_[length]))
    length += line_length(left_.substr(length));
  field_.raw = left_.substr(0, length);
  left_.remove_prefix(length);

  std::size_t name_length = 0, colon = 0;
  if (begins_field(first, name_length, colon)) {
    field_.name = field_.raw.substr(0, name_length);
    field_.value = without_line_end(field_.raw.substr(colon + 1));
  } else {
    field_.name = {};
    field_.value = without_line_end(field_.raw);
  }
}

std::optional<Field> HeaderView::find(std::string_view name) const {
  for (auto& field : *this)
    if (field.is(name)) return field;
  return std::nullopt;
}

std::string HeaderView::value(std::string_view name) const {
  auto field = find(name);
  return field ? unfold(field->value) : std::string();
}

std::vector<Field> HeaderView::find_all(std::string_view name) const {
  std::vector<Field> fields;
  for (auto& field : *this)
    if (field.is(name)) fields.push_back(field);
  return fields;
}

HeaderLine classify_header_line(std::string_view bytes, std::size_t at, std::size_t length,
                                bool in_field) {
  auto line = bytes.substr(at, length);
  if (is_empty_line(line)) return HeaderLine::End;
  if (is_ascii_space(line.front())) {
    if (in_field) return HeaderLine::Folded;
  } else {
    std::size_t name_length = 0, colon = 0;
    if (begins_field(line, name_length, colon)) return HeaderLine::Field;
    // What an mbox put there.
    if (at == 0 && is_mbox_line(line)) return HeaderLine::Junk;
  }
  return field_follows_junk(bytes.substr(at)) ? HeaderLine::Junk : HeaderLine::Body;
}

std::size_t mbox_lines_length(std::string_view header) {
  std::size_t length = 0;
  for (auto& field : HeaderView(header)) {
    if (!field.is_junk() || !is_mbox_line(field.raw)) break;
    length += field.raw.size();
  }
  return length;
}

std::size_t mbox_separator_length(std::string_view bytes) {
  auto length = mbox_lines_length(bytes);
  if (length == 0) return 0;
  auto rest = bytes.substr(length);
  HeaderView fields(rest.substr(0, header_length(rest)));
  bool any = std::ranges::any_of(fields.begin(), fields.end(),
                                 [](const Field& field) { return !field.is_junk(); });
  return any ? length : 0;
}

std::size_t header_length(std::string_view bytes) {
  std::size_t at = 0;
  bool in_field = false;
  while (at < bytes.size()) {
    auto length = line_length(bytes.substr(at));
    auto line = classify_header_line(bytes, at, length, in_field);
    if (line == HeaderLine::Body) return at;
    at += length;
    if (line == HeaderLine::End) return at;
    if (line == HeaderLine::Field) in_field = true;
  }
  return at;
}

std::string unfold(std::string_view value) {
  std::string result;
  result.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (c == '\r' && i + 1 < value.size() && value[i + 1] == '\n') continue;
    if (c == '\n' && i + 1 < value.size() && is_ascii_space(value[i + 1])) continue;
    result += c == '\n' || c == '\r' || c == '\0' ? ' ' : c;
  }
  auto trimmed = trim_space(result);
  if (trimmed.size() != result.size()) return std::string(trimmed);
  return result;
}

std::string select_fields(std::string_view header, const std::vector<std::string>& names,
                          Select select) {
  std::string result;
  // Both may be many: a command has room for thousands of names, a header for a million fields.
  std::set<std::string, std::less<>> wanted;
  for (auto& name : names) wanted.insert(to_lower(name));
  for (auto& field : HeaderView(header)) {
    bool named = wanted.contains(to_lower(field.name));
    if (named == (select == Select::Named)) result += field.raw;
  }
  result += "\r\n";
  return result;
}

std::optional<std::string_view> lenient_value(const Field& field, std::string_view name) {
  if (field.is(name)) return field.value;
  if (!field.is_junk()) return std::nullopt;
  std::string begin;
  std::size_t at = 0;
  for (; at < field.raw.size() && begin.size() < name.size(); ++at)
    if (field.raw[at] > ' ' && field.raw[at] <= '~') begin += field.raw[at];
  if (!iequals(begin, name)) return std::nullopt;
  auto value = field.raw.substr(at);
  while (!value.empty() &&
         (value.front() == ':' || static_cast<unsigned char>(value.front()) <= ' '))
    value.remove_prefix(1);
  return value;
}

}  // namespace hikyaku::mime
