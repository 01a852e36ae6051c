#include "crypto/certificate.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::crypto {
namespace {

Time at(std::string_view text) {
  return *parse_rfc3339(text);
}

SelfSigned contents() {
  return {{"Mail.alpha.test", "alpha.test", "*.lists.alpha.test"},
          {*IpAddress::parse("127.0.1.1"), *IpAddress::parse("2001:db8::1")},
          at("2026-01-01T00:00:00Z"),
          at("2036-01-01T12:34:56Z")};
}

std::string made(const PrivateKey& key) {
  SeededRandom random(1);
  auto pem = make_self_signed(key, contents(), random);
  REQUIRE(pem);
  return *pem;
}

TEST_CASE("a self-signed certificate says what it was asked to say") {
  for (auto type : {KeyType::EcdsaP256, KeyType::Rsa, KeyType::Ed25519}) {
    CAPTURE(to_string(type));
    auto key = PrivateKey::generate(type);
    auto other = PrivateKey::generate(type);
    REQUIRE(key);
    auto chain = parse_certificate_chain(made(*key));
    REQUIRE(chain);
    REQUIRE(chain->size() == 1);
    const auto& certificate = chain->front();
    CHECK(certificate.subject == "CN=Mail.alpha.test");
    CHECK(certificate.issuer == certificate.subject);
    CHECK(certificate.dns_names ==
          std::vector<std::string>{"mail.alpha.test", "alpha.test", "*.lists.alpha.test"});
    CHECK(certificate.addresses == contents().addresses);
    CHECK(certificate.not_before == contents().not_before);
    CHECK(certificate.not_after == contents().not_after);
    CHECK(certificate.self_signed);
    CHECK(certificate.matches(*key));
    CHECK(!certificate.matches(*other));
    CHECK(certificate.fingerprint() == digest(Hash::Sha256, certificate.der));
    CHECK(certificate.public_key_der == key->public_key().der());
    if (type == KeyType::Ed25519)
      CHECK(certificate.server_end_point.empty());
    else
      CHECK(certificate.server_end_point == digest(Hash::Sha256, certificate.der));
    auto again = parse_certificate(certificate.der);
    REQUIRE(again);
    CHECK(again->subject == certificate.subject);
  }
}

TEST_CASE("two certificates of one key differ in their serial number") {
  auto key = PrivateKey::generate(KeyType::EcdsaP256);
  SystemRandom random;
  CHECK(*make_self_signed(*key, contents(), random) != *make_self_signed(*key, contents(), random));
}

TEST_CASE("names and wildcards cover hosts as RFC 6125 says") {
  Certificate certificate;
  certificate.dns_names = {"mail.alpha.test", "*.lists.alpha.test", "*.test", "*"};
  struct Row {
    std::string_view host;
    bool covered;
  };
  const Row rows[] = {
      {"mail.alpha.test", true},
      {"MAIL.alpha.test.", true},  // case, root dot
      {"alpha.test", false},
      {"x.mail.alpha.test", false},
      {"a.lists.alpha.test", true},
      {"a.b.lists.alpha.test", false},  // one label only
      {"lists.alpha.test", false},
      {".lists.alpha.test", false},
      {"beta.test", false},  // a wildcard for a top-level domain counts for nothing
      {"test", false},
      {"", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    CHECK(certificate.covers(row.host) == row.covered);
  }
}

TEST_CASE("a chain keeps its order, and other things in the file are passed over") {
  auto key = PrivateKey::generate(KeyType::EcdsaP256);
  auto second_key = PrivateKey::generate(KeyType::EcdsaP256);
  auto file = "a comment\n" + std::string(key->to_pem().reveal()) + made(*key) + "between\n" +
              made(*second_key);
  auto chain = parse_certificate_chain(file);
  REQUIRE(chain);
  REQUIRE(chain->size() == 2);
  CHECK((*chain)[0].matches(*key));
  CHECK((*chain)[1].matches(*second_key));
  CHECK(parse_certificate_chain(file, 1).error().code == ErrorCode::TooLarge);
}

TEST_CASE("broken certificate files are refused") {
  auto key = PrivateKey::generate(KeyType::EcdsaP256);
  auto pem = made(*key);
  auto half = pem.substr(0, pem.size() / 2);
  auto garbled = pem;
  garbled[pem.find('\n') + 10] = '!';
  for (const auto& text : {std::string(), std::string("no certificate here\n"),
                           std::string(key->to_pem().reveal()), half, garbled, pem + half}) {
    CAPTURE(text.size());
    CHECK(parse_certificate_chain(text).error().code == ErrorCode::Invalid);
  }
  auto der = parse_certificate_chain(pem)->front().der;
  CHECK(!parse_certificate(der + "x"));
  CHECK(!parse_certificate(""));
  for (std::size_t cut = 0; cut < der.size(); ++cut)
    CHECK(!parse_certificate(std::string_view(der).substr(0, cut)));
}

TEST_CASE("impossible contents are refused") {
  auto key = PrivateKey::generate(KeyType::EcdsaP256);
  SeededRandom random(1);
  auto refused = [&](auto change) {
    auto wanted = contents();
    change(wanted);
    auto result = make_self_signed(*key, wanted, random);
    return !result && result.error().code == ErrorCode::Invalid;
  };
  CHECK(refused([](SelfSigned& wanted) { wanted.dns_names.clear(); }));
  CHECK(refused([](SelfSigned& wanted) { wanted.dns_names = {""}; }));
  CHECK(refused([](SelfSigned& wanted) { wanted.dns_names = {std::string("a\0b", 3)}; }));
  CHECK(refused([](SelfSigned& wanted) { wanted.dns_names = {std::string(256, 'a')}; }));
  CHECK(refused([](SelfSigned& wanted) { wanted.not_after = wanted.not_before; }));
}

TEST_CASE("a comma in a name does not become a second name") {
  auto key = PrivateKey::generate(KeyType::EcdsaP256);
  SeededRandom random(1);
  auto wanted = contents();
  wanted.dns_names = {"a.test,DNS:evil.test"};
  auto pem = make_self_signed(*key, wanted, random);
  REQUIRE(pem);
  CHECK(parse_certificate_chain(*pem)->front().dns_names ==
        std::vector<std::string>{"a.test,dns:evil.test"});
}

}  // namespace
}  // namespace hikyaku::crypto
