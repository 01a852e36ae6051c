// Logging in: what SMTP, IMAP and POP3 have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "net/stream.h"
#include "sasl/client.h"

namespace hikyaku::client {

/// Who logs in, and how.
struct Login {
  std::string user = {};
  crypto::Secret password = {};
  std::string act_as = {};  ///< another account, for those who may; empty: the user's own
  /// nullopt: the strongest that the server offers and the connection allows.
  std::optional<sasl::Mechanism> mechanism = {};
  /// Passwords may be sent readable where neither TLS nor loopback hides them.
  bool allow_clear = false;
  /// The observer sees the secrets too (the lab shows everything).
  bool show_secrets = false;
  /// Where SCRAM's rounds run (some milliseconds each login); null: on the loop.
  WorkerPool* workers = nullptr;
};

/// Nobody but the two ends can read what goes over this connection.
bool is_private(const net::Stream& stream);

/// How a protocol carries an exchange.
class LoginWire {
 public:
  virtual ~LoginWire() = default;
  /// Sends a line, without its end. `shown`: what the observer sees instead; empty: the line.
  virtual void say(std::string_view line, std::string_view shown) = 0;
  struct Reply {
    enum class Kind { Challenge, Accepted, Refused } kind = Kind::Refused;
    std::string challenge = {};
  };
  /// The next reply that is about the exchange.
  virtual Task<Reply> reply() = 0;
  virtual void close() = 0;
};

/// How it begins.
struct LoginStart {
  std::string command;           ///< "AUTH"; the mechanism follows
  bool initial_response = true;  ///< the command may carry it
  bool show_secrets = false;     ///< as in Login
};

/// One SASL exchange: both sides of it in base64, as all three protocols carry them.
class LoginExchange {
 public:
  /// With login.mechanism or the strongest of `offered`. Unsupported: none of them can be used on
  /// this connection; Invalid: name or password cannot be used with it.
  static Result<LoginExchange> begin(const net::Stream& stream,
                                     const std::vector<std::string>& offered, const Login& login);

  std::string_view mechanism() const { return sasl::to_string(mechanism_); }
  /// The whole of it: true when the server accepts, false when it refuses. An error: we gave up
  /// (then the server knows), or it has not proven that it knows the password, or asks on for ever
  /// (then the connection is closed). `wire` outlives it.
  Task<Result<bool>> run(LoginWire& wire, LoginStart start);

 private:
  void begin(LoginWire& wire, const LoginStart& start);
  /// The initial response, once; nullopt where the server speaks first.
  std::optional<std::string> initial();
  /// The answer to a challenge; before initial() was asked for, that is the initial response.
  Task<Result<std::string>> answer(std::string_view challenge);

  LoginExchange(sasl::Mechanism mechanism, std::shared_ptr<sasl::Client> client,
                WorkerPool* workers)
      : mechanism_(mechanism), client_(std::move(client)), workers_(workers) {}

  sasl::Mechanism mechanism_;
  std::shared_ptr<sasl::Client> client_;
  WorkerPool* workers_;
  bool initial_asked_ = false;
};

}  // namespace hikyaku::client
