#include "dns/name.h"

#include <array>
#include <fmt/core.h>
#include <unicode/uidna.h>

#include "base/text.h"

namespace hikyaku::dns {
namespace {

void append_byte(std::string& name, char byte) {
  auto value = static_cast<unsigned char>(byte);
  if (value <= 0x20 || value >= 0x7F) {
    name += fmt::format("\\{:03}", value);
    return;
  }
  if (byte == '.' || byte == '\\') name += '\\';
  name += ascii_lower(byte);
}

/// One byte of presentation form; nullopt for a broken escape.
std::optional<char> take_byte(std::string_view& text) {
  char first = text.front();
  text.remove_prefix(1);
  if (first != '\\') return first;
  if (text.empty()) return std::nullopt;
  if (!is_ascii_digit(text.front())) {
    char escaped = text.front();
    text.remove_prefix(1);
    return escaped;
  }
  auto value = text.size() >= 3 ? parse_decimal(text.substr(0, 3), 255) : std::nullopt;
  if (!value) return std::nullopt;
  text.remove_prefix(3);
  return static_cast<char>(*value);
}

/// The end of the first label of a normal name: the position of its dot, or the size.
std::size_t label_end(std::string_view normal) {
  for (std::size_t i = 0; i < normal.size(); ++i) {
    if (normal[i] == '\\')
      ++i;
    else if (normal[i] == '.')
      return i;
  }
  return normal.size();
}

bool is_ldh_name(std::string_view name, bool underscores) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxHostName) return false;
  std::size_t label = 0;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || name[i] == '.') {
      if (label == 0 || label > kMaxLabel || name[i - 1] == '-') return false;
      label = 0;
    } else if (is_ascii_alnum(name[i]) || (underscores && name[i] == '_') ||
               (name[i] == '-' && label > 0)) {
      ++label;
    } else {
      return false;
    }
  }
  return true;
}

bool has_a_label(std::string_view name) {
  for (auto label : split(name, '.'))
    if (istarts_with(label, "xn--")) return true;
  return false;
}

/// ICU's machine for UTS #46; immutable, shared by all threads, never freed.
const UIDNA* idna() {
  static const UIDNA* machine = [] {
    UErrorCode code = U_ZERO_ERROR;
    return uidna_openUTS46(UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
                               UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
                           &code);
  }();
  return machine;
}

struct IdnaProblem {
  std::uint32_t bit;
  std::string_view text;
};
constexpr IdnaProblem kIdnaProblems[] = {
    {UIDNA_ERROR_EMPTY_LABEL, "two dots follow each other, or one stands at the beginning"},
    {UIDNA_ERROR_LABEL_TOO_LONG, "a part is longer than 63 bytes"},
    {UIDNA_ERROR_DOMAIN_NAME_TOO_LONG, "it is longer than 253 bytes"},
    {UIDNA_ERROR_LEADING_HYPHEN, "a part begins or ends with a hyphen"},
    {UIDNA_ERROR_TRAILING_HYPHEN, "a part begins or ends with a hyphen"},
    {UIDNA_ERROR_HYPHEN_3_4, "a part has -- at its third and fourth place"},
    {UIDNA_ERROR_PUNYCODE, "a part that begins with xn-- does not decode to a valid one"},
    {UIDNA_ERROR_INVALID_ACE_LABEL, "a part that begins with xn-- does not decode to a valid one"},
    {UIDNA_ERROR_LEADING_COMBINING_MARK, "a part begins with a combining mark"},
    {UIDNA_ERROR_DISALLOWED, "it contains a character that is not allowed in names"},
    {UIDNA_ERROR_LABEL_HAS_DOT, "a part contains a dot"},
    {UIDNA_ERROR_BIDI, "it mixes left-to-right and right-to-left letters in a forbidden way"},
    {UIDNA_ERROR_CONTEXTJ, "a joiner stands where it is not allowed to"},
};

std::string_view idna_problem(std::uint32_t errors) {
  for (auto& problem : kIdnaProblems)
    if (errors & problem.bit) return problem.text;
  return "it is not valid";
}

/// UTF-8 to A-labels; the reason if that is not possible.
std::expected<std::string, std::string_view> to_a_labels(std::string_view name) {
  std::array<char, 4 * kMaxHostName> ascii;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  UErrorCode code = U_ZERO_ERROR;
  auto size = uidna_nameToASCII_UTF8(idna(), name.data(), static_cast<int>(name.size()),
                                     ascii.data(), static_cast<int>(ascii.size()), &info, &code);
  if (info.errors != 0) return std::unexpected(idna_problem(info.errors));
  if (U_FAILURE(code) || size > static_cast<int>(ascii.size()))
    return std::unexpected("it is longer than 253 bytes");
  return std::string(ascii.data(), static_cast<std::size_t>(size));
}

