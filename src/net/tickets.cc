#include "net/tickets.h"

#include <algorithm>
#include <cstring>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace hikyaku::net {
namespace {

int keys_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool set_mac_key(EVP_MAC_CTX* mac, const unsigned char* key, std::size_t size) {
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key), size),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

}  // namespace

void TicketKeys::attach(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, keys_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, callback);
  SSL_CTX_set_timeout(context, std::chrono::seconds(kRotate).count());
  SSL_CTX_set_num_tickets(context, 1);
}

bool TicketKeys::newest(Key& key) {
  std::lock_guard lock(mutex_);
  auto now = Clock::now();
  std::erase_if(keys_, [&](Key& old) {
    if (now - old.made < kKeep) return false;
    OPENSSL_cleanse(&old, sizeof old);
    return true;
  });
  if (keys_.empty() || now - keys_.back().made >= kRotate) {
    Key fresh{{}, {}, {}, now};
    if (RAND_bytes(fresh.name.data(), static_cast<int>(fresh.name.size())) != 1 ||
        RAND_priv_bytes(fresh.cipher_key.data(), static_cast<int>(fresh.cipher_key.size())) != 1 ||
        RAND_priv_bytes(fresh.mac_key.data(), static_cast<int>(fresh.mac_key.size())) != 1)
      return false;
    keys_.push_back(fresh);
  }
  key = keys_.back();
  return true;
}

int TicketKeys::find(const unsigned char* name, Key& key) {
  std::lock_guard lock(mutex_);
  for (auto& known : keys_) {
    if (std::memcmp(known.name.data(), name, known.name.size()) != 0) continue;
    auto age = Clock::now() - known.made;
    if (age >= kKeep) return 0;
    key = known;
    return age < kRotate ? 1 : 2;
  }
  return 0;
}

int TicketKeys::callback(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int encrypt) {
  auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index()));
  Key key{};
  int answer = 1;
  if (encrypt) {
    if (!keys->newest(key) || RAND_bytes(iv, 16) != 1) return -1;
    std::memcpy(name, key.name.data(), key.name.size());
  } else {
    answer = keys->find(name, key);
    if (answer == 0) return 0;  // a full handshake follows
  }
  bool ready = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher_key.data(), iv,
                                 encrypt) == 1 &&
               set_mac_key(mac, key.mac_key.data(), key.mac_key.size());
  OPENSSL_cleanse(&key, sizeof key);
  return ready ? answer : -1;
}

}  // namespace hikyaku::net
