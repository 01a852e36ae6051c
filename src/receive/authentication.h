// Who really sent a message: the checks of one message from another server, beside the dialogue and
// while its bytes pass by, and what is decided from them.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arc/verifier.h"
#include "base/executor.h"
#include "base/ip.h"
#include "base/task.h"
#include "base/time.h"
#include "dkim/verifier.h"
#include "dmarc/disposition.h"
#include "dmarc/legacy.h"
#include "dns/resolver.h"
#include "dnsbl/check.h"
#include "iprev/check.h"
#include "spf/check.h"

namespace hikyaku::receive {

/// The rules of the house. Domains are in normal form.
struct AuthenticationSettings {
  bool enabled = true;
  /// Clients on this machine, too. Of their addresses public DNS knows nothing: only when something
  /// else is asked.
  bool loopback = true;
  /// Who we are: the authserv-id (RFC 8601 §2.5), and %{r} of SPF.
  std::string host_name;
  /// Every question about a client or a message is answered within this, counted from where its
  /// checks begin: EHLO, MAIL, the end of the data.
  milliseconds deadline = std::chrono::seconds(20);
  std::size_t signatures = 8;           ///< DKIM signatures that are looked at
  std::vector<dnsbl::Zone> blocklists;  ///< empty: none are asked
  std::vector<std::string> sealers;     ///< whose word in an ARC chain is taken
  std::vector<std::string> lists;       ///< domains of mailing lists that are known here
  std::vector<std::string> forwarders;  ///< domains, addresses, networks
  std::vector<std::string> exceptions;  ///< author domains, addresses, networks
  dmarc::Rules rules;
};

/// All of it outlives what is checked.
struct AuthenticationServices {
  dns::Resolver& dns;
  const Clock& clock;
  WorkerPool& workers;
  dkim::KeyCache* keys = nullptr;  ///< may be null
};

/// What is being found out about one client while it talks: shared by all messages of a
/// connection. On its event loop only.
class Client {
 public:
  /// Begins to ask for the name of its address and whether it is on blocklists.
  Client(const AuthenticationSettings& settings, AuthenticationServices services,
         IpAddress address);
  ~Client();

  /// MAIL: begins to ask whether it may send as this (SPF). What was asked about another sender is
  /// given up.
  void begins_mail(std::string helo, std::string mail_from);
  /// The confirmed host name, as far as it is known by now; may be empty.
  std::string reverse_name() const;

 private:
  friend class Authentication;
  struct State;
  std::unique_ptr<State> state_;
};

/// Everything that was found out about a message and its sender, and what follows from it.
struct SenderFindings {
  IpAddress client;
  std::string helo;
  std::string mail_from;  ///< "" for the null path
  iprev::Verdict reverse_name;
  dnsbl::Verdict blocklists;
  spf::Verdict spf_mail_from;
  spf::Verdict spf_helo;
  std::vector<dkim::Verdict> signatures;
  std::size_t ignored_signatures = 0;  ///< beyond AuthenticationSettings::signatures
  arc::Verdict arc;
  dmarc::Verdict dmarc;
  std::optional<dmarc::LegacyOpinion> old_rules;  ///< RFC 7489, where it ends otherwise
  dmarc::Circumstances circumstances;
  dmarc::Disposition disposition;
};

/// The checks of one message. Make it at DATA, give it the header, then the body, then ask. On one
/// event loop; what costs more than about a millisecond is done on workers.
class Authentication {
 public:
  Authentication(const AuthenticationSettings& settings, AuthenticationServices services,
                 std::shared_ptr<Client> client);
  ~Authentication();

  /// The whole header as received, with the empty line that ends it. `complete`: false when it was
  /// longer than what is looked at: nothing in it is relied upon then.
  void header(std::string_view header, bool complete);
  /// The next bytes of the body.
  Task<void> body(std::string_view bytes);
  /// Once, after the last byte.
  Task<SenderFindings> finish();
  /// What it holds of the message, in bytes.
  std::size_t memory() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hikyaku::receive
