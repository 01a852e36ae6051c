#include "app/backup_files.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <fmt/core.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core.h"
#include "app/run_command.h"
#include "base/text.h"
#include "net/fd.h"
#include "store/crc32c.h"
#include "store/posix_file_system.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInfoName = "BACKUP.json";
constexpr const char* kRestoredName = "RESTORED";
constexpr std::string_view kPartial = ".partial-";
/// Locked while a backup is made.
constexpr const char* kLockName = ".lock";
constexpr std::size_t kPiece = 1 << 20;
/// What of two files of the same name and size is compared: the header of a segment has a secret
/// number that no other has, the end of an index file says which one it is.
constexpr std::size_t kCompared = 4096;

std::unexpected<Error> failed(const std::string& what) {
  return std::unexpected(errno_error(what, errno));
}
std::unexpected<Error> failed(const std::string& what, const std::error_code& error) {
  return std::unexpected(errno_error(what, error.value()));
}

net::UniqueFd open_file(const fs::path& path, int flags) {
  return net::UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

/// Calls `take` with the first `length` bytes of a file, piece by piece.
Result<void> read_pieces(const fs::path& path, std::uint64_t length,
                         const std::function<Result<void>(std::string_view)>& take) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return failed("cannot read " + path.string());
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::string buffer(kPiece, '\0');
  for (std::uint64_t at = 0; at < length;) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, length - at));
    auto got = ::pread(file.get(), buffer.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + path.string());
    if (got == 0)
      return fail(ErrorCode::Corrupt, "{} ends at byte {} of {}", path.string(), at, length);
    TRY_DO(take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got))));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

/// Copies the first `length` bytes to a new file, syncs it, and reads it again from the disk.
Result<void> copy_file(const fs::path& from, const fs::path& to, std::uint64_t length,
                       const std::function<void(std::uint64_t)>& copied) {
  std::uint32_t written = 0;
  {
    auto file = open_file(to, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) return failed("cannot make " + to.string());
    TRY_DO(read_pieces(from, length, [&](std::string_view bytes) -> Result<void> {
      written = store::crc32c(written, bytes);
      if (!net::write_all(file.get(), bytes)) return failed("cannot write " + to.string());
      copied(bytes.size());
      return {};
    }));
    if (::fsync(file.get()) != 0) return failed("cannot write " + to.string());
    // So that what is read comes from the disk.
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  std::uint32_t read = 0;
  TRY_DO(read_pieces(to, length, [&](std::string_view bytes) -> Result<void> {
    read = store::crc32c(read, bytes);
    return {};
  }));
  if (read != written)
    return fail(ErrorCode::Corrupt, "{} is not what was written: is the disk sound?", to.string());
  return {};
}

Result<void> write_file(const fs::path& path, std::string_view bytes) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return failed("cannot make " + path.string());
  if (!net::write_all(file.get(), bytes) || ::fsync(file.get()) != 0)
    return failed("cannot write " + path.string());
  return {};
}

Result<void> make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return failed("cannot make " + path.string(), error);
  ::chmod(path.c_str(), 0700);
  return {};
}

std::string some_of(const fs::path& path, std::uint64_t from) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  std::string bytes(kCompared, '\0');
  file.read(bytes.data(), kCompared);
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

/// Whether a sealed file of an earlier backup is this one.
bool same_file(const fs::path& before, const fs::path& now, std::uint64_t length) {
  std::error_code error;
  if (fs::file_size(before, error) != length || error) return false;
  if (fs::equivalent(before, now, error)) return true;
  auto end = length - std::min<std::uint64_t>(length, kCompared);
  return some_of(before, 0) == some_of(now, 0) && some_of(before, end) == some_of(now, end);
}

class Maker {
 public:
  Maker(const store::Frozen& frozen, const BackupPlan& plan) : frozen_(frozen), plan_(plan) {}

  Result<BackupInfo> run() {
    TRY_DO(make_directories(plan_.repository));
    TRY(auto lock, store::PosixFileSystem().lock((plan_.repository / kLockName).string()));
    remove_partial();
    TRY(auto earlier, list_backups(plan_.repository));
    auto id = to_hex(frozen_.store_id);
    for (auto& one : earlier)
      if (one.store_id == id) before_ = one.path;
    info_ = {.path = {},
             .made = format_rfc3339(plan_.now),
             .store_id = id,
             .key = plan_.key,
             .epoch = frozen_.epoch,
             .with_config = plan_.with_config};
    auto name = directory_name();
    auto partial = plan_.repository / (std::string(kPartial) + name);
    info_.path = partial;
    auto made = fill();
    std::error_code error;
    if (made) {
      fs::rename(partial, plan_.repository / name, error);
      if (error) made = failed("cannot name " + (plan_.repository / name).string(), error);
    }
    if (!made) {
      fs::remove_all(partial, error);
      return std::unexpected(made.error());
    }
    sync_directory(plan_.repository);
    info_.path = plan_.repository / name;
    return info_;
  }

