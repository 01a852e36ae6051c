// Logging in: passwords and SASL mechanisms checked against stored credentials, for every protocol
// alike.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/directory.h"
#include "auth/throttle.h"
#include "base/executor.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/task.h"
#include "base/time.h"

namespace hikyaku::auth {

/// Who asks, and from where. For throttling, the story and the log.
struct LoginContext {
  std::string protocol;  ///< "smtp", "imap", "pop3"
  IpAddress ip;
  bool tls = false;
  /// The connection's: its number and address stand in what is logged of this login. Without one it
  /// is logged by the authenticator's own.
  std::optional<Log> log{};
};

/// Somebody who has logged in.
struct Login {
  AccountId account = 0;
  std::string address;     ///< the account's primary address
  std::string mechanism;   ///< "PLAIN", "SCRAM-SHA-256-PLUS", "APOP", …
  std::string credential;  ///< "password", or the name of the app password
  Time credential_made{};  ///< when that password was set: it has another once it is changed
  /// The account's place among its sessions; keep it as long as the session lasts.
  std::shared_ptr<void> place{};
};

/// Why a login failed; the drivers turn it into their protocol's words. Unknown user, wrong
/// password and disabled account are one (Denied) to the peer; the log tells them apart.
enum class LoginFailure {
  Denied,       ///< 535 5.7.8, NO [AUTHENTICATIONFAILED], -ERR [AUTH]
  Malformed,    ///< the exchange itself is broken: 501 5.5.2, BAD, -ERR
  Cancelled,    ///< the client sent "*": 501 5.7.0
  Throttled,    ///< too many failures from there: 454 4.7.0, NO [UNAVAILABLE], -ERR [SYS/TEMP]
  Unavailable,  ///< could not be checked now, or too many wait for that: the same
  Crowded,      ///< right, but the account has too many sessions: 454 4.7.0, NO [LIMIT],
                ///< -ERR [SYS/TEMP]
  NotOffered,   ///< no such mechanism here (or not without TLS): 504 5.5.4, NO, -ERR
};

/// One SASL exchange in progress. Bytes here are raw: the driver does base64 and its own line
/// limits.
class SaslExchange {
 public:
  virtual ~SaslExchange() = default;
  struct Challenge {
    std::string bytes;
  };
  /// `final_bytes` is additional data with success (SCRAM's server signature) when the mechanism
  /// has it; protocols without a field for it (IMAP, POP3, SMTP) send it as one more challenge, and
  /// the exchange expects an empty answer: this is done inside, so drivers see a Challenge first
  /// and the Login then.
  using Outcome = std::variant<Challenge, Login, LoginFailure>;
  /// The client's initial response (nullopt: none was sent), then each further one.
  virtual Task<Outcome> step(std::optional<std::string> response) = 0;
};

/// What an instance allows. Each may change while it runs.
struct LoginLimits {
  std::uint32_t max_failures = 10;             ///< of one client with one account in 15 minutes
  std::uint32_t max_waiting = 100;             ///< logins that wait for a password hash, in total
  std::uint32_t max_waiting_per_network = 10;  ///< of these, from one network
  std::uint32_t sessions_per_account = 100;    ///< at the same time
  milliseconds remember = std::chrono::hours(1);  ///< see RememberedLogins; 0: never
};

/// Checks logins. One per instance, from any event loop. Password hashes run on workers, a bounded
/// number at once; failures are slowed and counted per address and per account; nothing tells
/// whether a user exists, timing neither.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// User name and password in clear: IMAP LOGIN, POP3 USER/PASS.
  virtual Task<std::variant<Login, LoginFailure>> check_password(LoginContext context,
                                                                 std::string user,
                                                                 std::string password) = 0;
  /// APOP (RFC 1939 §7): `timestamp` is what the greeting showed.
  virtual Task<std::variant<Login, LoginFailure>> check_apop(LoginContext context, std::string user,
                                                             std::string timestamp,
                                                             std::string digest) = 0;

  /// From now on. From any thread.
  virtual void set_limits(const LoginLimits&) {}

  /// Who is answered Throttled at this moment. From any thread.
  virtual std::vector<ThrottledLogin> throttled() { return {}; }
  /// Lets them try again at once: an account, an address or network, or "all". How many it were.
  virtual std::size_t lift_throttle(std::string_view) { return 0; }

  /// The bindings of the connection for SCRAM-…-PLUS; empty strings when there are none.
  struct Bindings {
    std::string tls_exporter;
    std::string tls_unique;
    std::string tls_server_end_point;
  };
  /// Begins `mechanism` (any case). `offered` is what this listener offers on this connection now
  /// (so that PLAIN without TLS is not in it). nullptr: not offered or unknown.
  virtual std::unique_ptr<SaslExchange> begin(LoginContext context, std::string_view mechanism,
                                              const std::vector<std::string>& offered,
                                              Bindings bindings) = 0;
};

}  // namespace hikyaku::auth
