// How certificate.cc reaches the OpenSSL keys behind PublicKey and PrivateKey.
#pragma once

#include "crypto/key.h"
#include "crypto/openssl_internal.h"

namespace hikyaku::crypto {

struct KeyAccess {
  static EVP_PKEY* native(const PublicKey& key) { return static_cast<EVP_PKEY*>(key.key_.get()); }
  static EVP_PKEY* native(const PrivateKey& key) { return static_cast<EVP_PKEY*>(key.key_.get()); }
};

}  // namespace hikyaku::crypto
