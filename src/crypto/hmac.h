// Keyed digests (RFC 2104).
#pragma once

#include <string>
#include <string_view>

#include "crypto/digest.h"

namespace hikyaku::crypto {

/// HMAC of `bytes` under `key` (any length): digest_size(hash) raw bytes.
std::string hmac(Hash hash, std::string_view key, std::string_view bytes);

}  // namespace hikyaku::crypto
