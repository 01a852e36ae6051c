// The character classes of the formal syntax (RFC 9051 §9).
#pragma once

#include <algorithm>
#include <string_view>

namespace hikyaku::imap {

constexpr bool is_ctl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
constexpr bool is_8bit(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}
/// ATOM-CHAR: printable ASCII without atom-specials.
constexpr bool is_atom_char(char c) {
  switch (c) {
    case '(':
    case ')':
    case '{':
    case ' ':
    case '%':
    case '*':
    case '"':
    case '\\':
    case ']':
      return false;
    default:
      return !is_ctl(c) && !is_8bit(c);
  }
}
/// ASTRING-CHAR; also bytes above 127, since RFC 9755 §3 clients and careless ones send UTF-8.
constexpr bool is_astring_char(char c) {
  return is_atom_char(c) || c == ']' || is_8bit(c);
}
/// list-char.
constexpr bool is_list_char(char c) {
  return is_astring_char(c) || c == '%' || c == '*';
}
/// A character of a tag: ASTRING-CHAR (7 bits) but "+".
constexpr bool is_tag_char(char c) {
  return (is_atom_char(c) || c == ']') && c != '+';
}
/// sequence-set characters.
constexpr bool is_sequence_char(char c) {
  return (c >= '0' && c <= '9') || c == ':' || c == ',' || c == '*' || c == '$';
}
/// objectid characters (RFC 8474 §7).
constexpr bool is_object_id_char(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-';
}

/// A tag that may be repeated in a response.
constexpr bool is_tag(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_tag_char);
}

}  // namespace hikyaku::imap
