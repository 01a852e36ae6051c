#include "crypto/key.h"

#include <doctest/doctest.h>

#include "base/base64.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace hikyaku::crypto {
namespace {

Signature usual(KeyType type) {
  switch (type) {
    case KeyType::Rsa:
      return Signature::RsaSha256;
    case KeyType::EcdsaP256:
      return Signature::EcdsaSha256;
    case KeyType::Ed25519:
      return Signature::Ed25519;
  }
  return Signature::RsaSha256;
}

constexpr KeyType kTypes[] = {KeyType::Rsa, KeyType::EcdsaP256, KeyType::Ed25519};

TEST_CASE("a new key signs, and its public part verifies, also after writing and reading both") {
  for (auto type : kTypes) {
    CAPTURE(to_string(type));
    auto key = PrivateKey::generate(type);
    REQUIRE(key);
    CHECK(key->type() == type);
    CHECK(key->bits() == (type == KeyType::Rsa ? 2048 : 256));
    auto pem = key->to_pem();
    CHECK(pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    auto again = PrivateKey::from_pem("some words\n" + std::string(pem.reveal()));
    REQUIRE(again);
    auto signature = again->sign(usual(type), "the letter");
    REQUIRE(signature);
    auto from_der = PublicKey::from_der(key->public_key().der());
    REQUIRE(from_der);
    CHECK((*from_der == again->public_key()));
    CHECK(from_der->verify(usual(type), "the letter", *signature));
    CHECK(!from_der->verify(usual(type), "the Letter", *signature));
    CHECK(!from_der->verify(usual(type), "the letter", signature->substr(1)));
    CHECK(!from_der->verify(usual(type), "the letter", ""));
    for (auto other : kTypes) {
      if (other == type) continue;
      CHECK(!from_der->verify(usual(other), "the letter", *signature));
      CHECK(key->sign(usual(other), "x").error().code == ErrorCode::Invalid);
    }
  }
}

TEST_CASE("Ed25519 gives the signature of RFC 8032 and its key the form of RFC 8463") {
  // RFC 8032 §7.1, test 2: the 32 bytes of the seed behind the fixed head of PKCS#8.
  auto seed = *from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  auto pkcs8 = *from_hex("302e020100300506032b657004220420") + seed;
  auto key = PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\n" + base64_encode(pkcs8) +
                                  "\n-----END PRIVATE KEY-----\n");
  REQUIRE(key);
  auto raw = key->public_key().dkim_bytes();
  CHECK(to_hex(raw) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  auto signature = key->sign(Signature::Ed25519, "\x72");
  REQUIRE(signature);
  CHECK(to_hex(*signature) ==
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  auto read = PublicKey::from_ed25519(raw);
  REQUIRE(read);
  CHECK(read->verify(Signature::Ed25519, "\x72", *signature));
}

TEST_CASE("an RSA public key is read in both of its forms") {
  auto key = PrivateKey::generate(KeyType::Rsa);
  REQUIRE(key);
  auto der = key->public_key().der();
  CHECK(key->public_key().dkim_bytes() == der);
  auto bare = PublicKey::from_der(std::string_view(der).substr(24));  // inside the BIT STRING
  REQUIRE(bare);
  CHECK((*bare == key->public_key()));
  CHECK(bare->der() == der);
  auto signature = *key->sign(Signature::RsaSha256, "x");
  CHECK(bare->verify(Signature::RsaSha256, "x", signature));
  CHECK(!bare->verify(Signature::RsaSha1, "x", signature));
}

TEST_CASE("an old signature with SHA-1 still verifies, and none is made") {
  auto key = PublicKey::from_der(*base64_decode(
      "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDaK3ZRU/f7kCw5TMxSwppwVqkq4GZWDfrTMlG3NBIzMDGVcc9a"
      "UzCJuYGBYmvipkguODmOUFJcy4XiMCbM9dx327iFx3wFg4Y8Brvj6UFA+e15pPkVvqstQzsd6mVccrYK9pi10c5E"
      "7Kns8MzpDPEKxHjTJrawZqFuzqFmSMjISQIDAQAB"));
  REQUIRE(key);
  CHECK(key->bits() == 1024);
  auto signature = *base64_decode(
      "HZ8DQBrHndVpwChbuaeeUc2+LmcNRkdXVpDAXNlcbab794fH5L47BZ7dZwM2LS8Wvzy/5Y3DUfnVjF3D6CTmLEcG"
      "CZxDWuXO6nwREEKtP0kHyOc3ORxhJzbuEfTL7P9LD/ByW8EsnlmIAPw71Cw1zvbuXXTs2yu2KWT3oqC9SFA=");
  CHECK(key->verify(Signature::RsaSha1, "an old letter", signature));
  CHECK(!key->verify(Signature::RsaSha256, "an old letter", signature));
  CHECK(!key->verify(Signature::RsaSha1, "an old Letter", signature));
  CHECK(!PrivateKey::generate(KeyType::Rsa)->sign(Signature::RsaSha1, "x"));
}

TEST_CASE("what is no key is refused") {
  auto key = PrivateKey::generate(KeyType::Rsa);
  REQUIRE(key);
  auto der = key->public_key().der();
  CHECK(!PublicKey::from_der(""));
  CHECK(!PublicKey::from_der("garbage"));
  CHECK(!PublicKey::from_der(der + "x"));
  CHECK(!PublicKey::from_der(std::string_view(der).substr(0, der.size() - 1)));
  CHECK(!PublicKey::from_der(std::string(1 << 20, '0')));
  CHECK(!PublicKey::from_ed25519("short"));
  CHECK(PrivateKey::from_pem("").error().code == ErrorCode::Invalid);
  CHECK(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            .error()
            .code == ErrorCode::Invalid);
  auto secp384 = *from_hex(
      "3076301006072a8648ce3d020106052b81040022036200"
      "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872"
      "760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d"
      "7c90ea0e5f");  // the generator of P-384 is a point like any other
  CHECK(PublicKey::from_der(secp384).error().code == ErrorCode::Unsupported);
}

TEST_CASE("an encrypted key is named as such, and nobody is asked for a passphrase") {
  auto result = PrivateKey::from_pem(
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjr1XVHCyEUxQICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEI4aWB9z9Wl7E0VHHcXpM8IEQEyP\n"
      "Yh4oU0xPZp8vGUF8oVmUl4dZ0l1kE3f0QyQhV0m7H5YkE6p6m0cJwq4s8oJ3y1xT\n"
      "cZ7kq0b4v3h2n1m0p9E=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n");
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::Unsupported);
}

std::string der(char tag, const std::string& content) {
  auto length = content.size();
  std::string text(1, tag);
  if (length >= 128) {
    text += '\x82';
    text += static_cast<char>(length >> 8);
  }
  text += static_cast<char>(length & 0xff);
  return text + content;
}

TEST_CASE("RSA keys that would keep a verifier busy are refused") {
  auto key = [](std::size_t modulus_bytes, const std::string& exponent) {
    auto modulus = std::string(1, '\0') + std::string(modulus_bytes, '\xc1');
    return PublicKey::from_der(der(0x30, der(0x02, modulus) + der(0x02, exponent)));
  };
  CHECK(key(256, {"\x01\x00\x01", 3}));
  CHECK(key(1024, {"\x03", 1}));
  CHECK(key(256, {"\x00\xff\xff\xff\xff", 5}));
  for (auto& exponent :
       {std::string("\x01\x00\x00\x00\x01", 5), "\x01" + std::string(250, '\x01')}) {
    auto refused = key(256, exponent);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Unsupported);
  }
  CHECK_FALSE(key(1025, {"\x03", 1}));
}

TEST_CASE("RSA keys that are none are refused") {
  auto number = [](std::string bytes) { return der(0x02, bytes); };
  auto modulus = number(std::string(1, '\0') + std::string(256, '\xc1'));
  auto exponent = number({"\x01\x00\x01", 3});
  auto good = der(0x30, modulus + exponent);
  REQUIRE(PublicKey::from_der(good));
  struct Row {
    std::string_view what;
    std::string text;
  };
  for (auto& [what, text] : std::initializer_list<Row>{
           {"nothing", ""},
           {"a byte more", good + '\0'},
           {"a byte less", good.substr(0, good.size() - 1)},
           {"another key behind it", good + good},
           {"a modulus only", der(0x30, modulus)},
           {"exponent 0", der(0x30, modulus + number({"\0", 1}))},
           {"exponent 1: everybody could sign", der(0x30, modulus + number("\x01"))},
           {"exponent 2", der(0x30, modulus + number("\x02"))},
           {"a negative exponent", der(0x30, modulus + number("\xfd"))},
           {"a negative modulus", der(0x30, number(std::string(256, '\xc1')) + exponent)},
           {"modulus 0", der(0x30, number({"\0", 1}) + exponent)},
           {"a length longer than all", {"\x30\x84\xff\xff\xff\xff\x02\x01\x01", 9}},
           {"text", "hello"},
       }) {
    CAPTURE(what);
    CHECK_FALSE(PublicKey::from_der(text));
  }
}

}  // namespace
}  // namespace hikyaku::crypto
