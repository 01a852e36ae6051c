// Space that is kept for the time when others have filled the disk to its last byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/log.h"
#include "store/file_system.h"

namespace hikyaku::store {

/// The file BALLAST: nothing in it, but it holds space that the store gives up when a write that
/// leads out of a full disk meets one. From any thread; one at a time for a directory.
class Ballast {
 public:
  /// With so much free a small one is made; below, what adds to the store waits for it.
  static constexpr std::uint64_t kRoom = 8ull << 20;

  /// `wanted` bytes; never more than an eighth of what is free. 0: none. `files` outlives it.
  Ballast(FileSystem& files, const std::string& directory, std::uint64_t wanted, Log log);

  /// Looks at what is there, and makes it as large as it may be. Not being able to is no error.
  /// Blocks.
  void keep();
  /// Gives it up, because of `why`. False: there was none, or it cannot be removed. Blocks.
  bool give(const Error& why);

  /// None is there, though there should be one. Unknown before keep().
  bool missing() const { return known_ && wanted_ != 0 && bytes_ == 0; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t wanted() const { return wanted_; }

 private:
  std::uint64_t present() const;
  /// An existing one, or one that is new, gets so much space.
  Result<void> make(std::uint64_t size, bool is_new);

  FileSystem& files_;
  std::string directory_;
  std::string path_;
  std::uint64_t wanted_;
  Log log_;
  std::mutex mutex_;  ///< held while the file changes
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<bool> known_{false};
};

/// Does it, and once more if the disk was full and the ballast could be given up.
template <class Work>
auto with_ballast(Ballast& ballast, const Work& work) {
  auto done = work();
  if (!done && done.error().code == ErrorCode::NoSpace && ballast.give(done.error())) done = work();
  return done;
}

}  // namespace hikyaku::store
