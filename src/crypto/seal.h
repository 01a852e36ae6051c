// Secrets that must be had back in clear (CRAM-MD5 and APOP passwords, relay passwords), encrypted
// for the store.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::crypto {

/// XChaCha20-Poly1305 under the master key: a version byte, 24 bytes of nonce, the ciphertext and
/// its tag, 41 bytes more than `plain`. `context` says where the value belongs ("cram-md5 account
/// 17"); it is not stored, and who opens it must give the same one, so that no value can be moved
/// to another place.
std::string seal(const MasterKey& master, std::string_view context, std::string_view plain,
                 Random& random);

/// Corrupt when the value was not sealed under this key for this context, or was changed since.
Result<Secret> unseal(const MasterKey& master, std::string_view context, std::string_view sealed);

}  // namespace hikyaku::crypto
