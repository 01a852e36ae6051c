// What is in a directory, of which a part may not be readable.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "base/result.h"

namespace hikyaku::app {

/// The entries in no order, as far as they could be read; `problem` says why the others could not.
struct DirectoryListing {
  std::vector<std::filesystem::directory_entry> entries;
  std::optional<Error> problem;  ///< NotFound: there is no such directory
};

/// Reads the directory `path`; links are followed.
DirectoryListing list_directory(const std::filesystem::path& path);

/// Mail files may be a user's while root reads them: a link of his may lead to anybody's.
bool is_link(const std::filesystem::path& path);
/// "PATH is a link", Corrupt: what open_below() says.
Error refuse_link(const std::filesystem::path& path);

/// "cannot read PATH: …".
Error cannot_read(const std::filesystem::path& path, const std::error_code& why);

}  // namespace hikyaku::app
