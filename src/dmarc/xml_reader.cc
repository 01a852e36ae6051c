#include "dmarc/xml_reader.h"

#include <algorithm>

#include "base/text.h"
#include "mime/charset.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kMostProblems = 8;

bool is_xml_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_name_start(char c) {
  return is_ascii_alpha(c) || c == '_' || c == ':' || (c & 0x80) != 0;
}

bool is_name_char(char c) {
  return is_name_start(c) || is_ascii_digit(c) || c == '-' || c == '.';
}

std::string_view skip_space(std::string_view text) {
  while (!text.empty() && is_xml_space(text.front())) text.remove_prefix(1);
  return text;
}

std::size_t name_length(std::string_view text, std::size_t limit) {
  if (text.empty() || !is_name_start(text.front())) return 0;
  std::size_t i = 1;
  while (i < text.size() && i <= limit && is_name_char(text[i])) ++i;
  return i <= limit ? i : 0;
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// The number of "&#NNN;" or "&#xHH;" between the marks.
std::optional<std::uint32_t> character_number(std::string_view text) {
  bool hex = text.starts_with('x') || text.starts_with('X');
  if (hex) text.remove_prefix(1);
  if (text.empty() || text.size() > 8) return std::nullopt;
  std::uint32_t value = 0;
  for (char c : text) {
    std::uint32_t digit = 0;
    char lower = ascii_lower(c);
    if (is_ascii_digit(c))
      digit = static_cast<std::uint32_t>(c - '0');
    else if (hex && lower >= 'a' && lower <= 'f')
      digit = static_cast<std::uint32_t>(lower - 'a' + 10);
    else
      return std::nullopt;
    value = value * (hex ? 16 : 10) + digit;
    if (value > 0x10FFFF) return std::nullopt;
  }
  bool allowed = value >= 32 || value == '\t' || value == '\n' || value == '\r';
  return allowed && (value < 0xD800 || value > 0xDFFF) ? std::optional(value) : std::nullopt;
}

/// Appends `text` with its references replaced; unknown ones stay as they stand. False if there
/// were such.
bool append_decoded(std::string& out, std::string_view text) {
  static constexpr std::pair<std::string_view, char> kNamed[] = {
      {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
  bool good = true;
  while (!text.empty()) {
    auto amp = std::min(text.find('&'), text.size());
    out += text.substr(0, amp);
    text.remove_prefix(amp);
    if (text.empty()) break;
    auto end = text.substr(0, 12).find(';');
    bool known = false;
    if (end != text.npos) {
      auto reference = text.substr(1, end - 1);
      auto named = std::ranges::find(kNamed, reference, &std::pair<std::string_view, char>::first);
      if (named != std::end(kNamed)) {
        out += named->second;
        known = true;
      } else if (reference.starts_with('#')) {
        if (auto number = character_number(reference.substr(1))) {
          append_utf8(out, *number);
          known = true;
        }
      }
    }
    if (!known) {
      out += '&';
      good = false;
    }
    text.remove_prefix(known ? end + 1 : 1);
  }
  return good;
}

/// "dmarc:feedback" in two.
void set_name(std::string_view qualified, std::string& prefix, std::string& name) {
  auto colon = qualified.rfind(':');
  prefix = colon == qualified.npos ? std::string_view() : qualified.substr(0, colon);
  name = colon == qualified.npos ? qualified : qualified.substr(colon + 1);
}

}  // namespace

void XmlReader::problem(std::string_view what) {
  if (problems_.size() < kMostProblems && std::ranges::find(problems_, what) == problems_.end())
    problems_.emplace_back(what);
}

std::optional<std::string_view> XmlReader::attribute(std::string_view name) const {
  for (auto& attribute : attributes_)
    if (attribute.name == name) return attribute.value;
  return std::nullopt;
}

std::string_view XmlReader::text() const {
  return trim(text_);
}

XmlReader::Event XmlReader::pop() {
  name_ = std::move(open_.back());
  open_.pop_back();
  --to_close_;
  return Event::End;
}

hikyaku::Result<XmlReader::Event> XmlReader::next() {
  attributes_.clear();
  if (self_closed_) {
    self_closed_ = false;
    to_close_ = 1;
    text_.clear();
    return pop();
  }
  // The text belongs to the first element that ends; the others end with it.
  if (to_close_ > 0) {
    text_.clear();
    return pop();
  }
  text_.clear();
  while (!left_.empty()) {
    auto mark = std::min(left_.find('<'), left_.size());
    add_text(left_.substr(0, mark));
    left_.remove_prefix(mark);
    if (left_.empty()) break;
    TRY_DO(markup());
    if (started_) {
      started_ = false;
      any_ = true;
      text_.clear();
      return Event::Start;
    }
    if (to_close_ > 0) return pop();
  }
  if (!any_) return fail(ErrorCode::Invalid, "this is no XML document");
  if (!open_.empty()) {
    problem("the end is missing");
    to_close_ = open_.size();
    return pop();
  }
  return Event::Finished;
}

/// At "<".
hikyaku::Result<void> XmlReader::markup() {
  if (left_.starts_with("<!--")) {
    left_.remove_prefix(4);
    if (!skip_past("-->")) problem("a comment without end");
    return {};
  }
  if (left_.starts_with("<![CDATA[")) {
    left_.remove_prefix(9);
    auto end = std::min(left_.find("]]>"), left_.size());
    if (text_.size() < limits_.text_bytes)
      text_ += left_.substr(0, std::min(end, limits_.text_bytes));
    left_.remove_prefix(std::min(end + 3, left_.size()));
    return {};
  }
  if (left_.starts_with("<?")) {
    if (!skip_past("?>")) problem("a processing instruction without end");
    return {};
  }
  if (left_.starts_with("<!")) return skip_declaration();
  TRY(bool is_tag, tag());
  if (!is_tag) {
    problem("\"<\" that begins no tag");
    add_text(left_.substr(0, 1));
    left_.remove_prefix(1);
  }
  return {};
}

bool XmlReader::skip_past(std::string_view end) {
  auto at = left_.find(end);
  left_.remove_prefix(at == left_.npos ? left_.size() : at + end.size());
  return at != left_.npos;
}

/// A DOCTYPE may name a DTD, which nobody fetches; declarations of its own are refused: reports
/// have none, attacks do.
hikyaku::Result<void> XmlReader::skip_declaration() {
  auto end = left_.find('>');
  auto declared = left_.find('[');
  if (declared < end) return fail(ErrorCode::Denied, "the document declares entities or elements");
  left_.remove_prefix(end == left_.npos ? left_.size() : end + 1);
  return {};
}

hikyaku::Result<bool> XmlReader::tag() {
  bool is_tag = left_.starts_with("</") ? end_tag() : start_tag();
  if (too_large_)
    return fail(ErrorCode::TooLarge, "elements are nested deeper than {} levels", limits_.depth);
  return is_tag;
}

bool XmlReader::end_tag() {
  auto rest = left_.substr(2);
  auto length = name_length(rest, limits_.name_bytes);
  if (length == 0) return false;
  std::string prefix, name;
  set_name(rest.substr(0, length), prefix, name);
  rest = skip_space(rest.substr(length));
  if (!rest.starts_with('>')) return false;
  left_ = rest.substr(1);
  auto match = std::ranges::find(open_.rbegin(), open_.rend(), name);
  if (match == open_.rend()) {
    problem("an end tag that ends nothing");
    return true;
  }
  to_close_ = static_cast<std::size_t>(match - open_.rbegin()) + 1;
  if (to_close_ > 1) problem("an end tag is missing");
  return true;
}

bool XmlReader::start_tag() {
  auto rest = left_.substr(1);
  auto length = name_length(rest, limits_.name_bytes);
  if (length == 0) return false;
  auto qualified = rest.substr(0, length);
  rest.remove_prefix(length);
  while (true) {
    bool spaced = !rest.empty() && is_xml_space(rest.front());
    rest = skip_space(rest);
    if (rest.starts_with('>') || rest.starts_with("/>")) break;
    if (!spaced || attributes_.size() >= limits_.attributes || !read_attribute(rest)) {
      attributes_.clear();
      return false;
    }
  }
  self_closed_ = rest.starts_with("/>");
  left_ = rest.substr(self_closed_ ? 2 : 1);
  if (open_.size() >= limits_.depth) {
    too_large_ = true;
    return true;
  }
  set_name(qualified, prefix_, name_);
  open_.push_back(name_);
  started_ = true;
  return true;
}

bool XmlReader::read_attribute(std::string_view& rest) {
  auto length = name_length(rest, limits_.name_bytes);
  if (length == 0) return false;
  auto qualified = rest.substr(0, length);
  auto value = skip_space(rest.substr(length));
  if (!value.starts_with('=')) return false;
  value = skip_space(value.substr(1));
  if (value.empty() || (value.front() != '"' && value.front() != '\'')) return false;
  auto end = value.substr(0, limits_.attribute_bytes).find(value.front(), 1);
  if (end == value.npos) return false;
  Attribute attribute;
  // "xmlns:x" keeps its own name; "xml:lang" is "lang".
  auto colon = qualified.starts_with("xmlns") ? qualified.npos : qualified.rfind(':');
  attribute.name = colon == qualified.npos ? qualified : qualified.substr(colon + 1);
  append_decoded(attribute.value, value.substr(1, end - 1));
  attributes_.push_back(std::move(attribute));
  rest = value.substr(end + 1);
  return true;
}

void XmlReader::add_text(std::string_view text) {
  if (text.empty()) return;
  if (text_.size() + text.size() > limits_.text_bytes) {
    problem("a text is too long");
    text = text.substr(0, limits_.text_bytes - std::min(limits_.text_bytes, text_.size()));
  }
  if (!append_decoded(text_, text)) problem("a reference to an unknown entity");
}

std::string xml_text(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  auto head = bytes.substr(0, 4);
  if (head.starts_with("\xFF\xFE") || head == std::string_view("<\0?\0", 4))
    return mime::to_utf8(bytes, "utf-16le");
  if (head.starts_with("\xFE\xFF") || head == std::string_view("\0<\0?", 4))
    return mime::to_utf8(bytes, "utf-16be");
  if (is_utf8(bytes)) return std::string(bytes);
  // <?xml version="1.0" encoding="windows-1252"?>
  auto declaration = bytes.substr(0, 200);
  declaration = declaration.substr(0, declaration.find("?>"));
  std::string label;
  if (auto at = ifind(declaration, "encoding");
      declaration.starts_with("<?xml") && at != declaration.npos) {
    auto value = skip_space(declaration.substr(at + 8));
    if (value.starts_with('=')) value = skip_space(value.substr(1));
    if (!value.empty() && (value.front() == '"' || value.front() == '\''))
      label = value.substr(1, std::min(value.find(value.front(), 1), value.size()) - 1);
  }
  return iequals(label, "utf-8") ? to_valid_utf8(bytes) : mime::to_utf8(bytes, label);
}

std::string xml_escape(std::string_view text) {
  std::string valid;
  if (!is_utf8(text)) {
    valid = to_valid_utf8(text);
    text = valid;
  }
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default: {
        auto byte = static_cast<unsigned char>(c);
        bool control = (byte < 32 && c != '\t' && c != '\n') || byte == 127;
        out += control ? '?' : c;
      }
    }
  }
  return out;
}

}  // namespace hikyaku::dmarc
