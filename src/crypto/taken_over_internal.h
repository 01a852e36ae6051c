// Password hashes that other systems made. Only password.cc includes this.
#pragma once

#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"

namespace hikyaku::crypto {

/// A hash of crypt(5): bounded work, otherwise as verify_password.
Result<bool> verify_crypt(const Secret& password, std::string_view hash);

/// Digests with or without a salt behind a scheme ("SSHA256"), in base64 or hex. Unsupported for
/// other schemes.
Result<bool> verify_digest_scheme(const Secret& password, std::string_view scheme,
                                  std::string_view hash);

}  // namespace hikyaku::crypto
