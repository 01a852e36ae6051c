// Private and public keys for DKIM, ARC and certificates: made, read, written, used.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"

namespace hikyaku::crypto {

enum class KeyType { Rsa, EcdsaP256, Ed25519 };
/// "rsa", "ecdsa-p256", "ed25519".
std::string_view to_string(KeyType type);

/// How a signature is made. The data to sign is given whole; for Ed25519 that is what the protocol
/// says (in DKIM the SHA-256 digest, RFC 8463 §3).
enum class Signature {
  RsaSha256,    ///< RSASSA-PKCS1-v1_5 (RFC 8017 §8.2)
  RsaSha1,      ///< the same with SHA-1; only to verify old signatures
  Ed25519,      ///< RFC 8032
  EcdsaSha256,  ///< P-256; 64 bytes r || s as in JWS (RFC 7518 §3.4), for ACME
};

/// Longer RSA keys are refused: verifying with them is a way to keep us busy.
constexpr int kMaxRsaBits = 8192;
/// The same holds for exponents: 3,072 bits of modulus and of exponent take 15 ms, a thousand times
/// what 65537 takes. Nobody makes longer ones than this.
constexpr int kMaxRsaExponentBits = 32;

/// A public key. A value, cheap to copy; any thread.
class PublicKey {
 public:
  /// SubjectPublicKeyInfo in DER, or an RSAPublicKey of PKCS#1 (both stand in DKIM records, RFC
  /// 6376 §3.6.1 and its errata). Invalid when it is neither, Unsupported for other kinds of key.
  static Result<PublicKey> from_der(std::string_view der);
  /// The 32 bytes themselves, as in DKIM records (RFC 8463 §4).
  static Result<PublicKey> from_ed25519(std::string_view bytes);

  KeyType type() const;
  /// RSA: the length of the modulus; others: 256.
  int bits() const;
  /// SubjectPublicKeyInfo (RFC 5280 §4.1): what TLSA selector 1 hashes.
  std::string der() const;
  /// What the p= tag of a DKIM record holds, before base64: SubjectPublicKeyInfo for RSA, the 32
  /// bytes for Ed25519.
  std::string dkim_bytes() const;

  /// True if `signature` is right for `data`. False also when the kind does not fit the key.
  bool verify(Signature kind, std::string_view data, std::string_view signature) const;

  bool operator==(const PublicKey& other) const;

 private:
  friend class PrivateKey;
  friend struct KeyAccess;
  explicit PublicKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
  std::shared_ptr<void> key_;
};

/// A private key. A value, cheap to copy (the key itself is shared and wiped with its last owner);
/// any thread.
class PrivateKey {
 public:
  /// A new key; RSA with 2048 bits (about 100 ms), others at once.
  static Result<PrivateKey> generate(KeyType type);
  /// PKCS#8 or the older forms ("BEGIN RSA PRIVATE KEY", "BEGIN EC PRIVATE KEY"); text before and
  /// behind is passed over. Invalid when there is none, Unsupported for an encrypted one or another
  /// kind of key.
  static Result<PrivateKey> from_pem(std::string_view pem);
  /// PKCS#8.
  Secret to_pem() const;

  KeyType type() const;
  int bits() const;
  PublicKey public_key() const;

  /// Invalid when the kind does not fit the key, and for RsaSha1. RSA with 2048 bits takes about
  /// 0.3 ms of a core: on a worker under load.
  Result<std::string> sign(Signature kind, std::string_view data) const;

 private:
  friend struct KeyAccess;
  explicit PrivateKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
  std::shared_ptr<void> key_;
};

}  // namespace hikyaku::crypto
