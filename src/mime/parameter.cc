#include "mime/parameter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "mime/charset.h"
#include "mime/encoded_word.h"

namespace hikyaku::mime {
namespace {

bool is_fold_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// Skips white space and comments (RFC 5322 §3.2.2); an unclosed comment reaches to the end.
void skip_cfws(std::string_view& text) {
  while (!text.empty()) {
    if (is_fold_space(text.front())) {
      text.remove_prefix(1);
      continue;
    }
    if (text.front() != '(') return;
    std::size_t depth = 0, i = 0;
    for (; i < text.size(); ++i) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '(')
        ++depth;
      else if (text[i] == ')' && --depth == 0)
        break;
    }
    text.remove_prefix(std::min(i + 1, text.size()));
  }
}

std::string_view take_token(std::string_view& text) {
  std::size_t i = 0;
  while (i < text.size() && is_token_char(text[i])) ++i;
  auto token = text.substr(0, i);
  text.remove_prefix(i);
  return token;
}

/// A quoted string whose opening quote is at the front; an unclosed one ends with the text.
std::string take_quoted(std::string_view& text) {
  std::string result;
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    if (text[i] != '\r' && text[i] != '\n') result += text[i];
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return result;
}

/// True when `text` begins `name=`: the semicolon before it was forgotten.
bool begins_parameter(std::string_view text) {
  auto name = take_token(text);
  return !name.empty() && !text.empty() && text.front() == '=';
}

/// A value without quotes: up to the semicolon, a comment, or the next parameter after a space.
std::string take_bare_value(std::string_view& text) {
  std::size_t i = 0;
  for (; i < text.size() && text[i] != ';'; ++i) {
    if (!is_fold_space(text[i])) continue;
    auto next = text.substr(i);
    while (!next.empty() && is_fold_space(next.front())) next.remove_prefix(1);
    if (next.empty() || next.front() == '(' || begins_parameter(next)) break;
    i = text.size() - next.size() - 1;
  }
  auto raw = trim(text.substr(0, i));
  text.remove_prefix(i);
  std::string value;
  for (char c : raw)
    if (c != '\r' && c != '\n') value += c;
  return value;
}

int hex_digit(char c) {
  if (is_ascii_digit(c)) return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// A parameter as it stands: RFC 2231 §3 and §4 marks parsed off the name, nothing joined.
struct Segment {
  std::string name;
  std::optional<std::uint64_t> index;
  bool extended = false;
  std::string value;
};

Segment make_segment(std::string_view name, std::string value) {
  Segment segment;
  segment.value = std::move(value);
  if (name.ends_with('*')) {
    segment.extended = true;
    name.remove_suffix(1);
  }
  auto star = name.rfind('*');
  if (star != std::string_view::npos) {
    if (auto index = parse_decimal(name.substr(star + 1), 9999)) {
      segment.index = index;
      name = name.substr(0, star);
    }
  }
  segment.name = to_lower(name);
  return segment;
}

std::vector<Segment> parse_segments(std::string_view text, ParameterLimits limits) {
  std::vector<Segment> segments;
  while (!text.empty() && segments.size() < limits.count) {
    skip_cfws(text);
    if (text.empty()) break;
    if (text.front() == ';' || text.front() == ',' || text.front() == '=') {
      text.remove_prefix(1);
      continue;
    }
    auto name = take_token(text);
    if (name.empty()) {
      // No name can begin here: go on behind it, over a quoted string as a whole.
      if (text.front() == '"')
        take_quoted(text);
      else
        text.remove_prefix(1);
      continue;
    }
    skip_cfws(text);
    if (text.empty() || text.front() != '=') continue;
    text.remove_prefix(1);
    skip_cfws(text);
    auto quoted = !text.empty() && text.front() == '"';
    auto value = quoted ? take_quoted(text) : take_bare_value(text);
    auto segment = make_segment(name, std::move(value));
    if (!segment.name.empty()) segments.push_back(std::move(segment));
  }
  return segments;
}

/// Joins the segments of one parameter in the order of their numbers.
Parameter join(std::vector<Segment*> pieces) {
  // name*=… or numbered pieces win over a plain name=… that is there for old programs.
  auto plain = [](const Segment* piece) { return !piece->extended && !piece->index; };
  if (!std::ranges::all_of(pieces, plain)) std::erase_if(pieces, plain);
  std::ranges::sort(
      pieces, {}, [](const Segment* piece) { return std::pair(piece->index.value_or(0), piece); });

  Parameter parameter;
  parameter.name = pieces.front()->name;
  if (!pieces.front()->index) pieces.resize(1);
  for (auto* piece : pieces) {
    std::string_view value = piece->value;
    if (piece == pieces.front() && piece->extended) {
      auto first = value.find('\'');
      auto second = first == value.npos ? value.npos : value.find('\'', first + 1);
      if (second != value.npos) {
        parameter.charset = value.substr(0, first);
        parameter.language = value.substr(first + 1, second - first - 1);
        value.remove_prefix(second + 1);
      }
      parameter.extended = true;
    }
    // Only the first piece names the charset (RFC 2231 §4.1); some senders repeat it.
    if (piece != pieces.front() && piece->extended && !parameter.charset.empty() &&
        value.size() > parameter.charset.size() && istarts_with(value, parameter.charset) &&
        value[parameter.charset.size()] == '\'') {
      value.remove_prefix(parameter.charset.size() + 1);
      if (value.starts_with(parameter.language + '\''))
        value.remove_prefix(parameter.language.size() + 1);
    }
    parameter.value += piece->extended ? percent_decode(value) : std::string(value);
  }
  return parameter;
}

std::vector<Parameter> parse_parameters(std::string_view text, ParameterLimits limits) {
  auto segments = parse_segments(text, limits);
  std::vector<Parameter> parameters;
  std::vector<bool> done(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (done[i]) continue;
    std::vector<Segment*> pieces;
    for (std::size_t j = i; j < segments.size(); ++j) {
      if (segments[j].name != segments[i].name) continue;
      pieces.push_back(&segments[j]);
      done[j] = true;
    }
    parameters.push_back(join(std::move(pieces)));
  }
  return parameters;
}

const Parameter* find_in(const std::vector<Parameter>& parameters, std::string_view name) {
  auto found = std::ranges::find_if(parameters, [&](auto& p) { return iequals(p.name, name); });
  return found == parameters.end() ? nullptr : &*found;
}

}  // namespace

