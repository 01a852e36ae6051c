// The rules of the client's side: what a server offers, what may be said to it, what its answers
// mean for the message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/command.h"
#include "smtp/path.h"
#include "smtp/reply.h"

namespace hikyaku::smtp {

/// What a server's answer to EHLO offers.
struct Offers {
  std::string name;  ///< what the server calls itself
  bool pipelining = false;
  bool eight_bit_mime = false;
  bool enhanced_status_codes = false;
  bool smtputf8 = false;
  bool dsn = false;
  bool chunking = false;
  bool binary_mime = false;
  bool starttls = false;
  bool size = false;                      ///< MAIL may carry SIZE=
  std::optional<std::uint64_t> max_size;  ///< RFC 1870 §4; unset: none told
  std::vector<std::string> auth;          ///< mechanisms, upper case
  // RFC 9422; unset: none told.
  std::optional<std::size_t> max_mails;              ///< transactions in a connection
  std::optional<std::size_t> max_recipients;         ///< in a transaction
  std::optional<std::size_t> max_recipient_domains;  ///< in a transaction
};

/// Reads a positive answer to EHLO. Unknown lines and broken values are passed over. The answer to
/// HELO gives the name alone.
Offers parse_ehlo(const Reply& reply);

/// What is to be sent, as far as MAIL FROM must know.
struct Outgoing {
  ReversePath from;
  std::uint64_t size = 0;           ///< octets on the wire without doubled dots
  bool has_8bit = false;            ///< in the body
  bool has_utf8_header = false;     ///< field values with raw UTF-8 (RFC 6532)
  bool has_utf8_recipient = false;  ///< Mailbox::needs_utf8 of any recipient
  std::optional<Return> ret;
  std::optional<std::string> envid;
};

/// The MAIL FROM line with CRLF and the parameters that this server knows. Or the reason why the
/// message cannot be sent to it, as a reply of our own (552 5.3.4 too large for it, 553 5.6.7 or
/// 554 5.6.9 it cannot take UTF-8). Without 8BITMIME, 8-bit bodies go as they are: re-encoding
/// would break signatures, and servers that harm them are long gone; a caller that thinks otherwise
/// asks `offers.eight_bit_mime` before.
std::expected<std::string, Reply> mail_command(const Outgoing& message, const Offers& offers);

/// The RCPT TO line with CRLF, or the reason (553 5.6.7).
std::expected<std::string, Reply> rcpt_command(const Mailbox& to, const RcptParameters& parameters,
                                               const Offers& offers);

/// What an answer answers.
enum class Stage {
  Greeting,
  Hello,
  StartTls,
  Auth,
  Mail,
  Rcpt,
  Data,       ///< DATA: 354 is what is hoped for
  Chunk,      ///< a BDAT that is not the last
  EndOfData,  ///< the message itself, or BDAT LAST
};
std::string_view to_string(Stage stage);

/// What an answer means.
enum class Meaning {
  GoOn,       ///< as it should be; at EndOfData: the server is responsible now
  Temporary,  ///< try again later
  Permanent,  ///< never try again
};

/// What it speaks of.
enum class Concern {
  Recipient,   ///< the one recipient (RCPT)
  Message,     ///< the message with all its recipients
  Connection,  ///< this server at this time: others of the same preference may be tried
};

struct Judgement {
  Meaning meaning = Meaning::Temporary;
  Concern concern = Concern::Connection;
  EnhancedStatus status;  ///< the server's own, or X.0.0
  bool operator==(const Judgement&) const = default;
};

/// Judges by the first digit, not by the text (RFC 5321 §4.3.2), with these rules on top: 421 ends
/// the connection wherever it comes; a greeting or EHLO that refuses is about the server, and
/// permanent only with 521, 554 (RFC 7504) and 5.7.z; 552 to RCPT means too many recipients unless
/// the status says otherwise (§4.5.3.1.10); a digit that has no place there is a broken server.
Judgement judge(Stage stage, const Reply& reply);

/// True when HELO should be tried after this answer to EHLO (RFC 5321 §3.2).
bool should_try_helo(const Reply& ehlo_reply);

}  // namespace hikyaku::smtp
