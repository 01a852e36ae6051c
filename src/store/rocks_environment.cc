#include "store/rocks_environment.h"

#include <algorithm>
#include <utility>

#include "store/rocks_table.h"

namespace hikyaku::store {
namespace {

/// A full disk is an error like others here: RocksDB would look for space on a thread and by a
/// clock of its own.
rocksdb::Status to_status(const Error& error) {
  auto text = error.describe();
  switch (error.code) {
    case ErrorCode::NotFound:
      return rocksdb::Status::PathNotFound(text);
    case ErrorCode::Corrupt:
      return rocksdb::Status::Corruption(text);
    case ErrorCode::Conflict:
      return rocksdb::Status::Busy(text);
    default:
      return rocksdb::Status::IOError(text);
  }
}

template <class Value>
rocksdb::Status to_status(const Result<Value>& result) {
  return result ? rocksdb::Status::OK() : to_status(result.error());
}

/// RocksDB makes paths with slashes too many.
std::string plain(const std::string& path) {
  std::string result;
  for (char c : path)
    if (c != '/' || !result.ends_with('/')) result += c;
  if (result.size() > 1 && result.ends_with('/')) result.pop_back();
  return result;
}

rocksdb::Status read_at(File& file, std::uint64_t offset, std::size_t length, char* scratch,
                        rocksdb::Slice* result) {
  auto got = file.read(offset, {scratch, length});
  if (!got) return to_status(got.error());
  *result = rocksdb::Slice(scratch, *got);
  return rocksdb::Status::OK();
}

/// See rocks_files.h.
Result<void> check_table(File& file, const std::string& path) {
  if (!is_table(path)) return {};
  TRY(auto size, file.size());
  auto read = [&](std::uint64_t offset, std::span<char> into) -> Result<void> {
    TRY(auto bytes, read_exactly(file, offset, into.size()));
    std::ranges::copy(bytes, into.begin());
    return {};
  };
  auto checked = store::check_table(size, read);
  if (!checked) return wrap(checked.error(), "table {}", path);
  return {};
}

class SequentialFile final : public rocksdb::SequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  rocksdb::Status Read(std::size_t length, rocksdb::Slice* result, char* scratch) override {
    auto status = read_at(*file_, offset_, length, scratch, result);
    if (status.ok()) offset_ += result->size();
    return status;
  }
  rocksdb::Status Skip(std::uint64_t length) override {
    offset_ += length;
    return rocksdb::Status::OK();
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::RandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  rocksdb::Status Read(std::uint64_t offset, std::size_t length, rocksdb::Slice* result,
                       char* scratch) const override {
    return read_at(*file_, offset, length, scratch, result);
  }

 private:
  std::unique_ptr<File> file_;
};

class WritableFile final : public rocksdb::WritableFile {
 public:
  explicit WritableFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  using rocksdb::WritableFile::Append;
  rocksdb::Status Append(const rocksdb::Slice& bytes) override {
    auto written = write_all(*file_, size_, std::string_view(bytes.data(), bytes.size()));
    if (written) size_ += bytes.size();
    return to_status(written);
  }
  rocksdb::Status Truncate(std::uint64_t size) override {
    auto done = file_->truncate(size);
    if (done) size_ = size;
    return to_status(done);
  }
  rocksdb::Status Close() override { return rocksdb::Status::OK(); }
  rocksdb::Status Flush() override { return rocksdb::Status::OK(); }
  rocksdb::Status Sync() override { return to_status(file_->sync_data()); }
  std::uint64_t GetFileSize() override { return size_; }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
};

class Directory final : public rocksdb::Directory {
 public:
  Directory(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  rocksdb::Status Fsync() override { return to_status(files_.sync_directory(path_)); }
  rocksdb::Status Close() override { return rocksdb::Status::OK(); }

 private:
  FileSystem& files_;
  std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::unique_ptr<store::FileLock> held) : held_(std::move(held)) {}

