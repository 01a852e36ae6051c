// Is there enough free disk space to promise anything?
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "store/ballast.h"
#include "store/file_system.h"

namespace hikyaku::store {

/// How much of the reserve somebody leaves free.
enum class Reserve {
  All,   ///< what adds to the store
  Half,  ///< what adds rows but no body (TransactOptions::may_use_half_reserve)
};

/// From any thread. Asks the file system at most every 100 ms.
class FreeSpace {
 public:
  /// `files` and `ballast` outlive it.
  FreeSpace(FileSystem& files, std::string directory, std::uint64_t reserve, const Ballast& ballast)
      : files_(files), directory_(std::move(directory)), reserve_(reserve), ballast_(ballast) {}

  /// NoSpace when less than the reserve (or half of it) is free; or, where the ballast has been
  /// given up, too little to make another.
  Result<void> check(Reserve kept = Reserve::All);

 private:
  FileSystem& files_;
  std::string directory_;
  std::uint64_t reserve_;
  const Ballast& ballast_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point asked_{};
  std::optional<std::uint64_t> free_;
};

}  // namespace hikyaku::store