 private:
  /// "20261122T031500Z"; another within the same second has a number behind it.
  std::string directory_name() const {
    std::string name = info_.made.substr(0, 19);
    std::erase_if(name, [](char c) { return c == '-' || c == ':'; });
    name += 'Z';
    for (int i = 2; fs::exists(plan_.repository / name); ++i)
      name = fmt::format("{}-{}", name.substr(0, 16), i);
    return name;
  }

  /// What is left of backups that were cut off: nobody else makes one now.
  void remove_partial() const {
    std::error_code error;
    for (fs::directory_iterator entry(plan_.repository, error), end; !error && entry != end;
         entry.increment(error))
      if (entry->path().filename().string().starts_with(kPartial)) {
        std::error_code ignored;
        fs::remove_all(entry->path(), ignored);
      }
  }

  Result<void> fill() {
    for (auto& file : frozen_.files) total_ += file.length;
    for (auto& file : frozen_.files) {
      auto target = info_.store() / file.to;
      TRY_DO(make_directories(target.parent_path()));
      TRY_DO(take(file, target));
      ++info_.files;
      info_.bytes += file.length;
    }
    TRY_DO(write_file(info_.store() / frozen_.mark_name, frozen_.mark));
    if (plan_.with_config) TRY_DO(take_config());
    TRY_DO(check_all_there());
    for (auto& directory : {info_.store() / "index", info_.store() / "journal", info_.store()})
      sync_directory(directory);
    TRY_DO(write_file(info_.path / kInfoName, boost::json::serialize(describe(info_)) + '\n'));
    sync_directory(info_.path);
    return {};
  }

  /// Whoever cleans up there while we work must not leave half a backup that passes for a whole.
  Result<void> check_all_there() const {
    for (auto& file : frozen_.files) {
      std::error_code error;
      auto length = fs::file_size(info_.store() / file.to, error);
      if (error || length < file.length)
        return fail(ErrorCode::Corrupt, "{} is gone while the backup was made",
                    (info_.store() / file.to).string());
    }
    return {};
  }

  Result<void> take(const store::Frozen::File& file, const fs::path& target) {
    auto source = plan_.data / file.from;
    std::error_code error;
    if (file.sealed) {
      bool linked = false;
      if (before_ && same_file(*before_ / "store" / file.to, source, file.length)) {
        fs::create_hard_link(*before_ / "store" / file.to, target, error);
        linked = !error;
      }
      if (!linked) {
        fs::create_hard_link(source, target, error);
        linked = !error;
      }
      if (linked) {
        advance(file.length);
        return {};
      }
      // Another file system, or none that has links.
    }
    info_.copied += file.length;
    return copy_file(source, target, file.length, [&](std::uint64_t bytes) { advance(bytes); });
  }

  Result<void> take_config() {
    auto& instance = *plan_.instance;
    TRY_DO(make_directories(info_.config()));
    std::error_code error;
    for (auto& path : {instance.config, instance.tls, instance.dkim}) {
      if (!fs::exists(path, error)) continue;
      TRY_DO(copy_tree(path, info_.config() / path.filename(), std::nullopt, [](std::uint64_t) {}));
    }
    return {};
  }

  void advance(std::uint64_t bytes) {
    done_ += bytes;
    if (plan_.progress) plan_.progress(done_, total_);
  }

  const store::Frozen& frozen_;
  const BackupPlan& plan_;
  std::optional<fs::path> before_;
  BackupInfo info_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

Result<BackupInfo> read_info(const fs::path& path) {
  TRY(auto text, read_file(path / kInfoName));
  boost::json::error_code error;
  auto value = boost::json::parse(text, error);
  if (error || !value.is_object())
    return fail(ErrorCode::Corrupt, "{} is no backup's", (path / kInfoName).string());
  auto& object = value.get_object();
  if (auto format = number_in(object, "format"); format != 1)
    return fail(ErrorCode::Unsupported,
                "{} was made by a newer version of this program (format {})", path.string(),
                format);
  return BackupInfo{.path = path,
                    .made = text_in(object, "made"),
                    .store_id = text_in(object, "store"),
                    .key = text_in(object, "key"),
                    .epoch = static_cast<std::uint32_t>(number_in(object, "epoch")),
                    .files = number_in(object, "files"),
                    .bytes = number_in(object, "bytes"),
                    .copied = number_in(object, "copied"),
                    .with_config = flag_in(object, "config")};
}

}  // namespace

