#include "app/log_journal.h"

#include <cerrno>
#include <cstdlib>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/log_sink.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

/// syslog(3).
int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return 3;
    case LogLevel::Warn:
      return 4;
    case LogLevel::Info:
      return 6;
    case LogLevel::Debug:
    case LogLevel::Trace:
      return 7;
  }
  return 3;
}

/// Log lines have no control characters, so the form for values with line feeds is not needed.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += '=';
  out += value;
  out += '\n';
}

/// poll() knows nothing of the room that a socket has which is sent to by name.
void limit_wait(int fd, std::chrono::milliseconds wait) {
  auto whole = std::chrono::floor<std::chrono::seconds>(wait);
  timeval most{.tv_sec = whole.count(), .tv_usec = std::chrono::microseconds(wait - whole).count()};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
}

/// Sent to by name each time: a journal that was restarted is found again.
bool send_to(int fd, const std::string& path, std::string_view datagram, int flags) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  path.copy(address.sun_path, path.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  while (true) {
    auto sent = ::sendto(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL | flags,
                         reinterpret_cast<sockaddr*>(&address), length);
    if (sent >= 0 || errno != EINTR) return sent >= 0;
  }
}

}  // namespace

bool is_journal_stream(std::string_view stream, int fd) {
  struct stat info{};
  if (stream.empty() || ::fstat(fd, &info) != 0) return false;
  return stream == fmt::format("{}:{}", info.st_dev, info.st_ino);
}

std::string journal_entry(LogLevel level, std::string_view line) {
  std::string out;
  append_field(out, "MESSAGE", line);
  append_field(out, "PRIORITY", std::to_string(priority_of(level)));
  append_field(out, "SYSLOG_IDENTIFIER", "hikyaku");
  while (auto field = take_log_field(line))
    append_field(out, "HIKYAKU_" + to_upper(field->key), field->value);
  return out;
}

std::unique_ptr<JournalSink> JournalSink::open(LogSink& instead, metrics::Counter lost,
                                               std::string_view path) {
  auto stream = std::getenv("JOURNAL_STREAM");
  if (!stream || !is_journal_stream(stream, STDERR_FILENO)) return nullptr;
  if (::access(std::string(path).c_str(), W_OK) != 0) return nullptr;
  net::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return nullptr;
  return std::make_unique<JournalSink>(std::move(socket), std::string(path), instead, lost);
}

bool JournalSink::offer(LogLevel level, std::string_view line, std::chrono::milliseconds wait) {
  bool may_wait = wait.count() > 0;
  if (may_wait) limit_wait(socket_.get(), wait);
  if (send_to(socket_.get(), path_, journal_entry(level, line), may_wait ? 0 : MSG_DONTWAIT))
    return true;
  if (errno == EAGAIN) return false;
  instead_.write(level, line);
  return true;
}

}  // namespace hikyaku::app
