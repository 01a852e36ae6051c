// The arithmetic of SCRAM (RFC 5802 §3) that server and client share.
#pragma once

#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "crypto/secret.h"

namespace hikyaku::sasl {

/// SaltedPassword. The password is already prepared.
crypto::Secret salted_password(crypto::Hash hash, std::string_view password, std::string_view salt,
                               std::uint32_t iterations);
std::string client_key(crypto::Hash hash, const crypto::Secret& salted);
std::string server_key(crypto::Hash hash, const crypto::Secret& salted);

/// Byte by byte; both have the same length.
std::string exclusive_or(std::string_view a, std::string_view b);

}  // namespace hikyaku::sasl
