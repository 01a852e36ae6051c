// The keys of TLS session tickets (RFC 5077 §4, RFC 8446 §4.6.1). Private to net/.
#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <vector>

#include "net/openssl_internal.h"

namespace hikyaku::net {

/// Session tickets are encrypted with keys that only this process knows. A new key is made every
/// kRotate when a ticket is to be written; a key opens tickets for kKeep, and is then forgotten, so
/// that recorded traffic cannot be read with a key stolen later.
class TicketKeys {
 public:
  static constexpr std::chrono::hours kRotate{6};
  static constexpr std::chrono::hours kKeep{12};

  /// Makes `context` use these keys; they must outlive its handshakes.
  void attach(SSL_CTX* context);

 private:
  using Clock = std::chrono::steady_clock;
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher_key;
    std::array<unsigned char, 32> mac_key;
    Clock::time_point made;
  };

  static int callback(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac, int encrypt);
  /// The key for new tickets. False if there is no randomness.
  bool newest(Key& key);
  /// 0: unknown, 1: found, 2: found, and the client should get a new ticket.
  int find(const unsigned char* name, Key& key);

  std::mutex mutex_;
  std::vector<Key> keys_;  ///< newest last
};

}  // namespace hikyaku::net
