#include "unbound/probe.h"

#include <array>
#include <poll.h>
#include <sys/socket.h>

#include "net/address.h"
#include "net/fd.h"

namespace hikyaku::unbound {
namespace {

/// RFC 1035 §4.1: who serves the root? Everybody can answer that, or refuse to.
constexpr std::array<unsigned char, 17> kQuestion{
    0x4D, 0x71, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0,  // id, RD, one question
    0,    0,    2,    0,    1                        // ".", NS, IN
};
constexpr std::size_t kHeader = 12;

bool is_answer(const std::array<unsigned char, 512>& bytes, ssize_t size) {
  return size >= static_cast<ssize_t>(kHeader) && bytes[0] == kQuestion[0] &&
         bytes[1] == kQuestion[1] && (bytes[2] & 0x80) != 0;
}

}  // namespace

bool answers(const Endpoint& server, std::chrono::milliseconds patience) {
  net::SocketAddress address(server);
  net::UniqueFd socket(
      ::socket(address.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket || ::connect(socket.get(), address.get(), address.size) != 0) return false;
  for (int i = 0; i < 2; ++i) {
    if (::send(socket.get(), kQuestion.data(), kQuestion.size(), 0) < 0) return false;
    pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(patience.count() / 2)) <= 0) continue;
    std::array<unsigned char, 512> bytes{};
    auto size = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (is_answer(bytes, size)) return true;
    if (size < 0) return false;  // nobody listens there
  }
  return false;
}

}  // namespace hikyaku::unbound
