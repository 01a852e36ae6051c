// Where unpredictable bytes come from. Pure code takes a Random&, so that tests can repeat it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "crypto/secret.h"

namespace hikyaku::crypto {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<char> bytes) = 0;

  std::string bytes(std::size_t count);
  Secret secret(std::size_t count);
  /// A number in [0, limit), each as likely as any other; `limit` is at least 1.
  std::uint32_t below(std::uint32_t limit);
  /// `count` letters and digits (about 5.95 bits each): for nonces, ids and boundaries.
  std::string token(std::size_t count);
};

/// The kernel's generator. From any thread.
class SystemRandom final : public Random {
 public:
  void fill(std::span<char> bytes) override;
};

/// Repeats itself for the same seed: for tests and simulations only. One thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : seed_(seed) {}
  void fill(std::span<char> bytes) override;

 private:
  std::uint64_t seed_;
  std::uint64_t calls_ = 0;
};

}  // namespace hikyaku::crypto
