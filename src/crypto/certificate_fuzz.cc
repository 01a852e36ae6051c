// Certificates and public keys from other servers and from the DNS.
#include "crypto/certificate.h"

using namespace hikyaku;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (auto certificate = crypto::parse_certificate(input)) (void)certificate->covers("a.b.test");
  (void)crypto::parse_certificate_chain(input);
  (void)crypto::PrivateKey::from_pem(input);
  if (auto key = crypto::PublicKey::from_der(input)) {
    (void)key->bits();
    (void)key->dkim_bytes();
    (void)key->verify(crypto::Signature::RsaSha256, "data", std::string(256, 's'));
  }
  return 0;
}
