// TLS for tests: made once, since keys and the system's roots take their time.
#pragma once

#include <memory>

#include "net/tls.h"

namespace hikyaku::net::testing {

/// With a certificate for mx.alpha.test that nobody trusts.
inline ServerTls& server_tls() {
  static const std::unique_ptr<ServerTls> tls =
      ServerTls::create({make_self_signed({"mx.alpha.test"}, KeyType::EcP256).value()}).value();
  return *tls;
}

inline ClientTls& client_tls() {
  static const std::unique_ptr<ClientTls> tls = ClientTls::create({}).value();
  return *tls;
}

}  // namespace hikyaku::net::testing
