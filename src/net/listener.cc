#include "net/listener.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/address.h"
#include "net/core_internal.h"
#include "net/cores.h"
#include "net/port_holder.h"
#include "net/socket.h"

namespace hikyaku::net {
namespace {

/// Connections taken in one go, before the loop's other work has its turn.
constexpr int kAcceptsInARow = 64;
/// How long accepting rests when the process has run out of something.
constexpr std::chrono::milliseconds kRest{100};

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

Error bind_error(const Endpoint& endpoint, int error_number) {
  auto where = fmt::format("port {} on {}", endpoint.port, endpoint.address.to_string());
  switch (error_number) {
    case EADDRINUSE: {
      auto holder = port_holder(endpoint);
      return {ErrorCode::Conflict,
              where + " is taken" + (holder.empty() ? "" : " (by " + holder + ")"), nullptr};
    }
    case EADDRNOTAVAIL:  // which may still come: DHCP, a tunnel, an address that moves
      return {ErrorCode::Unavailable,
              fmt::format("cannot listen on {}: this machine does not have the address {}",
                          endpoint.to_string(), endpoint.address.to_string()),
              nullptr};
    case EACCES:
    case EPERM:
      return {ErrorCode::Denied,
              where + " is not ours to take: ports below 1024 need root or CAP_NET_BIND_SERVICE",
              nullptr};
    default:
      return errno_error("cannot listen on " + endpoint.to_string(), error_number);
  }
}

UniqueFd open_reserve() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

/// The accepting side, alive as long as handlers may come.
struct Listener::Accepting : std::enable_shared_from_this<Accepting> {
  Accepting(Core& on, Cores& all, int listening_fd)
      : core(on), cores(all), descriptor(on.io(), listening_fd), rest(on.io()) {}

  void wait();
  void accept_some();
  /// False when there is nothing more to accept for now.
  bool accept_one();
  bool out_of_something();
  void hand_over(UniqueFd fd, Socket::Ends ends);
  void close();

  Core& core;
  Cores& cores;
  asio::posix::stream_descriptor descriptor;
  asio::steady_timer rest;
  UniqueFd reserve = open_reserve();
  Handler handler;
  Admit admit;
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> dropped{0};
};

void Listener::Accepting::wait() {
  if (!descriptor.is_open()) return;
  descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& error) {
                          if (!error) self->accept_some();
                        });
}

void Listener::Accepting::accept_some() {
  for (int i = 0; i < kAcceptsInARow && descriptor.is_open(); ++i)
    if (!accept_one()) return;
  wait();
}

