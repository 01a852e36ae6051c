#include "app/copy_files.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "base/text.h"
#include "crypto/digest.h"
#include "net/fd.h"
#include "store/crc32c.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 1 << 20;
/// What a disk cannot read is lost in blocks of this size.
constexpr std::size_t kBlock = 4096;
/// A store has two levels, what tls/ has is seldom deeper; links may lead in a circle.
constexpr int kMostDepth = 16;

std::unexpected<Error> failed(const std::string& what) {
  return std::unexpected(errno_error(what, errno));
}

/// A directory that may be a link.
net::UniqueFd open_directory(const fs::path& path) {
  return net::UniqueFd(
      ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// A file or directory that is open, with its path, which is only told.
struct Open {
  net::UniqueFd fd;
  fs::path path;
  struct stat facts{};

  bool is_directory() const { return S_ISDIR(facts.st_mode); }
  bool is_file() const { return S_ISREG(facts.st_mode); }
  std::uint64_t size() const { return static_cast<std::uint64_t>(facts.st_size); }
};

/// Opens `name` in a directory for reading, whatever it is, without waiting for anybody.
Result<Open> open_source(int directory, const fs::path& name, fs::path path, Links links) {
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  if (links == Links::Refuse) flags |= O_NOFOLLOW;
  Open source{net::UniqueFd(::openat(directory, name.c_str(), flags)), std::move(path), {}};
  if (!source.fd && errno == ELOOP && links == Links::Refuse)
    return fail(ErrorCode::Corrupt, "{} is a link", source.path.string());
  if (!source.fd || ::fstat(source.fd.get(), &source.facts) != 0)
    return failed("cannot read " + source.path.string());
  return source;
}

/// The directory that a file is in.
Result<Open> open_parent(const FileBelow& file) {
  Open parent{open_directory(file.directory), file.directory, {}};
  if (!parent.fd) return failed("cannot open " + parent.path.string());
  if (!stays_below(file.name))
    return fail(ErrorCode::Corrupt, "{} is not below {}", file.name, file.directory.string());
  for (auto& part : fs::path(file.name).parent_path()) {
    TRY(auto next, open_source(parent.fd.get(), part, parent.path / part, Links::Refuse));
    if (!next.is_directory())
      return fail(ErrorCode::Corrupt, "{} is no directory", next.path.string());
    parent = std::move(next);
  }
  return parent;
}

Result<Open> open_source_file(const FileBelow& file) {
  TRY(auto parent, open_parent(file));
  TRY(auto source,
      open_source(parent.fd.get(), fs::path(file.name).filename(), file.path(), Links::Refuse));
  if (!source.is_file()) return fail(ErrorCode::Corrupt, "{} is no file", source.path.string());
  return source;
}

/// A new file, for writing and reading again.
Result<Open> make_file(int directory, const fs::path& name, fs::path path) {
  Open target{net::UniqueFd(::openat(directory, name.c_str(),
                                     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)),
              std::move(path),
              {}};
  if (!target.fd) return failed("cannot make " + target.path.string());
  return target;
}

/// A new directory, for its owner only.
Result<Open> make_directory(int directory, const fs::path& name, fs::path path) {
  if (::mkdirat(directory, name.c_str(), 0700) != 0) return failed("cannot make " + path.string());
  Open made{net::UniqueFd(
                ::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
            std::move(path),
            {}};
  if (!made.fd) return failed("cannot open " + made.path.string());
  return made;
}

/// The names in an open directory, in order.
Result<std::vector<std::string>> names_in(const Open& directory) {
  struct Close {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  auto another = ::fcntl(directory.fd.get(), F_DUPFD_CLOEXEC, 0);
  std::unique_ptr<DIR, Close> stream(another < 0 ? nullptr : ::fdopendir(another));
  if (!stream) {
    auto why = failed("cannot read " + directory.path.string());
    if (another >= 0) ::close(another);
    return why;
  }
  std::vector<std::string> names;
  for (errno = 0; auto* entry = ::readdir(stream.get()); errno = 0) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return failed("cannot read " + directory.path.string());
  std::ranges::sort(names);
  return names;
}

using Take = std::function<Result<void>(std::string_view)>;

/// Calls `take` with the bytes of an open file up to `length`, piece by piece.
Result<void> read_pieces(const Open& file, std::uint64_t length, const Take& take) {
  ::posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::string buffer(kPiece, '\0');
  for (std::uint64_t at = 0; at < length;) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, length - at));
    auto got = ::pread(file.fd.get(), buffer.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + file.path.string());
    if (got == 0)
      return fail(ErrorCode::Corrupt, "{} ends at byte {} of {}", file.path.string(), at, length);
    TRY_DO(take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

/// The same, with zeros for what cannot be read; counts them.
Result<void> read_readable_pieces(const Open& file, std::uint64_t length, std::uint64_t& unread,
                                  const Take& take) {
  std::string buffer(kPiece, '\0');
  auto piece = kPiece;
  for (std::uint64_t at = 0; at < length;) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece, length - at));
    auto got = ::pread(file.fd.get(), buffer.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 && piece == kPiece) {
      piece = kBlock;  // from here on: another try takes the disk long
      continue;
    }
    if (got <= 0) {
      std::fill_n(buffer.begin(), wanted, '\0');
      unread += wanted;
      got = static_cast<ssize_t>(wanted);
    }
    TRY_DO(take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
    if (at % kPiece == 0) piece = kPiece;
  }
  return {};
}

/// Why a copy was not made: what could not be read is one thing, what could not be written another.
struct CopyFailure {
  enum class Side { Source, Target };
  Side side{};
  Error error;
};

/// Copies, syncs, and reads again what was written. Gives the SHA-256. With `unread`, which counts
/// them, what cannot be read becomes zeros.
std::expected<std::string, CopyFailure> copy_open(const Open& source, const Open& target,
                                                  std::uint64_t length, const CountBytes& copied,
                                                  std::uint64_t* unread = nullptr) {
  auto side = CopyFailure::Side::Source;
  crypto::Digest digest(crypto::Hash::Sha256);
  std::uint32_t written = 0, found = 0;
  auto write = [&](std::string_view bytes) -> Result<void> {
    if (!net::write_all(target.fd.get(), bytes)) {
      side = CopyFailure::Side::Target;
      return failed("cannot write " + target.path.string());
    }
    written = store::crc32c(written, bytes);
    digest.update(bytes);
    copied(bytes.size());
    return {};
  };
  auto check = [&]() -> Result<void> {
    if (::fsync(target.fd.get()) != 0) return failed("cannot write " + target.path.string());
    // So that what is read comes from the disk.
    ::posix_fadvise(target.fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    TRY_DO(read_pieces(target, length, [&](std::string_view bytes) -> Result<void> {
      found = store::crc32c(found, bytes);
      return {};
    }));
    if (found == written) return {};
    return fail(ErrorCode::Corrupt, "{} is not what was written: is the disk sound?",
                target.path.string());
  };
  auto taken = unread ? read_readable_pieces(source, length, *unread, write)
                      : read_pieces(source, length, write);
  if (!taken) return std::unexpected(CopyFailure{side, std::move(taken).error()});
  if (auto done = check(); !done)
    return std::unexpected(CopyFailure{CopyFailure::Side::Target, std::move(done).error()});
  return to_hex(digest.finish());
}

class TreeCopy {
 public:
  explicit TreeCopy(const CopyRules& rules) : rules_(rules) {}

  Result<void> run(const fs::path& from, const fs::path& to) {
    TRY_DO(take(Place{AT_FDCWD, from, from}, Place{AT_FDCWD, to, to}, "", 0));
    sync_directory(to.parent_path());
    return {};
  }

 private:
  /// A name in a directory that is open.
  struct Place {
    int directory = AT_FDCWD;
    fs::path name;
    fs::path path;
  };

  Result<void> take(const Place& from, const Place& to, const std::string& name, int depth) {
    auto source = open_source(from.directory, from.name, from.path, rules_.links);
    if (source && source->is_directory()) return directory(*source, to, name, depth);
    if (!source && source.error().code != ErrorCode::Corrupt)
      return left_out(name, std::move(source).error());
    if (rules_.wanted && !rules_.wanted(name)) return {};
    if (!source) return left_out(name, std::move(source).error());
    if (source->is_file()) return file(*source, to, name);
    if (rules_.links == Links::Follow) return {};  // a socket, say
    return left_out(name, Error{ErrorCode::Corrupt,
                                from.path.string() + " is neither file nor directory", nullptr});
  }

  Result<void> directory(const Open& source, const Place& to, const std::string& name, int depth) {
    if (depth == kMostDepth)
      return fail(ErrorCode::Invalid, "{} is too deep: do links lead in a circle?",
                  source.path.string());
    auto names = names_in(source);
    if (!names) return left_out(name, std::move(names).error());
    TRY(auto made, make_directory(to.directory, to.name, to.path));
    for (auto& below : *names)
      TRY_DO(take(Place{source.fd.get(), below, source.path / below},
                  Place{made.fd.get(), below, made.path / below},
                  name.empty() ? below : name + '/' + below, depth + 1));
    TRY_DO(give(made));  // not before: whose it is may put there what he likes
    ::fsync(made.fd.get());
    return {};
  }

  Result<void> file(const Open& source, const Place& to, const std::string& name) {
    TRY(auto target, make_file(to.directory, to.name, to.path));
    auto sum = copy_open(source, target, source.size(), rules_.copied);
    if (!sum) {
      auto& [side, error] = sum.error();
      if (side == CopyFailure::Side::Target) return std::unexpected(std::move(error));
      ::unlinkat(to.directory, to.name.c_str(), 0);
      return left_out(name, std::move(error));
    }
    if (rules_.summed) rules_.summed(name, *sum);
    ::fchmod(target.fd.get(), source.facts.st_mode & 0777);
    return give(target);
  }

  /// Goes on without what could not be read, if that may be.
  Result<void> left_out(const std::string& name, Error why) const {
    if (!name.empty() && rules_.leave_out && rules_.leave_out(name, why)) return {};
    return std::unexpected(std::move(why));
  }

  Result<void> give(const Open& made) const {
    if (!rules_.owner || ::fchown(made.fd.get(), rules_.owner->first, rules_.owner->second) == 0)
      return {};
    return failed("cannot give away " + made.path.string());
  }

  const CopyRules& rules_;
};

}  // namespace

Result<net::UniqueFd> open_below(const FileBelow& file) {
  TRY(auto source, open_source_file(file));
  return std::move(source.fd);
}

Result<std::string> read_below(const FileBelow& file, std::size_t most) {
  TRY(auto source, open_source_file(file));
  if (source.size() > most)
    return fail(ErrorCode::TooLarge, "{} is larger than {} bytes", source.path.string(), most);
  std::string all;
  TRY_DO(read_pieces(source, source.size(), [&](std::string_view bytes) -> Result<void> {
    all += bytes;
    return {};
  }));
  return all;
}

Result<std::string> sum_of_file(const FileBelow& below, std::optional<std::uint64_t> length,
                                const CountBytes& read) {
  TRY(auto file, open_source_file(below));
  crypto::Digest digest(crypto::Hash::Sha256);
  TRY_DO(
      read_pieces(file, length.value_or(file.size()), [&](std::string_view bytes) -> Result<void> {
        digest.update(bytes);
        read(bytes.size());
        return {};
      }));
  return to_hex(digest.finish());
}

Result<std::string> copy_file(const FileBelow& from, const fs::path& to, std::uint64_t length,
                              const CountBytes& copied) {
  TRY(auto source, open_source_file(from));
  TRY(auto target, make_file(AT_FDCWD, to, to));
  auto sum = copy_open(source, target, length, copied);
  if (!sum) return std::unexpected(std::move(sum).error().error);
  return std::move(*sum);
}

Result<SalvagedCopy> copy_readable(const FileBelow& from, const fs::path& to, std::uint64_t length,
                                   const CountBytes& copied) {
  TRY(auto source, open_source_file(from));
  TRY(auto target, make_file(AT_FDCWD, to, to));
  SalvagedCopy copy;
  auto sum = copy_open(source, target, length, copied, &copy.unread);
  if (!sum) return std::unexpected(std::move(sum).error().error);
  copy.sum = std::move(*sum);
  return copy;
}

Result<void> link_file(const FileBelow& from, const fs::path& to) {
  TRY(auto parent, open_parent(from));
  auto name = fs::path(from.name).filename();
  TRY(auto source, open_source(parent.fd.get(), name, from.path(), Links::Refuse));
  if (!source.is_file()) return fail(ErrorCode::Corrupt, "{} is no file", source.path.string());
  if (::linkat(parent.fd.get(), name.c_str(), AT_FDCWD, to.c_str(), 0) != 0)
    return failed("cannot link " + source.path.string());
  // It may have got another name meanwhile.
  struct stat made{};
  if (::lstat(to.c_str(), &made) == 0 && made.st_ino == source.facts.st_ino &&
      made.st_dev == source.facts.st_dev)
    return {};
  ::unlink(to.c_str());
  return fail(ErrorCode::Corrupt, "{} has become another file", source.path.string());
}

Result<void> write_synced(const fs::path& path, std::string_view bytes) {
  auto directory = open_directory(path.parent_path());
  if (!directory) return failed("cannot open " + path.parent_path().string());
  auto name = path.filename();
  auto beside = fs::path(name.string() + ".new");
  // What was cut off, or what somebody has put there.
  ::unlinkat(directory.get(), beside.c_str(), 0);
  TRY(auto file, make_file(directory.get(), beside, path.parent_path() / beside));
  // The name, too, must be there after a power failure: such a note may be the only memory.
  if (net::write_all(file.fd.get(), bytes) && ::fsync(file.fd.get()) == 0 &&
      ::renameat(directory.get(), beside.c_str(), directory.get(), name.c_str()) == 0 &&
      ::fsync(directory.get()) == 0)
    return {};
  auto why = failed("cannot write " + path.string());
  ::unlinkat(directory.get(), beside.c_str(), 0);
  return why;
}

Result<void> copy_tree(const fs::path& from, const fs::path& to, const CopyRules& rules) {
  return TreeCopy(rules).run(from, to);
}

bool stays_below(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.contains('\0')) return false;
  return std::ranges::none_of(fs::path(path), [](const fs::path& part) {
    return part.empty() || part == "." || part == "..";
  });
}

std::unexpected<Error> failed(const std::string& what, const std::error_code& error) {
  return std::unexpected(errno_error(what, error.value()));
}

void sync_directory(const fs::path& path) {
  auto directory = open_directory(path);
  if (directory) ::fsync(directory.get());
}

std::uint64_t tree_size(const fs::path& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->is_regular_file(error)) bytes += entry->file_size(error);
  return bytes;
}

}  // namespace hikyaku::app
