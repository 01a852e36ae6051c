// What a server keeps of a password for the mechanisms that need more than a hash.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::sasl {

/// Rounds of PBKDF2 for new SCRAM keys. Above the 4,096 of RFC 7677 §3; a phone does them in some
/// ten milliseconds. Accounts whose count differs from this one can be told from names that do not
/// exist: derive anew at the next password change.
constexpr std::uint32_t kScramIterations = 10'000;
constexpr std::size_t kScramSaltBytes = 16;

/// The two keys of RFC 5802 §3 for one password. Whoever steals them can guess passwords offline
/// and pose as the server, but not log in.
struct ScramKeys {
  std::string stored_key;
  std::string server_key;
  bool operator==(const ScramKeys&) const = default;
};

/// What SCRAM needs of an account for one hash. An account has one salt and may have several
/// passwords (its own, and one for each app): their keys are all made with that salt, and a login
/// may use any.
struct ScramCredentials {
  std::string salt;
  std::uint32_t iterations = kScramIterations;
  std::vector<ScramKeys> keys;
};

/// The keys for `password` (RFC 5802 §3). About 0.3 µs an iteration: on a worker. Invalid when
/// SASLprep refuses the password: such a one cannot be used with SCRAM.
Result<ScramKeys> derive_scram_keys(crypto::Hash hash, const crypto::Secret& password,
                                    std::string_view salt, std::uint32_t iterations);

/// Credentials for a name that has none: the same salt whenever that name is asked for, keys that
/// no password fits. `name` must be in the form in which accounts are looked up, or the spelling of
/// a name would tell whether it exists.
ScramCredentials absent_scram_credentials(const crypto::MasterKey& master, crypto::Hash hash,
                                          std::string_view name,
                                          std::uint32_t iterations = kScramIterations);

}  // namespace hikyaku::sasl
