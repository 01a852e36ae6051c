#include "store/posix_file_system.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store/lock_holder.h"

namespace hikyaku::store {
namespace {

std::unexpected<Error> last_error(const std::string& what) {
  return std::unexpected(errno_error(what, errno));
}

/// The same when something could not be made: the kernel has one word for both lacks.
std::unexpected<Error> creation_error(const std::string& what, const std::string& path) {
  int error = errno;
  auto slash = path.rfind('/');
  auto directory = slash == std::string::npos ? "." : path.substr(0, std::max(slash, 1ul));
  if (error == ENOSPC && lacks_inodes(directory))
    return fail(ErrorCode::NoSpace, "{}: no inodes are left", what);
  return std::unexpected(errno_error(what, error));
}

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override { ::close(descriptor_); }

  Result<std::size_t> write_some(std::uint64_t offset,
                                 std::span<const std::string_view> pieces) override {
    std::array<iovec, 1024> list;
    static_assert(list.size() <= IOV_MAX);
    std::size_t count = std::min(pieces.size(), list.size());
    for (std::size_t i = 0; i < count; ++i)
      list[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    while (true) {
      auto written =
          ::pwritev(descriptor_, list.data(), static_cast<int>(count), static_cast<off_t>(offset));
      if (written >= 0) return static_cast<std::size_t>(written);
      if (errno != EINTR) return last_error("cannot write " + path_);
    }
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      auto got = ::pread(descriptor_, into.data() + done, into.size() - done,
                         static_cast<off_t>(offset + done));
      if (got == 0) break;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return last_error("cannot read " + path_);
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  std::optional<std::size_t> read_cached(std::uint64_t offset, std::span<char> into) override {
    iovec piece{into.data(), into.size()};
    auto got = ::preadv2(descriptor_, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    // A short answer may be the end of the file or of what is in memory; `read` finds out.
    if (got < 0 || static_cast<std::size_t>(got) != into.size()) return std::nullopt;
    return into.size();
  }

  Result<void> sync_data() override {
    if (::fdatasync(descriptor_) != 0) return last_error("cannot sync " + path_);
    return {};
  }

  Result<void> preallocate(std::uint64_t wanted) override {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) return last_error("cannot examine " + path_);
    auto present = static_cast<std::uint64_t>(status.st_size);
    // A copy may have the length without the space: programs leave out what is all zeros.
    bool sparse = static_cast<std::uint64_t>(status.st_blocks) * 512 < wanted;
    if (present >= wanted && sparse)
      return ::fallocate(descriptor_, 0, 0, static_cast<off_t>(wanted)) == 0 || errno == EOPNOTSUPP
                 ? Result<void>()
                 : last_error("cannot take space for " + path_);
    if (present >= wanted) return {};
    while (::fallocate(descriptor_, 0, static_cast<off_t>(present),
                       static_cast<off_t>(wanted - present)) != 0) {
      if (errno == EINTR) continue;
      if (errno == EOPNOTSUPP) return write_zeros(present, wanted);
      int error = errno;
      // What was taken before the disk was full goes back.
      if (::ftruncate(descriptor_, static_cast<off_t>(present)) != 0) errno = error;
      return std::unexpected(errno_error("cannot take space for " + path_, error));
    }
    return {};
  }

  Result<void> truncate(std::uint64_t length) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(length)) != 0)
      return last_error("cannot shorten " + path_);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) return last_error("cannot examine " + path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  // For file systems that cannot allocate ahead.
  Result<void> write_zeros(std::uint64_t from, std::uint64_t to) {
    std::string zeros(static_cast<std::size_t>(std::min<std::uint64_t>(to - from, 1 << 20)), '\0');
    for (auto at = from; at < to;) {
      auto piece = std::string_view(zeros).substr(0, static_cast<std::size_t>(to - at));
      if (auto written = write_all(*this, at, piece); !written) {
        (void)truncate(from);
        return written;
      }
      at += piece.size();
    }
    return {};
  }

  int descriptor_;
  std::string path_;
};

/// Reads a file from begin to end in pieces of its own, past the kernel's memory: others' pages
/// stay there, and what the device gives is what is seen. Where a file system does not do that,
/// what was not in memory before does not stay there.
class ScrubbedFile final : public File {
 public:
  ScrubbedFile(int descriptor, bool direct, std::string path)
      : file_(descriptor, path), descriptor_(descriptor), direct_(direct), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      auto at = offset + done;
      if (at < begin_ || at - begin_ >= length_) TRY_DO(fill(at, into.size() - done));
      if (at - begin_ >= length_) break;  // the file ends here
      auto from = static_cast<std::size_t>(at - begin_);
      auto count = std::min(into.size() - done, length_ - from);
      std::copy_n(piece_.get() + from, count, into.data() + done);
      done += count;
    }
    return done;
  }
  std::optional<std::size_t> read_cached(std::uint64_t, std::span<char>) override {
    return std::nullopt;
  }
  Result<std::uint64_t> size() override { return file_.size(); }

  Result<std::size_t> write_some(std::uint64_t, std::span<const std::string_view>) override {
    return refuse();
  }
  Result<void> sync_data() override { return refuse(); }
  Result<void> preallocate(std::uint64_t) override { return refuse(); }
  Result<void> truncate(std::uint64_t) override { return refuse(); }

 private:
  /// What devices are read in, and memory must be aligned to.
  static constexpr std::size_t kBlock = 4096;
  static constexpr std::size_t kLeast = 128 << 10;
  static constexpr std::size_t kMost = 256 << 10;
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  std::unexpected<Error> refuse() const {
    return fail(ErrorCode::Unsupported, "{} is open for scrubbing", path_);
  }

  /// Reads the piece with the byte at `at`, and more if more is `wanted`.
  Result<void> fill(std::uint64_t at, std::size_t wanted) {
    begin_ = at - at % kBlock;
    length_ = 0;
    auto size = (at - begin_ + wanted + kBlock - 1) / kBlock * kBlock;
    std::span<char> into(piece_.get(), std::clamp<std::size_t>(size, kLeast, kMost));
    if (direct_) {
      // In one call: behind a short answer, which is the end of the file, nothing is aligned.
      auto got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(begin_));
      if (got >= 0) {
        length_ = static_cast<std::size_t>(got);
        return {};
      }
      // Blocks may be larger than we know; and an error is told by what anybody can read.
      direct_ = false;
      if (int flags = ::fcntl(descriptor_, F_GETFL); flags >= 0)
        (void)::fcntl(descriptor_, F_SETFL, flags & ~O_DIRECT);
    }
    if (auto got = file_.read_cached(begin_, into)) {
      length_ = *got;
      return {};
    }
    TRY(length_, file_.read(begin_, into));
    (void)::posix_fadvise(descriptor_, static_cast<off_t>(begin_), static_cast<off_t>(length_),
                          POSIX_FADV_DONTNEED);
    return {};
  }

  PosixFile file_;
  int descriptor_;
  bool direct_;
  std::string path_;
  std::unique_ptr<char, Free> piece_{static_cast<char*>(std::aligned_alloc(kBlock, kMost))};
  std::uint64_t begin_ = 0;
  std::size_t length_ = 0;  ///< 0: nothing was read yet
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;
  ~PosixLock() override {
    ::close(descriptor_);
    if (directory_ >= 0) ::close(directory_);
  }

  /// Also the directory that the file is in: a file that somebody removes, because it looks left
  /// over, would let a second process in. Where directories take no locks, the file has to do.
  Result<void> take_directory(const std::string& path) {
    auto slash = path.rfind('/');
    auto directory = slash == std::string::npos ? "." : path.substr(0, std::max(slash, 1ul));
    directory_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_ < 0 || ::flock(directory_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
      return {};
    return fail(ErrorCode::Conflict, "{} is held by process {}", directory,
                describe_locker(directory_));
  }

 private:
  int descriptor_;
  int directory_ = -1;
};

