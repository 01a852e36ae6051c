#include "net/fd_watch.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <system_error>

#include "net/core_internal.h"
#include "net/cores.h"

namespace hikyaku::net {
namespace {

/// A number of our own for the same open file, so that neither side closes the other's.
int duplicate(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw std::system_error(errno, std::generic_category(), "watching a descriptor");
  return copy;
}

}  // namespace

struct FdWatch::Watching : std::enable_shared_from_this<Watching> {
  Watching(Core& on, int fd, Callback callback)
      : core(on), descriptor(on.io(), duplicate(fd)), readable(std::move(callback)) {}

  void wait() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (!error && self->call()) self->wait();
                          });
  }
  bool call() {
    std::lock_guard lock(mutex);
    if (readable) readable();
    return static_cast<bool>(readable);
  }

  Core& core;
  asio::posix::stream_descriptor descriptor;
  std::recursive_mutex mutex;  // the callback may destroy the watch
  Callback readable;
};

FdWatch::FdWatch(Cores& cores, int fd, Callback readable)
    : watching_(std::make_shared<Watching>(cores.core(0), fd, std::move(readable))) {
  watching_->core.post([watching = watching_] { watching->wait(); });
}

FdWatch::~FdWatch() {
  {
    std::lock_guard lock(watching_->mutex);
    watching_->readable = nullptr;
  }
  auto& core = watching_->core;
  core.post([watching = std::move(watching_)] {
    boost::system::error_code ignored;
    watching->descriptor.close(ignored);
  });
}

}  // namespace hikyaku::net
