#include "crypto/master_key.h"

#include <sodium/crypto_generichash.h>
#include <sodium/utils.h>

#include "base/text.h"
#include "crypto/sodium_internal.h"

namespace hikyaku::crypto {
namespace {

constexpr std::size_t kBytes = 32;
constexpr std::string_view kHead =
    "# The secret key of this Hikyaku instance. Keep a copy in a safe place, apart from the "
    "mail.\n";

}  // namespace

MasterKey MasterKey::generate(Random& random) {
  return MasterKey(random.secret(kBytes));
}

Result<MasterKey> MasterKey::parse(std::string_view file) {
  std::string_view digits;
  for (auto line : split(file, '\n')) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    if (!digits.empty()) return fail(ErrorCode::Invalid, "the secret key has more than one line");
    digits = line;
  }
  auto bytes = from_hex(digits);
  if (!bytes || bytes->size() != kBytes)
    return fail(ErrorCode::Invalid, "a secret key has {} hexadecimal digits", 2 * kBytes);
  return MasterKey(Secret::take(*std::move(bytes)));
}

Secret MasterKey::text() const {
  auto digits = Secret::take(to_hex(bytes_.reveal()));
  std::string file;
  file.reserve(kHead.size() + digits.size() + 1);  // no growth, which would leave a copy behind
  file.append(kHead).append(digits.reveal()).append("\n");
  return Secret::take(std::move(file));
}

Secret MasterKey::derive(std::string_view purpose) const {
  ensure_sodium();
  return Secret::filled(kBytes, [&](std::span<char> out) {
    crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                       reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(),
                       reinterpret_cast<const unsigned char*>(bytes_.reveal().data()),
                       bytes_.size());
  });
}

}  // namespace hikyaku::crypto
