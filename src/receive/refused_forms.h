// What is refused for its form alone, whoever sent it: before anybody is asked who that was. The
// same for the server and for who wants to know what it would say (`hikyaku dmarc`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "smtp/reply.h"

namespace hikyaku::receive {

/// Why a message is taken from nobody.
enum class FormProblem {
  Nul,            ///< 550 5.6.0
  BareLineEnd,    ///< 550 5.6.0: a CR or LF by itself
  TooLarge,       ///< 552 5.3.4
  HeaderTooLong,  ///< 552 5.3.4
  HeaderFolded,   ///< 550 5.6.0: it begins with the continuation of nothing
  Loop,           ///< 554 5.4.6: too many Received fields
};

struct RefusedForm {
  FormProblem problem;
  smtp::Reply reply;
};

/// See Settings; `max_message`: bytes of the whole, which a session looks at while they come.
struct FormLimits {
  std::size_t max_header = 0;
  std::size_t max_received = 0;
  std::uint64_t max_message = 0;
};

/// Where the empty line ends the header, at or after `from`; npos while it has not come.
std::size_t header_end(std::string_view bytes, std::size_t from);

/// A header as it is stored and examined.
struct ReceivedHeader {
  std::string bytes;
  bool headless = false;  ///< it is text; an empty line now stands in front of it
  bool folded = false;    ///< it begins with the continuation of nothing

  /// What is examined to find out who sent it.
  std::string_view examined() const { return headless ? std::string_view("\r\n") : bytes; }
};

/// `bytes`: up to header_end(). What an mbox put in front is taken away.
ReceivedHeader take_header(std::string bytes);

/// The server's answer to a header that it takes from nobody. `header`: ReceivedHeader::bytes.
struct HeaderForm {
  std::string_view header;
  bool too_long = false;
  bool folded = false;
};
std::optional<RefusedForm> refusal_of_header(const HeaderForm& form, const FormLimits& limits);

/// The same for a whole message at hand, in the form that it travels in.
std::optional<RefusedForm> refusal_of_form(std::string_view message, const FormLimits& limits);

}  // namespace hikyaku::receive
