#include "net/connect.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/time.h"
#include "net/address.h"
#include "net/core_internal.h"
#include "net/socket.h"

namespace hikyaku::net {
namespace {

Error connect_error(const std::string& to, int error_number) {
  auto text = [&]() -> std::string {
    switch (error_number) {
      case ECONNREFUSED:
        return "connection refused";
      case ETIMEDOUT:
        return "no answer";
      case ENETUNREACH:
        return "network unreachable";
      case EHOSTUNREACH:
        return "host unreachable";
      default:
        return std::system_category().message(error_number);
    }
  }();
  return {ErrorCode::Unavailable, to + ": " + text, nullptr};
}

/// Waits until a socket whose connect() is under way is connected.
Task<Result<>> connected(Core& core, UniqueFd& fd, const std::string& to,
                         std::chrono::milliseconds timeout) {
  // A descriptor of its own for the wait: the stream will watch the socket itself.
  UniqueFd watched(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!watched) co_return std::unexpected(errno_error(to, errno));
  auto readiness = std::make_shared<Readiness>(core, std::move(watched));
  readiness->set_timeout(timeout);
  struct Closing {
    Readiness& readiness;
    ~Closing() { readiness.close(); }
  } closing{*readiness};
  if (co_await readiness->writable() == Outcome::Timeout)
    co_return fail(ErrorCode::Unavailable, "{}: no answer within {}", to, format_duration(timeout));
  int error_number = 0;
  socklen_t size = sizeof error_number;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error_number, &size);
  if (error_number != 0) co_return std::unexpected(connect_error(to, error_number));
  co_return {};
}

Core& this_core() {
  auto* core = Core::current();
  assert(core && "connect() needs one of the Cores");
  return *core;
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, std::optional<IpAddress> from,
                                              std::chrono::milliseconds timeout) {
  auto& core = this_core();
  auto name = to.to_string();
  SocketAddress address(to);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return std::unexpected(connect_error(name, errno));
  int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (from) {
    // The port is chosen by connect(), so that one local port can serve many destinations.
    ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    SocketAddress source(Endpoint{*from, 0});
    if (::bind(fd.get(), source.get(), source.size) != 0)
      co_return fail(ErrorCode::Invalid, "cannot connect from {}: {}", from->to_string(),
                     std::system_category().message(errno));
  }
  if (::connect(fd.get(), address.get(), address.size) != 0) {
    if (errno != EINPROGRESS) co_return std::unexpected(connect_error(name, errno));
    CO_TRY_DO(co_await connected(core, fd, name, timeout));
  }
  auto ends = ends_of(fd.get());
  ends.peer = to;
  co_return std::make_unique<Socket>(core, std::move(fd), std::move(ends));
}

Error takes_no_more(const std::string& path) {
  return {ErrorCode::Conflict,
          path + ": whoever listens there takes no more connections: it hangs, or was stopped",
          nullptr};
}

Task<Result<std::unique_ptr<Stream>>> connect_unix(std::string path,
                                                   std::chrono::milliseconds timeout) {
  auto& core = this_core();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    co_return fail(ErrorCode::Invalid, "the socket path {} is longer than {} bytes", path,
                   sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return std::unexpected(errno_error(path, errno));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == EACCES || errno == EPERM)
      co_return std::unexpected(errno_error(path, errno));
    if (errno == EAGAIN) co_return std::unexpected(takes_no_more(path));
    if (errno != EINPROGRESS) co_return std::unexpected(connect_error(path, errno));
    CO_TRY_DO(co_await connected(core, fd, path, timeout));
  }
  auto ends = ends_of(fd.get());
  co_return std::make_unique<Socket>(core, std::move(fd), std::move(ends));
}

Result<std::pair<std::unique_ptr<Stream>, UniqueFd>> stream_to_process() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return std::unexpected(errno_error("socketpair", errno));
  UniqueFd ours(fds[0]), theirs(fds[1]);
  TRY(auto stream, stream_of(std::move(ours)));
  return std::pair(std::move(stream), std::move(theirs));
}

Result<std::unique_ptr<Stream>> stream_of(UniqueFd socket) {
  auto& core = this_core();
  int on = 1;
  if (::ioctl(socket.get(), FIONBIO, &on) != 0)
    return std::unexpected(errno_error("a socket shared with another process", errno));
  auto ends = ends_of(socket.get());
  return std::make_unique<Socket>(core, std::move(socket), std::move(ends));
}

Result<std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>> connected_pair() {
  auto& core = this_core();
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
    return std::unexpected(errno_error("socketpair", errno));
  auto make = [&](int fd) {
    auto ends = ends_of(fd);
    return std::make_unique<Socket>(core, UniqueFd(fd), std::move(ends));
  };
  auto first = make(fds[0]);
  return std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>(std::move(first),
                                                                     make(fds[1]));
}

}  // namespace hikyaku::net
