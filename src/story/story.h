// The story of every message: what was decided about it, and why, recorded with it from the first
// day. `hikyaku trace` and the web tell it in words; DMARC reports and audits are made from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "base/result.h"
#include "base/time.h"
#include "store/erase.h"
#include "store/store.h"

namespace hikyaku::story {

/// A message's number on its whole way through this server: in the Received field, the queue, the
/// log and here. 42 bits of milliseconds since 1970, then 22 random bits: sorts by arrival, unique
/// without a counter.
using MessageId = std::uint64_t;
MessageId make_message_id(Time now, std::uint32_t random);
Time time_of(MessageId id);
/// 13 characters of Crockford's base32, such as "1GK5R0T2M8XQ4".
std::string to_text(MessageId id);
std::optional<MessageId> parse_message_id(std::string_view text);

/// A fact that was found out, with its reasons: "spf", "fail", "198.51.100.1 is not allowed by -all
/// of mallory.test".
struct Finding {
  std::string check;  ///< "spf", "dkim", "dmarc", "iprev", "submission", "loop", …
  std::string result;
  std::string reason;
};

/// How the message came.
struct Arrival {
  std::string protocol;   ///< "ESMTPS", "ESMTPSA", "LOCAL", "BOUNCE", … (RFC 3848)
  std::string peer;       ///< IP and port; empty for local programs
  std::string peer_name;  ///< confirmed reverse name, if any
  std::string helo;
  std::string tls;  ///< "TLSv1.3 TLS_AES_128_GCM_SHA256", empty without
  std::string
      login;  ///< account that submitted it, with mechanism: "anna@alpha.test (SCRAM-SHA-256)"
  std::string mail_from;    ///< envelope sender, "" for the null sender
  std::string header_from;  ///< what people are shown: the From field
  std::string message_id;   ///< the Message-ID field
  std::string subject;      ///< the first 80 characters
  std::uint64_t size = 0;
  std::vector<Finding> findings;
};

/// What became of one recipient at arrival.
struct RecipientOutcome {
  enum class Kind {
    Delivered,  ///< to a mailbox here
    Queued,     ///< for another server
    Refused,    ///< nobody gets it, and the sender knows
    Lost,       ///< what an alias of ours names, and nobody gets: others do, and only we know
    Unknown,    ///< written by a program that knows more kinds
  };
  std::string address;  ///< as in RCPT TO
  Kind kind = Kind::Unknown;
  std::string detail;  ///< in words: "mailbox INBOX of anna@alpha.test, UID 5", "alias x: to
                       ///< b@beta.test", "550 5.1.1 …"
  /// Who gets it: the account's address, or where it is sent on; empty: `address` itself (or it was
  /// recorded before this was).
  std::string taker = {};
};
/// "delivered", "queued", "refused", "lost", "unknown".
std::string_view to_string(RecipientOutcome::Kind kind);

/// One try to hand the message on.
struct Attempt {
  std::string recipient;
  int number = 1;
  std::string host;      ///< MX host, or "" when it did not come to that
  std::string endpoint;  ///< IP and port
  std::string tls;       ///< as in Arrival; "in clear" reasons are findings
  std::string result;    ///< "delivered", "deferred", "bounced", "expired", "confirmed", "held",
                         ///< "dropped"
  std::string reply;     ///< the other side's words, or what went wrong before it spoke
  std::string next;      ///< when it is tried again (RFC 3339), empty if never
  std::vector<Finding> findings;  ///< MX lookup, TLS policy, …
};

/// What happened to it later in a mailbox, or by an operator's hand ("released by root").
struct Note {
  std::string text;
};

/// Everything known of one message.
struct Story {
  MessageId id = 0;
  std::optional<Arrival> arrival;
  std::vector<RecipientOutcome> recipients;
  struct Event {
    Time at;
    std::optional<Attempt> attempt;
    std::optional<Note> note;
  };
  std::vector<Event> events;
};

/// Writes, within the transaction that accepts the message. ≤ 300 bytes for a plain message: texts
/// are cut. Of more than 1,000 recipients or 40 findings the rest is left out.
void record_arrival(store::Transaction& tx, MessageId id, const Arrival& arrival,
                    const std::vector<RecipientOutcome>& recipients);
void record_attempt(store::Transaction& tx, MessageId id, const Attempt& attempt, Time now);
void record_note(store::Transaction& tx, MessageId id, std::string_view text, Time now);
/// A message that was refused at RCPT or DATA: who tried what, and what we answered. What is
/// refused before RCPT has no story; it is in the log.
void record_refusal(store::Transaction& tx, MessageId id, const Arrival& arrival,
                    const std::vector<RecipientOutcome>& recipients);

std::optional<Story> find_story(store::Reader& reader, MessageId id);
/// What became of the recipients at arrival alone: one row, however much has happened since. Empty:
/// there is no such message.
std::vector<RecipientOutcome> find_recipients(store::Reader& reader, MessageId id);
/// Newest first. `address`: envelope sender, header From or recipient, in lower case.
std::vector<MessageId> find_by_address(store::Reader& reader, std::string_view address, Time since,
                                       std::size_t most);
std::vector<MessageId> find_by_message_id(store::Reader& reader, std::string_view message_id,
                                          Time since, std::size_t most);

/// The story in words, as `hikyaku trace` prints it.
std::string tell(const Story& story, Language language);

/// How the telling calls a check ("decision").
std::string_view check_name(std::string_view check, Language language);
std::string to_json(const Story& story);

/// Removes the stories of whole days that ended before `before`, at most `most` rows: call it again
/// (in new transactions) until it returns true.
bool trim(store::Transaction& tx, Time before, std::size_t most = store::kEraseAtOnce);

}  // namespace hikyaku::story
