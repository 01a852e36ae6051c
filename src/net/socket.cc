#include "net/socket.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/async.h"
#include "net/address.h"

namespace hikyaku::net {
namespace {

/// A peer that takes everything at once lets the other sessions run after so many bytes.
constexpr std::size_t kWriteWithoutYield = 1024 * 1024;

std::string error_text(int error_number) {
  return std::system_category().message(error_number);
}

/// How long a server may take for its side of a handshake with us.
constexpr std::chrono::minutes kServersHandshake{1};

/// TLS writes in pieces of a few records each, so that a partial write never rewinds much.
constexpr std::size_t kTlsPiece = 64 * 1024;

}  // namespace

Socket::Socket(Core& core, UniqueFd fd, Ends ends)
    : readiness_(std::make_shared<Readiness>(core, std::move(fd))), ends_(std::move(ends)) {}

Socket::~Socket() {
  close();
}

void Socket::check_open() const {
  if (readiness_->closed()) throw_outcome(Outcome::Closed);
  if (readiness_->out_of_time()) throw_outcome(Outcome::Timeout);
}

void Socket::throw_outcome(Outcome outcome) const {
  switch (outcome) {
    case Outcome::Timeout:
      throw Disconnected(Disconnected::Why::Timeout, "the time limit was reached");
    case Outcome::Shutdown:
      throw Disconnected(Disconnected::Why::Shutdown, "this server is shutting down");
    default:
      throw Disconnected(Disconnected::Why::Closed, "the connection was closed on our side");
  }
}

void Socket::throw_closed(int error_number) const {
  throw Disconnected(Disconnected::Why::Closed, "connection lost: " + error_text(error_number));
}

void Socket::check() {
  check_open();
  if (readiness_->shutting_down()) throw_outcome(Outcome::Shutdown);
}

std::optional<std::size_t> Socket::try_read(std::span<char> into) {
  check();
  std::optional<std::size_t> count;
  if (ssl_) {
    count = try_read_tls(into);
  } else {
    ssize_t got;
    do got = ::recv(readiness_->fd(), into.data(), into.size(), 0);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
      count = static_cast<std::size_t>(got);
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
      throw_closed(errno);
  }
  if (count) {
    bytes_in_ += *count;
    unanswered_ = true;
  } else if (tls_drained_) {
    readiness_->nothing_to_read();
  }
  return count;
}

std::optional<std::size_t> Socket::try_read_tls(std::span<char> into) {
  std::size_t count = 0;
  ERR_clear_error();
  errno = 0;
  int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
  auto was_empty = errno == EAGAIN || errno == EWOULDBLOCK;
  if (result == 1) {
    tls_drained_ = false;
    return count;
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return 0;
  read_wants_ = want_of(result, "reading");
  // Without SSL_MODE_AUTO_RETRY it stops behind messages of the protocol itself, such as new keys,
  // when it has no more that was read ahead. The socket may have more.
  tls_drained_ = was_empty || read_wants_ == Want::Write;
  had_message_ = !tls_drained_;
  return std::nullopt;
}

Task<Wake> Socket::wait_readable() {
  check_open();
  // A peer may send such messages without end, and nothing else.
  if (std::exchange(had_message_, false)) co_await yield_now();
  if (!tls_drained_) {
    // Bytes inside the TLS layer raise no event; reading until it has none clears this.
    if (readiness_->shutting_down()) throw_outcome(Outcome::Shutdown);
    co_return Wake::Readable;
  }
  if (read_wants_ == Want::Write) {
    co_await wait_for(std::exchange(read_wants_, Want::Read));
    tls_drained_ = !ssl_;
    co_return Wake::Readable;
  }
  if (std::exchange(unanswered_, false)) acknowledge_now();
  taken_ = 0;
  waited_ = {};
  written_in_a_row_ = 0;
  auto outcome = co_await readiness_->readable_or_woken();
  if (outcome == Outcome::Woken) co_return Wake::Woken;
  if (outcome != Outcome::Ready) throw_outcome(outcome);
  co_return Wake::Readable;
}

void Socket::acknowledge_now() {
  int on = 1;
  // No TCP socket, no acknowledgement: an error does not matter.
  ::setsockopt(readiness_->fd(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

Task<void> Socket::wait_for(Want want) {
  auto outcome =
      want == Want::Read ? co_await readiness_->readable() : co_await readiness_->writable();
  if (outcome != Outcome::Ready) throw_outcome(outcome);
}

Task<void> Socket::write(std::string_view bytes) {
  while (!bytes.empty()) {
    check_open();
    auto count = write_some(bytes);
    if (!count) {
      written_in_a_row_ = 0;
      co_await wait_for_window();
      continue;
    }
    bytes_out_ += *count;
    taken_ += *count;
    unanswered_ = false;
    bytes.remove_prefix(*count);
    written_in_a_row_ += *count;
    if (written_in_a_row_ >= kWriteWithoutYield) {
      written_in_a_row_ = 0;
      co_await yield_now();
    }
  }
}

Task<void> Socket::wait_for_window() {
  auto began = std::chrono::steady_clock::now();
  co_await wait_for(std::exchange(write_wants_, Want::Write));
  waited_ += std::chrono::steady_clock::now() - began;
  auto allowed = readiness_->timeout() + std::chrono::seconds(taken_ / Stream::kLeastRate);
  if (waited_ > allowed) throw_outcome(Outcome::Timeout);
}

std::optional<std::size_t> Socket::write_some(std::string_view bytes) {
  if (ssl_) return write_some_tls(bytes);
  ssize_t sent;
  do sent = ::send(readiness_->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
  throw_closed(errno);
}

std::optional<std::size_t> Socket::write_some_tls(std::string_view bytes) {
  std::size_t count = 0;
  ERR_clear_error();
  int result = SSL_write_ex(ssl_.get(), bytes.data(), std::min(bytes.size(), kTlsPiece), &count);
  if (result == 1) return count;
  write_wants_ = want_of(result, "writing");
  return std::nullopt;
}

Socket::Want Socket::want_of(int result, std::string_view doing) {
  int error_number = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Want::Read;
    case SSL_ERROR_WANT_WRITE:
      return Want::Write;
    case SSL_ERROR_SYSCALL:
      if (error_number != 0 && ERR_peek_error() == 0) throw_closed(error_number);
      throw Disconnected(Disconnected::Why::Closed,
                         "connection lost: " + openssl_reason("end of file"));
    default:
      break;
  }
  // An end without close_notify may have been cut off by somebody in between: it is no proper end.
  if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    throw Disconnected(Disconnected::Why::Closed,
                       "connection lost: the peer went away without ending TLS");
  }
  throw Disconnected(Disconnected::Why::Tls,
                     fmt::format("TLS {}: {}", doing, openssl_reason("failed")));
}

Task<Result<TlsInfo>> Socket::start_tls(const ServerTls& tls) {
  auto snapshot = tls.snapshot();  // its callbacks are used until the handshake has ended
  auto result = co_await handshake(new_server_ssl(*snapshot), tls.handshake_timeout());
  tls.count_handshake(result.has_value());
  co_return result;
}

Task<Result<TlsInfo>> Socket::start_tls(const ClientTls& tls, std::string server_name) {
  co_return co_await handshake(new_client_ssl(tls.context(), server_name), kServersHandshake);
}

/// A deadline for the handshake as a whole, within the one that counts already.
Task<Result<TlsInfo>> Socket::handshake(SslPtr ssl, std::chrono::milliseconds limit) {
  auto outer = readiness_->total_deadline();
  auto ours = Readiness::Clock::now() + limit;
  readiness_->set_total_deadline(outer ? std::min(*outer, ours) : ours);
  try {
    auto result = co_await shake_hands(std::move(ssl));
    readiness_->set_total_deadline(outer);
    co_return result;
  } catch (const Disconnected&) {
    // Half a handshake is no way to say anything: a last word would only go on with it.
    close();
    throw;
  }
}

Task<Result<TlsInfo>> Socket::shake_hands(SslPtr ssl) {
  check();
  if (ssl_) co_return fail(ErrorCode::Conflict, "TLS is active already");
  if (!ssl || SSL_set_fd(ssl.get(), readiness_->fd()) != 1)
    co_return fail(ErrorCode::Invalid, "TLS cannot begin: {}",
                   openssl_reason("the server's name is missing or unusable"));
  ssl_ = std::move(ssl);
  while (true) {
    ERR_clear_error();
    int result = SSL_do_handshake(ssl_.get());
    if (result == 1) break;
    Want want = Want::Nothing;
    std::optional<Error> failed;
    try {
      want = want_of(result, "handshake");
    } catch (const Disconnected& gone) {
      auto code =
          gone.why() == Disconnected::Why::Tls ? ErrorCode::Invalid : ErrorCode::Unavailable;
      failed = Error{code, gone.what(), nullptr};
    }
    if (failed) {
      auto verified = SSL_get_verify_result(ssl_.get());
      if (verified != X509_V_OK && SSL_is_server(ssl_.get()) == 0)
        failed->text += fmt::format(": {}", X509_verify_cert_error_string(verified));
      co_return std::unexpected(std::move(*failed));
    }
    co_await wait_for(want);
    check_open();
  }
  tls_drained_ = false;
  read_wants_ = Want::Read;
  write_wants_ = Want::Write;
  tls_info_ = std::make_unique<TlsInfo>(tls_info(ssl_.get()));
  co_return *tls_info_;
}

ChannelBindings Socket::channel_bindings() const {
  return tls_info_ ? net::channel_bindings(ssl_.get()) : ChannelBindings{};
}

PeerSide Socket::peer_side() const {
  if (readiness_->closed()) return PeerSide::Gone;
  pollfd asked{readiness_->fd(), POLLRDHUP, 0};
  if (::poll(&asked, 1, 0) <= 0) return PeerSide::Open;
  if (asked.revents & (POLLERR | POLLHUP | POLLNVAL)) return PeerSide::Gone;
  return asked.revents & POLLRDHUP ? PeerSide::Ended : PeerSide::Open;
}

void Socket::finish() {
  if (readiness_->closed() || std::exchange(finished_, true)) return;
  if (tls_info_) {
    // One attempt: if the peer's window is full, it does not read anyway.
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(readiness_->fd(), SHUT_WR);
}

void Socket::close() {
  readiness_->close();
}

Socket::Ends ends_of(int fd) {
  Socket::Ends ends;
  SocketAddress local;
  SocketAddress peer;
  if (::getsockname(fd, local.get(), &local.size) == 0) ends.local = local.endpoint();
  if (::getpeername(fd, peer.get(), &peer.size) == 0) ends.peer = peer.endpoint();
  if (local.storage.ss_family == AF_UNIX) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
      ends.process = PeerProcess{credentials.uid, credentials.gid, credentials.pid};
  }
  return ends;
}

}  // namespace hikyaku::net
