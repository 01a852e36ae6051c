// Whether the server's user may read what it must, and what stands in the way.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/instance.h"
#include "base/phrase.h"
#include "base/result.h"
#include "config/config.h"

namespace hikyaku::app {

/// What keeps somebody from reading a file.
struct Obstacle {
  std::filesystem::path file;  ///< that cannot be read
  std::filesystem::path path;  ///< the first on the way that is closed: a directory, or the file
  bool is_directory = false;
  std::string owner, group;  ///< of `path`; numbers where the machine has no name for them
  unsigned mode = 0;
};

/// What keeps this process from reading a file; nullopt: nothing, or there is no such file. Links
/// are followed one by one, as the kernel does it.
std::optional<Obstacle> find_obstacle(const std::filesystem::path& file);

/// The same for the server's user, asked by a process that becomes it, if we are root (and no other
/// threads run); else for who we are. Only the files with an obstacle are in it. NotFound: there is
/// no such user.
Result<std::vector<Obstacle>> find_obstacles(const std::string& server_user,
                                             const std::vector<std::filesystem::path>& files);

/// Whose eyes count: server.user if root asks or it is who asks; nullopt: another user asks, for
/// whom a closed file tells nothing about the server.
std::optional<std::string> judged_as(const config::Config& config);

/// "chgrp hikyaku X && chmod 640 X": lets the group of `user` read it.
std::string command_to_let_read(const Obstacle& obstacle, const std::string& user);

/// A sentence with the remedy. `copies_to`: where copies of the file can be put that the server may
/// read, if a directory of somebody else's stands in the way.
std::string describe(const Obstacle& obstacle, const std::string& user,
                     const std::filesystem::path& copies_to, Language language);

}  // namespace hikyaku::app
