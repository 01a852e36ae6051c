#include "crypto/password.h"

#include <optional>
#include <sodium/crypto_pwhash.h>
#include <sodium/crypto_pwhash_argon2id.h>

#include "base/base64.h"
#include "base/text.h"
#include "crypto/constant_time.h"
#include "crypto/sodium_internal.h"
#include "crypto/taken_over_internal.h"

namespace hikyaku::crypto {
namespace {

constexpr std::string_view kArgon2id = "$argon2id$";
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr std::uint64_t kMaxMemoryKib = 256 * 1024;
constexpr std::uint64_t kMaxPasses = 20;
constexpr std::uint64_t kMaxLanes = 16;

/// What an encoded hash asks for.
struct Argon2Parameters {
  std::uint64_t memory_kib = 0;
  std::uint64_t passes = 0;
  std::uint64_t lanes = 0;
};

std::string base64_without_padding(std::string_view bytes) {
  auto text = base64_encode(bytes);
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

/// "m=19456,t=2,p=1"
std::optional<Argon2Parameters> parse_parameters(std::string_view text) {
  auto pieces = split(text, ',');
  if (pieces.size() != 3) return std::nullopt;
  auto number = [](std::string_view piece, std::string_view name) -> std::optional<std::uint64_t> {
    if (!piece.starts_with(name)) return std::nullopt;
    return parse_decimal(piece.substr(name.size()), UINT32_MAX);
  };
  auto memory = number(pieces[0], "m=");
  auto passes = number(pieces[1], "t=");
  auto lanes = number(pieces[2], "p=");
  if (!memory || !passes || !lanes) return std::nullopt;
  return Argon2Parameters{*memory, *passes, *lanes};
}

/// The parameters of "$argon2id$v=19$m=…,t=…,p=…$salt$hash".
std::optional<Argon2Parameters> parameters_of(std::string_view stored) {
  auto pieces = split(stored, '$');
  if (pieces.size() != 6 || pieces[2] != "v=19") return std::nullopt;
  return parse_parameters(pieces[3]);
}

Result<bool> verify_argon2(const Secret& password, std::string_view stored) {
  auto parameters = parameters_of(stored);
  if (!parameters || stored.size() >= crypto_pwhash_STRBYTES ||
      stored.find('\0') != std::string_view::npos)
    return fail(ErrorCode::Invalid, "broken password hash");
  if (parameters->memory_kib > kMaxMemoryKib || parameters->passes > kMaxPasses ||
      parameters->lanes > kMaxLanes)
    return fail(ErrorCode::TooLarge, "this password hash asks for more work than a login may cost");
  ensure_sodium();
  auto text = std::string(stored);
  auto bytes = password.reveal();
  return crypto_pwhash_str_verify(text.c_str(), bytes.empty() ? "" : bytes.data(), bytes.size()) ==
         0;
}

}  // namespace

Result<std::string> hash_password(const Secret& password, Random& random, const Argon2Cost& cost) {
  ensure_sodium();
  auto salt = random.bytes(kSaltBytes);
  std::string hash(kHashBytes, '\0');
  auto bytes = password.reveal();
  if (crypto_pwhash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                    bytes.empty() ? "" : bytes.data(), bytes.size(),
                    reinterpret_cast<const unsigned char*>(salt.data()), cost.passes,
                    cost.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(ErrorCode::NoSpace, "no memory to hash a password ({} KiB)", cost.memory_kib);
  return fmt::format("{}v=19$m={},t={},p=1${}${}", kArgon2id, cost.memory_kib, cost.passes,
                     base64_without_padding(salt), base64_without_padding(hash));
}

Result<bool> verify_password(const Secret& password, std::string_view stored) {
  std::string_view scheme;
  if (stored.starts_with('{')) {
    auto end = stored.find('}');
    if (end == std::string_view::npos) return fail(ErrorCode::Invalid, "broken password hash");
    scheme = stored.substr(1, end - 1);
    stored.remove_prefix(end + 1);
  }
  if (stored.starts_with("$argon2id$") || stored.starts_with("$argon2i$"))
    return verify_argon2(password, stored);
  bool crypt = scheme.empty() || scheme == "CRYPT" || scheme.ends_with("-CRYPT");
  return crypt ? verify_crypt(password, stored) : verify_digest_scheme(password, scheme, stored);
}

bool wants_rehash(std::string_view stored, const Argon2Cost& cost) {
  if (!stored.starts_with(kArgon2id)) return true;
  auto parameters = parameters_of(stored);
  return !parameters || parameters->memory_kib < cost.memory_kib ||
         parameters->passes < cost.passes;
}

void spend_password_time(const Secret& password) {
  // Any well-formed hash of the default cost does; this one belongs to no password.
  static const std::string nobody =
      fmt::format("{}v=19$m={},t={},p=1${}${}", kArgon2id, Argon2Cost().memory_kib,
                  Argon2Cost().passes, base64_without_padding(std::string(kSaltBytes, '\0')),
                  base64_without_padding(std::string(kHashBytes, '\0')));
  (void)verify_argon2(password, nobody);
}

Secret generate_password(Random& random) {
  constexpr std::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";
  static_assert(kLetters.size() == 32);
  constexpr std::size_t kGroups = 7;
  constexpr std::size_t kGroup = 4;
  return Secret::filled(kGroups * (kGroup + 1) - 1, [&](std::span<char> out) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = i % (kGroup + 1) == kGroup ? '-' : kLetters[random.below(32)];
  });
}

}  // namespace hikyaku::crypto
