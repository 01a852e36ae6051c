// The file layer below journal and index: what the store asks of an operating system, small enough
// to be simulated. posix_file_system.h is the real one; simulated_file_system.h loses power.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::store {

/// An open file. Reads and writes name their place, so several threads may use one at a time.
class File {
 public:
  virtual ~File() = default;

  /// Writes the pieces one behind the other from `offset` on; gives how many bytes were written,
  /// which may be fewer than asked (write_all goes on). Io, NoSpace.
  virtual Result<std::size_t> write_some(std::uint64_t offset,
                                         std::span<const std::string_view> pieces) = 0;
  /// Fills `into` from `offset` on; fewer bytes only at the end of the file. Io.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> into) = 0;
  /// The same without waiting for a device; nullopt when that cannot be done (or on any error:
  /// `read` will tell).
  virtual std::optional<std::size_t> read_cached(std::uint64_t offset, std::span<char> into) = 0;
  /// Returns once everything written, and the size, is on the device. After an error nobody knows
  /// what is: never call it again in the hope of better.
  virtual Result<void> sync_data() = 0;
  /// Makes the file at least `size` long, zeros behind what is there, and takes the space for it,
  /// so that writing there cannot meet a full disk. NoSpace changes nothing.
  virtual Result<void> preallocate(std::uint64_t size) = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
};

enum class LockScope {
  File,  ///< the file alone
  /// The directory that it is in, too, in case that somebody removes the file: for what no other
  /// program may want to lock.
  Directory,
};

/// A lock on a path, given back when destroyed (also when the process dies).
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  Read,    ///< existing, for reading
  Scrub,   ///< the same past the kernel's memory, if that can be done: what is on the device is
           ///< read, and stays in nobody's way; for one thread that goes from begin to end
  Write,   ///< existing, for reading and writing
  Create,  ///< must not exist yet (Exists); for reading and writing
};

/// Names are durable only after sync_directory of the directory that they are in.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// NotFound, Exists, Io.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  /// Replaces `to` if it exists. Of directories: `to` must not exist.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> unlink(const std::string& path) = 0;
  /// Makes the directory (and those above it) unless it is there; it stays there after a crash.
  virtual Result<void> make_directory(const std::string& path) = 0;
  /// An empty one; NotFound.
  virtual Result<void> remove_directory(const std::string& path) = 0;
  /// Gives a file, which nobody will ever write to again, a second name. Unsupported where names
  /// and files are one.
  virtual Result<void> link(const std::string& from, const std::string& to) = 0;
  /// The names of the files in a directory, sorted; NotFound.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<void> sync_directory(const std::string& directory) = 0;
  /// Bytes that an unprivileged process can still write.
  virtual Result<std::uint64_t> free_space(const std::string& directory) = 0;
  /// Conflict names the process that holds it (lock_holder.h).
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, LockScope scope) = 0;
};

/// Writes all pieces, over short writes.
Result<void> write_all(File& file, std::uint64_t offset, std::span<const std::string_view> pieces);
Result<void> write_all(File& file, std::uint64_t offset, std::string_view bytes);

/// Reads exactly `length` bytes; Corrupt when the file ends before.
Result<std::string> read_exactly(File& file, std::uint64_t offset, std::size_t length);

/// A whole small file; TooLarge above `limit`.
Result<std::string> read_file(FileSystem& files, const std::string& path, std::size_t limit);

/// Writes a small file so that after a crash there is the old one or the new one, whole: a new file
/// beside it (".new"), synced, renamed, the directory synced.
Result<void> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                          std::string_view bytes);

/// Writes a copy of a file and syncs it; its name is durable after sync_directory.
Result<void> copy_file(FileSystem& files, const std::string& from, const std::string& to);

/// Removes a directory and the files in it, if it is there.
Result<void> remove_files(FileSystem& files, const std::string& directory);

}  // namespace hikyaku::store
