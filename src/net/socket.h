// Socket: the Stream over a real connection. Private to net/; others get it from Listener and
// connect().
#pragma once

#include <memory>

#include "net/openssl_internal.h"
#include "net/readiness_internal.h"
#include "net/stream.h"

namespace hikyaku::net {

/// A connected stream socket, plain or TLS. The descriptor is non-blocking; under TLS, OpenSSL
/// reads and writes it directly (SSL_set_fd), and its buffers exist only while they hold bytes.
class Socket final : public Stream {
 public:
  /// Who the two ends are.
  struct Ends {
    Endpoint local;
    Endpoint peer;
    std::optional<PeerProcess> process;
  };
  /// `fd` is connected and non-blocking. On the core's thread, as everything else here.
  Socket(Core& core, UniqueFd fd, Ends ends);
  ~Socket() override;

  std::optional<std::size_t> try_read(std::span<char> into) override;
  void check() override;
  Task<Wake> wait_readable() override;
  Task<void> write(std::string_view bytes) override;
  void finish() override;
  void close() override;
  void wake() override { readiness_->wake(); }
  void shut_down(std::chrono::milliseconds grace) override { readiness_->shut_down(grace); }
  PeerSide peer_side() const override;
  bool out_of_grace() const override { return readiness_->out_of_grace(); }
  void set_timeout(std::chrono::milliseconds per_wait) override {
    readiness_->set_timeout(per_wait);
  }
  void set_total_timeout(std::chrono::milliseconds total) override {
    readiness_->set_total_timeout(total);
  }
  void end_by(std::chrono::steady_clock::time_point deadline) override {
    readiness_->set_total_deadline(deadline);
  }
  Task<Result<TlsInfo>> start_tls(const ServerTls& tls) override;
  Task<Result<TlsInfo>> start_tls(const ClientTls& tls, std::string server_name) override;
  const TlsInfo* tls() const override { return tls_info_.get(); }
  ChannelBindings channel_bindings() const override;
  Endpoint local() const override { return ends_.local; }
  Endpoint peer() const override { return ends_.peer; }
  std::optional<PeerProcess> peer_process() const override { return ends_.process; }
  std::uint64_t bytes_in() const override { return bytes_in_; }
  std::uint64_t bytes_out() const override { return bytes_out_; }

 private:
  /// What the TLS layer waits for.
  enum class Want { Nothing, Read, Write };

  Task<Result<TlsInfo>> handshake(SslPtr ssl, std::chrono::milliseconds limit);
  Task<Result<TlsInfo>> shake_hands(SslPtr ssl);
  /// Waits until the peer takes more; throws once it has taken our answer too slowly on the whole.
  Task<void> wait_for_window();
  std::optional<std::size_t> try_read_tls(std::span<char> into);
  /// Writes what fits; nullopt when the peer's window is full.
  std::optional<std::size_t> write_some(std::string_view bytes);
  std::optional<std::size_t> write_some_tls(std::string_view bytes);
  /// After a TLS call that did not succeed: what it waits for, or throws what went wrong.
  Want want_of(int result, std::string_view doing);
  Task<void> wait_for(Want want);
  /// Tells the peer's kernel what has arrived. Ours would wait for an answer to send along with it,
  /// up to 40 ms; a client that has sent half a command and keeps the rest back until the first
  /// half is acknowledged (Nagle's algorithm, RFC 896) would wait as long.
  void acknowledge_now();
  void check_open() const;
  [[noreturn]] void throw_outcome(Outcome outcome) const;
  [[noreturn]] void throw_closed(int error_number) const;

  std::shared_ptr<Readiness> readiness_;
  SslPtr ssl_;
  std::unique_ptr<TlsInfo> tls_info_;
  Ends ends_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  Want read_wants_ = Want::Read;
  Want write_wants_ = Want::Write;
  /// OpenSSL has said that it holds nothing more: only then does readiness of the socket tell all.
  bool tls_drained_ = true;
  bool had_message_ = false;  ///< reading came to a message of TLS itself
  bool finished_ = false;
  /// Something was read, and nothing written since.
  bool unanswered_ = false;
  /// Since we last waited for the peer to speak: what it took of us, and how long we waited for it.
  std::uint64_t taken_ = 0;
  std::chrono::steady_clock::duration waited_{};
  /// Bytes that it took since the other sessions had their turn.
  std::size_t written_in_a_row_ = 0;
};

/// The ends of a connected socket, as the kernel names them. `peer` may be known from accept().
Socket::Ends ends_of(int fd);

}  // namespace hikyaku::net
