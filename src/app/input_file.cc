#include "app/input_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kPiece = 256 * 1024;

Result<std::string> read_all(int descriptor, const std::string& shown, std::size_t limit) {
  std::string bytes;
  std::size_t used = 0;
  while (true) {
    bytes.resize(std::min(limit + 1, std::max(kPiece, used * 2)));
    auto got = ::read(descriptor, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno_error("cannot read " + shown, errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > limit) return fail(ErrorCode::TooLarge, "{} has more than {} bytes", shown, limit);
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace

Result<std::string> read_input(const std::string& name, std::size_t limit) {
  if (name.empty() || name == "-") return read_all(STDIN_FILENO, "standard input", limit);
  auto shown = printable(name, 200);
  net::UniqueFd file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(errno_error("cannot read " + shown, errno));
  return read_all(file.get(), shown, limit);
}

}  // namespace hikyaku::app
