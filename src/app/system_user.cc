#include "app/system_user.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "app/privileges.h"
#include "base/text.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

/// getpwnam_r(3) or getpwuid_r(3), with room that grows until the entry fits.
template <class Ask>
std::optional<SystemUser> look_up(Ask ask) {
  constexpr std::size_t kMost = 1 << 20;
  for (std::vector<char> room(4096); room.size() <= kMost; room.resize(room.size() * 4)) {
    passwd entry{};
    passwd* found = nullptr;
    auto error = ask(&entry, room.data(), room.size(), &found);
    if (error == ERANGE) continue;
    if (error != 0 || !found) return std::nullopt;
    auto full = split(entry.pw_gecos ? entry.pw_gecos : "", ',').front();
    return SystemUser{entry.pw_uid, entry.pw_gid, entry.pw_name, std::string(full)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<SystemUser> find_user(const std::string& name) {
  return look_up([&](passwd* entry, char* room, std::size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, room, size, found);
  });
}

std::optional<SystemUser> find_user(std::uint32_t uid) {
  return look_up([&](passwd* entry, char* room, std::size_t size, passwd** found) {
    return ::getpwuid_r(uid, entry, room, size, found);
  });
}

Error no_such_user(const std::string& name) {
  return {ErrorCode::NotFound,
          fmt::format("there is no user {} (server.user). Make it: useradd --system --user-group "
                      "--no-create-home --home-dir /var/lib/hikyaku --shell /usr/sbin/nologin {}",
                      name, name),
          nullptr};
}

Result<std::optional<SystemUser>> owner_for(const std::string& name) {
  if (::geteuid() != 0 || name.empty()) return std::optional<SystemUser>();
  auto user = find_user(name);
  if (!user) return std::unexpected(no_such_user(name));
  return user;
}

Result<void> become_user(const std::string& name) {
  if (name.empty() || ::geteuid() != 0) return {};
  auto user = find_user(name);
  if (!user) return std::unexpected(no_such_user(name));
  drop_bounding_set();  // afterwards it cannot be
  if (::initgroups(name.c_str(), user->gid) != 0 || ::setgid(user->gid) != 0 ||
      ::setuid(user->uid) != 0) {
    return std::unexpected(errno_error("cannot become " + name, errno));
  }
  return {};
}

Result<void> let_read(const std::filesystem::path& path, const std::optional<SystemUser>& owner,
                      unsigned mode) {
  if (!owner) return {};
  if (::chown(path.c_str(), 0, owner->gid) != 0 || ::chmod(path.c_str(), mode) != 0)
    return std::unexpected(
        errno_error("cannot give " + path.string() + " to " + owner->name, errno));
  return {};
}

Result<bool> let_read_secret(const std::filesystem::path& path, const SystemUser& owner) {
  net::UniqueFd file(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat facts{};
  // Who may write to the directory must not make us open another's file to him.
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_nlink != 1 ||
      (facts.st_uid != 0 && facts.st_uid != owner.uid))
    return fail(ErrorCode::Denied,
                "{0} is a link, or belongs to another user: put a file of root's there, then "
                "restore again",
                path.string());
  bool by_owner = facts.st_uid == owner.uid && (facts.st_mode & S_IRUSR) != 0;
  bool by_group = facts.st_gid == owner.gid && (facts.st_mode & S_IRGRP) != 0;
  if ((by_owner || by_group) && (facts.st_mode & S_IRWXO) == 0) return false;
  if (::fchown(file.get(), 0, owner.gid) != 0 || ::fchmod(file.get(), 0640) != 0)
    return std::unexpected(
        errno_error("cannot give " + path.string() + " to " + owner.name, errno));
  return true;
}

}  // namespace hikyaku::app
