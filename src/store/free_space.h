// Is there enough free disk space to promise anything?
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>

#include "store/file_system.h"

namespace hikyaku::store {

/// From any thread. Asks the file system at most every 100 ms.
class FreeSpace {
 public:
  FreeSpace(FileSystem& files, std::string directory, std::uint64_t reserve)
      : files_(files), directory_(std::move(directory)), reserve_(reserve) {}

  /// NoSpace when less than the reserve is free.
  Result<void> check();

 private:
  FileSystem& files_;
  std::string directory_;
  std::uint64_t reserve_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point asked_{};
  bool low_ = false;
};

}  // namespace hikyaku::store
