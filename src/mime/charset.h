// Text in any charset to UTF-8 and back, behind the labels that mail uses (the table of the WHATWG
// Encoding Standard §4.2, widened by what only mail has). Decoding never fails: what cannot be read
// becomes U+FFFD.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hikyaku::mime {

struct DecodedText {
  std::string text;         ///< UTF-8, always well-formed
  bool known_label = true;  ///< false: nobody knows that charset, and the text was guessed at
  bool replaced = false;    ///< U+FFFD stands for at least one ill-formed sequence
};

/// `bytes` in the charset called `label` (any case, space and quotes around it ignored). The label
/// is taken as it is meant in mail, not as it is defined: iso-8859-1 and us-ascii are windows-1252,
/// shift_jis is windows-31j, gb2312 is GB18030, euc-kr is windows-949, iso-2022-jp has NEC, IBM and
/// half-width characters. us-ascii with 8-bit bytes, an empty and an unknown label: see guess_text.
DecodedText decode_charset(std::string_view bytes, std::string_view label);

/// decode_charset's text.
std::string to_utf8(std::string_view bytes, std::string_view label);

/// Text of which nobody says what it is: UTF-8 when it is well-formed, ISO-2022-JP by its escapes,
/// EUC-JP or Shift_JIS when it is all well-formed and much of it is kana, else windows-1252.
std::string guess_text(std::string_view bytes);

/// True if decode_charset knows the label.
bool is_known_charset(std::string_view label);

/// UTF-8 in another charset; nullopt if a character is not in it or the charset is unknown.
/// For ISO-2022-JP only JIS X 0208 proper is used (RFC 1468): half-width kana become full-width
/// ones, wave dash and minus are taken in either Unicode form, and every line ends in ASCII.
std::optional<std::string> from_utf8(std::string_view text, std::string_view label);

}  // namespace hikyaku::mime
