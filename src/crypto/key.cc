#include "crypto/key.h"

#include <cstdlib>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <optional>

#include "crypto/key_internal.h"

namespace hikyaku::crypto {
namespace {

constexpr std::size_t kEd25519Bytes = 32;
constexpr std::size_t kP256Bytes = 32;
/// No key that we take is written longer.
constexpr std::size_t kMaxKeyText = 64 * 1024;

using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

EVP_PKEY* pkey(const std::shared_ptr<void>& key) {
  return static_cast<EVP_PKEY*>(key.get());
}

std::shared_ptr<void> shared(PkeyPtr key) {
  return {key.release(), [](void* gone) { EVP_PKEY_free(static_cast<EVP_PKEY*>(gone)); }};
}

bool is_p256(EVP_PKEY* key) {
  char group[64] = {};
  std::size_t length = 0;
  return EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
         std::string_view(group, length) == "prime256v1";
}

std::optional<KeyType> type_of(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return KeyType::Rsa;
    case EVP_PKEY_ED25519:
      return KeyType::Ed25519;
    case EVP_PKEY_EC:
      if (is_p256(key)) return KeyType::EcdsaP256;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

/// RFC 8017 §3.1: both are odd and positive, and the exponent is 3 at least. With 1 everybody could
/// sign.
Result<void> check_rsa(EVP_PKEY* key) {
  auto* rsa = EVP_PKEY_get0_RSA(key);
  auto* exponent = rsa ? RSA_get0_e(rsa) : nullptr;
  if (!exponent || BN_num_bits(exponent) > kMaxRsaExponentBits)
    return fail(ErrorCode::Unsupported, "exponents of RSA keys may have at most {} bits",
                kMaxRsaExponentBits);
  for (auto* number : {RSA_get0_n(rsa), exponent})
    if (!BN_is_odd(number) || BN_is_negative(number) || BN_is_one(number))
      return fail(ErrorCode::Unsupported, "the numbers of the RSA key prove nothing");
  return {};
}

Result<void> check_usable(EVP_PKEY* key) {
  auto type = type_of(key);
  if (!type)
    return fail(ErrorCode::Unsupported, "only RSA, ECDSA P-256 and Ed25519 keys can be used");
  if (*type == KeyType::Rsa && EVP_PKEY_get_bits(key) > kMaxRsaBits)
    return fail(ErrorCode::Unsupported, "RSA keys may have at most {} bits", kMaxRsaBits);
  if (*type == KeyType::Rsa) return check_rsa(key);
  return {};
}

int bits_of(EVP_PKEY* key) {
  return type_of(key) == KeyType::Rsa ? EVP_PKEY_get_bits(key) : 256;
}

bool fits(Signature kind, KeyType type) {
  switch (kind) {
    case Signature::RsaSha256:
    case Signature::RsaSha1:
      return type == KeyType::Rsa;
    case Signature::Ed25519:
      return type == KeyType::Ed25519;
    case Signature::EcdsaSha256:
      return type == KeyType::EcdsaP256;
  }
  return false;
}

const EVP_MD* hash_of(Signature kind) {
  switch (kind) {
    case Signature::RsaSha256:
    case Signature::EcdsaSha256:
      return native(Hash::Sha256);
    case Signature::RsaSha1:
      return native(Hash::Sha1);
    case Signature::Ed25519:
      return nullptr;
  }
  return nullptr;
}

std::string public_der(EVP_PKEY* key) {
  unsigned char* out = nullptr;
  auto size = i2d_PUBKEY(key, &out);
  if (size <= 0) return {};
  std::string result(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return result;
}

/// The contents of the DER element with this tag at the front of `der`, which is moved behind it.
std::optional<std::string_view> take_element(std::string_view& der, unsigned char tag) {
  if (der.size() < 2 || static_cast<unsigned char>(der[0]) != tag) return std::nullopt;
  std::size_t size = static_cast<unsigned char>(der[1]);
  std::size_t head = 2;
  if (size >= 0x80) {
    auto digits = size & 0x7f;
    if (digits < 1 || digits > 2 || der.size() < 2 + digits) return std::nullopt;
    size = 0;
    for (; head < 2 + digits; ++head) size = size << 8 | static_cast<unsigned char>(der[head]);
  }
  if (der.size() - head < size) return std::nullopt;
  auto contents = der.substr(head, size);
  der.remove_prefix(head + size);
  return contents;
}

/// The RSAPublicKey within a SubjectPublicKeyInfo; nullopt if it is none for RSA.
std::optional<std::string_view> rsa_within(std::string_view der) {
  using namespace std::string_view_literals;
  constexpr auto kRsaEncryption = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"sv;
  auto info = take_element(der, 0x30);
  if (!info || !der.empty()) return std::nullopt;
  auto algorithm = take_element(*info, 0x30);
  if (algorithm != kRsaEncryption) return std::nullopt;
  auto bits = take_element(*info, 0x03);
  if (!bits || !info->empty() || bits->empty() || bits->front() != '\0') return std::nullopt;
  return bits->substr(1);
}

/// Whether a number of an RSAPublicKey is negative, which OpenSSL reads as if it were not.
bool has_negative_number(std::string_view der) {
  auto numbers = take_element(der, 0x30);
  while (numbers) {
    auto number = take_element(*numbers, 0x02);
    if (!number) return false;
    if (!number->empty() && (number->front() & 0x80) != 0) return true;
  }
  return false;
}

/// OpenSSL's own reader of public keys takes 120 µs, verifying an RSA signature 20: every DKIM
/// signature needs a key from the DNS, so RSA keys are read this way (2 µs).
PkeyPtr read_rsa(std::string_view der) {
  auto at = bytes_of(der);
  std::unique_ptr<RSA, Freed<RSA_free>> rsa(
      d2i_RSAPublicKey(nullptr, &at, static_cast<long>(der.size())));
  if (!rsa || at != bytes_of(der) + der.size()) return nullptr;
  PkeyPtr key(EVP_PKEY_new());
  if (EVP_PKEY_assign_RSA(key.get(), rsa.get()) != 1) return nullptr;
  (void)rsa.release();
  return key;
}

/// The signature checked on the RSA key itself: going through the provider takes 4 µs more, a fifth
/// of the whole.
bool verify_rsa(EVP_PKEY* key, Hash hash, std::string_view data, std::string_view signature) {
  auto* rsa = EVP_PKEY_get0_RSA(key);
  if (!rsa) return false;
  auto hashed = digest(hash, data);
  return RSA_verify(hash == Hash::Sha1 ? NID_sha1 : NID_sha256, bytes_of(hashed),
                    static_cast<unsigned>(hashed.size()), bytes_of(signature),
                    static_cast<unsigned>(signature.size()), const_cast<RSA*>(rsa)) == 1;
}

/// OpenSSL speaks ECDSA signatures in DER, JWS as two numbers of 32 bytes.
std::optional<std::string> ecdsa_to_der(std::string_view raw) {
  if (raw.size() != 2 * kP256Bytes) return std::nullopt;
  EcdsaSigPtr pair(ECDSA_SIG_new());
  auto r = BN_bin2bn(bytes_of(raw), kP256Bytes, nullptr);
  auto s = BN_bin2bn(bytes_of(raw) + kP256Bytes, kP256Bytes, nullptr);
  if (ECDSA_SIG_set0(pair.get(), r, s) != 1) return std::nullopt;
  unsigned char* out = nullptr;
  auto size = i2d_ECDSA_SIG(pair.get(), &out);
  if (size <= 0) return std::nullopt;
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

std::optional<std::string> ecdsa_from_der(std::string_view der) {
  auto at = bytes_of(der);
  EcdsaSigPtr pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!pair) return std::nullopt;
  std::string raw(2 * kP256Bytes, '\0');
  if (BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), bytes_of(raw), kP256Bytes) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), bytes_of(raw) + kP256Bytes, kP256Bytes) < 0)
    return std::nullopt;
  return raw;
}

}  // namespace

