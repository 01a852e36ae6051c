// Opening a store on the local disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "store/metrics.h"
#include "store/store.h"

namespace hikyaku::store {

class FileSystem;
class Index;

/// Whether there is no store in a directory: no segment of a journal, and no index (or not even a
/// name, STORE, to go with it). What lacks only some of them is damaged, not missing. Denied, Io:
/// that cannot be told.
Result<bool> is_missing(FileSystem& files, const std::string& directory);
/// What whoever opens a store in a directory locks.
std::string lock_path(const std::string& directory);

/// What opening a store does where there is none.
enum class IfMissing {
  Refuse,  ///< NotFound, and nothing is made: an empty one would refuse everybody's mail
  Make,
};

/// What a store needs and how it behaves. References must outlive the store.
struct Options {
  /// The directory that holds everything of the store.
  std::string directory;
  WorkerPool& workers;
  const Clock& clock;
  Log log = {};
  Metrics metrics = {};

  /// For the index: its cache and write buffers.
  std::uint64_t index_memory = 64ull << 20;
  /// For bodies that are on their way in. Above it, bodies go through small buffers to the disk.
  std::uint64_t staged_memory = 64ull << 20;
  /// Below so much free disk space only transactions that may use the reserve are taken. 0: no
  /// reserve.
  std::uint64_t reserve = 256ull << 20;
  /// Kept in a file of its own, and given up where a disk that others have filled leaves no room
  /// for opening, deleting, reclaiming or flushing the index. Less on a small disk. 0: none.
  std::uint64_t ballast = 0;

  /// Log segments double from the first size to the second; bulk segments have the second.
  std::uint64_t smallest_segment = 8ull << 20;
  std::uint64_t largest_segment = 256ull << 20;
  /// How much a restart may have to replay.
  std::uint64_t most_tail_bytes = 32ull << 20;
  std::uint64_t most_tail_records = 200'000;
  /// How long lazy transactions may wait for others to share their sync with.
  std::chrono::milliseconds lazy_delay{1000};

  /// The version of the rows that whoever opens the store keeps in it. A store with a higher one is
  /// refused.
  std::uint64_t schema = 1;

  IfMissing if_missing = IfMissing::Refuse;
  /// How long another process may go on that holds it; that it is waited for is logged.
  std::chrono::milliseconds lock_patience{0};

  /// Opens a store that was closed well (a backup) without changing anything in it. Transactions
  /// give Unavailable.
  bool for_reading = false;

  /// The files under journal, index and lock; null: the operating system's.
  FileSystem* files = nullptr;
  /// The committer works on the event loop that uses the store (always the same one), not on a
  /// thread of its own, and never sleeps: for simulations, which must be repeatable. `workers` then
  /// run what they are given at once.
  bool on_one_thread = false;
  /// Opens the index; empty: RocksDB in `directory`/index.
  std::function<Result<std::unique_ptr<Index>>()> open_index = {};
  /// Called when the journal could not be written or synced; nothing was acknowledged. Empty: ends
  /// the process, and the next start recovers. One that returns leaves a store that fails
  /// everything.
  std::function<void(const Error&)> journal_failed = {};
};

/// Opens the store and recovers what a crash has left. A journal that is damaged elsewhere than at
/// its torn end opens for reading only: statistics().read_only says why, transact and stage give
/// Unavailable.
/// Conflict: another process holds it (named). NotFound: there is none (if_missing). Denied, Io,
/// NoSpace. Corrupt: not a store of ours. Unsupported: written by a newer version of the program.
/// Blocks.
Result<std::unique_ptr<Store>> open_store(Options options);

}  // namespace hikyaku::store
