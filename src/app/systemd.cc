#include "app/systemd.h"

#include <cstddef>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace hikyaku::app {
namespace {

void send_state(std::string_view state, int flags) {
  auto path = std::getenv("NOTIFY_SOCKET");
  if (!path || !*path) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) return;
  name.copy(address.sun_path, name.size());
  if (name.front() == '@') address.sun_path[0] = 0;
  int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // Who is there and does not listen holds up neither an event loop nor the end for long.
  timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | flags,
           reinterpret_cast<sockaddr*>(&address), length);
  ::close(fd);
}

}  // namespace

void notify_systemd(std::string_view state) {
  send_state(state, 0);
}

void notify_watchdog() {
  send_state("WATCHDOG=1", MSG_DONTWAIT);
}

}  // namespace hikyaku::app
