// What each operation costs on this machine; docs/architecture.md and the headers quote it.
#include <chrono>
#include <fmt/core.h>

#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"
#include "crypto/password.h"
#include "crypto/pbkdf2.h"

using namespace hikyaku::crypto;

namespace {

template <class Work>
void measure(std::string_view name, Work work) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  int rounds = 0;
  std::chrono::duration<double, std::micro> spent{};
  do {
    work();
    ++rounds;
    spent = Clock::now() - start;
  } while (spent < std::chrono::milliseconds(300));
  fmt::print("{:<32}{:>12.2f} µs\n", name, spent.count() / rounds);
}

}  // namespace

int main() {
  const std::string short_text(64, 'x');
  const std::string long_text(1 << 20, 'x');
  measure("SHA-256 of 64 bytes", [&] { (void)digest(Hash::Sha256, short_text); });
  measure("SHA-256 of 1 MiB", [&] { (void)digest(Hash::Sha256, long_text); });
  measure("HMAC-SHA-256 of 64 bytes", [&] { (void)hmac(Hash::Sha256, "key", short_text); });
  measure("PBKDF2-SHA-256, 10,000 rounds",
          [&] { (void)pbkdf2(Hash::Sha256, "password", "salt", 10'000, 32); });
  SystemRandom random;
  auto stored = *hash_password(Secret("password"), random);
  measure("Argon2id", [&] { (void)verify_password(Secret("password"), stored); });
  for (auto [type, kind] : {std::pair{KeyType::Rsa, Signature::RsaSha256},
                            {KeyType::Ed25519, Signature::Ed25519},
                            {KeyType::EcdsaP256, Signature::EcdsaSha256}}) {
    auto key = *PrivateKey::generate(type);
    auto der = key.public_key().der();
    auto pem = key.to_pem();
    auto signature = *key.sign(kind, short_text);
    auto public_key = key.public_key();
    measure(fmt::format("{}: read private", to_string(type)),
            [&] { (void)PrivateKey::from_pem(pem.reveal()); });
    measure(fmt::format("{}: read public", to_string(type)),
            [&] { (void)PublicKey::from_der(der); });
    measure(fmt::format("{}: sign", to_string(type)), [&] { (void)key.sign(kind, short_text); });
    measure(fmt::format("{}: verify", to_string(type)),
            [&] { (void)public_key.verify(kind, short_text, signature); });
    measure(fmt::format("{}: read public, verify", to_string(type)), [&] {
      auto read = PublicKey::from_der(der);
      (void)read->verify(kind, short_text, signature);
    });
  }
}