/// What an A-label stands for; nullopt when it is none.
std::optional<std::string> u_label(std::string_view label) {
  if (!istarts_with(label, "xn--") || label.size() > kMaxLabel || !is_domain_name(label))
    return std::nullopt;
  std::array<char, 4 * kMaxLabel> unicode;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  UErrorCode code = U_ZERO_ERROR;
  auto size =
      uidna_labelToUnicodeUTF8(idna(), label.data(), static_cast<int>(label.size()), unicode.data(),
                               static_cast<int>(unicode.size()), &info, &code);
  if (info.errors != 0 || U_FAILURE(code) || size > static_cast<int>(unicode.size()))
    return std::nullopt;
  return std::string(unicode.data(), static_cast<std::size_t>(size));
}

std::string ascii_problem(std::string_view name) {
  if (name.empty() || name == ".") return "it is empty";
  if (name.size() > kMaxHostName + 1) return "it is longer than 253 bytes";
  for (auto label : split(name.ends_with('.') ? name.substr(0, name.size() - 1) : name, '.')) {
    if (label.empty()) return "two dots follow each other, or one stands at the beginning";
    if (label.size() > kMaxLabel) return "a part is longer than 63 bytes";
    if (label.front() == '-' || label.back() == '-') return "a part begins or ends with a hyphen";
    for (char c : label)
      if (!is_ascii_alnum(c) && c != '-' && c != '_')
        return fmt::format("{:?} is not allowed in names", std::string_view(&c, 1));
  }
  return "it is not valid";
}

}  // namespace

std::optional<std::string> normal_name(std::string_view text) {
  std::string name;
  if (text == ".") return name;
  std::size_t label = 0;
  std::size_t wire = 1;
  while (!text.empty()) {
    if (text.front() == '.') {
      text.remove_prefix(1);
      if (label == 0) return std::nullopt;
      label = 0;
      if (!text.empty()) name += '.';
      continue;
    }
    auto byte = take_byte(text);
    if (!byte) return std::nullopt;
    wire += label == 0 ? 2 : 1;
    if (++label > kMaxLabel || wire > kMaxWireName) return std::nullopt;
    append_byte(name, *byte);
  }
  return name;
}

bool is_host_name(std::string_view name) {
  return is_ldh_name(name, false);
}

bool is_domain_name(std::string_view name) {
  return is_ldh_name(name, true);
}

bool is_within(std::string_view name, std::string_view parent_name) {
  if (parent_name.empty() || name == parent_name) return true;
  if (name.size() <= parent_name.size() || !name.ends_with(parent_name)) return false;
  // The dot in between must be a real one: the end of some label.
  auto rest = name;
  while (rest.size() > parent_name.size()) rest = parent(rest);
  return rest == parent_name;
}

std::string_view parent(std::string_view name) {
  auto end = label_end(name);
  return end == name.size() ? std::string_view() : name.substr(end + 1);
}

std::size_t label_count(std::string_view name) {
  std::size_t count = 0;
  for (; !name.empty(); name = parent(name)) ++count;
  return count;
}

std::string name_to_wire(std::string_view normal) {
  std::string wire;
  while (!normal.empty()) {
    auto label = normal.substr(0, label_end(normal));
    normal = parent(normal);
    auto length_at = wire.size();
    wire += '\0';
    while (!label.empty()) wire += take_byte(label).value_or('?');
    wire[length_at] = static_cast<char>(wire.size() - length_at - 1);
  }
  wire += '\0';
  return wire;
}

std::optional<std::string> name_from_wire(std::string_view wire, std::size_t& offset) {
  std::string name;
  std::size_t used = 0;
  while (offset < wire.size()) {
    auto length = static_cast<unsigned char>(wire[offset]);
    used += 1u + length;
    ++offset;
    if (used > kMaxWireName) return std::nullopt;
    if (length == 0) return name;
    if (length > kMaxLabel || wire.size() - offset < length) return std::nullopt;
    if (!name.empty()) name += '.';
    for (char byte : wire.substr(offset, length)) append_byte(name, byte);
    offset += length;
  }
  return std::nullopt;
}

Result<std::string> to_ascii(std::string_view name) {
  auto refuse = [&](const std::string& problem) {
    return fail(ErrorCode::Invalid, "{:?} is no domain name: {}", printable(name, 253), problem);
  };
  // Four bytes for each of the 253 is more than any name needs.
  if (name.size() > 4 * kMaxHostName) return refuse("it is longer than 253 bytes");
  if (name.find('\0') != std::string_view::npos) return refuse("it contains a zero byte");
  if (is_ascii(name) && !has_a_label(name)) {
    if (!is_domain_name(name)) return refuse(ascii_problem(name));
    return to_lower(name.ends_with('.') ? name.substr(0, name.size() - 1) : name);
  }
  if (!is_utf8(name)) return refuse("it is not UTF-8");
  auto ascii = to_a_labels(name);
  if (!ascii) return refuse(std::string(ascii.error()));
  std::string result = to_lower(*ascii);
  if (result.ends_with('.')) result.pop_back();
  if (!is_host_name(result)) return refuse(ascii_problem(result));
  return result;
}

std::string to_unicode(std::string_view name) {
  std::string result;
  for (auto label : split(name, '.')) {
    if (!result.empty()) result += '.';
    result += u_label(label).value_or(std::string(label));
  }
  return result;
}

}  // namespace hikyaku::dns
