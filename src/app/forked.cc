#include "app/forked.h"

#include <array>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hikyaku::app {
namespace {

/// All that comes until the other end is closed.
std::string read_to_end(int fd) {
  std::string bytes;
  std::array<char, 4096> piece;
  for (;;) {
    auto got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

void Forked::Parent::tell(std::string_view words) {
  (void)net::write_all(answer_.get(), words);
  answer_.reset();
}

void Forked::Parent::wait_until_released() {
  (void)read_to_end(hold_.get());
}

Result<std::unique_ptr<Forked>> Forked::start(const std::function<void(Parent&)>& work) {
  std::array<int, 2> answer{}, hold{};
  if (::pipe2(answer.data(), O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe", errno));
  net::UniqueFd from_child(answer[0]), to_parent(answer[1]);
  if (::pipe2(hold.data(), O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe", errno));
  net::UniqueFd from_parent(hold[0]), to_child(hold[1]);
  auto child = ::fork();
  if (child < 0) return std::unexpected(errno_error("fork", errno));
  if (child == 0) {
    from_child.reset();
    to_child.reset();
    int code = 0;
    try {
      Parent parent(std::move(to_parent), std::move(from_parent));
      work(parent);
    } catch (const std::exception&) {
      code = 1;  // nothing was told: the parent knows what that means
    }
    ::_exit(code);
  }
  return std::unique_ptr<Forked>(new Forked(child, std::move(from_child), std::move(to_child)));
}

Forked::~Forked() {
  hold_.reset();
  answer_.reset();
  int status = 0;
  while (::waitpid(child_, &status, 0) != child_)
    if (errno != EINTR) break;
}

std::string Forked::answer() {
  return read_to_end(answer_.get());
}

}  // namespace hikyaku::app
