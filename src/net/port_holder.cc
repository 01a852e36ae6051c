#include "net/port_holder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <netinet/in.h>
#include <set>
#include <sstream>

#include "base/text.h"

namespace hikyaku::net {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListening = "0A";
/// Enough for any machine; a bound for a start that fails anyway.
constexpr int kMaxProcesses = 100'000;

/// An address as /proc/net/tcp writes it: words of four bytes, each in the machine's byte order.
std::string kernel_form(const IpAddress& address) {
  auto bytes = address.bytes();
  std::string form;
  for (std::size_t i = 0; i < bytes.size(); i += 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes.data() + i, 4);
    form += fmt::format("{:08X}", word);
  }
  return form;
}

/// The inodes of the sockets that listen at the port, on this address or on all.
std::set<std::string> listening_inodes(const Endpoint& endpoint) {
  auto port = fmt::format("{:04X}", endpoint.port);
  auto exact = kernel_form(endpoint.address);
  std::set<std::string> inodes;
  for (auto* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string number, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
          timeout >> inode;
      auto colon = local.find(':');
      if (colon == std::string::npos || state != kListening || local.substr(colon + 1) != port)
        continue;
      auto address = local.substr(0, colon);
      if (address == exact || address.find_first_not_of('0') == std::string::npos)
        inodes.insert("socket:[" + inode + "]");
    }
  }
  return inodes;
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end;
       fd.increment(error)) {
    std::error_code unreadable;
    auto target = fs::read_symlink(fd->path(), unreadable);
    if (!unreadable && inodes.contains(target.string())) return true;
  }
  return false;
}

}  // namespace

std::string port_holder(const Endpoint& endpoint) {
  auto inodes = listening_inodes(endpoint);
  if (inodes.empty()) return {};
  std::error_code error;
  int seen = 0;
  for (fs::directory_iterator process("/proc", error), end;
       !error && process != end && seen < kMaxProcesses; process.increment(error)) {
    auto id = process->path().filename().string();
    if (!parse_decimal(id)) continue;
    ++seen;
    if (!holds_one_of(process->path(), inodes)) continue;
    std::ifstream file(process->path() / "comm");
    std::string name;
    std::getline(file, name);
    return fmt::format("{}, process {}", printable(name, 64), id);
  }
  return {};
}

}  // namespace hikyaku::net