bool is_token_char(char c) {
  return c > 32 && c < 127 &&
         std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string Parameter::text() const {
  if (extended && !charset.empty()) return to_utf8(value, charset);
  return value.find("=?") == value.npos ? guess_text(value) : decode_words(value);
}

const Parameter* ParameterizedValue::find(std::string_view name) const {
  return find_in(parameters, name);
}

std::string_view ParameterizedValue::get(std::string_view name) const {
  auto* parameter = find(name);
  return parameter ? std::string_view(parameter->value) : std::string_view();
}

const Parameter* ContentType::find(std::string_view name) const {
  return find_in(parameters, name);
}

std::string_view ContentType::get(std::string_view name) const {
  auto* parameter = find(name);
  return parameter ? std::string_view(parameter->value) : std::string_view();
}

ParameterizedValue parse_parameterized(std::string_view field_value, ParameterLimits limits) {
  auto text = field_value.substr(0, limits.bytes);
  ParameterizedValue result;
  skip_cfws(text);
  if (!begins_parameter(text)) {
    if (!text.empty() && text.front() == '"')
      result.value = to_lower(take_quoted(text));
    else
      result.value = to_lower(take_token(text));
  }
  result.parameters = parse_parameters(text, limits);
  return result;
}

namespace {

/// Takes type and subtype off the front of a Content-Type.
MediaType take_media_type(std::string_view& text) {
  MediaType result;
  skip_cfws(text);
  auto type = take_token(text);
  skip_cfws(text);
  std::string_view subtype;
  if (!text.empty() && text.front() == '/') {
    text.remove_prefix(1);
    skip_cfws(text);
    subtype = take_token(text);
  }
  if (type.empty() || subtype.empty()) {
    result.malformed = true;
  } else {
    result.type = to_lower(type);
    result.subtype = to_lower(subtype);
  }
  return result;
}

}  // namespace

MediaType parse_media_type(std::string_view field_value, ParameterLimits limits) {
  auto text = field_value.substr(0, limits.bytes);
  return take_media_type(text);
}

ContentType parse_content_type(std::string_view field_value, ParameterLimits limits) {
  auto text = field_value.substr(0, limits.bytes);
  auto [type, subtype, malformed] = take_media_type(text);
  ContentType result{std::move(type), std::move(subtype), {}, malformed};
  // "multipart/mixed=; boundary=x", "text/plain/x": what is left of the value is skipped.
  result.parameters = parse_parameters(text, limits);
  return result;
}

std::string safe_file_name(std::string_view utf8_name) {
  // Only the last component: senders have put whole paths of either kind there.
  auto slash = utf8_name.find_last_of("/\\");
  if (slash != std::string_view::npos) utf8_name.remove_prefix(slash + 1);
  std::string name;
  for (char c : to_valid_utf8(utf8_name)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F ||
        std::string_view("<>:\"|?*").find(c) != std::string_view::npos)
      continue;
    name += c;
  }
  // Bidirectional overrides make "exe.txt" of "txt.exe" (U+202A..202E, U+2066..2069).
  for (std::string_view mark :
       {"\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"})
    for (auto at = name.find(mark); at != name.npos; at = name.find(mark, at))
      name.erase(at, mark.size());
  name = utf8_prefix(name, 200);
  auto begin = name.find_first_not_of(". ");
  if (begin == name.npos) return "";
  auto end = name.find_last_not_of(". ");
  return name.substr(begin, end - begin + 1);
}

void append_parameter(std::string& field, std::string_view name, std::string_view utf8_value) {
  constexpr std::size_t kLine = 70;
  field += ";\r\n ";
  auto printable = std::ranges::all_of(utf8_value, [](char c) { return c >= 32 && c < 127; });
  if (printable && name.size() + utf8_value.size() < kLine * 4) {
    field += name;
    field += '=';
    if (!utf8_value.empty() && std::ranges::all_of(utf8_value, is_token_char)) {
      field += utf8_value;
      return;
    }
    field += '"';
    for (char c : utf8_value) {
      if (c == '"' || c == '\\') field += '\\';
      field += c;
    }
    field += '"';
    return;
  }
  // RFC 2231 §4: percent-encoded pieces that fit on a line each.
  std::string encoded = "utf-8''";
  std::vector<std::string> pieces(1);
  pieces.back() = encoded;
  for (char c : utf8_value) {
    auto plain = is_ascii_alnum(c) || c == '-' || c == '.' || c == '_';
    if (pieces.back().size() + name.size() > kLine) pieces.emplace_back();
    if (plain)
      pieces.back() += c;
    else
      pieces.back() += '%' + to_upper(to_hex({&c, 1}));
  }
  if (pieces.size() == 1) {
    field += name;
    field += "*=" + pieces.front();
    return;
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) field += ";\r\n ";
    field += name;
    field += "*" + std::to_string(i) + "*=" + pieces[i];
  }
}

}  // namespace hikyaku::mime
