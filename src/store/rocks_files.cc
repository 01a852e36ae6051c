#include "store/rocks_files.h"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include "store/lock_holder.h"
#include "store/rocks_table.h"

namespace hikyaku::store {
namespace {

class CheckedFiles final : public rocksdb::FileSystemWrapper {
 public:
  CheckedFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "CheckedFiles"; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* context) override {
    auto opened = target()->NewRandomAccessFile(path, options, file, context);
    if (!opened.ok() || !is_table(path)) return opened;
    auto checked = options.use_direct_reads ? check_apart(path, options, context)
                                            : check(path, **file, context);
    if (!checked.ok()) file->reset();
    return checked;
  }

  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options,
                             rocksdb::FileLock** lock, rocksdb::IODebugContext* context) override {
    auto locked = target()->LockFile(path, options, lock, context);
    return locked.ok() ? locked : check_taken(path, locked);
  }

 private:
  /// RocksDB says of a lock that another has what it says of a disk that cannot be read, and
  /// whoever hears that would make the index anew, under the other's hands.
  static rocksdb::IOStatus check_taken(const std::string& path, const rocksdb::IOStatus& failed) {
    // Opening and closing the file would end the lock that this process has.
    if (failed.ToString().contains("current process"))
      return rocksdb::IOStatus::Busy(fmt::format("{} is held by process {}", path, ::getpid()));
    int descriptor = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) return failed;
    struct flock other{};
    other.l_type = F_WRLCK;
    other.l_whence = SEEK_SET;
    bool known = ::fcntl(descriptor, F_GETLK, &other) == 0 && other.l_type != F_UNLCK;
    ::close(descriptor);
    if (!known) return rocksdb::IOStatus::Busy(failed.ToString());
    return rocksdb::IOStatus::Busy(
        fmt::format("{} is held by process {}", path, describe_process(other.l_pid)));
  }

  /// What is read directly must be asked for in whole blocks, which these few bytes are not.
  rocksdb::IOStatus check_apart(const std::string& path, rocksdb::FileOptions options,
                                rocksdb::IODebugContext* context) {
    options.use_direct_reads = false;
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    auto opened = target()->NewRandomAccessFile(path, options, &file, context);
    return opened.ok() ? check(path, *file, context) : opened;
  }

  rocksdb::IOStatus check(const std::string& path, const rocksdb::FSRandomAccessFile& file,
                          rocksdb::IODebugContext* context) {
    std::uint64_t size = 0;
    auto status = target()->GetFileSize(path, {}, &size, context);
    if (!status.ok()) return status;
    auto read = [&](std::uint64_t offset, std::span<char> into) -> Result<void> {
      rocksdb::Slice got;
      status = file.Read(offset, into.size(), {}, &got, into.data(), context);
      if (!status.ok()) return fail(ErrorCode::Io, "{}", status.ToString());
      if (got.size() != into.size()) return fail(ErrorCode::Corrupt, "it is too short");
      // It may point to where the file is mapped.
      if (got.data() != into.data()) std::ranges::copy_n(got.data(), got.size(), into.begin());
      return {};
    };
    auto checked = check_table(size, read);
    if (!checked && status.ok())
      status = rocksdb::IOStatus::Corruption("table " + path, checked.error().text);
    return status;
  }
};

}  // namespace

std::shared_ptr<rocksdb::Env> checked_environment() {
  return rocksdb::NewCompositeEnv(std::make_shared<CheckedFiles>());
}

}  // namespace hikyaku::store
