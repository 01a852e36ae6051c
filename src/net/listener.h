// Listener: takes in connections on one endpoint and hands each to an event loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/executor.h"
#include "base/ip.h"
#include "base/result.h"
#include "net/fd.h"
#include "net/stream.h"

namespace hikyaku::net {

class Cores;

/// One listening socket. Bound as root, started after root was given up. Destroy it after stop(),
/// or before its Cores have started.
class Listener {
 public:
  /// Gets every new connection, on the thread of the loop it will live on.
  using Handler = std::function<void(std::unique_ptr<Stream>)>;

  /// What is done with a caller, before anything else.
  struct Admission {
    bool admitted = true;
    /// Sent, if it fits into the socket's buffer, before the connection is closed: "421 …\r\n".
    std::string farewell;
  };
  /// Asked for every connection, on the listener's own loop; must be quick. `peer` is 0.0.0.0 on
  /// Unix-domain sockets.
  using Admit = std::function<Admission(const Endpoint& peer)>;

  struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;  ///< by Admit
    /// Accepted and closed at once, because the process had no file descriptor or memory left.
    std::uint64_t dropped = 0;
  };

  static constexpr int kBacklog = 4096;

  /// Binds and listens (connections queue up in the kernel until start()). Port 0: any free one.
  /// IPv6 sockets take no IPv4. The error names the endpoint, and for a taken port, as far as can
  /// be seen, who holds it: Conflict; Denied for ports below 1024 without the right to; Invalid for
  /// an address that this machine does not have.
  static Result<std::unique_ptr<Listener>> bind(const Endpoint& endpoint, int backlog = kBacklog);
  /// A Unix-domain socket at `path` (at most 107 bytes) with `mode`, by default for the owner only.
  /// A dead socket in its place is removed; Conflict when somebody listens there, Exists when there
  /// is a file of another kind. The path is removed by stop(), unless a sandbox forbids it.
  static Result<std::unique_ptr<Listener>> bind_unix(const std::string& path, unsigned mode = 0600);

  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  /// Begins to accept, on the first of `cores`. From any thread; everything given must outlive the
  /// connections.
  void start(Cores& cores, Handler handler, Admit admit = {});
  /// Stops listening; `stopped` runs on the listener's loop afterwards (at once if it never
  /// started). Connections handed over before live on. From any thread, once.
  void stop(Callback stopped = {});

  /// Where it really listens (the port, when 0 was asked for).
  const Endpoint& endpoint() const { return endpoint_; }
  /// The same for people: "127.0.0.1:25", or the path.
  std::string name() const { return path_.empty() ? endpoint_.to_string() : path_; }
  Counters counters() const;

 private:
  struct Accepting;
  Listener(UniqueFd fd, Endpoint endpoint, std::string path);

  UniqueFd fd_;
  Endpoint endpoint_;
  std::string path_;
  std::shared_ptr<Accepting> accepting_;
};

}  // namespace hikyaku::net
