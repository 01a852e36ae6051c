// A fast hash for index keys. Not for anything that an adversary must not be able to collide.
#pragma once

#include <cstdint>
#include <string_view>

namespace hikyaku {

/// FNV-1a, 64 bits.
constexpr std::uint64_t fnv1a64(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

}  // namespace hikyaku