Result<std::unique_ptr<File>> open_for_scrubbing(const std::string& path, int flags) {
  int descriptor = ::open(path.c_str(), flags | O_DIRECT);
  bool direct = descriptor >= 0;
  if (!direct && errno == EINVAL) descriptor = ::open(path.c_str(), flags);
  if (descriptor < 0) return last_error("cannot open " + path);
  // What the kernel would read ahead stays unread.
  (void)::posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
  return std::make_unique<ScrubbedFile>(descriptor, direct, path);
}

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
  // In a backup that root checks, others may have put a FIFO or a link.
  int flags = O_CLOEXEC | O_NONBLOCK;
  if (mode == OpenMode::Read) flags |= O_RDONLY;
  if (mode == OpenMode::Write) flags |= O_RDWR | O_NOFOLLOW;
  if (mode == OpenMode::Create) flags |= O_RDWR | O_CREAT | O_EXCL;
  if (mode == OpenMode::Scrub) return open_for_scrubbing(path, flags);
  int descriptor = ::open(path.c_str(), flags, 0600);
  if (descriptor < 0) return creation_error("cannot open " + path, path);
  return std::make_unique<PosixFile>(descriptor, path);
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return last_error("cannot rename " + from);
  return {};
}

Result<void> PosixFileSystem::unlink(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return last_error("cannot remove " + path);
  return {};
}

