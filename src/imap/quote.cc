#include "imap/quote.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "imap/characters.h"

namespace hikyaku::imap {
namespace {

/// Longer strings go as literals: some clients read lines into fixed buffers.
constexpr std::size_t kMaxQuoted = 1000;

bool can_be_quoted(std::string_view text, Wire wire) {
  if (text.size() > kMaxQuoted) return false;
  bool eight_bit = false;
  for (char c : text) {
    if (c == '\r' || c == '\n' || c == '\0') return false;
    eight_bit |= is_8bit(c);
  }
  return !eight_bit || (wire == Wire::Utf8 && is_utf8(text));
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_string(std::string& out, std::string_view text, Wire wire) {
  if (can_be_quoted(text, wire)) {
    out += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
    return;
  }
  auto nuls = static_cast<std::size_t>(std::ranges::count(text, '\0'));
  out += '{';
  append_number(out, text.size() - nuls);
  out += "}\r\n";
  if (nuls == 0) {
    out += text;
    return;
  }
  std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != '\0'; });
}

void append_nstring(std::string& out, std::optional<std::string_view> text, Wire wire) {
  if (text)
    append_string(out, *text, wire);
  else
    out += "NIL";
}

void append_astring(std::string& out, std::string_view text, Wire wire) {
  bool atom = !text.empty() && text.size() <= kMaxQuoted && !iequals(text, "NIL") &&
              std::ranges::all_of(text, is_atom_char);
  if (atom)
    out += text;
  else
    append_string(out, text, wire);
}

void append_text(std::string& out, std::string_view text, Wire wire) {
  if (text.empty()) {
    out += '-';
    return;
  }
  bool utf8 = wire == Wire::Utf8 && is_utf8(text);
  for (char c : text) out += is_ctl(c) ? ' ' : is_8bit(c) && !utf8 ? '?' : c;
}

}  // namespace hikyaku::imap
