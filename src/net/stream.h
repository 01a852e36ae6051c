// Stream: one connection, plain or TLS, as every server and client sees it. The socket below it is
// net/'s own business.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "base/task.h"

namespace hikyaku::net {

class ClientTls;
class ServerTls;

/// The peer or the upstream is gone, too slow, or the server is going down. Thrown only by Stream;
/// caught once, at the top of a session (STYLE §4).
class Disconnected : public std::exception {
 public:
  enum class Why {
    Closed,    ///< the peer closed its side in the middle of something, or reset the connection
    Timeout,   ///< a deadline passed
    Shutdown,  ///< this server ends
    Tls,       ///< the TLS layer failed after the handshake
  };
  Disconnected(Why why, std::string detail) : why_(why), detail_(std::move(detail)) {}
  Why why() const { return why_; }
  const char* what() const noexcept override { return detail_.c_str(); }

 private:
  Why why_;
  std::string detail_;
};

/// What a TLS handshake agreed on; for Received headers, the story, SCRAM-*-PLUS and the log.
struct TlsInfo {
  std::string version;  ///< "TLSv1.3"
  std::string cipher;   ///< "TLS_AES_128_GCM_SHA256"
  int cipher_bits = 0;
  std::string group;         ///< key exchange group, such as "X25519"; empty when unknown
  std::string sni;           ///< the name that the client asked for
  std::string verify_error;  ///< client side: why the peer's certificate is not trusted for its
                             ///< name; empty = trusted
  std::string peer_subject;  ///< subject of the peer's certificate, if it sent one
  std::string alpn;          ///< the protocol agreed on by ALPN, if any
  bool resumed = false;
};

/// Channel bindings for SASL (RFC 5929 §4, RFC 9266). Bytes; empty when the connection has none.
struct ChannelBindings {
  std::string tls_exporter;          ///< TLS 1.3
  std::string tls_unique;            ///< TLS 1.2 and below
  std::string tls_server_end_point;  ///< hash of the server's certificate
};

/// Whether the other side is still there, as far as the kernel knows without being asked to wait.
enum class PeerSide {
  Open,
  Ended,  ///< nothing more comes from it; it may still read
  Gone,   ///< it reads no more, either
};

/// What ended a wait.
enum class Wake {
  Readable,  ///< there are bytes to read (or the end of the peer's)
  Woken,     ///< wake() was called
};

/// The process at the other end of a Unix-domain socket, as the kernel vouches for it.
struct PeerProcess {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0;
};

/// One connection. Lives on one event loop; every call happens there. Every operation that waits
/// ends by the deadline with Disconnected{Timeout}; shut_down() ends them with
/// Disconnected{Shutdown}. At most one coroutine reads (wait_readable, start_tls) and one writes at
/// a time. A new stream has a timeout of kDefaultTimeout per wait and no total one.
class Stream {
 public:
  static constexpr std::chrono::minutes kDefaultTimeout{5};  ///< RFC 5321 §4.5.3.2.7
  /// Bytes a second: a peer that takes what it asked for more slowly than this on the whole, beyond
  /// one timeout, holds resources and does not read. A telephone line of 1990 gave 240.
  static constexpr std::uint64_t kLeastRate = 128;

  virtual ~Stream() = default;

  /// Takes what is there, without waiting: the number of bytes, 0 at the end of the peer's bytes,
  /// nullopt when there is nothing yet. After a nullopt, wait_readable() is sure to report what
  /// comes (also bytes inside the TLS layer).
  virtual std::optional<std::size_t> try_read(std::span<char> into) = 0;
  /// Throws what try_read would throw without a look at the peer: the time is over, shut_down() or
  /// close() was called. For who has bytes enough to go on with.
  virtual void check() = 0;
  /// Waits until try_read has something to say (it may be nothing after all), or wake() is called.
  /// A wake() before the wait counts.
  virtual Task<Wake> wait_readable() = 0;

  /// Writes all of `bytes`, waiting for the peer when its window is full: at most the timeout each
  /// time, and at kLeastRate since the last wait_readable(). The caller keeps `bytes` until it
  /// returns.
  virtual Task<void> write(std::string_view bytes) = 0;
  /// Tells the peer that nothing more comes (TLS close_notify, then FIN). Never throws, does not
  /// wait for the peer.
  virtual void finish() = 0;
  /// Ends the connection at once. Idempotent.
  virtual void close() = 0;

  /// Ends the current or the next wait_readable() with Wake::Woken. On the stream's loop only.
  virtual void wake() = 0;
  /// Makes the current and every later read (and handshake) throw Disconnected{Shutdown}. Writing
  /// goes on for at most `grace`, so that what is being sent ends well and the session can say
  /// goodbye. On the stream's loop only.
  virtual void shut_down(std::chrono::milliseconds grace = std::chrono::seconds(5)) = 0;

  /// Each wait from now on may take this long (per command). Replaces the former limit.
  virtual void set_timeout(std::chrono::milliseconds per_wait) = 0;
  /// The whole of what is done from now on may take this long (per transaction, per session); zero:
  /// no such limit.
  virtual void set_total_timeout(std::chrono::milliseconds total) = 0;
  /// The same as a moment. One that is past already counts at once: whoever is to be served by then
  /// is served no more, though his bytes are there.
  virtual void end_by(std::chrono::steady_clock::time_point deadline) = 0;

  /// For work that takes long: nothing is read meanwhile, and so nobody is told that the peer has
  /// gone. A peer that has closed its socket is Ended until it is sent something.
  virtual PeerSide peer_side() const { return PeerSide::Open; }
  /// shut_down() was called, and its grace is over: what is not done by now is not waited for.
  virtual bool out_of_grace() const { return false; }

  /// The handshake as server (after STARTTLS was answered, or at once on implicit-TLS ports). Bytes
  /// that were read in clear before must have been dropped by the caller. Invalid when the
  /// handshake fails, Unavailable when the peer goes away meanwhile: the connection is unusable.
  /// `tls` must live until it returns.
  virtual Task<Result<TlsInfo>> start_tls(const ServerTls& tls) = 0;
  /// The handshake as client, for `server_name` (SNI and verification).
  virtual Task<Result<TlsInfo>> start_tls(const ClientTls& tls, std::string server_name) = 0;
  /// Set after a handshake.
  virtual const TlsInfo* tls() const = 0;
  virtual ChannelBindings channel_bindings() const = 0;

  virtual Endpoint local() const = 0;
  virtual Endpoint peer() const = 0;
  /// Set for Unix-domain sockets (whose endpoints are 0.0.0.0:0).
  virtual std::optional<PeerProcess> peer_process() const = 0;
  /// What a connection costs, about: the socket, a session's frames, and what TLS keeps between two
  /// records. Measured with thousands of idle IMAP sessions (tests/test_small_memory.py).
  static constexpr std::uint64_t kPlainMemory = 12 * 1024;
  static constexpr std::uint64_t kTlsMemory = 16 * 1024;
  std::uint64_t memory() const { return kPlainMemory + (tls() ? kTlsMemory : 0); }

  /// Bytes read from and written to the peer so far (inside TLS, when there is TLS).
  virtual std::uint64_t bytes_in() const = 0;
  virtual std::uint64_t bytes_out() const = 0;
};

}  // namespace hikyaku::net
