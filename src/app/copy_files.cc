#include "app/copy_files.h"

#include <algorithm>
#include <fcntl.h>
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

std::unexpected<Error> failed(const std::string& what) {
  return std::unexpected(errno_error(what, errno));
}
std::unexpected<Error> failed(const std::string& what, const std::error_code& error) {
  return std::unexpected(errno_error(what, error.value()));
}

net::UniqueFd open_file(const fs::path& path, int flags) {
  return net::UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

using Take = std::function<Result<void>(std::string_view)>;

/// Calls `take` with the bytes of an open file up to `length`, piece by piece.
Result<void> read_pieces(int file, const fs::path& path, std::uint64_t length, const Take& take) {
  ::posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
  std::string buffer(kPiece, '\0');
  for (std::uint64_t at = 0; at < length;) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, length - at));
    auto got = ::pread(file, buffer.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + path.string());
    if (got == 0)
      return fail(ErrorCode::Corrupt, "{} ends at byte {} of {}", path.string(), at, length);
    TRY_DO(take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<void> copy_bytes(int from, int to, const fs::path& source, const fs::path& target,
                        std::uint64_t length, const Take& taken) {
  TRY_DO(read_pieces(from, source, length, [&](std::string_view bytes) -> Result<void> {
    if (!net::write_all(to, bytes)) return failed("cannot write " + target.string());
    return taken(bytes);
  }));
  if (::fsync(to) != 0) return failed("cannot write " + target.string());
  return {};
}

class TreeCopy {
 public:
  TreeCopy(const fs::path& from, const fs::path& to, const CopyRules& rules)
      : from_(from), to_(to), rules_(rules) {}

  Result<void> run() {
    std::error_code error;
    if (fs::is_regular_file(from_, error)) {
      TRY_DO(file(from_, to_, ""));
      sync_directory(to_.parent_path());
      return {};
    }
    TRY_DO(directory(to_));
    for (fs::recursive_directory_iterator entry(from_, error), end; !error && entry != end;
         entry.increment(error)) {
      auto name = fs::relative(entry->path(), from_);
      if (entry->is_directory()) {
        TRY_DO(directory(to_ / name));
      } else if (entry->is_regular_file()) {
        TRY_DO(file(entry->path(), to_ / name, name.string()));
      }  // a store has nothing else
    }
    if (error) return failed("cannot read " + from_.string(), error);
    for (auto& made : directories_) sync_directory(made);
    sync_directory(to_.parent_path());
    return {};
  }

 private:
  Result<void> directory(const fs::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0) return failed("cannot make " + path.string());
    directories_.push_back(path);
    return give(path);
  }

  Result<void> file(const fs::path& path, const fs::path& target, const std::string& name) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) return failed("cannot read " + path.string());
    auto sum = copy_file(path, target, static_cast<std::uint64_t>(facts.st_size), rules_.copied);
    if (!sum) {
      // What cannot be read is one thing; what cannot be written another.
      auto read = sum_of_file(path, std::nullopt, [](std::uint64_t) {});
      if (read || !rules_.leave_out || !rules_.leave_out(name, read.error()))
        return std::unexpected(std::move(sum).error());
      std::error_code ignored;
      fs::remove(target, ignored);
      return {};
    }
    if (rules_.summed) rules_.summed(name, *sum);
    ::chmod(target.c_str(), facts.st_mode & 0777);
    return give(target);
  }

  Result<void> give(const fs::path& path) const {
    if (!rules_.owner || ::lchown(path.c_str(), rules_.owner->first, rules_.owner->second) == 0)
      return {};
    return failed("cannot give away " + path.string());
  }

  const fs::path& from_;
  const fs::path& to_;
  const CopyRules& rules_;
  std::vector<fs::path> directories_;
};

}  // namespace

Result<std::string> sum_of_file(const fs::path& path, std::optional<std::uint64_t> length,
                                const CountBytes& read) {
  auto file = open_file(path, O_RDONLY);
  struct stat facts{};
  if (!file || ::fstat(file.get(), &facts) != 0) return failed("cannot read " + path.string());
  crypto::Digest digest(crypto::Hash::Sha256);
  auto all = length.value_or(static_cast<std::uint64_t>(facts.st_size));
  TRY_DO(read_pieces(file.get(), path, all, [&](std::string_view bytes) -> Result<void> {
    digest.update(bytes);
    read(bytes.size());
    return {};
  }));
  return to_hex(digest.finish());
}

Result<std::string> copy_file(const fs::path& from, const fs::path& to, std::uint64_t length,
                              const CountBytes& copied) {
  auto source = open_file(from, O_RDONLY);
  if (!source) return failed("cannot read " + from.string());
  crypto::Digest digest(crypto::Hash::Sha256);
  std::uint32_t written = 0;
  {
    auto target = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
    if (!target) return failed("cannot make " + to.string());
    TRY_DO(copy_bytes(source.get(), target.get(), from, to, length,
                      [&](std::string_view bytes) -> Result<void> {
                        written = store::crc32c(written, bytes);
                        digest.update(bytes);
                        copied(bytes.size());
                        return {};
                      }));
    // So that what is read comes from the disk.
    ::posix_fadvise(target.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  auto again = open_file(to, O_RDONLY);
  if (!again) return failed("cannot read " + to.string());
  std::uint32_t found = 0;
  TRY_DO(read_pieces(again.get(), to, length, [&](std::string_view bytes) -> Result<void> {
    found = store::crc32c(found, bytes);
    return {};
  }));
  if (found != written)
    return fail(ErrorCode::Corrupt, "{} is not what was written: is the disk sound?", to.string());
  return to_hex(digest.finish());
}

Result<void> write_synced(const fs::path& path, std::string_view bytes) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return failed("cannot make " + path.string());
  if (!net::write_all(file.get(), bytes) || ::fsync(file.get()) != 0)
    return failed("cannot write " + path.string());
  return {};
}

Result<void> copy_tree(const fs::path& from, const fs::path& to, const CopyRules& rules) {
  return TreeCopy(from, to, rules).run();
}

void sync_directory(const fs::path& path) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
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
