#include "app/system_user.h"

#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "app/privileges.h"
#include "base/text.h"

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

Result<void> become_user(const std::string& name) {
  if (name.empty() || ::geteuid() != 0) return {};
  auto user = find_user(name);
  if (!user)
    return fail(ErrorCode::NotFound,
                "there is no user {} (server.user): useradd --system --shell /usr/sbin/nologin {}",
                name, name);
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

}  // namespace hikyaku::app