std::string_view to_string(KeyType type) {
  switch (type) {
    case KeyType::Rsa:
      return "rsa";
    case KeyType::EcdsaP256:
      return "ecdsa-p256";
    case KeyType::Ed25519:
      return "ed25519";
  }
  return "";
}

Result<PublicKey> PublicKey::from_der(std::string_view der) {
  ErrorQueueGuard guard;
  if (der.size() > kMaxKeyText) return fail(ErrorCode::Invalid, "the public key is too long");
  auto rsa = rsa_within(der).value_or(der);
  if (has_negative_number(rsa)) return fail(ErrorCode::Invalid, "not a public key in DER");
  auto key = read_rsa(rsa);
  if (!key) {
    auto at = bytes_of(der);
    key.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
    if (!key || at != bytes_of(der) + der.size())
      return fail(ErrorCode::Invalid, "not a public key in DER");
  }
  TRY_DO(check_usable(key.get()));
  return PublicKey(shared(std::move(key)));
}

Result<PublicKey> PublicKey::from_ed25519(std::string_view bytes) {
  ErrorQueueGuard guard;
  if (bytes.size() != kEd25519Bytes)
    return fail(ErrorCode::Invalid, "an Ed25519 key has {} bytes, not {}", kEd25519Bytes,
                bytes.size());
  PkeyPtr key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(bytes), bytes.size()));
  if (!key) return fail(ErrorCode::Invalid, "not an Ed25519 key");
  return PublicKey(shared(std::move(key)));
}

