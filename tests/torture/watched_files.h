// The layer between the store and the simulated disk: it knows everything that passes, so that two
// runs of a seed can be compared, and it can lie as bad systems do, so that one can see that a run
// finds it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/file_system.h"
#include "store/simulated_file_system.h"

namespace hikyaku::torture {

/// What is broken on purpose (`torture --break`): each breaks a promise in a way that users would
/// suffer from, and runs must find it.
enum class Break {
  None,
  Sync,  ///< syncs of files do nothing: a reply stands for what a crash takes
  // The same of one kind of files alone. Of others (CLEAN, the lists of the index's tables) a lost
  // sync costs nothing: a start does without them.
  SyncLog,     ///< the journal's groups
  SyncBulk,    ///< bodies in segments of their own
  SyncTables,  ///< the index's tables, for whose rows the journal is given up
  SyncCopy,    ///< the index's copy
  SyncStore,   ///< what the store is
  Order,       ///< they are done, but after the reply
  Names,       ///< those of directories do nothing: whole files are gone
  Verify,      ///< damage is not seen: what is read is what was written
  Seed,        ///< what a run writes does not follow from its seed
};

inline constexpr struct {
  Break what;
  std::string_view name;
} kBreaks[] = {{Break::Sync, "sync"},          {Break::SyncLog, "sync-log"},
               {Break::SyncBulk, "sync-bulk"}, {Break::SyncTables, "sync-tables"},
               {Break::SyncCopy, "sync-copy"}, {Break::SyncStore, "sync-store"},
               {Break::Order, "order"},        {Break::Names, "names"},
               {Break::Verify, "verify"},      {Break::Seed, "seed"}};

/// One thing that was done with a file.
struct Operation {
  const char* what = "";
  std::string path;
  std::uint64_t place = 0;
  std::uint64_t count = 0;  ///< of bytes written or read
  std::uint64_t hash = 0;   ///< of them; 0 of the index's tables and lists of them

  bool operator==(const Operation&) const = default;
};

class WatchedFiles final : public store::FileSystem {
 public:
  /// `disk` must outlive it and every file.
  WatchedFiles(store::SimulatedFileSystem& disk, Break broken) : disk_(disk), broken_(broken) {}

  /// All so far; once nobody uses it any more.
  std::vector<Operation> take_operations() { return std::move(operations_); }

  Result<std::unique_ptr<store::File>> open(const std::string& path, store::OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> unlink(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::uint64_t> free_space(const std::string& directory) override;
  Result<std::unique_ptr<store::FileLock>> lock(const std::string& path,
                                                store::LockScope scope) override;

  /// Damages a file as bad hardware does.
  void flip_bit(const std::string& path, std::uint64_t offset, int bit);

 private:
  class WatchedFile;

  void note(const char* what, std::string_view path, std::uint64_t place = 0,
            std::string_view bytes = {});
  Result<void> sync(std::string_view path, const std::shared_ptr<store::File>& file);

  store::SimulatedFileSystem& disk_;
  const Break broken_;
  mutable std::mutex mutex_;  ///< flushes of the index are on another thread, one at a time
  std::vector<Operation> operations_;
  std::shared_ptr<store::File> late_;  ///< Order: said to be synced, and is not
};

}  // namespace hikyaku::torture
