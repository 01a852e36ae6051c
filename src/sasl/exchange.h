// How the lines of an AUTH exchange carry SASL messages in SMTP (RFC 4954 §4), IMAP (RFC 9051
// §6.2.2) and POP3 (RFC 5034 §4): base64, "*" to give up, "=" for an empty initial response.
#pragma once

#include <string>
#include <string_view>

namespace hikyaku::sasl {

/// The longest base64 text of one response, in bytes (RFC 4954 §4).
constexpr std::size_t kMaxResponse = 12'288;

struct Response {
  enum class Kind {
    Bytes,      ///< `bytes` goes to the mechanism
    Cancelled,  ///< the client gives up: 501, BAD, -ERR
    Malformed,  ///< not base64, or too long: 501, BAD, -ERR
  };
  Kind kind = Kind::Malformed;
  std::string bytes;
};

/// One line of the client inside an exchange, without its line end.
Response decode_response(std::string_view line, std::size_t max_length = kMaxResponse);

/// The initial response behind the mechanism's name: "=" is an empty one.
Response decode_initial_response(std::string_view word, std::size_t max_length = kMaxResponse);

}  // namespace hikyaku::sasl
