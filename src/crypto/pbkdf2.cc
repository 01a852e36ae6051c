#include "crypto/pbkdf2.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "crypto/openssl_internal.h"

namespace hikyaku::crypto {

Secret pbkdf2(Hash hash, std::string_view password, std::string_view salt, std::uint32_t iterations,
              std::size_t length) {
  auto rounds = static_cast<int>(std::clamp<std::uint32_t>(iterations, 1, INT_MAX));
  auto password_bytes = password.empty() ? "" : password.data();
  return Secret::filled(length, [&](std::span<char> out) {
    if (PKCS5_PBKDF2_HMAC(password_bytes, static_cast<int>(password.size()), bytes_of(salt),
                          static_cast<int>(salt.size()), rounds, native(hash),
                          static_cast<int>(out.size()),
                          reinterpret_cast<unsigned char*>(out.data())) != 1)
      std::abort();
  });
}

}  // namespace hikyaku::crypto
