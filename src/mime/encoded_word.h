// Encoded words in header fields (RFC 2047, RFC 2231 §5), read as leniently as the worst sender
// needs, written strictly.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hikyaku::mime {

/// A field's value or a part of one (display name, comment, parameter) in UTF-8: unfolded, encoded
/// words decoded wherever they stand, adjacent ones of one charset joined before decoding, so that
/// characters split between them survive. Bytes above 127 outside of encoded words are read as
/// `fallback_charset` unless they are UTF-8 (empty: charset.h's guess_text). Control characters but
/// TAB become spaces. Never fails: what is no encoded word stays as it is.
std::string decode_words(std::string_view value, std::string_view fallback_charset = {});

/// The length of the encoded word at the front of `text`, 0 if there is none.
std::size_t encoded_word_length(std::string_view text);

/// `text` (UTF-8) for an unstructured field such as Subject: ASCII words stay, the rest becomes
/// encoded words in UTF-8 (Q or B, the shorter), folded with CRLF SP so that no line is longer than
/// 76 characters. `column` is where the value begins on its first line ("Subject: " is 9).
std::string encode_unstructured(std::string_view text, std::size_t column);

/// `text` (UTF-8) as a display name or group name: an atom sequence, a quoted string, or encoded
/// words (RFC 2047 §5 rule 3), folded likewise.
std::string encode_phrase(std::string_view text, std::size_t column);

}  // namespace hikyaku::mime
