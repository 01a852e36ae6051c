#include "app/landlock.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

// Constants of Landlock that the headers of Debian 12 do not have yet (landlock(7)).
constexpr std::uint64_t kFsRefer = 1ull << 13;           // ABI 2
constexpr std::uint64_t kFsTruncate = 1ull << 14;        // ABI 3
constexpr std::uint64_t kFsIoctlDevice = 1ull << 15;     // ABI 5
constexpr std::uint64_t kNetBindTcp = 1ull << 0;         // ABI 4
constexpr std::uint64_t kScopeAbstractUnix = 1ull << 0;  // ABI 6
constexpr std::uint64_t kScopeSignal = 1ull << 1;        // ABI 6
constexpr int kRuleNetPort = 2;

struct RulesetAttributes {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scoped = 0;
};
struct NetPortAttributes {
  std::uint64_t allowed = 0;
  std::uint64_t port = 0;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 kFsRefer | kFsTruncate;
constexpr std::uint64_t kEverythingOfAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

Error failed(std::string_view what) {
  return errno_error(fmt::format("cannot enter the sandbox ({})", what), errno);
}

std::uint64_t file_rights(int abi) {
  auto rights = kEverythingOfAbi1;
  if (abi >= 2) rights |= kFsRefer;
  if (abi >= 3) rights |= kFsTruncate;
  if (abi >= 5) rights |= kFsIoctlDevice;
  return rights;
}

/// A file that is not there needs no rule.
Result<void> allow(int ruleset, const fs::path& path, std::uint64_t rights) {
  if (path.empty()) return {};
  int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat info{};
  if (::fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
    rights &= kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | kFsTruncate;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = fd;
  auto result = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  auto error = errno;
  ::close(fd);
  errno = error;
  if (result != 0) return std::unexpected(failed("landlock_add_rule " + path.string()));
  return {};
}

Result<void> allow_paths(int ruleset, const SandboxPaths& paths, std::uint64_t handled) {
  for (auto& path : paths.writable) TRY_DO(allow(ruleset, path, kWrite & handled));
  for (auto& path : paths.readable) TRY_DO(allow(ruleset, path, kRead & handled));
  return {};
}

}  // namespace

int landlock_abi() {
  auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<int> restrict_files(const SandboxPaths& paths) {
  int abi = landlock_abi();
  if (abi == 0) return 0;
  RulesetAttributes attributes;
  attributes.handled_fs = file_rights(abi);
  std::size_t size = sizeof attributes.handled_fs;
  if (abi >= 4) {
    attributes.handled_net = kNetBindTcp;
    size = offsetof(RulesetAttributes, scoped);
  }
  if (abi >= kLandlockOfAbstractSockets) {
    attributes.scoped = kScopeSignal;
    // systemd of some containers listens for readiness on an abstract socket.
    auto notify = std::getenv("NOTIFY_SOCKET");
    if (!notify || *notify != '@') attributes.scoped |= kScopeAbstractUnix;
    size = sizeof attributes;
  }
  auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) return std::unexpected(failed("landlock_create_ruleset"));
  auto added = allow_paths(ruleset, paths, attributes.handled_fs);
  if (added && abi >= 4) {
    // Connections to other servers may be bound to an address, never to a port of our choice.
    NetPortAttributes any{kNetBindTcp, 0};
    if (::syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &any, 0) != 0)
      added = std::unexpected(failed("landlock_add_rule for ports"));
  }
  if (added && ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
    added = std::unexpected(failed("landlock_restrict_self"));
  ::close(ruleset);
  if (!added) return std::unexpected(std::move(added).error());
  return abi;
}

}  // namespace hikyaku::app
