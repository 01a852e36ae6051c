// What clients say: the commands of RFC 5321 §4.1.1 and its extensions, as values.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "smtp/path.h"
#include "smtp/reply.h"

namespace hikyaku::smtp {

/// BODY= (RFC 6152, RFC 3030).
enum class Body { SevenBit, EightBitMime, BinaryMime };
std::string_view to_string(Body body);

/// RET= (RFC 3461 §4.3): what of the message a bounce carries.
enum class Return { Full, Headers };

/// Parameters of MAIL FROM.
struct MailParameters {
  std::optional<std::uint64_t> size;  ///< RFC 1870
  std::optional<Body> body;           ///< RFC 6152, RFC 3030
  bool smtputf8 = false;              ///< RFC 6531
  std::optional<std::string> auth;    ///< RFC 4954 §5, decoded; "<>" when unknown
  std::optional<Return> ret;          ///< RFC 3461 §4.3
  std::optional<std::string> envid;   ///< RFC 3461 §4.4, decoded
  bool operator==(const MailParameters&) const = default;
};

/// NOTIFY= (RFC 3461 §4.1). None of the three set: NEVER.
struct Notify {
  bool success = false;
  bool failure = false;
  bool delay = false;
  bool operator==(const Notify&) const = default;
};

/// ORCPT= (RFC 3461 §4.2, RFC 6533 §3), such as rfc822;Ann@example.org.
struct OriginalRecipient {
  std::string type;     ///< as given ("rfc822", "utf-8", …): passed on unchanged (§5.2.1)
  std::string address;  ///< decoded
  bool operator==(const OriginalRecipient&) const = default;
};

/// Parameters of RCPT TO.
struct RcptParameters {
  std::optional<Notify> notify;
  std::optional<OriginalRecipient> orcpt;
  bool operator==(const RcptParameters&) const = default;
};

/// Every command of the command table in rules.h.
enum class Verb {
  Helo,
  Ehlo,
  Mail,
  Rcpt,
  Data,
  Bdat,
  Rset,
  Vrfy,
  Expn,
  Help,
  Noop,
  Quit,
  Starttls,
  Auth,
  Obsolete,  ///< known, but of the past: TURN, SEND, SOML, SAML, …
  Foreign,   ///< another protocol speaks (HTTP): end the connection
  Unknown,
};
std::string_view to_string(Verb verb);

struct Helo {
  std::string name;  ///< host name or address literal as given, printable
};
struct Ehlo {
  std::string name;
};
struct Mail {
  ReversePath from;
  MailParameters parameters;
};
struct Rcpt {
  Mailbox to;  ///< domain empty: <postmaster>
  RcptParameters parameters;
};
struct Data {};
struct Bdat {
  std::uint64_t size = 0;  ///< this many bytes follow, whatever the answer will be
  bool last = false;
};
struct Rset {};
struct Vrfy {
  std::string text;
};
struct Expn {
  std::string text;
};
struct Help {
  std::string topic;
};
struct Noop {};
struct Quit {};
struct Starttls {};
struct Auth {
  std::string mechanism;  ///< upper case
  /// Base64 as given; "" for "=" (an initial response that is empty).
  std::optional<std::string> initial_response;
};
struct Obsolete {
  std::string verb;
};
struct Foreign {
  std::string verb;
};
struct Unknown {
  std::string verb;  ///< printable, cut
};

/// In the order of Verb.
using Command = std::variant<Helo, Ehlo, Mail, Rcpt, Data, Bdat, Rset, Vrfy, Expn, Help, Noop, Quit,
                             Starttls, Auth, Obsolete, Foreign, Unknown>;

inline Verb verb_of(const Command& command) {
  return static_cast<Verb>(command.index());
}

/// Why a line is no command: the reply to send. The verb tells the rules which counter to turn.
struct BadCommand {
  Verb verb = Verb::Unknown;
  Reply reply;
};

/// One line without its CRLF. Verbs and keywords in any case, spaces at the end and after the colon
/// are fine. Everything else that is wrong gives the reply that says how to do it right. Addresses
/// may be UTF-8 here; rules.h asks for SMTPUTF8.
std::expected<Command, BadCommand> parse_command(std::string_view line);

}  // namespace hikyaku::smtp
