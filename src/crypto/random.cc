#include "crypto/random.h"

#include <cstring>
#include <sodium/randombytes.h>

#include "crypto/sodium_internal.h"

namespace hikyaku::crypto {

std::string Random::bytes(std::size_t count) {
  std::string result(count, '\0');
  fill(result);
  return result;
}

Secret Random::secret(std::size_t count) {
  return Secret::filled(count, [this](std::span<char> out) { fill(out); });
}

std::uint32_t Random::below(std::uint32_t limit) {
  if (limit < 2) return 0;
  // The smallest values are drawn again, so that every remainder is equally likely.
  const std::uint32_t skip = -limit % limit;
  for (;;) {
    std::uint32_t number = 0;
    fill(std::span(reinterpret_cast<char*>(&number), sizeof number));
    if (number >= skip) return number % limit;
  }
}

std::string Random::token(std::size_t count) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string result;
  result.reserve(count);
  while (result.size() < count) {
    char drawn[32];
    fill(drawn);
    for (char byte : drawn) {
      auto index = static_cast<unsigned char>(byte) & 63u;
      if (index < kLetters.size() && result.size() < count) result += kLetters[index];
    }
  }
  return result;
}

void SystemRandom::fill(std::span<char> bytes) {
  ensure_sodium();
  randombytes_buf(bytes.data(), bytes.size());
}

void SeededRandom::fill(std::span<char> bytes) {
  unsigned char key[randombytes_SEEDBYTES] = {};
  ++calls_;
  std::memcpy(key, &seed_, sizeof seed_);
  std::memcpy(key + sizeof seed_, &calls_, sizeof calls_);
  randombytes_buf_deterministic(bytes.data(), bytes.size(), key);
}

}  // namespace hikyaku::crypto
