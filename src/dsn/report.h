// Delivery status notifications that we write (RFC 3464, RFC 6522, RFC 6533): what happened to the
// recipients of a message, for people and for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "base/time.h"
#include "smtp/parameters.h"
#include "smtp/path.h"
#include "smtp/reply.h"

namespace hikyaku::dsn {

/// What became of a recipient (RFC 3464 §2.3.3).
enum class Action {
  Failed,     ///< given up
  Delayed,    ///< not yet delivered, still trying
  Delivered,  ///< in the mailbox
  Relayed,    ///< handed to a server that does not confirm deliveries
  Expanded,   ///< handed on to the members of a list or alias
};
/// As in the Action field: "failed", …
std::string_view to_string(Action action);
std::optional<Action> parse_action(std::string_view text);

/// Whether the sender is to be told of this outcome (RFC 3461 §4.1, §5.2): never with a null
/// sender; without NOTIFY of failures and delays; otherwise as NOTIFY says. Relayed is told by the
/// server that hands the message to one without the DSN extension, nobody else.
bool is_wanted(Action action, const std::optional<smtp::Notify>& notify,
               const smtp::ReversePath& from);

/// One recipient's part of a report.
struct Recipient {
  std::optional<smtp::OriginalRecipient> original;  ///< ORCPT
  smtp::Mailbox final;                              ///< the address that was tried last
  Action action = Action::Failed;
  smtp::EnhancedStatus status;
  std::string remote_mta;  ///< the host that answered; empty: none was asked
  /// The host's answer as smtp::Reply::to_string gives it; without remote_mta: what went wrong
  /// here, in English words.
  std::string diagnostic;
  std::optional<Time> last_attempt;
  std::optional<Time> will_retry_until;  ///< Delayed only
};

/// What a report is made from.
struct Report {
  std::string reporting_mta;               ///< our host name
  std::optional<std::string> envelope_id;  ///< ENVID
  std::optional<Time> arrival;
  std::vector<Recipient> recipients;  ///< at least one

  smtp::Mailbox to;        ///< the envelope sender of the message
  std::string message_id;  ///< of the report, without angle brackets: unique, at our host
  std::string boundary;    ///< random, so that no message can hold it: 20 or more of A-Z a-z 0-9
  Time now;
  Language language = Language::English;  ///< Japanese: both, Japanese first

  /// The header section of the message that is reported on, with CRLF.
  std::string_view original_header;
  smtp::Return returned = smtp::Return::Headers;
  bool original_has_8bit = false;         ///< in the body
  bool original_has_utf8_header = false;  ///< the report then needs SMTPUTF8 to be sent
};

/// A report, to be written as `front`, then (`with_message` only) the whole original message, then
/// `back`. Lines end in CRLF.
struct Composed {
  std::string front;
  bool with_message = false;
  std::string back;
  bool has_8bit = false;
  bool has_utf8_header = false;  ///< in the report's own parts: it needs SMTPUTF8
};
/// The report goes out with a null sender (RFC 3464 §2), to `to`.
Composed compose(const Report& report);

/// What a status means, for people: one or two sentences with a remedy where there is one.
const Phrase& explain(const smtp::EnhancedStatus& status);

}  // namespace hikyaku::dsn
