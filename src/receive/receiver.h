// Receiver: takes messages in. Sessions ask it about senders and recipients, give it the bytes, and
// get the reply.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/login.h"
#include "base/executor.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/task.h"
#include "base/time.h"
#include "crypto/random.h"
#include "dmarc/failure_report.h"
#include "dns/resolver.h"
#include "queue/injector.h"
#include "receive/authentication.h"
#include "receive/metrics.h"
#include "smtp/reply.h"
#include "smtp/rules.h"
#include "store/store.h"
#include "story/story.h"

namespace hikyaku {
class Semaphore;
}

namespace hikyaku::receive {

class KeyRing;

/// Reports about single messages to the domains that they claim to be from (RFC 9991).
struct FailureReportSettings {
  dmarc::HeaderShown shown = dmarc::HeaderShown::Minimal;
  std::string from;                ///< empty: Settings::report_address at our first domain
  std::uint32_t per_domain = 12;   ///< to one destination's domain, in an hour
  std::uint32_t total = 120;       ///< in all, in an hour
  std::string redaction_key = {};  ///< secret and lasting; see dmarc::FailureReportMail
  std::string generator = {};      ///< the name of this program
};

struct Settings {
  std::string host_name;
  std::string recipient_delimiters = "+";
  /// Where reports about our domains come: a local part or an address; empty: nowhere.
  std::string report_address = "dmarc-reports";
  std::size_t max_received = 100;       ///< Received fields; more is a loop (RFC 5321 §6.3)
  std::size_t max_header = 256 * 1024;  ///< bytes of header; what has more is refused (552)
  /// Stories of refusals that other servers get in a minute; the log has all of them. A dictionary
  /// attack is not to fill the store.
  std::size_t max_refusals_per_minute = 120;
  /// What the queue may hold; more is put off (452) before it is accepted. Mail that stays here and
  /// notices of our own are always taken.
  std::uint64_t max_queued = 1'000'000;  ///< recipients
  std::uint64_t max_queued_bytes = 20ull << 30;
  bool hide_client_address = true;  ///< Received of our users' mail does not tell where they are
  /// x= of our signatures: how long they are to be valid; nullopt: without end.
  std::optional<seconds> signature_lifetime = std::nullopt;
  /// Fields that nobody may add to our mail behind the signature; see dkim::names_to_sign.
  std::vector<std::string> oversigned = {};
  /// What other servers bring and an alias sends on gets our ARC set; needs `authentication` and
  /// Services::keys.
  bool seal = true;
  /// Who really sent what other servers bring; needs Services::dns.
  AuthenticationSettings authentication = {};
  /// nullopt: none are sent.
  std::optional<FailureReportSettings> failure_reports = std::nullopt;
};

/// What the receiver works with; all of it outlives it.
struct Services {
  store::Store& store;
  WorkerPool& workers;
  const Clock& clock;
  crypto::Random& random;
  /// Bytes of large messages that may be in memory as a whole at once.
  Semaphore& large_messages;
  dns::Resolver* dns = nullptr;  ///< null: senders are not checked
  KeyRing* keys = nullptr;       ///< what mail that leaves is signed with; null: nothing
  Metrics metrics = {};
};

/// Who brings a message.
struct Peer {
  enum class Kind {
    Server,   ///< another mail server, on port 25
    User,     ///< one of our users, logged in
    Program,  ///< a program on this machine, known by its uid
    Self,     ///< this server: bounces and notices
  };
  Kind kind = Kind::Server;
  Endpoint endpoint;                 ///< Server, User
  std::string hello;                 ///< what it called itself
  std::string reverse_name;          ///< confirmed host name of its address, if any
  std::string tls;                   ///< "TLSv1.3 TLS_AES_128_GCM_SHA256", empty in clear
  std::string with;                  ///< smtp::with_protocol(), "LOCAL", "BOUNCE", …
  std::optional<auth::Login> login;  ///< User
  std::string program;               ///< Program: "uid 1000"
  std::shared_ptr<Client> client;    ///< Server: what is found out about it (Receiver::meet)
  /// The connection's: its number and address stand in what is logged of its messages. Without one
  /// they are logged by the receiver's own.
  std::optional<Log> log{};
};

/// A recipient who does not get a message, and what its sender was told.
struct Refused {
  std::string recipient;  ///< as in RCPT TO
  smtp::Reply reply;
};

/// One message on its way in.
class Incoming {
 public:
  virtual ~Incoming() = default;
  /// The next bytes of the message (CRLF line ends, dots removed). What goes wrong is told by
  /// finish().
  virtual Task<void> append(std::string_view bytes) = 0;
  /// Checks and accepts, or refuses. A positive reply means: durable, and delivered or queued for
  /// every recipient, or a bounce is queued to tell of those who could not have it any more. Where
  /// no bounce may be sent (null or doubtful sender), 452 for all rather than leave one out.
  virtual Task<smtp::Reply> finish() = 0;
  virtual story::MessageId id() const = 0;
  /// What it holds in memory of the message, staged bytes apart.
  virtual std::size_t memory() const = 0;
};

class Receiver : public queue::Injector {
 public:
  /// A client of port 25 has said who it is: what can be asked about it is asked from now on,
  /// beside its dialogue, for all messages of the connection. Null when senders are not checked.
  virtual std::shared_ptr<Client> meet(IpAddress address) = 0;
  /// May this peer send as this sender? nullopt: yes. Users only as their own addresses (or the
  /// null sender). Begins to check the sender of another server (SPF).
  virtual Task<std::optional<smtp::Reply>> check_sender(const Peer& peer,
                                                        const smtp::ReversePath& from) = 0;
  /// May mail for this recipient come from this peer? nullopt: yes. Unknown 550 5.1.1, relaying
  /// 550 5.7.1, full 452 4.2.2 (also when SIZE has announced too much; 0: nothing was announced),
  /// 452 4.3.1 when it would be queued and the queue is full.
  virtual Task<std::optional<smtp::Reply>> check_recipient(const Peer& peer,
                                                           const smtp::Mailbox& to,
                                                           std::uint64_t declared_size) = 0;
  /// Begins a message whose recipients were all checked. `declared`: what MAIL and RCPT said.
  virtual std::unique_ptr<Incoming> begin(const Peer& peer, const smtp::Transaction& declared) = 0;
  /// What the session itself refused (recipients at RCPT, bare LF, too much data) is remembered in
  /// the log and in the story; what an Incoming refuses, it remembers itself. `from`: the envelope
  /// sender.
  virtual Task<void> refused(const Peer& peer, std::string from,
                             std::vector<Refused> recipients) = 0;
};

std::unique_ptr<Receiver> make_receiver(Settings settings, Services services, Log log);

}  // namespace hikyaku::receive
