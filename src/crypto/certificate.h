// X.509 certificates as values: read from PEM or DER, made self-signed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/random.h"

namespace hikyaku::crypto {

/// What we want to know about a certificate. It says nothing about trust: that is decided in the
/// TLS handshake (net/) or by DANE.
struct Certificate {
  std::string der;
  std::string subject;  ///< RFC 2253 form, for people: "CN=mail.alpha.test"
  std::string issuer;
  /// Names it is for (RFC 6125): dNSName entries, small letters; the subject's common name only
  /// when there is no subjectAltName at all. Entries with anything but printable ASCII are left
  /// out.
  std::vector<std::string> dns_names;
  std::vector<IpAddress> addresses;
  Time not_before;
  Time not_after;
  std::string public_key_der;    ///< SubjectPublicKeyInfo: what TLSA selector 1 hashes
  std::string server_end_point;  ///< channel-binding data tls-server-end-point (RFC 5929 §4.1);
                                 ///< empty when its signature has no single digest
  bool self_signed = false;      ///< subject and issuer are one, and the signature is its own

  /// The digest of the whole certificate in DER.
  std::string fingerprint(Hash hash = Hash::Sha256) const { return digest(hash, der); }
  /// True if the certificate is for this host name: equal without regard to case, or by a wildcard
  /// that stands for the whole first label (RFC 6125 §6.4).
  bool covers(std::string_view host) const;
  /// True if `key` is the private part of its key.
  bool matches(const PrivateKey& key) const;
};

/// One certificate in DER, with nothing behind it. Invalid otherwise.
Result<Certificate> parse_certificate(std::string_view der);

/// Every certificate of a PEM text in its order (a chain: the server's own first). Other PEM blocks
/// (keys) and text between are passed over. Invalid when a certificate is broken or there is none,
/// TooLarge above `max_certificates`.
Result<std::vector<Certificate>> parse_certificate_chain(std::string_view pem,
                                                         std::size_t max_certificates = 32);

/// What a self-signed certificate shall say.
struct SelfSigned {
  std::vector<std::string> dns_names;  ///< at least one; the first is the subject's common name
  std::vector<IpAddress> addresses;
  Time not_before;
  Time not_after;
};

/// A server certificate for `key`, signed with it (ECDSA P-256 or RSA with SHA-256, or Ed25519), in
/// PEM. Invalid for names that do not fit into a certificate or an order of times that cannot be.
Result<std::string> make_self_signed(const PrivateKey& key, const SelfSigned& contents,
                                     Random& random);

}  // namespace hikyaku::crypto
