#include "crypto/keyed_hash.h"

#include <sodium/crypto_generichash.h>

#include "crypto/sodium_internal.h"

namespace hikyaku::crypto {

std::string keyed_hash(const MasterKey& master, std::string_view purpose, std::string_view bytes) {
  ensure_sodium();
  std::string label = "keyed-hash ";
  auto key = master.derive(label.append(purpose));
  std::string result(32, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(result.data()), result.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                     reinterpret_cast<const unsigned char*>(key.reveal().data()), key.size());
  return result;
}

}  // namespace hikyaku::crypto
