// The server's side of a login exchange (RFC 4422): state machines that do no I/O.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crypto/master_key.h"
#include "crypto/secret.h"
#include "sasl/channel_binding.h"
#include "sasl/credentials.h"
#include "sasl/mechanisms.h"

namespace hikyaku::sasl {

/// Send this to the client (base64-encoded by the protocol's driver; it may be empty) and give the
/// answer to respond().
struct Challenge {
  std::string bytes;
};

/// The client has sent a password: whether it is right decides the login, and the exchange is over.
/// Verify it with the same effort whether the name exists or not. The name is prepared (SASLprep),
/// the password is as it came (prepare_password).
struct CheckPassword {
  std::string authcid;
  crypto::Secret password;
};

/// Look up what is stored for this name, then call known() or unknown().
struct NeedCredentials {
  std::string authcid;  ///< prepared (SASLprep)
  Needs needs;
};

/// The client is who it says.
struct Success {
  std::string authcid;
  std::size_t password = 0;            ///< which of the passwords or keys that known() was given
  std::optional<BindingType> binding;  ///< the channel binding, if it was used
};

enum class FailureReason {
  /// Does not follow the mechanism's grammar: 501 5.5.2, BAD. Counts as junk, not as a guess.
  Malformed,
  /// Wrong password or unknown name: 535 5.7.8, NO [AUTHENTICATIONFAILED]. Counts as a guess.
  Rejected,
  /// The channel binding does not fit, or the client was told that we offer none though we did:
  /// 535,
  /// NO as for Rejected. Somebody may stand in between; worth a warning in the log.
  ChannelBinding,
  /// It asked to act as somebody else: 535 5.7.8, NO [AUTHORIZATIONFAILED]. Decided before the
  /// password is looked at.
  NotAuthorized,
};

/// The exchange is over without a login.
struct Failure {
  FailureReason reason;
  std::string text;  ///< for the log; nothing secret, nothing the client may not know
};

using Step = std::variant<Challenge, CheckPassword, NeedCredentials, Success, Failure>;

/// What is stored for an account: passwords in clear for Needs::PlainPassword (the account's own
/// and those of its apps), keys for Needs::ScramKeys.
using Stored = std::variant<std::vector<crypto::Secret>, ScramCredentials>;

/// Longest inputs, in bytes.
struct ServerLimits {
  std::size_t name = 512;
  std::size_t password = 1024;
  std::size_t message = 8192;
};

/// What an exchange needs to know of its connection.
struct ServerSettings {
  std::string nonce = {};  ///< fresh for every exchange: Random::token(24); printable, no comma
  std::string host = {};   ///< our own name, for the challenge of CRAM-MD5
  std::vector<ChannelBinding> bindings = {};  ///< of this TLS connection; empty without TLS
  /// True if a -PLUS mechanism was advertised on this connection: a client that then believes the
  /// contrary was lied to.
  bool channel_binding_offered = false;
  std::uint32_t scram_iterations = kScramIterations;  ///< shown for names that do not exist
  ServerLimits limits = {};
};

/// One exchange with one mechanism.
///
///     start() and then respond() for each line of the client, until a step is CheckPassword,
///     Success or Failure. After NeedCredentials: known() or unknown(), then on.
///
/// A call that is not due fails the exchange (Malformed).
/// Whether a name exists shows neither in what is sent nor in the work done here. The final message
/// of SCRAM is a Challenge, which the client answers with an empty response: so it travels in
/// protocols whose success carries no data.
class Server {
 public:
  virtual ~Server() = default;

  /// Begins. `initial` is the initial response, nullopt if the client sent none (not the same as an
  /// empty one). Malformed for a mechanism in which the server speaks first.
  Step start(std::optional<std::string_view> initial);
  /// The client's next message.
  Step respond(std::string_view message);

  /// The answers to NeedCredentials. `stored` must be of the kind that was asked for; an account
  /// that has nothing of that kind is unknown().
  Step known(Stored stored);
  /// `name` is the name in the form in which it was looked up (absent_scram_credentials).
  Step unknown(std::string_view name);

 protected:
  /// Either: the server has a first prompt, and the client may answer it unasked (LOGIN).
  enum class First { Client, Server, Either };

  Server(const ServerSettings& settings, First first) : settings_(settings), first_(first) {}

  /// The server's first message; empty where the client speaks first.
  virtual std::string begin() { return {}; }
  virtual Step on_message(std::string_view message) = 0;
  virtual Step on_known(Stored stored);
  virtual Step on_unknown(std::string_view name);

  const ServerSettings settings_;

 private:
  enum class State { New, Client, Credentials, Over };
  Step enter(Step step);

  const First first_;
  State state_ = State::New;
};

/// A new exchange. `master` must outlive it.
std::unique_ptr<Server> make_server(Mechanism mechanism, const ServerSettings& settings,
                                    const crypto::MasterKey& master);

}  // namespace hikyaku::sasl
