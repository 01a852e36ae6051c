// Content-Transfer-Encodings (RFC 2045 §6) and uuencode: lenient streaming decoders, line-wrapped
// encoders. Nothing fails: characters that do not belong are skipped (base64) or kept
// (quoted-printable).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hikyaku::mime {

enum class Encoding : std::uint8_t {
  SevenBit,  ///< also when there is no field
  EightBit,
  Binary,
  Base64,
  QuotedPrintable,
  Uuencode,  ///< x-uuencode, uuencode, x-uue
  Unknown,   ///< anything else: the body cannot be decoded (RFC 2045 §6.4)
};

/// The value of Content-Transfer-Encoding, comments and stray characters around it ignored.
Encoding parse_encoding(std::string_view field_value);
/// "base64" and so on; for Unknown "x-unknown".
std::string_view to_string(Encoding encoding);
/// True if the encoded and the decoded bytes are the same.
bool is_identity(Encoding encoding);

/// Base64 in pieces of any size. Everything outside the alphabet is skipped; after padding a new
/// run may begin (some senders concatenate); a missing end is made good.
class Base64Decoder {
 public:
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  std::uint32_t bits_ = 0;
  unsigned count_ = 0;  // characters held in bits_
};

/// Quoted-printable in pieces of any size (RFC 2045 §6.7): small hex digits are taken, a "=" that
/// begins nothing stays, space before a line end is removed (rule 3).
class QuotedPrintableDecoder {
 public:
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  std::string held_;  // what may turn out to be an escape, a soft break, or space at a line's end
};

/// Uuencode in pieces of any size: the lines between "begin " and "end"; text outside is dropped.
class UuDecoder {
 public:
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  void line(std::string_view text, std::string& out);

  bool inside_ = false;
  std::string held_;  // an unfinished line, at most kHeld bytes of it
};

/// A body of any encoding in pieces; identity encodings pass through.
class TransferDecoder {
 public:
  explicit TransferDecoder(Encoding encoding) : encoding_(encoding) {}
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  Encoding encoding_;
  Base64Decoder base64_;
  QuotedPrintableDecoder quoted_printable_;
  UuDecoder uu_;
};

/// The whole body at once, at most `limit` decoded bytes of it.
std::string decode_transfer(std::string_view body, Encoding encoding,
                            std::size_t limit = static_cast<std::size_t>(-1));

/// Base64 in lines of 76 characters, each with CRLF.
std::string encode_base64_body(std::string_view bytes);
/// Quoted-printable in lines of at most 76 characters; CRLF and LF are line ends. `binary`: they
/// are data, and become =0D and =0A.
enum class LineEnds { Text, Binary };
std::string encode_quoted_printable(std::string_view bytes, LineEnds line_ends = LineEnds::Text);

}  // namespace hikyaku::mime
