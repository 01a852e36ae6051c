// The store: an ordered key space with transactions and snapshots, bodies, and notification of
// changes. It knows nothing of mail. One journal holds both the operations and the bodies; RocksDB
// is the index over it. docs/storage.md describes the files; this header is all that the rest of
// Hikyaku sees.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "base/task.h"
#include "base/time.h"

namespace hikyaku::store {

/// Whose keys. Every key begins with its account; 0 is the instance itself (directory, queue,
/// story, bodies).
using AccountId = std::uint32_t;
inline constexpr AccountId kInstance = 0;

/// A body's number: sequential, never used again. 0 is no body.
using BlobId = std::uint64_t;

/// Keys from `begin` (included) to `end` (not included). Keys are made with store/key.h; both lie
/// in one account.
struct KeyRange {
  std::string begin;
  std::string end;
};

/// A consistent view of the keys: what steps and reads see. Functions over it are written once and
/// used in both. A read that would have to wait for the disk ends the function by an internal
/// exception (never catch it); it is called again once the data is in memory. So such functions
/// have no effects but their result.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual std::optional<std::string> get(std::string_view key) = 0;

  enum class Direction { Forward, Backward };
  /// Calls `visit(key, value)` for the keys of the range in order until it returns false. The views
  /// are valid during the call only.
  virtual void scan(
      const KeyRange& range, Direction direction,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
  void scan(const KeyRange& range,
            const std::function<bool(std::string_view, std::string_view)>& visit) {
    scan(range, Direction::Forward, visit);
  }
  /// The length in bytes of a body; nullopt if there is no such body.
  virtual std::optional<std::uint64_t> blob_size(BlobId blob) = 0;
  /// The store's epoch (Store::epoch()), for the numbers that must not be given out twice.
  virtual std::uint32_t epoch() const = 0;
};

/// Bytes that were staged and may be owned by transactions. Copies share the bytes; when the last
/// copy goes and no transaction has owned them, they are forgotten.
class StagedBlob {
 public:
  StagedBlob() = default;
  std::uint64_t size() const;
  /// SHA-256 of the bytes (32 bytes).
  const std::string& sha256() const;
  explicit operator bool() const { return static_cast<bool>(state_); }

  struct State;  ///< the store's own: store/staged.h
  explicit StagedBlob(std::shared_ptr<State> state) : state_(std::move(state)) {}
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

/// What a step reads and writes. Writes are seen by later reads of the same transaction and by
/// later steps.
class Transaction : public Reader {
 public:
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  /// Erases every key of the range, also those that this transaction has put.
  virtual void erase_range(const KeyRange& range) = 0;
  /// True if this transaction itself has put `key` (and not erased it since): functions that are
  /// called one after another in a step find by it what the ones before began.
  virtual bool has_put(std::string_view key) const = 0;

  /// Makes `owner` (any key; it need not exist) an owner of the body. Gives the body's id, the same
  /// for every owner.
  virtual BlobId own(const StagedBlob& blob, std::string_view owner) = 0;
  virtual void own(BlobId blob, std::string_view owner) = 0;
  /// Takes an owner away. A body without owners is kept for the retention time, then its space
  /// returns.
  virtual void disown(BlobId blob, std::string_view owner) = 0;

