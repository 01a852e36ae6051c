// The operating system's files.
#pragma once

#include "store/file_system.h"

namespace hikyaku::store {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> unlink(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::uint64_t> free_space(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, LockScope scope) override;
};

/// Whether the file system that `path` is on takes no new files (inodes), though there is space.
/// False where it does not count them, or cannot be asked.
bool lacks_inodes(const std::string& path);

/// Whether two names are one file.
bool is_same_file(const std::string& a, const std::string& b);

}  // namespace hikyaku::store