 private:
  std::unique_ptr<store::FileLock> held_;
};

class NoLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

}  // namespace

RocksEnvironment::RocksEnvironment(FileSystem& files)
    : EnvWrapper(rocksdb::Env::Default()), files_(files), thread_([this] { run(); }) {}

RocksEnvironment::~RocksEnvironment() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void RocksEnvironment::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || next_job() != jobs_.end(); });
    auto next = next_job();
    if (next == jobs_.end()) return;
    auto job = *next;
    jobs_.erase(next);
    running_ = true;
    lock.unlock();
    job.work(job.argument);
    lock.lock();
    running_ = false;
    ++ended_;
    changed_.notify_all();
  }
}

std::deque<RocksEnvironment::Job>::iterator RocksEnvironment::next_job() {
  return std::ranges::find_if(jobs_, [&](const Job& job) { return job.flush || !only_flushes_; });
}

void RocksEnvironment::begin() {
  std::unique_lock lock(mutex_);
  patient_ = false;
  only_flushes_ = true;
  changed_.notify_all();
  // What has failed cleans up behind itself; not beside the caller.
  auto ended = ended_;
  if (asleep_) changed_.wait(lock, [&] { return ended_ != ended; });
}

void RocksEnvironment::begin_everything() {
  std::lock_guard lock(mutex_);
  patient_ = false;
  only_flushes_ = false;
  changed_.notify_all();
}

void RocksEnvironment::settle() {
  std::unique_lock lock(mutex_);
  patient_ = true;
  only_flushes_ = false;
  changed_.notify_all();
  changed_.wait(lock, [&] { return asleep_ || (jobs_.empty() && !running_); });
}

/// RocksDB waits a second here when a flush or compaction has failed.
void RocksEnvironment::SleepForMicroseconds(int) {
  if (std::this_thread::get_id() != thread_.get_id()) return;
  std::unique_lock lock(mutex_);
  asleep_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !patient_; });
  asleep_ = false;
}

void RocksEnvironment::Schedule(void (*work)(void*), void* argument, Priority priority, void* tag,
                                void (*unscheduled)(void*)) {
  std::lock_guard lock(mutex_);
  jobs_.push_back({work, argument, tag, unscheduled, priority == Priority::HIGH});
  changed_.notify_all();
}

int RocksEnvironment::UnSchedule(void* tag, Priority) {
  std::deque<Job> taken;
  {
    std::lock_guard lock(mutex_);
    auto rest = std::stable_partition(jobs_.begin(), jobs_.end(),
                                      [&](const Job& job) { return job.tag != tag; });
    taken.assign(rest, jobs_.end());
    jobs_.erase(rest, jobs_.end());
    changed_.notify_all();
  }
  for (const auto& job : taken)
    if (job.unscheduled) job.unscheduled(job.argument);
  return static_cast<int>(taken.size());
}

unsigned int RocksEnvironment::GetThreadPoolQueueLen(Priority) const {
  std::lock_guard lock(mutex_);
  return static_cast<unsigned int>(jobs_.size());
}

rocksdb::Status RocksEnvironment::NewSequentialFile(const std::string& path,
                                                    std::unique_ptr<rocksdb::SequentialFile>* file,
                                                    const rocksdb::EnvOptions&) {
  auto opened = files_.open(plain(path), OpenMode::Read);
  if (opened) *file = std::make_unique<SequentialFile>(std::move(*opened));
  return to_status(opened);
}