  /// After the commit, wakes the subscriptions to (account, topic). Topics belong to who uses the
  /// account's tables.
  virtual void notify(AccountId account, std::uint32_t topic) = 0;
};

enum class Durability {
  Sync,  ///< the transaction is on disk when transact returns
  Lazy,  ///< returns once its step has run; goes to disk with the next group, after about a
         ///< second at the latest. Later steps see it at once, readers from then on. Lost by a
         ///< crash before that.
};

struct TransactOptions {
  Durability durability = Durability::Sync;
  /// May use the reserve of free disk space: deleting, finishing queue entries. Others get NoSpace
  /// at the reserve.
  bool may_use_reserve = false;
  /// May use half of it: what adds rows but no body, and leads to deleting (moving a message to
  /// Trash). The other half stays for what frees space.
  bool may_use_half_reserve = false;
};

/// Reads and writes keys, all or nothing; see Store::transact.
using Step = std::move_only_function<Result<void>(Transaction&)>;

/// Writes one body: in memory, and, once it is large or the total of staged bytes is at its limit,
/// to a segment of its own.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  /// Copies `bytes`. NoSpace, Io; after an error the writer is of no more use.
  virtual Task<Result<void>> append(std::string_view bytes) = 0;
  virtual std::uint64_t size() const = 0;
  /// The staged body. Bodies above 256 KB are on disk then.
  virtual Task<Result<StagedBlob>> finish() = 0;
};

/// An open body; keeps its file open, so reads go on when the body is expunged meanwhile.
class Blob {
 public:
  virtual ~Blob() = default;
  virtual std::uint64_t size() const = 0;
  virtual const std::string& sha256() const = 0;
  /// The bytes [offset, offset + length), fewer at the end. Corrupt, Io. At most 1 MB at once.
  virtual Task<Result<std::string>> read(std::uint64_t offset, std::uint64_t length) = 0;
  /// Whether these bytes can be read, for who has to know before the first of them is promised to
  /// anybody. They are read once more afterwards: cheap, because they are in memory then. Corrupt,
  /// Io.
  virtual Task<Result<void>> check(std::uint64_t offset, std::uint64_t length) = 0;
};

/// Many, in the order in which they were asked for.
using OpenedBlobs = std::vector<Result<std::unique_ptr<Blob>>>;

/// A pinned state of all keys. Hold it for one bounded piece of work (about 1,000 rows or a
/// second).
class Snapshot {
 public:
  virtual ~Snapshot() = default;
};

/// Ends the subscription when destroyed.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

/// What a store has done since it was opened, for metrics and for people.
struct Statistics {
  std::uint64_t transactions = 0;  ///< that are in groups
  std::uint64_t failed_steps = 0;  ///< steps that returned or threw an error
  std::uint64_t cold_steps = 0;    ///< runs that were abandoned to read from the disk
  std::uint64_t waiting = 0;       ///< transactions that wait now
  std::uint64_t groups = 0;        ///< each is one write and one sync
  std::uint64_t largest_group = 0;
  std::uint64_t journal_bytes = 0;       ///< written in groups
  std::chrono::nanoseconds sync_time{};  ///< spent writing and syncing groups, in total
  std::chrono::nanoseconds longest_sync{};
  /// How long the oldest write that is under way now has gone on: a disk that hangs ends none, so
  /// that nothing above tells of it. 0: there is none.
  std::chrono::nanoseconds write_under_way{};
  std::uint64_t staged_bytes = 0;  ///< memory that staged bodies take now
  std::uint64_t tail_bytes = 0;    ///< what a restart would have to replay
  std::uint64_t tail_records = 0;
  std::uint64_t index_flushes = 0;
  int index_stall = 0;                 ///< 0: writes flow, 1: slowed, 2: stopped
  std::uint64_t replayed_groups = 0;   ///< at the start
  std::uint64_t bodies_forgotten = 0;  ///< by reclaiming, as in Reclaimed
  std::uint64_t bytes_moved = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t bytes_returned = 0;
  std::string read_only;  ///< why nothing can be written; empty otherwise
  /// Journal segments with bodies that somebody owns that were missing or too short at the start.
  std::uint64_t lost_segments = 0;
  std::string lost_segment;  ///< the first of them: what is wrong with it
  /// Bodies that are known to be unreadable, by who asked for them or by scrubbing; and how often
  /// one was found so since the start.
  std::uint64_t unreadable_bodies = 0;
  std::uint64_t unreadable_found = 0;
  /// Parts of the journal beside bodies that scrubbing could not read, and the first of them.
  std::uint64_t damaged_records = 0;
  std::string damaged_record;
  std::uint64_t scrubbed_bytes = 0;  ///< since the start
  std::uint64_t scrub_found = 0;     ///< damage that scrubbing was the first to meet, since then
  Time scrub_ended{};                ///< the last whole round, whenever that was; the epoch: none
  /// What the first read of the index met that could not be read; empty: nothing. The next start
  /// makes the index again.
  std::string index_damage;
  /// Kept for the time when others have filled the disk, and how much should be.
  std::uint64_t ballast_bytes = 0;
  std::uint64_t ballast_wanted = 0;
};

/// How reclaiming goes about it.
struct ReclaimRules {
  /// Bodies that lost their last owner before then go. A moment, not an age: work of many steps
  /// takes no more than what was asked for when it began.
  Time before{};
  /// Bodies move out of segments of which so much is dead.
  unsigned dead_percent = 50;
  /// Younger segments are left alone: what is deleted soon need not be moved before.
  std::chrono::milliseconds least_age{std::chrono::hours(24)};
  /// The clock has gone evenly for so long that it is believed: what lost its last owner in the
  /// future, by one that was ahead, lost it now.
  bool clock_is_settled = false;
  /// Space is needed: also what is written on now is left, if that gives any.
  bool urgent = false;
};
/// What one step of reclaiming did.
struct Reclaimed {
  std::uint64_t bodies_forgotten = 0;  ///< their time was over
  std::uint64_t bodies_moved = 0;      ///< out of segments that are mostly dead
  std::uint64_t bytes_moved = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t bytes_returned = 0;
  bool more = false;  ///< there may be more to do
  bool busy = false;  ///< nothing was done: a backup is being made, or another step runs
};

/// How scrubbing goes about it: everything is read, so that damage is found before it is asked for.
struct ScrubRules {
  /// A round begins so long after the one before it began. 0: it begins at once.
  std::chrono::milliseconds every{};
};
/// What one step of scrubbing did.
struct Scrubbed {
  std::uint64_t bytes = 0;        ///< that it has read
  std::uint64_t round_bytes = 0;  ///< what the whole round reads, about
  std::vector<BlobId> found;      ///< bodies that nobody knew yet to be unreadable
  bool more = false;              ///< false: the next round is not due yet
};

/// What the journal's files hold.
struct SpaceUse {
  std::uint64_t segments = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t live_bytes = 0;      ///< bodies with owners
  std::uint64_t retained_bytes = 0;  ///< bodies that can be brought back
};

/// The files of one state of the store. They stay as they are until the last copy of this goes:
/// nothing is reclaimed meanwhile.
struct Frozen {
  struct File {
    std::string from;          ///< in the store's directory
    std::string to;            ///< in the copy's
    std::uint64_t length = 0;  ///< so much of it
    bool sealed = false;       ///< nobody will ever write to it: a hard link will do
  };
  std::vector<File> files;
  /// A small file of the copy alone, which says that it is whole.
  std::string mark_name;
  std::string mark;
  std::uint64_t last_group = 0;
  std::uint32_t epoch = 0;
  std::string store_id;        ///< 16 bytes
  std::shared_ptr<void> hold;  ///< the store's own
};

/// One instance's store. All methods may be called on any event loop; coroutines go on where they
/// were called.
class Store {
 public:
  virtual ~Store() = default;

