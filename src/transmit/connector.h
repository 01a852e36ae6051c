// Connector: one usable connection to a destination: the hosts of its route one after another, TLS
// where it is offered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/smtp_client.h"
#include "net/tls.h"
#include "transmit/route.h"

namespace hikyaku::transmit {

/// How connections are made.
struct ConnectSettings {
  std::string host_name;  ///< in EHLO
  std::uint16_t port = 25;
  std::vector<IpAddress> source_addresses;  ///< at most one of each family; a family without one
                                            ///< uses the system's choice
  milliseconds connect_timeout = seconds(30);
  client::SmtpTimeouts timeouts;
};

/// A connection that is ready for messages, or why none of the hosts gave one.
struct Connection {
  std::unique_ptr<client::SmtpClient> client;  ///< null: see below
  std::string host;
  std::string endpoint;
  std::vector<story::Finding>
      findings;  ///< hosts that failed before, and why it is in clear if it is
  // Without a client:
  bool permanent = false;  ///< every host refused for good
  smtp::EnhancedStatus status{4, 4, 1};
  std::string problem;  ///< the last host's words, or what went wrong before it spoke
};

/// Tries the hosts in order, each address of each. Opportunistic TLS: STARTTLS where it is offered,
/// any certificate; when the handshake fails, the same address again in clear (RFC 7435 §3).
Task<Connection> connect_to(const Route& route, const ConnectSettings& settings,
                            const net::ClientTls& tls);

}  // namespace hikyaku::transmit
