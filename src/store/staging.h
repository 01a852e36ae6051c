// Bodies on their way in: counted memory for small ones, a bulk segment for large ones.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/time.h"
#include "store/record.h"
#include "store/rows.h"
#include "store/segments.h"
#include "store/staged.h"
#include "store/store.h"
#include "store/under_way.h"

namespace hikyaku::store {

/// The memory that all staged bodies together may take. From any thread.
class StagedMemory {
 public:
  explicit StagedMemory(std::uint64_t limit) : limit_(limit) {}
  bool try_take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes) { used_ -= bytes; }
  std::uint64_t used() const { return used_; }

 private:
  std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

/// A part of StagedMemory, given back when destroyed.
class MemoryShare {
 public:
  explicit MemoryShare(std::shared_ptr<StagedMemory> memory) : memory_(std::move(memory)) {}
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;
  ~MemoryShare() { release(); }
  bool grow(std::uint64_t bytes);
  void release();

 private:
  std::shared_ptr<StagedMemory> memory_;
  std::uint64_t taken_ = 0;
};

/// The bytes of a small body, counted until nobody needs them.
struct StagedFrames {
  explicit StagedFrames(std::shared_ptr<StagedMemory> memory) : share(std::move(memory)) {}
  MemoryShare share;
  std::vector<EncodedFrame> frames;
};

class BulkSegment;

/// A body staged here. What is public does not change once its StagedBlob exists, but for `id`.
struct StagedBody final : StagedBlob::State {
  explicit StagedBody(std::shared_ptr<StagedMemory> memory)
      : frames_(std::make_shared<StagedFrames>(std::move(memory))) {}

  std::string salvage;
  Time staged{};
  /// Bytes that it takes in a segment, header and all.
  std::uint64_t stored = 0;
  /// It was written before its transaction, to a bulk segment: 0 is none. `bulk` keeps reclaiming
  /// away from that one.
  SegmentNumber bulk_segment = 0;
  std::shared_ptr<BulkSegment> bulk;
  /// Given when the first transaction that owns it is part of a group.
  std::atomic<BlobId> id{0};

  /// The bytes while they are in memory; null once they have a place.
  std::shared_ptr<StagedFrames> frames() const;
  std::optional<BodyPlace> place() const;
  /// It is on the disk now, and no longer needed in memory.
  void set_place(const BodyPlace& place);

 private:
  mutable std::mutex mutex_;
  std::optional<BodyPlace> place_;
  std::shared_ptr<StagedFrames> frames_;
};

/// The body behind a StagedBlob; null if there is none, or another kind of store's.
std::shared_ptr<StagedBody> staged_body(const StagedBlob& blob);

/// A segment into which large bodies are written, by several writers at once.
class BulkSegment {
 public:
  explicit BulkSegment(std::shared_ptr<Segment> segment) : segment_(std::move(segment)) {}

  Segment& segment() const { return *segment_; }
  std::uint64_t end() const { return end_; }
  /// Appends; gives where. Blocks.
  Result<std::uint64_t> append(std::string_view bytes);
  /// Takes a place for `length` bytes.
  std::uint64_t reserve(std::uint64_t length) { return end_.fetch_add(length); }
  /// Blocks. One caller at a time: a failed sync is told to one caller only, so the others must see
  /// `failed_`.
  Result<void> sync();

 private:
  std::shared_ptr<Segment> segment_;
  std::atomic<std::uint64_t> end_{kSegmentStart};
  std::mutex syncing_;
  bool failed_ = false;
};

/// Called when the journal could not be written or synced: must not return in production.
using JournalFailure = std::function<void(const Error&)>;

/// Hands out bulk segments. From any thread.
class BulkStore {
 public:
  /// The references outlive it.
  BulkStore(Segments& segments, WritesUnderWay& writes, std::uint64_t segment_size,
            JournalFailure failed)
      : segments_(segments),
        writes_(writes),
        segment_size_(segment_size),
        failed_(std::move(failed)) {}

  /// The segment for a new body. Blocks. NoSpace, Io.
  Result<std::shared_ptr<BulkSegment>> segment();
  /// The segment that is written on, 0 if none is.
  SegmentNumber current();
  /// The next body goes to a new segment.
  void seal();
  /// Appends one frame's bytes. Blocks. NoSpace, Io.
  Result<Frame> append(BulkSegment& segment, std::string bytes);
  /// Writes the body's header behind its frames and syncs. Blocks.
  Result<BodyPlace> finish(BulkSegment& segment, const BodyHeader& header);

 private:
  Segments& segments_;
  WritesUnderWay& writes_;
  std::uint64_t segment_size_;
  JournalFailure failed_;
  std::mutex mutex_;
  std::shared_ptr<BulkSegment> current_;
};

/// What a BlobWriter needs; outlives it.
struct StagingContext {
  WorkerPool& workers;
  const Clock& clock;
  std::shared_ptr<StagedMemory> memory;
  BulkStore& bulk;
  std::function<Result<void>()> space;  ///< NoSpace at the reserve
};

std::unique_ptr<BlobWriter> make_blob_writer(StagingContext& context, std::string salvage);

}  // namespace hikyaku::store
