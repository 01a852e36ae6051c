#include "crypto/seal.h"

#include <sodium/crypto_aead_xchacha20poly1305.h>

#include "crypto/sodium_internal.h"

namespace hikyaku::crypto {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::string_view kPurpose = "seal";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string seal(const MasterKey& master, std::string_view context, std::string_view plain,
                 Random& random) {
  ensure_sodium();
  auto key = master.derive(kPurpose);
  auto result = kVersion + random.bytes(kNonce);
  const auto head = result.size();
  result.resize(head + plain.size() + kTag);
  auto out = reinterpret_cast<unsigned char*>(result.data());
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + head, nullptr, bytes_of(plain), plain.size(),
                                             bytes_of(context), context.size(), nullptr, out + 1,
                                             bytes_of(key.reveal()));
  return result;
}

Result<Secret> unseal(const MasterKey& master, std::string_view context, std::string_view sealed) {
  ensure_sodium();
  if (sealed.size() < 1 + kNonce + kTag || sealed.front() != kVersion)
    return fail(ErrorCode::Corrupt, "a sealed secret has an unknown form");
  auto key = master.derive(kPurpose);
  auto nonce = sealed.substr(1, kNonce);
  auto cipher = sealed.substr(1 + kNonce);
  bool opened = false;
  auto plain = Secret::filled(cipher.size() - kTag, [&](std::span<char> out) {
    opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
                 reinterpret_cast<unsigned char*>(out.data()), nullptr, nullptr, bytes_of(cipher),
                 cipher.size(), bytes_of(context), context.size(), bytes_of(nonce),
                 bytes_of(key.reveal())) == 0;
  });
  if (!opened)
    return fail(ErrorCode::Corrupt,
                "a sealed secret cannot be opened: it was changed, moved, or sealed with another "
                "secret.key");
  return plain;
}

}  // namespace hikyaku::crypto
