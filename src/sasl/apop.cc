#include "sasl/apop.h"

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/constant_time.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"

namespace hikyaku::sasl {
namespace {

using crypto::Secret;

template <class MakeDigest>
std::optional<std::size_t> find(std::string_view challenge, std::string_view given,
                                std::span<const Secret> passwords, MakeDigest make) {
  // The RFCs write small letters; a client with large ones means the same.
  auto digest = to_lower(given);
  std::optional<std::size_t> found;
  if (passwords.empty()) (void)crypto::constant_time_equal(make(challenge, Secret("?")), digest);
  for (std::size_t i = 0; i < passwords.size(); ++i)
    if (crypto::constant_time_equal(make(challenge, passwords[i]), digest) && !found) found = i;
  return found;
}

}  // namespace

std::string make_timestamp(std::string_view nonce, std::string_view host) {
  return fmt::format("<{}@{}>", nonce, host);
}

std::string apop_digest(std::string_view timestamp, const Secret& password) {
  crypto::Digest digest(crypto::Hash::Md5);
  digest.update(timestamp);
  digest.update(password.reveal());
  return to_hex(digest.finish());
}

std::optional<std::size_t> check_apop(std::string_view timestamp, std::string_view digest,
                                      std::span<const Secret> passwords) {
  return find(timestamp, digest, passwords, apop_digest);
}

std::string cram_md5_digest(std::string_view challenge, const Secret& password) {
  return to_hex(crypto::hmac(crypto::Hash::Md5, password.reveal(), challenge));
}

std::optional<std::size_t> check_cram_md5(std::string_view challenge, std::string_view digest,
                                          std::span<const Secret> passwords) {
  return find(challenge, digest, passwords, cram_md5_digest);
}

}  // namespace hikyaku::sasl
