// FakeStream: a connection in memory, for the tests of drivers.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/executor.h"
#include "net/stream.h"

namespace hikyaku::net {

/// One end of a pair. Runs on any Executor (testing::TestLoop: time-outs cost no time). What one
/// end writes, the other reads; writes never wait unless `set_window` says so. Both ends and what
/// waits on them belong to one loop.
class FakeStream final : public Stream {
 public:
  /// Two ends that are connected: the server's (local 192.0.2.1:25 unless told) and the client's.
  static std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> pair(
      Endpoint server = {IpAddress(std::array<std::uint8_t, 4>{192, 0, 2, 1}), 25},
      Endpoint client = {IpAddress(std::array<std::uint8_t, 4>{192, 0, 2, 99}), 40000});
  ~FakeStream() override;

  /// The `n`th operation from now on (1 = the next; reads that find nothing do not count) throws
  /// Disconnected{Closed}, and so does everything after it. A test runs its session with n = 1, 2,
  /// … until it ends without: every error path has run then.
  void fail_at(int n) { fail_in_ = n; }
  /// Whether fail_at() has struck.
  bool failed() const { return failed_; }
  /// At most so many bytes lie unread at the other end; a writer waits beyond that.
  void set_window(std::size_t bytes) { window_ = bytes; }
  /// try_read gives at most so many bytes at a time (1: every split).
  void set_read_limit(std::size_t bytes) { read_limit_ = bytes; }
  /// Puts bytes where this end reads them, as if the peer had written them; `end` is the end of
  /// them. For tests that need no other end.
  void receive(std::string_view bytes);
  void receive_end();
  /// What this end has written and nobody has read; and forgets it.
  std::string take_written();
  /// Every start_tls() at this end fails with this reason.
  void refuse_tls(std::string reason) { tls_refusal_ = std::move(reason); }
  void set_channel_bindings(ChannelBindings bindings) { bindings_ = std::move(bindings); }
  void set_peer_process(PeerProcess process) { process_ = process; }
  bool finished() const { return finished_; }
  bool closed() const { return closed_; }

  std::optional<std::size_t> try_read(std::span<char> into) override;
  void check() override;
  Task<Wake> wait_readable() override;
  Task<void> write(std::string_view bytes) override;
  void finish() override;
  void close() override;
  void wake() override;
  /// No grace is over at once, any other never.
  void shut_down(std::chrono::milliseconds grace) override;
  bool out_of_grace() const override { return out_of_grace_; }
  void set_timeout(std::chrono::milliseconds per_wait) override { per_wait_ = per_wait; }
  void set_total_timeout(std::chrono::milliseconds total) override;
  void end_by(std::chrono::steady_clock::time_point deadline) override;
  /// Succeeds at once, whatever the other end does. Bytes that this end has not read yet are taken
  /// as garbage in the handshake: it fails, as it would for real.
  Task<Result<TlsInfo>> start_tls(const ServerTls& tls) override;
  Task<Result<TlsInfo>> start_tls(const ClientTls& tls, std::string server_name) override;
  const TlsInfo* tls() const override { return tls_ ? &*tls_ : nullptr; }
  ChannelBindings channel_bindings() const override { return tls_ ? bindings_ : ChannelBindings{}; }
  Endpoint local() const override { return local_; }
  Endpoint peer() const override { return peer_; }
  std::optional<PeerProcess> peer_process() const override { return process_; }
  std::uint64_t bytes_in() const override { return bytes_in_; }
  std::uint64_t bytes_out() const override { return bytes_out_; }

 private:
  struct Direction;
  FakeStream(std::shared_ptr<Direction> in, std::shared_ptr<Direction> out, Endpoint local,
             Endpoint peer);
  void count_operation();
  void check_open();
  void time_is_over();
  Result<TlsInfo> handshake(std::string sni);

  std::shared_ptr<Direction> in_;
  std::shared_ptr<Direction> out_;
  Endpoint local_;
  Endpoint peer_;
  std::size_t window_ = SIZE_MAX;
  std::size_t read_limit_ = SIZE_MAX;
  std::chrono::nanoseconds per_wait_ = kDefaultTimeout;
  std::unique_ptr<Executor::Timer> total_timer_;
  bool out_of_time_ = false;
  bool woken_ = false;
  bool shutting_down_ = false;
  bool out_of_grace_ = false;
  bool closed_ = false;
  bool finished_ = false;
  bool failed_ = false;
  int fail_in_ = 0;
  std::optional<TlsInfo> tls_;
  std::string tls_refusal_;
  ChannelBindings bindings_;
  std::optional<PeerProcess> process_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace hikyaku::net
