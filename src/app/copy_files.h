// Copying files so that what was copied is on the disk and known by its checksum.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/result.h"
#include "net/fd.h"

namespace hikyaku::app {

/// Told how many bytes more have been dealt with.
using CountBytes = std::function<void(std::uint64_t bytes)>;

/// A file in a directory where somebody else may write: nothing of its name below the directory is
/// followed if it is a link (the directory itself may be one).
struct FileBelow {
  std::filesystem::path directory;
  std::string name;  ///< stays_below()

  std::filesystem::path path() const { return directory / name; }
};

/// Opens a file for reading, without waiting for anybody. NotFound, Denied, Io; Corrupt when
/// something of its name is a link, or it is no file.
Result<net::UniqueFd> open_below(const FileBelow& file);

/// The whole of a small file. As open_below(); TooLarge above `most` bytes.
Result<std::string> read_below(const FileBelow& file, std::size_t most = 1 << 20);

/// The SHA-256 of a file, or of its first `length` bytes, hexadecimal. As open_below(); Corrupt
/// when it is shorter, too.
Result<std::string> sum_of_file(const FileBelow& file, std::optional<std::uint64_t> length,
                                const CountBytes& read);

/// Copies the first `length` bytes to a new file, syncs it, and reads it again from the disk. Gives
/// their SHA-256, hexadecimal. A link is no file to it, here or there. NotFound, Denied, Exists,
/// NoSpace, Io, Corrupt.
Result<std::string> copy_file(const FileBelow& from, const std::filesystem::path& to,
                              std::uint64_t length, const CountBytes& copied);

/// The same of a file that a disk does not give whole: what cannot be read of it, and what is
/// missing at its end, are zeros in the copy.
struct SalvagedCopy {
  std::string sum;           ///< of the copy
  std::uint64_t unread = 0;  ///< bytes that are zeros now
};
Result<SalvagedCopy> copy_readable(const FileBelow& from, const std::filesystem::path& to,
                                   std::uint64_t length, const CountBytes& copied);

/// Makes `to` another name of a file. NotFound, Denied, Exists, Corrupt (as open_below()); Io: the
/// file systems cannot.
Result<void> link_file(const FileBelow& from, const std::filesystem::path& to);

/// Writes a small file, and syncs it; it takes the place of what has that name, which is neither
/// followed nor written to.
Result<void> write_synced(const std::filesystem::path& path, std::string_view bytes);

/// Whether a path that somebody else wrote down names something below where it is looked for.
bool stays_below(std::string_view path);

/// What a link in a tree is.
enum class Links {
  Refuse,  ///< nothing that belongs there: what it leads to may be anybody's
  Follow,  ///< another name of what it leads to, which is copied under this one
};

/// How a tree is copied.
struct CopyRules {
  Links links = Links::Refuse;
  /// (uid, gid) of what is made; nullopt: ours.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner = {};
  CountBytes copied = [](std::uint64_t) {};
  /// Called for each file with its path below `from` ("" for a single file) and its SHA-256.
  std::function<void(const std::string& name, const std::string& sum)> summed = {};
  /// Called for each file or link: false goes on without it. Empty: all are wanted.
  std::function<bool(const std::string& name)> wanted = {};
  /// Called for each name in `from` that cannot be read, or is a link (Corrupt): true goes on
  /// without it. Empty: nothing is left out.
  std::function<bool(const std::string& name, const Error& why)> leave_out = {};
};
/// Copies a directory with all that is in it, or a file; nothing is shared with it afterwards.
/// Files keep their modes, directories are for their owner only. Everything is on disk then.
/// Whoever may write there, or to `from`, cannot lead it anywhere else meanwhile. Corrupt: there is
/// a link, or what is neither directory nor file; Invalid: it is too deep. NotFound, Denied,
/// Exists, NoSpace, Io.
Result<void> copy_tree(const std::filesystem::path& from, const std::filesystem::path& to,
                       const CopyRules& rules);

/// What a function of std::filesystem says, as an Error: `return failed("cannot name x", error);`
std::unexpected<Error> failed(const std::string& what, const std::error_code& error);

/// What was made, removed or renamed in it is so for good.
void sync_directory(const std::filesystem::path& path);
std::uint64_t tree_size(const std::filesystem::path& path);

}  // namespace hikyaku::app
