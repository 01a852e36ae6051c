// The login mechanisms that we speak, and lists of them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"

namespace hikyaku::sasl {

/// Strongest first: the order in which they are advertised and chosen.
enum class Mechanism {
  ScramSha256Plus,  ///< RFC 7677, bound to the TLS connection
  ScramSha1Plus,    ///< RFC 5802, bound to the TLS connection
  ScramSha256,      ///< RFC 7677
  ScramSha1,        ///< RFC 5802
  Plain,            ///< RFC 4616
  Login,            ///< draft-murchison-sasl-login: two prompts, for old clients
  CramMd5,          ///< RFC 2195
};

/// What the server must have stored for an account to use a mechanism.
enum class Needs {
  AnyHash,        ///< the client sends the password; any form verifies it
  PlainPassword,  ///< the password itself (kept sealed)
  ScramKeys,      ///< salt, iterations, stored key and server key for the mechanism's hash
};

struct MechanismInfo {
  Mechanism mechanism;
  std::string_view name;
  Needs needs;
  bool plaintext;      ///< whoever sees the exchange has the password: only under TLS
  bool channel_bound;  ///< needs a channel binding, so TLS
  crypto::Hash hash;   ///< of SCRAM and CRAM-MD5; without meaning for the others
};

/// Every mechanism, strongest first.
std::span<const MechanismInfo> mechanisms();
const MechanismInfo& info(Mechanism mechanism);
std::string_view to_string(Mechanism mechanism);
/// By name, without regard to case.
std::optional<Mechanism> find_mechanism(std::string_view name);

/// A configured list: names separated by spaces or commas; duplicates count once; the result is in
/// our order. Invalid names the first one that is unknown.
Result<std::vector<Mechanism>> parse_mechanisms(std::string_view list);

/// What a connection can do.
struct Connection {
  bool private_channel = false;  ///< TLS, or whatever else counts as unreadable by others
  bool has_bindings = false;     ///< TLS with at least one channel binding
};

/// The part of a listener's list that may be advertised and used on a connection.
std::vector<Mechanism> usable(std::span<const Mechanism> configured, const Connection& connection);

/// The strongest mechanism that a server offers and a connection allows; names we do not know are
/// passed over. For our own clients.
std::optional<Mechanism> choose(std::span<const std::string> offered, const Connection& connection);

}  // namespace hikyaku::sasl
