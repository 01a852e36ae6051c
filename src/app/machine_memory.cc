#include "app/machine_memory.h"

#include <algorithm>
#include <unistd.h>

#include "app/core.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

std::uint64_t limit_in(const fs::path& file) {
  auto text = read_file(file, 4096);
  if (!text) return UINT64_MAX;
  return parse_decimal(trim(*text)).value_or(UINT64_MAX);  // "max"
}

/// In `group` and all groups around it. In a container the group of the outside may not be there;
/// then `mounted` itself is ours.
std::uint64_t lowest_limit(const fs::path& mounted, std::string_view group, const char* file) {
  auto lowest = limit_in(mounted / file);
  fs::path path = mounted;
  for (auto& part : fs::path(group).relative_path()) {
    path /= part;
    lowest = std::min(lowest, limit_in(path / file));
  }
  return lowest;
}

bool has_memory(std::string_view controllers) {
  auto names = split(controllers, ',');
  return std::ranges::find(names, "memory") != names.end();
}

}  // namespace

std::uint64_t cgroup_memory(std::string_view membership, const fs::path& root) {
  auto lowest = UINT64_MAX;
  for (auto line : split(membership, '\n')) {
    // HIERARCHY:CONTROLLERS:PATH; version 2 has no controllers (cgroups(7)).
    auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    auto controllers = line.substr(first + 1, second - first - 1);
    auto group = line.substr(second + 1);
    if (controllers.empty()) {
      lowest = std::min(lowest, lowest_limit(root, group, "memory.max"));
    } else if (has_memory(controllers)) {
      lowest = std::min(lowest, lowest_limit(root / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return lowest;
}

std::uint64_t available_memory() {
  auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                 static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  auto membership = read_file("/proc/self/cgroup", 64 * 1024);
  return membership ? std::min(machine, cgroup_memory(*membership, "/sys/fs/cgroup")) : machine;
}

}  // namespace hikyaku::app
