// Keys from passwords by PBKDF2-HMAC (RFC 8018 §5.2), as SCRAM wants them. Our own password store
// uses Argon2id (password.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "crypto/digest.h"
#include "crypto/secret.h"

namespace hikyaku::crypto {

/// `length` bytes of key. Costs about 0.3 µs times `iterations` for one block: run more than a few
/// thousand on a worker. At least one iteration is done.
Secret pbkdf2(Hash hash, std::string_view password, std::string_view salt, std::uint32_t iterations,
              std::size_t length);

}  // namespace hikyaku::crypto