void sync_directory(const fs::path& path) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (directory) ::fsync(directory.get());
}

boost::json::object describe(const BackupInfo& info) {
  return {{"format", 1},         {"made", info.made},     {"store", info.store_id},
          {"key", info.key},     {"epoch", info.epoch},   {"files", info.files},
          {"bytes", info.bytes}, {"copied", info.copied}, {"config", info.with_config}};
}

Result<std::vector<BackupInfo>> list_backups(const fs::path& repository) {
  std::vector<BackupInfo> all;
  std::error_code error;
  for (fs::directory_iterator entry(repository, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) continue;
    if (!fs::exists(entry->path() / kInfoName)) continue;
    TRY(auto info, read_info(entry->path()));
    all.push_back(std::move(info));
  }
  if (error) return failed("cannot list " + repository.string(), error);
  std::ranges::sort(all, {}, [](auto& one) { return std::pair(one.made, one.path); });
  return all;
}

Result<BackupInfo> find_backup(const fs::path& path) {
  auto absolute = fs::absolute(path).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  if (fs::exists(absolute / kInfoName)) return read_info(absolute);
  TRY(auto all, list_backups(absolute));
  if (all.empty()) return fail(ErrorCode::NotFound, "there is no backup in {}", path.string());
  return std::move(all.back());
}

Result<BackupInfo> make_backup(const store::Frozen& frozen, const BackupPlan& plan) {
  return Maker(frozen, plan).run();
}

Result<void> copy_tree(const fs::path& from, const fs::path& to,
                       std::optional<std::pair<std::uint32_t, std::uint32_t>> owner,
                       const std::function<void(std::uint64_t)>& copied) {
  auto give = [&](const fs::path& path) {
    return !owner || ::lchown(path.c_str(), owner->first, owner->second) == 0;
  };
  auto copy = [&](const fs::path& file, const fs::path& target) -> Result<void> {
    struct stat facts{};
    if (::stat(file.c_str(), &facts) != 0) return failed("cannot read " + file.string());
    TRY_DO(copy_file(file, target, static_cast<std::uint64_t>(facts.st_size), copied));
    ::chmod(target.c_str(), facts.st_mode & 0777);
    return {};
  };
  std::error_code error;
  if (fs::is_regular_file(from, error)) {
    TRY_DO(copy(from, to));
    if (!give(to)) return failed("cannot give away " + to.string());
    sync_directory(to.parent_path());
    return {};
  }
  fs::create_directory(to, error);
  if (error) return failed("cannot make " + to.string(), error);
  ::chmod(to.c_str(), 0700);
  if (!give(to)) return failed("cannot give away " + to.string());
  std::vector<fs::path> directories{to, to.parent_path()};
  for (fs::recursive_directory_iterator entry(from, error), end; !error && entry != end;
       entry.increment(error)) {
    auto target = to / fs::relative(entry->path(), from);
    if (entry->is_directory()) {
      if (::mkdir(target.c_str(), 0700) != 0) return failed("cannot make " + target.string());
      directories.push_back(target);
    } else if (entry->is_regular_file()) {
      TRY_DO(copy(entry->path(), target));
    } else {
      continue;  // a store has nothing else
    }
    if (!give(target)) return failed("cannot give away " + target.string());
  }
  if (error) return failed("cannot read " + from.string(), error);
  for (auto& directory : directories) sync_directory(directory);
  return {};
}

std::uint64_t tree_size(const fs::path& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->is_regular_file()) bytes += entry->file_size();
  return bytes;
}

std::uint32_t noted_restore(const BackupInfo& info) {
  auto text = read_file(info.path / kRestoredName, 64);
  auto epoch = text ? parse_decimal(trim(*text), UINT32_MAX) : std::nullopt;
  return static_cast<std::uint32_t>(epoch.value_or(0));
}

void note_restore(const BackupInfo& info, std::uint32_t epoch) {
  (void)write_file(info.path / kRestoredName, std::to_string(epoch) + "\n");
}

}  // namespace hikyaku::app
