// The client's side: replies of a POP3 server, one status line, one challenge, or a multi-line body
// with the dots taken out (RFC 1939 §3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::pop3 {

/// The first line of a reply.
struct Status {
  enum class Kind { Ok, Err, Challenge };
  Kind kind = Kind::Ok;
  std::string code;  ///< "IN-USE", in capitals; empty: none
  std::string text;  ///< behind the code; of a challenge: the base64
};
/// "+OK …", "-ERR [CODE] …", "+ …". Invalid for anything else.
Result<Status> parse_status(std::string_view line);

/// "<1896.697170952@host>" in a greeting, if there is one (RFC 1939 §7).
std::optional<std::string_view> apop_timestamp(std::string_view greeting);

/// A line "3 120" or "3 abc" of STAT, LIST, UIDL: two words.
struct NumberedLine {
  std::uint32_t number = 0;
  std::string_view value;
};
Result<NumberedLine> parse_numbered(std::string_view line);

/// Takes the body of a multi-line reply apart from the dot that ends it. What it hands out are the
/// message's bytes: CRLF at line ends, doubled dots single. Works at every split.
class BodyDecoder {
 public:
  /// Appends what of `input` belongs to the body to `out`; `input` becomes what was not used.
  /// True once the final dot was seen; what is then left of `input` is the next reply.
  bool next(std::string_view& input, std::string& out);

 private:
  enum class State { LineStart, Dot, DotCr, Text, TextCr };
  State state_ = State::LineStart;
};

}  // namespace hikyaku::pop3
