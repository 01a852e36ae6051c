// The rules of a server's session: which command may come when, what EHLO offers. No I/O: the
// driver reads a line, parses it, asks check(), and carries out what was allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/command.h"
#include "smtp/reply.h"

namespace hikyaku::smtp {

/// What kind of listener a session belongs to.
enum class Flavour {
  Mx,           ///< port 25: other servers bring mail for us
  Submission,   ///< port 587: our users send, STARTTLS, then AUTH (RFC 6409)
  Submissions,  ///< port 465: the same under TLS from the first byte (RFC 8314 §3.3)
  Local,        ///< programs on this machine, over a socket; who they are is known
};

/// What a listener offers. Outlives its sessions.
struct Settings {
  Flavour flavour = Flavour::Mx;
  std::string host_name;  ///< in the greeting, EHLO, Received
  std::uint64_t max_size = 50ull << 20;
  bool starttls = false;     ///< there is a certificate
  bool require_tls = false;  ///< nothing but EHLO, NOOP, RSET, HELP, QUIT before STARTTLS
  bool smtputf8 = true;
  bool chunking = true;      ///< BDAT
  bool binary_mime = false;  ///< BODY=BINARYMIME; needs chunking
  bool dsn = true;
  /// Login mechanisms in the order of preference; empty: no AUTH there. -PLUS ones only in the
  /// second.
  std::vector<std::string> mechanisms_in_clear;
  std::vector<std::string> mechanisms_under_tls;
  /// RFC 5321 §4.5.3.1.8 asks for at least 100. As many that are put off (too many, or for the time
  /// being) are forgiven: a client that pipelines learns of the limit when it has named all of them
  /// (§4.5.3.1.10). Each more of one transaction is an error.
  std::size_t max_recipients = 1000;
  int max_errors = 20;  ///< 5yz answers in one session, then 421
  int max_junk = 100;   ///< commands that move nothing between two messages, then 421
};

/// One accepted recipient.
struct Recipient {
  Mailbox to;
  RcptParameters parameters;
};

/// From an accepted MAIL to the end of its data. RSET, EHLO and the end of data destroy it.
struct Transaction {
  ReversePath from;
  MailParameters parameters;
  std::vector<Recipient> recipients;    ///< each once: see Session::add_recipient
  std::size_t repeated_recipients = 0;  ///< accepted, and known before
  std::size_t refused_recipients = 0;   ///< answered 5yz
  std::size_t deferred_recipients = 0;  ///< answered 4yz
  bool chunks_begun = false;  ///< a BDAT was accepted: nothing but BDAT, RSET, NOOP, QUIT now
  bool failed = false;        ///< a BDAT was refused: the rest of the chunks is thrown away
};

/// Where a session stands.
enum class Phase {
  Connected,   ///< greeted, no HELO or EHLO yet (programs on this machine need none)
  Ready,       ///< between messages
  Sender,      ///< MAIL was accepted, no recipient yet
  Recipients,  ///< at least one recipient was accepted
  Chunks,      ///< within BDAT chunks
};
std::string_view to_string(Phase phase);

/// The state of one session. The driver owns it and changes it only through its functions.
class Session {
 public:
  /// `settings` must outlive the session.
  explicit Session(const Settings& settings) : settings_(&settings) {}

  const Settings& settings() const { return *settings_; }
  Phase phase() const;
  bool esmtp() const { return esmtp_; }
  bool tls() const { return tls_; }
  const std::string& hello() const { return hello_; }  ///< empty before HELO and EHLO
  const std::string& user() const { return user_; }    ///< empty: not logged in
  Transaction* transaction() { return transaction_ ? &*transaction_ : nullptr; }
  const Transaction* transaction() const { return transaction_ ? &*transaction_ : nullptr; }

  /// HELO or EHLO was accepted; ends the transaction (RFC 5321 §4.1.4).
  void said_hello(std::string name, bool esmtp);
  /// MAIL was accepted.
  void begin(Mail mail);
  /// RCPT was accepted. False: the same was there already. Who is named twice gets one message, as
  /// everywhere; what is worked out for each recipient need not be worked out twice. Other
  /// parameters make another recipient of the same address: each of them is to be heeded.
  bool add_recipient(Rcpt rcpt);
  /// The message is done with, or RSET.
  void end_transaction();
  /// A message was accepted: junk is counted anew.
  void message_accepted() { junk_ = 0; }
  /// What was accepted moves no mail, though its kind does (BDAT 0): it is junk, too.
  void moved_nothing() { ++junk_; }
  /// TLS is on. After STARTTLS everything the client said is forgotten (RFC 3207 §4.2); also used
  /// when the listener speaks TLS from the start.
  void started_tls();
  /// AUTH succeeded; for Local, at the start.
  void logged_in(std::string user) { user_ = std::move(user); }

  /// The mechanisms that may be used now.
  const std::vector<std::string>& mechanisms() const;

  /// Notes what is about to be answered: counts errors and junk, refused recipients, and marks the
  /// transaction failed when a chunk was not taken. Returns what to answer instead, once a limit is
  /// passed (421, then close).
  std::optional<Reply> count(Verb verb, const Reply& answer);

 private:
  const Settings* settings_;
  bool esmtp_ = false;
  bool tls_ = false;
  std::string hello_;
  std::string user_;
  std::optional<Transaction> transaction_;
  std::set<std::string> named_;  ///< the recipients of the transaction, with their parameters
  int errors_ = 0;
  int junk_ = 0;
};

/// What the command table says about a verb.
struct CommandRule {
  Verb verb;
  unsigned phases;      ///< bit 1 << Phase for each phase in which it is allowed
  bool pre_tls;         ///< allowed before STARTTLS even where TLS is required
  bool pre_login;       ///< allowed on submission ports before AUTH
  bool last_in_group;   ///< the client must wait for the answer (RFC 2920 §3.1)
  bool counts_as_junk;  ///< moves no mail
};
const CommandRule& rule_of(Verb verb);

/// May this command be carried out now? nullopt: yes. Otherwise the answer. A refused BDAT is still
/// followed by its octets: read and drop them before answering (RFC 3030 §2).
std::optional<Reply> check(const Session& session, const Command& command);

/// The answer to HELO, or to EHLO with what is offered in the session's present state.
Reply hello_reply(const Session& session, const Command& hello);

/// The "with" of a Received field: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA (RFC 3848), UTF8SMTP… (RFC
/// 6531 §4.3).
std::string with_protocol(const Session& session);

}  // namespace hikyaku::smtp
