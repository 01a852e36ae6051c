// What Japanese mail needs beside the converters (see charset.h): telling its encodings apart, and
// ISO-2022-JP taken apart and put together (RFC 1468, RFC 1554, and what is sent as such).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::mime {

/// Whose tables a text in ISO-2022-JP needs, by its escapes.
enum class Iso2022jp : std::uint8_t {
  Plain,         ///< ASCII, JIS X 0201, JIS X 0208 (with vendor rows), JIS X 0212
  Multilingual,  ///< GB 2312, KS X 1001, ISO 8859-1 or -7 too (RFC 1554)
  Jisx0213,      ///< JIS X 0213
};
Iso2022jp classify_iso2022jp(std::string_view bytes);

struct Iso2022jpRun {
  enum class Kind : std::uint8_t { Ascii, EucJp, Bad };
  Kind kind = Kind::Ascii;
  std::string bytes;  ///< Ascii: UTF-8; EucJp: EUC-JP; Bad: nothing
};

/// The runs of a text in ISO-2022-JP, in order.
class Iso2022jpReader {
 public:
  explicit Iso2022jpReader(std::string_view bytes) : left_(bytes) {}
  std::optional<Iso2022jpRun> next();

 private:
  enum class Set : std::uint8_t { Ascii, Roman, Kana, Jisx0208, Jisx0212 };
  bool take_escape();
  bool take_character(std::string& euc);

  std::string_view left_;
  Set set_ = Set::Ascii;
  bool shifted_out_ = false;
};

enum class Guess : std::uint8_t { Utf8, Iso2022jp, EucJp, ShiftJis, Windows1252 };
/// The likeliest encoding of bytes that nobody labelled (charset.h guess_text).
Guess guess_encoding(std::string_view bytes);

/// UTF-8 to UTF-16. The text must be well-formed.
void append_utf16(std::string_view utf8, std::vector<char16_t>& out);

/// Characters that JIS X 0208 has under another code point replaced by it (wave dash, minus, …),
/// half-width kana by full-width ones.
std::string prepare_for_jis(std::string_view utf8);

/// windows-31j to ISO-2022-JP; nullopt if there is a character outside of JIS X 0208 proper.
std::optional<std::string> shift_jis_to_iso2022jp(std::string_view bytes);

}  // namespace hikyaku::mime
