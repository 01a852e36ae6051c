#include <algorithm>
#include <crypt.h>
#include <memory>
#include <optional>
#include <sodium/utils.h>

#include "base/base64.h"
#include "base/text.h"
#include "crypto/constant_time.h"
#include "crypto/digest.h"
#include "crypto/taken_over_internal.h"

namespace hikyaku::crypto {
namespace {

constexpr std::uint64_t kMaxShaRounds = 5'000'000;
constexpr std::uint64_t kMaxBcryptCost = 16;
/// N of yescrypt as a power of two; with r = 32 this is 256 MiB.
constexpr std::size_t kMaxYescryptPower = 16;
constexpr std::size_t kMaxYescryptBlock = 32;

constexpr std::string_view kCryptLetters =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool is_crypt_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != ':'; });
}

Result<void> too_costly() {
  return fail(ErrorCode::TooLarge, "this password hash asks for more work than a login may cost");
}

Result<void> check_sha_rounds(std::string_view parameters) {
  constexpr std::string_view kRounds = "rounds=";
  if (!parameters.starts_with(kRounds)) return {};
  auto digits = parameters.substr(kRounds.size(), parameters.find('$') - kRounds.size());
  if (digits.size() > 10 || !std::ranges::all_of(digits, is_ascii_digit))
    return fail(ErrorCode::Invalid, "broken password hash");
  auto rounds = parse_decimal(digits, kMaxShaRounds);
  return rounds ? Result<void>() : too_costly();
}

/// Flavour, N and r, each one character for the values that are in use (crypt(5): "j9T").
Result<void> check_yescrypt_cost(std::string_view parameters) {
  auto value = [&](std::size_t i) {
    return i < parameters.size() ? kCryptLetters.find(parameters[i]) : std::string_view::npos;
  };
  if (value(0) >= 48 || value(1) == std::string_view::npos || value(2) == std::string_view::npos)
    return fail(ErrorCode::Unsupported, "a yescrypt hash with unusual parameters");
  if (value(1) + 1 > kMaxYescryptPower || value(2) + 1 > kMaxYescryptBlock) return too_costly();
  // More parameters (parallelism, time) would multiply the work.
  if (parameters.size() < 4 || parameters[3] != '$')
    return fail(ErrorCode::Unsupported, "a yescrypt hash with unusual parameters");
  return {};
}

Result<void> check_cost(std::string_view hash) {
  if (hash.starts_with("$5$") || hash.starts_with("$6$")) return check_sha_rounds(hash.substr(3));
  if (hash.starts_with("$y$")) return check_yescrypt_cost(hash.substr(3));
  if (hash.starts_with("$1$")) return {};
  if (hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$")) {
    auto cost = hash.size() == 60 ? parse_decimal(hash.substr(4, 2)) : std::nullopt;
    if (!cost) return fail(ErrorCode::Invalid, "broken password hash");
    return *cost > kMaxBcryptCost ? too_costly() : Result<void>();
  }
  bool traditional = hash.size() == 13 && std::ranges::all_of(hash, [](char c) {
                       return kCryptLetters.find(c) != std::string_view::npos;
                     });
  if (!traditional) return fail(ErrorCode::Unsupported, "unknown kind of password hash");
  return {};
}

struct DigestScheme {
  std::string_view name;
  Hash hash;
  bool salted;
};
constexpr DigestScheme kDigestSchemes[] = {
    {"SSHA", Hash::Sha1, true},      {"SSHA256", Hash::Sha256, true},
    {"SSHA512", Hash::Sha512, true}, {"SHA", Hash::Sha1, false},
    {"SHA1", Hash::Sha1, false},     {"SHA256", Hash::Sha256, false},
    {"SHA512", Hash::Sha512, false}, {"PLAIN-MD5", Hash::Md5, false},
    {"LDAP-MD5", Hash::Md5, false},  {"SMD5", Hash::Md5, true},
};

}  // namespace

Result<bool> verify_crypt(const Secret& password, std::string_view hash) {
  if (hash.size() >= CRYPT_OUTPUT_SIZE || !is_crypt_text(hash))
    return fail(ErrorCode::Invalid, "broken password hash");
  TRY_DO(check_cost(hash));
  // crypt() ends at a NUL: "secret\0x" must not pass for "secret". It also takes no more than this.
  if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE ||
      password.reveal().find('\0') != std::string_view::npos)
    return false;
  auto data = std::make_unique<crypt_data>();
  auto phrase = Secret::filled(password.size() + 1, [&](std::span<char> out) {
    std::ranges::copy(password.reveal(), out.begin());
    out.back() = '\0';
  });
  auto setting = std::string(hash);
  auto answer = crypt_rn(phrase.reveal().data(), setting.c_str(), data.get(), sizeof(crypt_data));
  std::optional<bool> equal;
  if (answer) equal = constant_time_equal(answer, hash);
  sodium_memzero(data.get(), sizeof(crypt_data));
  if (!equal) return fail(ErrorCode::Invalid, "broken password hash");
  return *equal;
}

Result<bool> verify_digest_scheme(const Secret& password, std::string_view scheme,
                                  std::string_view hash) {
  auto found = std::ranges::find_if(
      kDigestSchemes, [&](const DigestScheme& known) { return iequals(known.name, scheme); });
  if (found == std::end(kDigestSchemes))
    return fail(ErrorCode::Unsupported, "unknown password scheme {{{}}}", printable(scheme, 32));
  const auto size = digest_size(found->hash);
  std::optional<std::string> bytes;
  if (hash.size() == 2 * size) bytes = from_hex(hash);
  if (!bytes) bytes = base64_decode(hash);
  constexpr std::size_t kMaxSalt = 64;
  if (!bytes || bytes->size() < size || bytes->size() > size + (found->salted ? kMaxSalt : 0))
    return fail(ErrorCode::Invalid, "broken password hash");
  Digest computed(found->hash);
  computed.update(password.reveal());
  computed.update(std::string_view(*bytes).substr(size));
  return constant_time_equal(computed.finish(), std::string_view(*bytes).substr(0, size));
}

}  // namespace hikyaku::crypto
