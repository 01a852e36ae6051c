#include "seeded_random.h"

#include <sodium/randombytes.h>
#include <stdexcept>

#include "crypto/random.h"

namespace hikyaku::torture {
namespace {

crypto::SeededRandom& seeded() {
  static crypto::SeededRandom random(0);
  return random;
}

const char* name() {
  return "torture";
}

void fill(void* into, std::size_t count) {
  seeded().fill({static_cast<char*>(into), count});
}

std::uint32_t one() {
  std::uint32_t number = 0;
  fill(&number, sizeof number);
  return number;
}

}  // namespace

void seed_system_random(std::uint64_t seed) {
  static randombytes_implementation implementation{name, one, nullptr, nullptr, fill, nullptr};
  if (randombytes_set_implementation(&implementation) != 0)
    throw std::logic_error("libsodium keeps its own randomness");
  (void)crypto::SystemRandom().bytes(1);  // the library takes some for itself when it begins
  seeded() = crypto::SeededRandom(seed);
}

}  // namespace hikyaku::torture
