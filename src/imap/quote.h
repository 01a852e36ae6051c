// Writing strings so that nothing in them can be taken for protocol (RFC 9051 §4.3, §9).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hikyaku::imap {

/// How strings above 127 are written.
enum class Wire {
  Ascii,  ///< 8-bit bytes need a literal
  Utf8,   ///< UTF8=ACCEPT or IMAP4rev2 was enabled: well-formed UTF-8 may be quoted
};

/// string: quoted when that can hold it and it is not long, else a literal. NUL, which only
/// literal8 can carry, is dropped.
void append_string(std::string& out, std::string_view text, Wire wire = Wire::Ascii);
/// nstring: NIL for nullopt.
void append_nstring(std::string& out, std::optional<std::string_view> text,
                    Wire wire = Wire::Ascii);
/// astring: an atom if it can be one (and is not NIL), else a string.
void append_astring(std::string& out, std::string_view text, Wire wire = Wire::Ascii);

/// resp-text's text: control characters become spaces, and unless `wire` is Utf8, bytes above 127
/// "?"; never empty.
void append_text(std::string& out, std::string_view text, Wire wire = Wire::Ascii);

/// A decimal number.
void append_number(std::string& out, std::uint64_t number);

}  // namespace hikyaku::imap