Result<void> PosixFileSystem::make_directory(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    auto part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0700) == 0) {
      // A new directory, with all that will be in it, must not go with the power.
      auto slash = part.rfind('/');
      TRY_DO(sync_directory(slash == std::string::npos ? "."
                            : slash == 0               ? "/"
                                                       : part.substr(0, slash)));
    } else if (errno != EEXIST) {
      return creation_error("cannot make " + part, part);
    }
    if (end == std::string::npos) return {};
  }
}

Result<void> PosixFileSystem::remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) != 0) return last_error("cannot remove " + path);
  return {};
}

Result<void> PosixFileSystem::link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return {};
  if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP)
    return fail(ErrorCode::Unsupported, "{} cannot be linked to {}", from, to);
  return last_error("cannot link " + from);
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& directory) {
  std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), ::closedir);
  if (!open) return last_error("cannot list " + directory);
  std::vector<std::string> names;
  // A name that is left out looks like a file that was never there.
  for (errno = 0; auto* entry = ::readdir(open.get()); errno = 0) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  if (errno != 0) return last_error("cannot list " + directory);
  std::ranges::sort(names);
  return names;
}

Result<void> PosixFileSystem::sync_directory(const std::string& directory) {
  int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return last_error("cannot open " + directory);
  int outcome = ::fsync(descriptor);
  int error = errno;
  ::close(descriptor);
  if (outcome != 0) return std::unexpected(errno_error("cannot sync " + directory, error));
  return {};
}

Result<std::uint64_t> PosixFileSystem::free_space(const std::string& directory) {
  struct statvfs status;
  if (::statvfs(directory.c_str(), &status) != 0) return last_error("cannot examine " + directory);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path, LockScope scope) {
  // Root locks where others may write: never through a link, for the file is written anew.
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0) return creation_error("cannot open " + path, path);
  auto lock = std::make_unique<PosixLock>(descriptor);
  char text[160] = {};
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return last_error("cannot lock " + path);
    auto got = ::pread(descriptor, text, sizeof text - 1, 0);
    std::string holder(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return fail(ErrorCode::Conflict, "{} is held by process {}", path,
                holder.empty() ? "unknown" : holder);
  }
  if (scope == LockScope::Directory) TRY_DO(lock->take_directory(path));
  auto mine = describe_this_process() + "\n";
  // In place, which a full disk allows; where it does not, the lock holds without a name.
  if (::pwrite(descriptor, mine.data(), mine.size(), 0) != static_cast<ssize_t>(mine.size())) {
    if (errno != ENOSPC && errno != EDQUOT) return last_error("cannot write " + path);
    mine.clear();
  }
  if (::ftruncate(descriptor, static_cast<off_t>(mine.size())) != 0)
    return last_error("cannot write " + path);
  return lock;
}

bool lacks_inodes(const std::string& path) {
  // Some file systems make inodes of free space, and have none when that is used up.
  constexpr std::uint64_t kNoRoom = 1 << 20;
  struct statvfs status;
  return ::statvfs(path.c_str(), &status) == 0 && status.f_files != 0 && status.f_favail == 0 &&
         static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize > kNoRoom;
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat of_a{}, of_b{};
  return ::stat(a.c_str(), &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0 &&
         of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

}  // namespace hikyaku::store
