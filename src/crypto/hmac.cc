#include "crypto/hmac.h"

#include <cstdlib>
#include <openssl/hmac.h>

#include "crypto/openssl_internal.h"

namespace hikyaku::crypto {

std::string hmac(Hash hash, std::string_view key, std::string_view bytes) {
  std::string result(digest_size(hash), '\0');
  // A null key pointer means "the key of last time" to OpenSSL.
  auto key_bytes = key.empty() ? "" : key.data();
  if (!HMAC(native(hash), key_bytes, static_cast<int>(key.size()), bytes_of(bytes), bytes.size(),
            bytes_of(result), nullptr))
    std::abort();
  return result;
}

}  // namespace hikyaku::crypto
