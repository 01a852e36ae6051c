// The client's side of a login exchange, for our own SMTP, IMAP and POP3 clients.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/secret.h"
#include "sasl/channel_binding.h"
#include "sasl/mechanisms.h"

namespace hikyaku::sasl {

/// Who logs in, and over which connection.
struct ClientSettings {
  std::string authcid = {};
  crypto::Secret password = {};
  std::string authzid = {};  ///< empty: act as authcid
  std::string nonce = {};    ///< fresh for every exchange: Random::token(24)
  /// Of this TLS connection; empty without TLS.
  std::vector<ChannelBinding> bindings = {};
  /// True if the server's list had a -PLUS mechanism.
  bool channel_binding_offered = false;
  /// A server that wants fewer rounds would learn too much about the password, one that wants more
  /// would keep us busy (a million take half a second: respond() belongs on a worker).
  std::uint32_t min_iterations = 4096;
  std::uint32_t max_iterations = 1'000'000;
};

/// One exchange with one mechanism.
class Client {
 public:
  virtual ~Client() = default;

  /// The initial response; nullopt where the server speaks first. Where the protocol has no place
  /// for it, it answers the server's empty first challenge instead.
  virtual std::optional<std::string> initial() = 0;
  /// The answer to a challenge. An error ends the exchange: send "*". Invalid when the server does
  /// not follow the grammar, Denied when it is not the server that knows our password.
  virtual Result<std::string> respond(std::string_view challenge) = 0;
  /// To be asked when the server reports success. Denied if it has not proven yet that it knows our
  /// password, as it must with SCRAM: then it is not to be trusted, and nothing may be sent.
  virtual Result<void> finish() = 0;
};

/// A new exchange. Invalid when name or password cannot be used with the mechanism, Unsupported for
/// a channel-bound mechanism without bindings.
Result<std::unique_ptr<Client>> make_client(Mechanism mechanism, ClientSettings settings);

}  // namespace hikyaku::sasl
