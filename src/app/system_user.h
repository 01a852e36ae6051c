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

/// Becomes this user for good, if we are root and `name` is not empty: what is written from then on
/// belongs to it. NotFound (with the remedy), Denied.
Result<void> become_user(const std::string& name);

/// Gives a file of ours to the user's group with this mode, so that it can be read there but not
/// changed; nothing without a user. Denied.
Result<void> let_read(const std::filesystem::path& path, const std::optional<SystemUser>& owner,
                      unsigned mode);

}  // namespace hikyaku::app
