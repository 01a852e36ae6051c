#include "watched_files.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace hikyaku::torture {
namespace {

/// RocksDB puts numbers into them that it draws itself, from where nobody can seed it; what its
/// rows are is compared with the model.
bool has_random_bytes(std::string_view path) {
  constexpr std::string_view kNames[] = {".sst", "/MANIFEST-", "/IDENTITY", ".dbtmp"};
  return std::ranges::any_of(kNames, [&](auto name) { return path.contains(name); });
}

/// Whether a sync of this file, which may still have the name under which it is made, does nothing.
bool is_left_out(Break broken, std::string_view path) {
  switch (broken) {
    case Break::Sync:
      return true;
    case Break::SyncLog:
      return path.contains("/journal/") && path.contains(".log");
    case Break::SyncBulk:
      return path.contains("/journal/") && path.contains(".bulk");
    case Break::SyncTables:
      return path.contains("/index/") && path.contains(".sst");
    case Break::SyncCopy:
      return path.contains("/checkpoint");
    case Break::SyncStore:
      return path.contains("/STORE");
    default:
      return false;
  }
}

}  // namespace

class WatchedFiles::WatchedFile final : public store::File {
 public:
  WatchedFile(WatchedFiles& files, std::string path, std::unique_ptr<store::File> inner)
      : files_(files), path_(std::move(path)), inner_(std::move(inner)) {}

  Result<std::size_t> write_some(std::uint64_t offset,
                                 std::span<const std::string_view> pieces) override {
    auto written = inner_->write_some(offset, pieces);
    std::string bytes;
    for (auto piece : pieces) bytes += piece;
    bytes.resize(written ? *written : 0);
    files_.note("write", path_, offset, bytes);
    return written;
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    auto got = inner_->read(offset, into);
    files_.note("read", path_, offset, {into.data(), got ? *got : 0});
    return got;
  }
  std::optional<std::size_t> read_cached(std::uint64_t offset, std::span<char> into) override {
    auto got = inner_->read_cached(offset, into);
    files_.note("read at once", path_, offset, {into.data(), got.value_or(0)});
    return got;
  }
  Result<void> sync_data() override {
    files_.note("sync", path_);
    return files_.sync(path_, inner_);
  }
  Result<void> preallocate(std::uint64_t size) override {
    files_.note("size", path_, size);
    return inner_->preallocate(size);
  }
  Result<void> truncate(std::uint64_t size) override {
    files_.note("size", path_, size);
    return inner_->truncate(size);
  }
  Result<std::uint64_t> size() override { return inner_->size(); }

 private:
  WatchedFiles& files_;
  std::string path_;
  std::shared_ptr<store::File> inner_;
};

void WatchedFiles::note(const char* what, std::string_view path, std::uint64_t place,
                        std::string_view bytes) {
  auto hash = has_random_bytes(path) ? 0 : std::hash<std::string_view>()(bytes);
  std::lock_guard lock(mutex_);
  operations_.push_back({what, std::string(path), place, bytes.size(), hash});
}

Result<void> WatchedFiles::sync(std::string_view path, const std::shared_ptr<store::File>& file) {
  if (is_left_out(broken_, path)) return {};
  if (broken_ != Break::Order) return file->sync_data();
  std::shared_ptr<store::File> late;
  {
    std::lock_guard lock(mutex_);
    late = std::exchange(late_, file);
  }
  if (late) (void)late->sync_data();  // of a file that a crash has closed: nothing
  return {};
}

Result<std::unique_ptr<store::File>> WatchedFiles::open(const std::string& path,
                                                        store::OpenMode mode) {
  note("open", path, static_cast<std::uint64_t>(mode));
  TRY(auto file, disk_.open(path, mode));
  return std::make_unique<WatchedFile>(*this, path, std::move(file));
}

Result<void> WatchedFiles::rename(const std::string& from, const std::string& to) {
  note("rename", from, 0, to);
  return disk_.rename(from, to);
}

Result<void> WatchedFiles::unlink(const std::string& path) {
  note("remove", path);
  return disk_.unlink(path);
}

Result<void> WatchedFiles::make_directory(const std::string& path) {
  note("directory", path, 1);
  return disk_.make_directory(path);
}

Result<void> WatchedFiles::remove_directory(const std::string& path) {
  note("directory", path, 0);
  return disk_.remove_directory(path);
}

Result<void> WatchedFiles::link(const std::string& from, const std::string& to) {
  return disk_.link(from, to);
}

Result<std::vector<std::string>> WatchedFiles::list(const std::string& directory) {
  return disk_.list(directory);
}

Result<void> WatchedFiles::sync_directory(const std::string& directory) {
  note("sync", directory);
  if (broken_ == Break::Names) return {};
  return disk_.sync_directory(directory);
}

Result<std::uint64_t> WatchedFiles::free_space(const std::string& directory) {
  return disk_.free_space(directory);
}

Result<std::unique_ptr<store::FileLock>> WatchedFiles::lock(const std::string& path,
                                                            store::LockScope scope) {
  return disk_.lock(path, scope);
}

void WatchedFiles::flip_bit(const std::string& path, std::uint64_t offset, int bit) {
  note("flip", path, offset * 8 + static_cast<std::uint64_t>(bit));
  if (broken_ != Break::Verify) disk_.flip_bit(path, offset, bit);
}

}  // namespace hikyaku::torture