KeyType PublicKey::type() const {
  return *type_of(pkey(key_));
}
int PublicKey::bits() const {
  return bits_of(pkey(key_));
}
std::string PublicKey::der() const {
  return public_der(pkey(key_));
}

std::string PublicKey::dkim_bytes() const {
  if (type() != KeyType::Ed25519) return der();
  std::string raw(kEd25519Bytes, '\0');
  auto size = raw.size();
  EVP_PKEY_get_raw_public_key(pkey(key_), bytes_of(raw), &size);
  return raw;
}

bool PublicKey::verify(Signature kind, std::string_view data, std::string_view signature) const {
  ErrorQueueGuard guard;
  if (!fits(kind, type()) || signature.size() > kMaxKeyText) return false;
  if (kind == Signature::RsaSha256 || kind == Signature::RsaSha1)
    return verify_rsa(pkey(key_), kind == Signature::RsaSha1 ? Hash::Sha1 : Hash::Sha256, data,
                      signature);
  std::string der;
  if (kind == Signature::EcdsaSha256) {
    auto converted = ecdsa_to_der(signature);
    if (!converted) return false;
    der = std::move(*converted);
    signature = der;
  }
  DigestContext context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, hash_of(kind), nullptr, pkey(key_)) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(data),
                          data.size()) == 1;
}

bool PublicKey::operator==(const PublicKey& other) const {
  ErrorQueueGuard guard;
  return EVP_PKEY_eq(pkey(key_), pkey(other.key_)) == 1;
}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  ErrorQueueGuard guard;
  constexpr std::size_t kRsaBits = 2048;
  PkeyPtr key;
  switch (type) {
    case KeyType::Rsa:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", kRsaBits));
      break;
    case KeyType::EcdsaP256:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
      break;
    case KeyType::Ed25519:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
      break;
  }
  if (!key)
    return fail(ErrorCode::Internal, "cannot make a {} key: {}", to_string(type), openssl_reason());
  return PrivateKey(shared(std::move(key)));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  ErrorQueueGuard guard;
  if (pem.size() > kMaxKeyText) return fail(ErrorCode::Invalid, "the key file is too long");
  // Without this answer OpenSSL would ask for a passphrase on the terminal.
  auto no_passphrase = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  bool encrypted = false;
  auto bio = read_bio(pem);
  PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &encrypted));
  if (encrypted)
    return fail(ErrorCode::Unsupported, "the private key is encrypted with a passphrase");
  if (!key) return fail(ErrorCode::Invalid, "no private key in PEM form found");
  TRY_DO(check_usable(key.get()));
  return PrivateKey(shared(std::move(key)));
}

Secret PrivateKey::to_pem() const {
  ErrorQueueGuard guard;
  BioPtr bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey(key_), nullptr, nullptr, 0, nullptr, nullptr) !=
      1)
    std::abort();
  return Secret(written(bio.get()));
}

KeyType PrivateKey::type() const {
  return *type_of(pkey(key_));
}
int PrivateKey::bits() const {
  return bits_of(pkey(key_));
}

PublicKey PrivateKey::public_key() const {
  auto key = PublicKey::from_der(public_der(pkey(key_)));
  if (!key) std::abort();
  return *std::move(key);
}

Result<std::string> PrivateKey::sign(Signature kind, std::string_view data) const {
  ErrorQueueGuard guard;
  if (!fits(kind, type()) || kind == Signature::RsaSha1)
    return fail(ErrorCode::Invalid, "a {} key cannot make this signature", to_string(type()));
  DigestContext context(EVP_MD_CTX_new());
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(pkey(key_))), '\0');
  auto size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, hash_of(kind), nullptr, pkey(key_)) != 1 ||
      EVP_DigestSign(context.get(), bytes_of(signature), &size, bytes_of(data), data.size()) != 1)
    return fail(ErrorCode::Internal, "cannot sign: {}", openssl_reason());
  signature.resize(size);
  if (kind == Signature::EcdsaSha256) {
    auto raw = ecdsa_from_der(signature);
    if (!raw) return fail(ErrorCode::Internal, "cannot sign: unexpected ECDSA signature");
    return *std::move(raw);
  }
  return signature;
}

}  // namespace hikyaku::crypto
