#include "sasl/credentials.h"

#include "crypto/hmac.h"
#include "crypto/keyed_hash.h"
#include "crypto/pbkdf2.h"
#include "sasl/saslprep.h"
#include "sasl/scram_internal.h"

namespace hikyaku::sasl {

using crypto::Hash;
using crypto::Secret;

Secret salted_password(Hash hash, std::string_view password, std::string_view salt,
                       std::uint32_t iterations) {
  return crypto::pbkdf2(hash, password, salt, iterations, crypto::digest_size(hash));
}

std::string client_key(Hash hash, const Secret& salted) {
  return crypto::hmac(hash, salted.reveal(), "Client Key");
}

std::string server_key(Hash hash, const Secret& salted) {
  return crypto::hmac(hash, salted.reveal(), "Server Key");
}

std::string exclusive_or(std::string_view a, std::string_view b) {
  std::string result(a);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<char>(a[i] ^ b[i]);
  return result;
}

Result<ScramKeys> derive_scram_keys(Hash hash, const Secret& password, std::string_view salt,
                                    std::uint32_t iterations) {
  auto text = saslprep(password.reveal(), Prepared::Stored);
  if (!text) return wrap(std::move(text).error(), "this password cannot be used with SCRAM");
  auto prepared = Secret::take(*std::move(text));
  auto salted = salted_password(hash, prepared.reveal(), salt, iterations);
  return ScramKeys{crypto::digest(hash, client_key(hash, salted)), server_key(hash, salted)};
}

ScramCredentials absent_scram_credentials(const crypto::MasterKey& master, Hash hash,
                                          std::string_view name, std::uint32_t iterations) {
  const auto size = crypto::digest_size(hash);
  // An account's SCRAM-SHA-1 and SCRAM-SHA-256 salts are drawn independently, so these differ too.
  const std::string subject = std::to_string(size) + ' ' + std::string(name);
  auto part = [&](std::string_view purpose, std::size_t length) {
    return crypto::keyed_hash(master, purpose, subject).substr(0, length);
  };
  return {part("scram absent salt", kScramSaltBytes),
          iterations,
          {{part("scram absent stored key", size), part("scram absent server key", size)}}};
}

}  // namespace hikyaku::sasl
