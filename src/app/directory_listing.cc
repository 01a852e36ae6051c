#include "app/directory_listing.h"

#include <fmt/core.h>

namespace hikyaku::app {

namespace fs = std::filesystem;

Error cannot_read(const fs::path& path, const std::error_code& why) {
  return errno_error(fmt::format("cannot read {}", path.string()), why.value());
}

bool is_link(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::symlink;
}

Error refuse_link(const fs::path& path) {
  return {ErrorCode::Corrupt, fmt::format("{} is a link", path.string()), {}};
}

DirectoryListing list_directory(const fs::path& path) {
  DirectoryListing listing;
  std::error_code error;
  fs::directory_iterator at(path, error);
  // An error makes it the end, and is not to be taken for it.
  for (; !error && at != fs::directory_iterator(); at.increment(error))
    listing.entries.push_back(*at);
  if (error) listing.problem = cannot_read(path, error);
  return listing;
}

}  // namespace hikyaku::app