  /// Runs `step` after all transactions that were queued before it (fairly among accounts) and
  /// commits what it wrote. With Sync it returns once that is on disk. `accounts` names every
  /// account whose keys are touched.
  ///
  /// A step is synchronous, short (25 µs for a delivery), without effects beside its writes and the
  /// variables it sets for its caller, and may run more than once, on another thread: it owns what
  /// it uses, or uses what its caller's frame holds, the time too (debug builds run it twice and
  /// compare). What it returns as error, or throws, drops its
  /// writes alone and is returned here. NoSpace: at the reserve of free space. Shutdown: the store
  /// is closing; nothing was written.
  virtual Task<Result<void>> transact(std::vector<AccountId> accounts, Step step,
                                      TransactOptions options = {}) = 0;

  /// Reads: calls `function(Reader&)` on the newest durable state (or a pinned one), here if all is
  /// in memory, otherwise on a worker. At most about 1,000 rows a call.
  template <class Function>
  auto read(Function function) -> Task<std::invoke_result_t<Function&, Reader&>> {
    return read_at(nullptr, std::move(function));
  }
  template <class Function>
  auto read_at(std::shared_ptr<const Snapshot> snapshot, Function function)
      -> Task<std::invoke_result_t<Function&, Reader&>> {
    std::optional<std::invoke_result_t<Function&, Reader&>> value;
    // A plain reference is safe: the awaiting frame holds both until run_read has returned.
    std::function<void(Reader&)> body = [&](Reader& reader) { value.emplace(function(reader)); };
    co_await run_read(std::move(snapshot), body);
    co_return std::move(*value);
  }
  virtual std::shared_ptr<const Snapshot> snapshot() = 0;

