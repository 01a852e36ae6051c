// Connector: one usable connection to a destination: the hosts of its route one after another, TLS
// where it is offered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "base/log.h"
#include "client/smtp_client.h"
#include "net/tls.h"
#include "transmit/route.h"

namespace hikyaku::transmit {

/// Every stream that is open towards others, so that shutdown can cut them. On one event loop.
class OpenStreams {
 public:
  /// One stream in the table, until destroyed.
  class Entry {
   public:
    Entry(OpenStreams& table, net::Stream& stream);
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry();
    /// From now on a message may be on the wire.
    void in_use();

   private:
    OpenStreams& table_;
    net::Stream& stream_;
  };
  /// Cuts the streams that carry no message yet, and every later one.
  void close_unused();
  void close_all();
  bool closing() const { return closing_.cancelled(); }
  /// What comes before a stream is cut under this: lookups, connecting.
  Cancellation& cancellation() { return closing_; }
  std::size_t size() const { return streams_.size(); }

 private:
  std::map<net::Stream*, bool> streams_;  ///< true: in use
  Cancellation closing_;
};

/// How connections are made.
struct ConnectSettings {
  std::string host_name;  ///< in EHLO
  std::uint16_t port = 25;
  std::vector<IpAddress> source_addresses;  ///< at most one of each family; a family without one
                                            ///< uses the system's choice
  milliseconds connect_timeout = seconds(30);
  client::SmtpTimeouts timeouts;
  /// How a stream is opened: net::connect, but in tests.
  std::function<Task<Result<std::unique_ptr<net::Stream>>>(Endpoint, std::optional<IpAddress>,
                                                           milliseconds)>
      open;
};

/// A connection that is ready for messages, or why none of the hosts gave one.
struct Connection {
  std::unique_ptr<client::SmtpClient> client;  ///< null: see below
  std::unique_ptr<OpenStreams::Entry> entry;   ///< of the client's stream; goes before it
  std::string host;
  std::string endpoint;
  std::vector<story::Finding>
      findings;  ///< hosts that failed before, and why it is in clear if it is
  // Without a client:
  bool aborted = false;    ///< shutdown
  bool permanent = false;  ///< every host refused for good
  smtp::EnhancedStatus status{4, 4, 1};
  std::string problem;  ///< the last host's words, or what went wrong before it spoke
};

/// Tries the hosts in order, each address of each. Opportunistic TLS: STARTTLS where it is offered,
/// any certificate; when the handshake fails, the same address again in clear (RFC 7435 §3). At
/// most kMaxAddresses are tried. `streams` outlives the connection. The dialogue goes to `log` at
/// its trace level.
Task<Connection> connect_to(const Route& route, const ConnectSettings& settings,
                            const net::ClientTls& tls, OpenStreams& streams, Log log);
inline constexpr int kMaxAddresses = 10;

}  // namespace hikyaku::transmit