rocksdb::Status RocksEnvironment::NewRandomAccessFile(
    const std::string& path, std::unique_ptr<rocksdb::RandomAccessFile>* file,
    const rocksdb::EnvOptions&) {
  auto opened = files_.open(plain(path), OpenMode::Read);
  if (!opened) return to_status(opened);
  if (auto checked = check_table(**opened, path); !checked) return to_status(checked);
  *file = std::make_unique<RandomAccessFile>(std::move(*opened));
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::NewWritableFile(const std::string& path,
                                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                                  const rocksdb::EnvOptions&) {
  auto opened = files_.open(plain(path), OpenMode::Create);
  if (!opened && opened.error().code == ErrorCode::Exists) {
    opened = files_.open(plain(path), OpenMode::Write);
    if (opened)
      if (auto emptied = (*opened)->truncate(0); !emptied) return to_status(emptied);
  }
  if (opened) *file = std::make_unique<WritableFile>(std::move(*opened));
  return to_status(opened);
}

rocksdb::Status RocksEnvironment::NewDirectory(const std::string& path,
                                               std::unique_ptr<rocksdb::Directory>* directory) {
  *directory = std::make_unique<Directory>(files_, plain(path));
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::FileExists(const std::string& path) {
  if (auto names = files_.list(plain(path)); names && !names->empty()) return rocksdb::Status::OK();
  auto opened = files_.open(plain(path), OpenMode::Read);
  if (!opened && opened.error().code == ErrorCode::NotFound) return rocksdb::Status::NotFound();
  return to_status(opened);
}

rocksdb::Status RocksEnvironment::GetChildren(const std::string& path,
                                              std::vector<std::string>* names) {
  auto listed = files_.list(plain(path));
  if (listed) *names = std::move(*listed);
  return to_status(listed);
}

rocksdb::Status RocksEnvironment::DeleteFile(const std::string& path) {
  return to_status(files_.unlink(plain(path)));
}

rocksdb::Status RocksEnvironment::CreateDir(const std::string& path) {
  return to_status(files_.make_directory(plain(path)));
}

rocksdb::Status RocksEnvironment::CreateDirIfMissing(const std::string& path) {
  return to_status(files_.make_directory(plain(path)));
}

rocksdb::Status RocksEnvironment::DeleteDir(const std::string& path) {
  return to_status(files_.remove_directory(plain(path)));
}

rocksdb::Status RocksEnvironment::GetFileSize(const std::string& path, std::uint64_t* size) {
  auto opened = files_.open(plain(path), OpenMode::Read);
  if (!opened) return to_status(opened.error());
  auto got = (*opened)->size();
  if (got) *size = *got;
  return to_status(got);
}

rocksdb::Status RocksEnvironment::GetFileModificationTime(const std::string&, std::uint64_t* time) {
  *time = kNow;
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::RenameFile(const std::string& from, const std::string& to) {
  return to_status(files_.rename(plain(from), plain(to)));
}

rocksdb::Status RocksEnvironment::LinkFile(const std::string&, const std::string&) {
  return rocksdb::Status::NotSupported();
}

rocksdb::Status RocksEnvironment::LockFile(const std::string& path, rocksdb::FileLock** lock) {
  auto held = files_.lock(plain(path), LockScope::File);
  if (held) *lock = new Lock(std::move(*held));
  return to_status(held);
}

rocksdb::Status RocksEnvironment::UnlockFile(rocksdb::FileLock* lock) {
  delete lock;
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::NewLogger(const std::string&,
                                            std::shared_ptr<rocksdb::Logger>* logger) {
  *logger = std::make_shared<NoLogger>();
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::GetFreeSpace(const std::string& path, std::uint64_t* bytes) {
  auto free = files_.free_space(plain(path));
  if (free) *bytes = *free;
  return to_status(free);
}

rocksdb::Status RocksEnvironment::IsDirectory(const std::string& path, bool* is_directory) {
  *is_directory = files_.list(plain(path)).has_value();
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::GetAbsolutePath(const std::string& path, std::string* absolute) {
  *absolute = plain(path);
  return rocksdb::Status::OK();
}

rocksdb::Status RocksEnvironment::GetCurrentTime(std::int64_t* seconds) {
  *seconds = static_cast<std::int64_t>(kNow);
  return rocksdb::Status::OK();
}

}  // namespace hikyaku::store
