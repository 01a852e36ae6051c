// The index: an ordered map from keys to values that can be rebuilt from the journal. RocksDB is
// one (rocks_index.h), a map in memory for tests another (memory_index.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/index_error.h"
#include "store/overlay.h"
#include "store/segment.h"

namespace hikyaku::store {

/// How far the index has come in the journal: the last group that it holds and where that one ends.
struct JournalPosition {
  Lsn lsn = 0;
  SegmentNumber segment = 0;
  std::uint64_t end = 0;
  bool operator==(const JournalPosition&) const = default;
};

/// How far a read may go.
enum class Reach {
  Memory,  ///< not to the disk: ColdRead is thrown instead
  Disk,
  Once,  ///< as Disk, for who will not read it again: what was read does not stay in memory
};

/// Thrown out of reads that would have to wait for the disk.
struct ColdRead {};

/// A walk over a range. The views are valid until the next call.
class IndexCursor {
 public:
  virtual ~IndexCursor() = default;
  virtual void seek(std::string_view key) = 0;         ///< to the first key >= `key`
  virtual void seek_before(std::string_view key) = 0;  ///< to the last key < `key`
  virtual bool valid() const = 0;                      ///< false outside the range
  virtual void next() = 0;
  virtual void previous() = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
};

/// A state of the index that does not change. From any thread.
class IndexView {
 public:
  virtual ~IndexView() = default;
  virtual std::optional<std::string> get(std::string_view key, Reach reach) const = 0;
  virtual std::unique_ptr<IndexCursor> cursor(const KeyRange& range, Reach reach) const = 0;
};

struct IndexFile {
  std::string name;
  std::uint64_t bytes = 0;
};

class Index {
 public:
  virtual ~Index() = default;
  /// Where the journal must be replayed from: what was on disk at open, and what was applied since.
  virtual JournalPosition position() const = 0;
  /// Applies one group; its position becomes durable together with its writes or not at all. Not on
  /// disk before a flush. One thread at a time. An error means: apply again (nothing was applied).
  virtual Result<void> apply(const Overlay& writes, JournalPosition position) = 0;
  virtual std::shared_ptr<const IndexView> view() = 0;
  /// Everything applied before the call is on disk after it. Blocks. From any thread.
  virtual Result<void> flush() = 0;
  /// The position that is known to be on disk.
  virtual JournalPosition flushed() const = 0;
  /// Copies everything that was applied before the call to a new directory, as an index of its own,
  /// and gives the position of that. It is on disk after it. Blocks. Unsupported.
  virtual Result<JournalPosition> checkpoint(const std::string& directory);
  /// The files in which its rows stand, sorted by name; none if it has no such.
  virtual std::vector<IndexFile> files() const { return {}; }
  /// Reads one of them and compares its checksums, past all caches. NotFound: it is one no more.
  /// Corrupt, Io. Blocks.
  virtual Result<void> check_file(const std::string&) { return {}; }
  /// The same with a file of a copy that checkpoint() made.
  virtual Result<void> check_copied_file(const std::string&) { return {}; }
  /// A value for the metric of stalls: 0 writes flow, 1 they are slowed, 2 they stand.
  virtual int stall_state() const { return 0; }
};

inline Result<JournalPosition> Index::checkpoint(const std::string&) {
  return fail(ErrorCode::Unsupported, "this index has no files");
}

}  // namespace hikyaku::store
