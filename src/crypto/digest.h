// Message digests: one-shot and incremental.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace hikyaku::crypto {

/// MD5 and SHA-1 are here for the protocols that name them (APOP, CRAM-MD5, SCRAM-SHA-1, old DKIM
/// signatures); nothing of our own is built on them.
enum class Hash { Md5, Sha1, Sha256, Sha512 };

/// The size of a digest in bytes: 16, 20, 32, 64.
constexpr std::size_t digest_size(Hash hash) {
  switch (hash) {
    case Hash::Md5:
      return 16;
    case Hash::Sha1:
      return 20;
    case Hash::Sha256:
      return 32;
    case Hash::Sha512:
      return 64;
  }
  return 0;
}

/// The digest of `bytes`: digest_size(hash) raw bytes.
std::string digest(Hash hash, std::string_view bytes);

/// A digest that is fed piece by piece.
class Digest {
 public:
  explicit Digest(Hash hash);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void update(std::string_view bytes);
  /// The digest of everything so far. Once; the object takes no more bytes afterwards.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hikyaku::crypto