  /// Begins a new body. `salvage` (at most 200 bytes) is written beside it, for rebuilding what a
  /// lost index knew.
  virtual std::unique_ptr<BlobWriter> stage(std::string salvage = {}) = 0;
  /// Opens a body for reading. NotFound; Corrupt when its place cannot be what it should be.
  virtual Task<Result<std::unique_ptr<Blob>>> open_blob(BlobId blob) = 0;
  /// Opens each as open_blob() does. In a store on disk their places are looked up in one read, and
  /// those that lie next to each other in the journal are read at once. Small bodies are in memory
  /// from then on: the caller bounds their number and size.
  virtual Task<OpenedBlobs> open_blobs(std::vector<BlobId> blobs) = 0;
  /// Opens a body that is staged, before or after a transaction owned it: for what must be worked
  /// out from all of its bytes first. Io, Corrupt.
  virtual Task<Result<std::unique_ptr<Blob>>> open_staged(StagedBlob blob) = 0;

  /// Calls `changed` on the calling event loop after commits that notified (account, topic), or any
  /// topic of the account with kEveryTopic; several commits may become one call.
  static constexpr std::uint32_t kEveryTopic = 0xFFFFFFFF;
  virtual std::unique_ptr<Subscription> subscribe(AccountId account, std::uint32_t topic,
                                                  std::function<void()> changed) = 0;

  /// Grows with every restore or repair that may have lost something; parts of it go into
  /// UIDVALIDITY.
  virtual std::uint32_t epoch() const = 0;

  /// One bounded step of giving space back: call it again while there is more, with pauses. NoSpace
  /// when not even that can be written; Io.
  virtual Task<Result<Reclaimed>> reclaim(ReclaimRules rules) = 0;
  virtual Task<Result<SpaceUse>> space_use() = 0;

  /// One bounded step of reading everything again to see whether it is as it was written: call it
  /// again and again, with pauses, also when there is nothing more to do now. What is found is in
  /// statistics(). Corrupt: the index cannot be read.
  virtual Task<Result<Scrubbed>> scrub(ScrubRules rules) = 0;

  /// The whole store as it is now, for copying while it goes on. Unsupported, NoSpace, Io.
  virtual Task<Result<std::shared_ptr<const Frozen>>> freeze() = 0;

  virtual Statistics statistics() const = 0;
  /// The journal is damaged, and what is read is the state before: accounts and messages that were
  /// acknowledged since are not there. Nobody is to be told that they do not exist. Nothing can be
  /// written; statistics().read_only says why.
  virtual bool is_behind() const { return false; }

  /// Statistics::write_under_way alone: cheap, nothing is locked.
  virtual std::chrono::nanoseconds write_under_way() const = 0;

  /// Finishes what is queued and closes the files. No other calls afterwards. Blocks.
  virtual void close() = 0;

 protected:
  virtual Task<void> run_read(std::shared_ptr<const Snapshot> snapshot,
                              std::function<void(Reader&)>& function) = 0;
};

}  // namespace hikyaku::store
