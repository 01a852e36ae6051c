// The operating system's files, for classes that change something about them. For tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/posix_file_system.h"

namespace hikyaku::store {

class PassingFiles : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode != OpenMode::Read && mode != OpenMode::Scrub) TRY_DO(before_change());
    return files_.open(path, mode);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY_DO(before_change());
    return files_.rename(from, to);
  }
  Result<void> unlink(const std::string& path) override {
    TRY_DO(before_change());
    return files_.unlink(path);
  }
  Result<void> make_directory(const std::string& path) override {
    TRY_DO(before_change());
    return files_.make_directory(path);
  }
  Result<void> remove_directory(const std::string& path) override {
    TRY_DO(before_change());
    return files_.remove_directory(path);
  }
  Result<void> link(const std::string& from, const std::string& to) override {
    TRY_DO(before_change());
    return files_.link(from, to);
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return files_.list(directory);
  }
  Result<void> sync_directory(const std::string& directory) override {
    TRY_DO(before_change());
    return files_.sync_directory(directory);
  }
  Result<std::uint64_t> free_space(const std::string& directory) override {
    return files_.free_space(directory);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, LockScope scope) override {
    return files_.lock(path, scope);
  }

 protected:
  virtual Result<void> before_change() { return {}; }

 private:
  PosixFileSystem files_;
};

}  // namespace hikyaku::store
