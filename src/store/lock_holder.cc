#include "store/lock_holder.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace hikyaku::store {
namespace {

constexpr std::size_t kMostName = 40;
/// "hikyaku account add": no verb has more.
constexpr int kMostVerbs = 2;

std::string_view take_word(std::string_view& command_line) {
  auto word = command_line.substr(0, command_line.find('\0'));
  command_line.remove_prefix(std::min(word.size() + 1, command_line.size()));
  return word;
}

bool is_verb(std::string_view word) {
  auto known = [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; };
  return !word.empty() && word.front() != '-' && std::ranges::all_of(word, known);
}

bool is_name(std::string_view word) {
  auto graphic = [](char c) { return c > ' ' && c <= '~'; };
  return !word.empty() && word.size() <= kMostName && std::ranges::all_of(word, graphic);
}

}  // namespace

std::string describe_process(int pid, std::string_view command_line) {
  auto program = take_word(command_line);
  program.remove_prefix(program.rfind('/') + 1);
  if (!is_name(program)) return std::to_string(pid);
  std::string words(program);
  for (int i = 0; i < kMostVerbs; ++i) {
    auto word = take_word(command_line);
    if (!is_verb(word)) break;
    words.append(" ").append(word.substr(0, kMostName));
  }
  return fmt::format("{} ({})", pid, words);
}

std::string describe_process(int pid) {
  std::array<char, 512> buffer;
  ssize_t got = -1;
  auto path = fmt::format("/proc/{}/cmdline", pid);
  if (int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0) {
    got = ::read(fd, buffer.data(), buffer.size());
    ::close(fd);
  }
  auto known = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  return describe_process(pid, {buffer.data(), known});
}

std::string describe_this_process() {
  return describe_process(::getpid());
}

std::string describe_locker(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return "unknown";
  auto place = fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev),
                           static_cast<std::uint64_t>(status.st_ino));
  std::ifstream locks("/proc/locks");
  std::string line, number, kind, advisory, mode, of;
  while (std::getline(locks, line)) {
    std::istringstream words(line);  // "2: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF"
    int pid = 0;
    if (words >> number >> kind >> advisory >> mode >> pid >> of && kind == "FLOCK" && of == place)
      return describe_process(pid);
  }
  return "unknown";
}

}  // namespace hikyaku::store
