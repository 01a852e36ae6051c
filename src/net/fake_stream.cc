#include "net/fake_stream.h"

#include <algorithm>

#include "base/completion.h"

namespace hikyaku::net {

/// Bytes on their way from one end to the other, and who waits for them to come or to be taken.
struct FakeStream::Direction {
  enum class Rung { Event, Timeout };
  using Giver = Completion<Rung>::Giver;
  using Bell = std::shared_ptr<std::optional<Giver>>;

  static void ring(const Bell& bell, Rung what = Rung::Event) {
    if (auto giver = std::exchange(*bell, std::nullopt)) (*giver)(what);
  }
  /// False when the time is over.
  static Task<bool> wait(Bell bell, std::chrono::nanoseconds limit) {
    Completion<Rung> rung;
    bell->emplace(rung.giver());
    auto timer = Executor::current()->after(limit, [bell] { ring(bell, Rung::Timeout); });
    co_return co_await rung == Rung::Event;
  }

  std::string bytes;
  bool ended = false;
  bool reader_gone = false;
  Bell reader = std::make_shared<std::optional<Giver>>();
  Bell writer = std::make_shared<std::optional<Giver>>();
};

FakeStream::FakeStream(std::shared_ptr<Direction> in, std::shared_ptr<Direction> out,
                       Endpoint local, Endpoint peer)
    : in_(std::move(in)), out_(std::move(out)), local_(local), peer_(peer) {}

std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> FakeStream::pair(
    Endpoint server, Endpoint client) {
  auto to_server = std::make_shared<Direction>();
  auto to_client = std::make_shared<Direction>();
  auto make = [](auto in, auto out, Endpoint local, Endpoint peer) {
    return std::unique_ptr<FakeStream>(new FakeStream(in, out, local, peer));
  };
  return {make(to_server, to_client, server, client), make(to_client, to_server, client, server)};
}

FakeStream::~FakeStream() {
  close();
}

void FakeStream::check_open() {
  if (closed_) throw Disconnected(Disconnected::Why::Closed, "the connection was closed");
  if (out_of_time_) throw Disconnected(Disconnected::Why::Timeout, "the time limit was reached");
}

void FakeStream::count_operation() {
  check_open();
  if (fail_in_ == 0 || --fail_in_ > 0) return;
  failed_ = true;
  close();
  throw Disconnected(Disconnected::Why::Closed, "connection lost: as the test wants it");
}

void FakeStream::check() {
  check_open();
  if (shutting_down_) throw Disconnected(Disconnected::Why::Shutdown, "shutting down");
}

std::optional<std::size_t> FakeStream::try_read(std::span<char> into) {
  check();
  if (in_->bytes.empty() && !in_->ended) return std::nullopt;
  count_operation();
  auto count = std::min({into.size(), in_->bytes.size(), read_limit_});
  std::copy_n(in_->bytes.begin(), count, into.begin());
  in_->bytes.erase(0, count);
  bytes_in_ += count;
  Direction::ring(in_->writer);
  return count;
}

Task<Wake> FakeStream::wait_readable() {
  count_operation();
  while (true) {
    check();
    if (std::exchange(woken_, false)) co_return Wake::Woken;
    if (!in_->bytes.empty() || in_->ended) co_return Wake::Readable;
    if (!co_await Direction::wait(in_->reader, per_wait_))
      throw Disconnected(Disconnected::Why::Timeout, "the time limit was reached");
  }
}

Task<void> FakeStream::write(std::string_view bytes) {
  count_operation();
  while (!bytes.empty()) {
    check_open();
    if (out_->reader_gone || finished_)
      throw Disconnected(Disconnected::Why::Closed, "connection lost: Broken pipe");
    auto room = window_ - std::min(window_, out_->bytes.size());
    if (room > 0) {
      auto piece = bytes.substr(0, room);
      out_->bytes += piece;
      bytes_out_ += piece.size();
      bytes.remove_prefix(piece.size());
      Direction::ring(out_->reader);
    } else if (!co_await Direction::wait(out_->writer, per_wait_)) {
      throw Disconnected(Disconnected::Why::Timeout, "the time limit was reached");
    }
  }
}

void FakeStream::finish() {
  finished_ = true;
  out_->ended = true;
  Direction::ring(out_->reader);
}

void FakeStream::close() {
  if (std::exchange(closed_, true)) return;
  finish();
  in_->reader_gone = true;
  total_timer_ = nullptr;
  Direction::ring(in_->reader);
  Direction::ring(in_->writer);
  Direction::ring(out_->writer);
}

void FakeStream::wake() {
  woken_ = true;
  Direction::ring(in_->reader);
}

void FakeStream::shut_down(std::chrono::milliseconds grace) {
  shutting_down_ = true;
  out_of_grace_ |= grace == std::chrono::milliseconds::zero();
  Direction::ring(in_->reader);
}

void FakeStream::set_total_timeout(std::chrono::milliseconds total) {
  total_timer_ = nullptr;
  out_of_time_ = false;
  if (total <= std::chrono::milliseconds::zero()) return;
  total_timer_ = Executor::current()->after(total, [this] { time_is_over(); });
}

void FakeStream::time_is_over() {
  out_of_time_ = true;
  Direction::ring(in_->reader);
  Direction::ring(out_->writer);
}

void FakeStream::end_by(std::chrono::steady_clock::time_point deadline) {
  auto left = deadline - std::chrono::steady_clock::now();
  set_total_timeout(std::chrono::ceil<std::chrono::milliseconds>(left));
  if (left <= std::chrono::nanoseconds::zero()) time_is_over();
}

Result<TlsInfo> FakeStream::handshake(std::string sni) {
  count_operation();
  if (tls_) return fail(ErrorCode::Conflict, "TLS is active already");
  if (!tls_refusal_.empty()) return fail(ErrorCode::Invalid, "TLS handshake: {}", tls_refusal_);
  if (!in_->bytes.empty()) return fail(ErrorCode::Invalid, "TLS handshake: wrong version number");
  tls_.emplace();
  tls_->version = "TLSv1.3";
  tls_->cipher = "TLS_AES_128_GCM_SHA256";
  tls_->cipher_bits = 128;
  tls_->group = "x25519";
  tls_->sni = std::move(sni);
  return *tls_;
}

Task<Result<TlsInfo>> FakeStream::start_tls(const ServerTls&) {
  co_return handshake({});
}

Task<Result<TlsInfo>> FakeStream::start_tls(const ClientTls&, std::string server_name) {
  co_return handshake(std::move(server_name));
}

void FakeStream::receive(std::string_view bytes) {
  in_->bytes += bytes;
  Direction::ring(in_->reader);
}

void FakeStream::receive_end() {
  in_->ended = true;
  Direction::ring(in_->reader);
}

std::string FakeStream::take_written() {
  auto bytes = std::exchange(out_->bytes, {});
  Direction::ring(out_->writer);
  return bytes;
}

}  // namespace hikyaku::net
