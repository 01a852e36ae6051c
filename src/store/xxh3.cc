#include "store/xxh3.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace hikyaku::store {
namespace {

constexpr std::uint64_t kPrime32_1 = 0x9E3779B1;
constexpr std::uint64_t kPrime32_2 = 0x85EBCA77;
constexpr std::uint64_t kPrime32_3 = 0xC2B2AE3D;
constexpr std::uint64_t kPrime64_1 = 0x9E3779B185EBCA87;
constexpr std::uint64_t kPrime64_2 = 0xC2B2AE3D27D4EB4F;
constexpr std::uint64_t kPrime64_3 = 0x165667B19E3779F9;
constexpr std::uint64_t kPrime64_4 = 0x85EBCA77C2B2AE63;
constexpr std::uint64_t kPrime64_5 = 0x27D4EB2F165667C5;
constexpr std::uint64_t kPrimeMix = 0x165667919E3779F9;

// clang-format off
constexpr std::array<unsigned char, 192> kSecretBytes = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};
// clang-format on
constexpr std::size_t kStripe = 64;
constexpr std::size_t kStripesInBlock = (kSecretBytes.size() - kStripe) / 8;
constexpr std::size_t kBlock = kStripe * kStripesInBlock;

/// The little-endian number at a place.
std::uint64_t word(const void* bytes, std::size_t at) {
  std::uint64_t value;
  std::memcpy(&value, static_cast<const char*>(bytes) + at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}
std::uint64_t secret(std::size_t at) {
  return word(kSecretBytes.data(), at);
}

/// The halves of the product, one over the other.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t avalanche(std::uint64_t value) {
  value ^= value >> 37;
  value *= kPrimeMix;
  return value ^ value >> 32;
}

std::uint64_t mix(std::string_view bytes, std::size_t at, std::size_t secret_at) {
  return fold(word(bytes.data(), at) ^ secret(secret_at),
              word(bytes.data(), at + 8) ^ secret(secret_at + 8));
}

/// 17 to 128 bytes: from both ends to the middle.
std::uint64_t hash_to_128(std::string_view bytes) {
  auto sum = bytes.size() * kPrime64_1;
  for (std::size_t i = (bytes.size() - 1) / 32 + 1; i-- > 0;) {
    sum += mix(bytes, i * 16, i * 32);
    sum += mix(bytes, bytes.size() - i * 16 - 16, i * 32 + 16);
  }
  return avalanche(sum);
}

/// 129 to 240 bytes.
std::uint64_t hash_to_240(std::string_view bytes) {
  auto sum = bytes.size() * kPrime64_1;
  for (std::size_t i = 0; i < 8; ++i) sum += mix(bytes, i * 16, i * 16);
  sum = avalanche(sum);
  for (std::size_t i = 8; i < bytes.size() / 16; ++i) sum += mix(bytes, i * 16, (i - 8) * 16 + 3);
  return avalanche(sum + mix(bytes, bytes.size() - 16, 119));
}

class LongHash {
 public:
  std::uint64_t of(std::string_view bytes) {
    auto block = bytes;
    for (; block.size() > kBlock; block.remove_prefix(kBlock)) {
      for (std::size_t n = 0; n < kStripesInBlock; ++n) accumulate(&block[n * kStripe], n * 8);
      scramble();
    }
    // The last block without its last stripe, and the last bytes of all as one.
    for (std::size_t n = 0; n < (block.size() - 1) / kStripe; ++n)
      accumulate(&block[n * kStripe], n * 8);
    accumulate(&bytes[bytes.size() - kStripe], kSecretBytes.size() - 71);
    return merge(bytes.size() * kPrime64_1);
  }

 private:
  void accumulate(const char* stripe, std::size_t secret_at) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      auto value = word(stripe, i * 8);
      auto keyed = value ^ secret(secret_at + i * 8);
      lanes_[i ^ 1] += value;
      lanes_[i] += (keyed & 0xFFFFFFFF) * (keyed >> 32);
    }
  }
  void scramble() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i] ^= lanes_[i] >> 47;
      lanes_[i] ^= secret(kSecretBytes.size() - kStripe + i * 8);
      lanes_[i] *= kPrime32_1;
    }
  }
  std::uint64_t merge(std::uint64_t sum) const {
    for (std::size_t i = 0; i < lanes_.size(); i += 2)
      sum += fold(lanes_[i] ^ secret(11 + i * 8), lanes_[i + 1] ^ secret(11 + i * 8 + 8));
    return avalanche(sum);
  }

  std::array<std::uint64_t, 8> lanes_ = {kPrime32_3, kPrime64_1, kPrime64_2, kPrime64_3,
                                         kPrime64_4, kPrime32_2, kPrime64_5, kPrime32_1};
};

}  // namespace

std::uint64_t xxh3(std::string_view bytes) {
  assert(bytes.size() >= kShortestXxh3);
  if (bytes.size() <= 128) return hash_to_128(bytes);
  if (bytes.size() <= 240) return hash_to_240(bytes);
  return LongHash().of(bytes);
}

}  // namespace hikyaku::store
