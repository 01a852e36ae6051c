#include "net/socket_passing.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace hikyaku::net {
namespace {

/// One byte with a descriptor beside it (unix(7), SCM_RIGHTS): none goes without a byte.
class Parcel {
 public:
  Parcel() {
    message_.msg_iov = &bytes_;
    message_.msg_iovlen = 1;
    message_.msg_control = room_;
    message_.msg_controllen = sizeof room_;
  }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;

  void put(int fd) {
    auto header = CMSG_FIRSTHDR(&message_);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  UniqueFd take() {
    auto header = CMSG_FIRSTHDR(&message_);
    int fd = -1;
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof fd))
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
  }
  msghdr* message() { return &message_; }

 private:
  char byte_ = 0;
  iovec bytes_{&byte_, 1};
  alignas(cmsghdr) char room_[CMSG_SPACE(sizeof(int))]{};
  msghdr message_{};
};

}  // namespace

Result<void> send_socket(int channel, const UniqueFd& passed) {
  Parcel parcel;
  parcel.put(passed.get());
  if (::sendmsg(channel, parcel.message(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
  auto error = errno_error("cannot give a socket to another process", errno);
  error.code = ErrorCode::Unavailable;
  return std::unexpected(std::move(error));
}

UniqueFd receive_socket(int channel) {
  for (;;) {
    Parcel parcel;
    auto got = ::recvmsg(channel, parcel.message(), MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    if (auto fd = parcel.take()) return fd;
  }
}

}  // namespace hikyaku::net
