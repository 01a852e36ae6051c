// RocksDB's operating system on a FileSystem of ours, so that the index can lose power on the same
// simulated disk as the journal. Inside rocks_index.cc and for tests; the real index uses RocksDB's
// own environment.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <rocksdb/env.h>
#include <thread>

#include "store/file_system.h"

namespace hikyaku::store {

/// Flushes and compactions run one after another on a single thread, and time stands still, so that
/// the same calls always touch the files in the same order.
class RocksEnvironment final : public rocksdb::EnvWrapper {
 public:
  /// `files` must outlive it.
  explicit RocksEnvironment(FileSystem& files);
  ~RocksEnvironment() override;
  FileSystem& files() { return files_; }

  /// From here on what fails in the background is tried again at once, and compactions wait …
  void begin();
  /// … but not for who waits for them …
  void begin_everything();
  /// … until here: waits a moment in which nothing runs, or only waits to be tried again.
  void settle();

  rocksdb::Status NewSequentialFile(const std::string& path,
                                    std::unique_ptr<rocksdb::SequentialFile>* file,
                                    const rocksdb::EnvOptions& options) override;
  rocksdb::Status NewRandomAccessFile(const std::string& path,
                                      std::unique_ptr<rocksdb::RandomAccessFile>* file,
                                      const rocksdb::EnvOptions& options) override;
  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override;
  rocksdb::Status NewDirectory(const std::string& path,
                               std::unique_ptr<rocksdb::Directory>* directory) override;
  rocksdb::Status FileExists(const std::string& path) override;
  rocksdb::Status GetChildren(const std::string& path, std::vector<std::string>* names) override;
  rocksdb::Status DeleteFile(const std::string& path) override;
  rocksdb::Status CreateDir(const std::string& path) override;
  rocksdb::Status CreateDirIfMissing(const std::string& path) override;
  rocksdb::Status DeleteDir(const std::string& path) override;
  rocksdb::Status GetFileSize(const std::string& path, std::uint64_t* size) override;
  rocksdb::Status GetFileModificationTime(const std::string& path, std::uint64_t* time) override;
  rocksdb::Status RenameFile(const std::string& from, const std::string& to) override;
  rocksdb::Status LinkFile(const std::string& from, const std::string& to) override;
  rocksdb::Status LockFile(const std::string& path, rocksdb::FileLock** lock) override;
  rocksdb::Status UnlockFile(rocksdb::FileLock* lock) override;
  rocksdb::Status NewLogger(const std::string& path,
                            std::shared_ptr<rocksdb::Logger>* logger) override;
  rocksdb::Status GetFreeSpace(const std::string& path, std::uint64_t* bytes) override;
  rocksdb::Status IsDirectory(const std::string& path, bool* is_directory) override;
  rocksdb::Status GetAbsolutePath(const std::string& path, std::string* absolute) override;

  void Schedule(void (*work)(void*), void* argument, Priority priority, void* tag,
                void (*unscheduled)(void*)) override;
  int UnSchedule(void* tag, Priority priority) override;
  unsigned int GetThreadPoolQueueLen(Priority priority) const override;
  void SetBackgroundThreads(int, Priority) override {}
  int GetBackgroundThreads(Priority) override { return 1; }
  void IncBackgroundThreadsIfNeeded(int, Priority) override {}
  int ReserveThreads(int, Priority) override { return 0; }
  int ReleaseThreads(int, Priority) override { return 0; }

  std::uint64_t NowMicros() override { return kNow * 1'000'000; }
  std::uint64_t NowNanos() override { return kNow * 1'000'000'000; }
  void SleepForMicroseconds(int microseconds) override;
  rocksdb::Status GetCurrentTime(std::int64_t* seconds) override;

 private:
  static constexpr std::uint64_t kNow = 1'795'000'000;
  struct Job {
    void (*work)(void*);
    void* argument;
    void* tag;
    void (*unscheduled)(void*);
    bool flush;
  };
  std::deque<Job>::iterator next_job();
  void run();

  FileSystem& files_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool running_ = false;
  std::uint64_t ended_ = 0;  ///< jobs
  bool asleep_ = false;
  bool patient_ = false;  ///< what failed waits
  bool only_flushes_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hikyaku::store
