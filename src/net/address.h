// Endpoints as the kernel's socket addresses and back. Private to net/ and unbound/.
#pragma once

#include <optional>
#include <sys/socket.h>

#include "base/ip.h"

namespace hikyaku::net {

/// Room for any address, and how much of it is used.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  SocketAddress() = default;
  explicit SocketAddress(const Endpoint& endpoint);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  /// 0.0.0.0:0 for Unix-domain addresses.
  Endpoint endpoint() const;
};

}  // namespace hikyaku::net
