// Reading certificates and keys with OpenSSL. Private to net/.
#pragma once

#include <string>
#include <vector>

#include "net/openssl_internal.h"

namespace hikyaku::net {

/// One certificate as the server uses it.
struct Certificate {
  X509Ptr leaf;
  std::vector<X509Ptr> chain;
  KeyPtr key;
  CertificateFacts facts;
  std::vector<std::string> shown_for;  ///< names (SNI), lower case
};

/// Invalid with the origin and the reason in words.
Result<Certificate> parse_certificate(const CertificatePem& pem);

/// All certificates of a PEM text.
std::vector<X509Ptr> parse_pem_certificates(const std::string& pem);

}  // namespace hikyaku::net
