#include "app/log_bounded.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/log_sink.h"

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;

bool is_writable(int fd, std::chrono::milliseconds wait) {
  pollfd one{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&one, 1, static_cast<int>(wait.count())) > 0;
}

/// A pipe or terminal, opened anew: others share the description of `fd`, who may want theirs to
/// block. Empty where that cannot be, such as with another user's terminal.
net::UniqueFd open_without_blocking(int fd, mode_t mode) {
  if (!S_ISFIFO(mode) && !S_ISCHR(mode)) return {};
  auto path = fmt::format("/proc/self/fd/{}", fd);
  return net::UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

}  // namespace

void BoundedSink::write(LogLevel level, std::string_view line) {
  std::lock_guard lock(mutex_);
  if (tell_lost(0ms) && take(level, line)) return;
  ++lost_;
  lost_ever_.add();
}

void BoundedSink::finish(std::chrono::milliseconds wait) {
  std::lock_guard lock(mutex_);
  auto until = Steady::now() + wait;
  complete(wait);
  tell_lost(std::max(0ms, std::chrono::floor<std::chrono::milliseconds>(until - Steady::now())));
}

/// Whether there is nothing (more) to be told.
bool BoundedSink::tell_lost(std::chrono::milliseconds wait) {
  if (lost_ > 0 && offer(LogLevel::Warn, fmt::format("event=log.lost lines={}", lost_), wait))
    lost_ = 0;
  return lost_ == 0;
}

bool BoundedSink::take(LogLevel level, std::string_view line) {
  if (offer(level, line, 0ms)) return true;
  auto began = Steady::now();
  auto most = patience(began);
  if (most == 0ms) return false;
  bool taken = offer(level, line, most);
  waited_ = Steady::now();
  left_ = std::max<std::chrono::nanoseconds>(most - (waited_ - began), 0ns);
  return taken;
}

/// It grows as fast as it is used up.
std::chrono::milliseconds BoundedSink::patience(Steady::time_point now) const {
  return std::min(kPatience,
                  std::chrono::floor<std::chrono::milliseconds>(left_ + (now - waited_)));
}

BoundedErrorSink::BoundedErrorSink(config::LogFormat format, const Clock& clock,
                                   metrics::Counter lost, int fd)
    : BoundedSink(lost), format_(format), clock_(clock), fd_(fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return;
  is_socket_ = S_ISSOCK(info.st_mode);
  own_ = open_without_blocking(fd, info.st_mode);
}

bool BoundedErrorSink::offer(LogLevel level, std::string_view line,
                             std::chrono::milliseconds wait) {
  auto until = Steady::now() + wait;
  if (!write_rest(until)) return false;
  rest_ = format_log_line(format_, clock_.now(), level, line);
  auto size = rest_.size();
  if (write_rest(until) || rest_.size() < size) return true;
  rest_.clear();
  return false;
}

/// Whether all of it is written.
bool BoundedErrorSink::write_rest(Steady::time_point until) {
  while (!rest_.empty()) {
    auto written = write_now(rest_);
    if (written > 0) {
      rest_.erase(0, static_cast<std::size_t>(written));
      continue;
    }
    if (written == 0 || (errno != EAGAIN && errno != EINTR)) return false;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now());
    if (left <= 0ms || !is_writable(own_ ? own_.get() : fd_, left)) return false;
  }
  return true;
}

/// As much as is taken without waiting, as write(2).
ssize_t BoundedErrorSink::write_now(std::string_view bytes) const {
  if (is_socket_) return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (own_) return ::write(own_.get(), bytes.data(), bytes.size());
  if (!is_writable(fd_, 0ms)) {
    errno = EAGAIN;
    return -1;
  }
  // A pipe that is writable takes so much without blocking, unless others who have it fill it in
  // this moment; a terminal nearly always.
  return ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

}  // namespace hikyaku::app
