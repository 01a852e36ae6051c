// The user of the machine that an instance belongs to (server.user).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace hikyaku::app {

/// A user as the machine knows it.
struct SystemUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string name;
  std::string full_name;  ///< the first part of the GECOS field
};

/// nullopt: there is none.
std::optional<SystemUser> find_user(const std::string& name);
std::optional<SystemUser> find_user(std::uint32_t uid);

/// That there is none of this name, with the command that makes one.
Error no_such_user(const std::string& name);
/// Whose an instance's files shall be, of which server.user is `name`; nullopt: ours, as whoever
/// runs this is not root, or no user is named. NotFound: there is none (with the remedy).
Result<std::optional<SystemUser>> owner_for(const std::string& name);

/// Becomes this user for good, if we are root and `name` is not empty: what is written from then on
/// belongs to it. NotFound (with the remedy), Denied.
Result<void> become_user(const std::string& name);

/// Gives a file of ours to the user's group with this mode, so that it can be read there but not
/// changed; nothing without a user. Denied.
Result<void> let_read(const std::filesystem::path& path, const std::optional<SystemUser>& owner,
                      unsigned mode);

/// Lets the user's group read a secret that root or the user has put there, unless it can already.
/// Gives whether anything had to change. A link, another name of a file, or somebody else's is left
/// alone: Denied, with what to do.
Result<bool> let_read_secret(const std::filesystem::path& path, const SystemUser& owner);

}  // namespace hikyaku::app