bool Listener::Accepting::accept_one() {
  SocketAddress from;
  UniqueFd fd(
      ::accept4(descriptor.native_handle(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    switch (errno) {
      case EAGAIN:
        wait();
        return false;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return out_of_something();
      default:
        return true;  // that caller has given up already (accept(2): pending network errors)
    }
  }
  auto ends = ends_of(fd.get());
  if (from.storage.ss_family != AF_UNIX) ends.peer = from.endpoint();
  if (admit) {
    auto admission = admit(ends.peer);
    if (!admission.admitted) {
      ++refused;
      ::send(fd.get(), admission.farewell.data(), admission.farewell.size(),
             MSG_NOSIGNAL | MSG_DONTWAIT);
      return true;
    }
  }
  ++accepted;
  hand_over(std::move(fd), std::move(ends));
  return true;
}

/// With no descriptor left, accept() fails and the caller stays in the queue: waiting for it again
/// would spin. The reserve makes room to take the caller in and turn it away.
bool Listener::Accepting::out_of_something() {
  bool turned_away = false;
  if (reserve) {
    reserve.reset();
    UniqueFd caller(::accept4(descriptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    turned_away = static_cast<bool>(caller);
    caller.reset();
  }
  if (!reserve) reserve = open_reserve();
  if (turned_away) {
    ++dropped;
    return true;
  }
  rest.expires_after(kRest);
  rest.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->wait();
  });
  return false;
}

void Listener::Accepting::hand_over(UniqueFd fd, Socket::Ends ends) {
  auto& home = cores.least_loaded_core();
  // Counted from now on, so that a burst is spread before the loops have seen it.
  home.post([self = shared_from_this(), &home, share = Core::Share(home), fd = std::move(fd),
             ends = std::move(ends)]() mutable {
    std::unique_ptr<Stream> stream;
    try {
      stream = std::make_unique<Socket>(home, std::move(fd), std::move(ends));
    } catch (const boost::system::system_error&) {
      ++self->dropped;  // the kernel watches no more descriptors for us
      return;
    }
    self->handler(std::move(stream));
  });
}

void Listener::Accepting::close() {
  boost::system::error_code ignored;
  descriptor.close(ignored);
  rest.cancel();
}

Listener::Listener(UniqueFd fd, Endpoint endpoint, std::string path)
    : fd_(std::move(fd)), endpoint_(std::move(endpoint)), path_(std::move(path)) {}

Listener::~Listener() {
  if (!path_.empty() && fd_) ::unlink(path_.c_str());
}

Result<std::unique_ptr<Listener>> Listener::bind(const Endpoint& endpoint, int backlog) {
  SocketAddress address(endpoint);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno_error("cannot listen on " + endpoint.to_string(), errno));
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (!endpoint.address.is_v4()) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Accepted sockets inherit these. A peer that vanished without a word is noticed within minutes.
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, 300);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, 60);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, 5);
  if (::bind(fd.get(), address.get(), address.size) != 0 || ::listen(fd.get(), backlog) != 0)
    return std::unexpected(bind_error(endpoint, errno));
  auto actual = ends_of(fd.get()).local;
  return std::unique_ptr<Listener>(new Listener(std::move(fd), actual, {}));
}

Result<std::unique_ptr<Listener>> Listener::bind_unix(const std::string& path, unsigned mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::Invalid, "the socket path {} is longer than {} bytes", path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.data(), path.size());
  auto* generic = reinterpret_cast<const sockaddr*>(&address);
  auto make = [] {
    return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  };

  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode))
      return fail(ErrorCode::Exists, "{} is in the way: it is not a socket", path);
    auto probe = make();
    if (::connect(probe.get(), generic, sizeof address) == 0 || errno == EAGAIN)
      return fail(ErrorCode::Conflict, "{} is taken: somebody listens there", path);
    ::unlink(path.c_str());
  }
  auto fd = make();
  if (!fd) return std::unexpected(errno_error("cannot listen on " + path, errno));
  // On Linux, bind gives the file the socket's own mode: nobody can slip in before a chmod.
  ::fchmod(fd.get(), mode);
  if (::bind(fd.get(), generic, sizeof address) != 0)
    return std::unexpected(errno_error("cannot listen on " + path, errno));
  if (::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    auto error = errno_error("cannot listen on " + path, errno);
    ::unlink(path.c_str());
    return std::unexpected(std::move(error));
  }
  return std::unique_ptr<Listener>(new Listener(std::move(fd), {}, path));
}

void Listener::start(Cores& cores, Handler handler, Admit admit) {
  auto& core = cores.core(0);
  accepting_ = std::make_shared<Accepting>(core, cores, fd_.release());
  accepting_->handler = std::move(handler);
  accepting_->admit = std::move(admit);
  core.post([accepting = accepting_] { accepting->wait(); });
}

void Listener::stop(Callback stopped) {
  if (!path_.empty()) ::unlink(path_.c_str());
  fd_.reset();
  if (!accepting_) {
    if (stopped) stopped();
    return;
  }
  accepting_->core.post([accepting = accepting_, stopped = std::move(stopped)]() mutable {
    accepting->close();
    if (stopped) stopped();
  });
}

Listener::Counters Listener::counters() const {
  if (!accepting_) return {};
  return {accepting_->accepted, accepting_->refused, accepting_->dropped};
}

}  // namespace hikyaku::net
