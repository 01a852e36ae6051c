// Reclaiming: the space of bodies that nobody owns any more returns to the disk. docs/storage.md
// §5.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "base/executor.h"
#include "base/log.h"
#include "store/committer.h"
#include "store/record.h"
#include "store/rows.h"
#include "store/segments.h"
#include "store/staging.h"
#include "store/store.h"

namespace hikyaku::store {

/// One store's reclaiming: bodies whose time is over are forgotten, bodies of segments that are
/// mostly dead move to cold segments, segments without bodies go. Any thread may call; one step at
/// a time.
class Reclaimer {
 public:
  struct Context {
    Store& store;  ///< for transactions
    Segments& segments;
    BulkStore& bulk;
    Index& index;
    Committer& committer;
    WorkerPool& workers;
    const Clock& clock;
    Log log;
    std::uint64_t segment_size;  ///< of cold segments
    /// Brings the index to the disk so that it can be had again without the segments before the
    /// position that this gives. Blocks.
    std::function<Result<JournalPosition>()> keep_index;
  };
  explicit Reclaimer(Context context) : context_(std::move(context)) {}

  /// One bounded step: the first of these for which there is something to do. Blocks only on
  /// workers.
  Task<Result<Reclaimed>> step(ReclaimRules rules);
  /// While anybody holds it, nothing is removed or moved.
  std::shared_ptr<void> hold();
  bool held();
  Result<SpaceUse> use();

 private:
  /// A body that is to move.
  struct Victim {
    BlobId id = 0;
    AccountId account = 0;  ///< of its first owner: those of an account stand together
    BodyPlace place;
  };
  struct Moved {
    BlobId id = 0;
    BodyPlace from;
    BodyPlace to;
  };
  /// Ids of bodies, both included.
  struct Span {
    BlobId first = 0;
    BlobId last = 0;
  };
  struct SegmentState {
    SegmentName name{};
    SegmentUse use;
  };

  Task<Result<Reclaimed>> locked_step(ReclaimRules rules);
  Task<Result<Reclaimed>> forget_bodies(Time before);
  Task<Result<Reclaimed>> date_back();
  Task<Result<Reclaimed>> move_bodies(ReclaimRules rules);
  Task<Result<Reclaimed>> remove_segments();
  Task<Result<Reclaimed>> leave_log_segment();

  std::vector<SegmentState> sealed_segments();
  Result<std::uint64_t> size_now(SegmentNumber number);
  void leave_open_segments(const ReclaimRules& rules);
  bool choose_segments(ReclaimRules rules);
  void merge_spans();
  Result<void> find_victims();
  bool has_plan() const { return !plan_.empty() || !spans_.empty(); }
  void drop_plan();
  void give_up(SegmentNumber segment, const Error& error);
  AccountId account_of(const IndexView& view, BlobId blob) const;
  Result<std::vector<Moved>> copy_some();
  Result<BodyPlace> copy(const Victim& victim);
  Result<void> begin_cold();
  Result<std::vector<SegmentNumber>> removable();
  Result<Reclaimed> unlink(const std::vector<SegmentNumber>& segments);

  Context context_;
  std::atomic<bool> busy_{false};

  // Of the step that runs. Segments are chosen, then their bodies found, then those are moved.
  std::set<SegmentNumber> leaving_;   ///< whose bodies are to move
  std::vector<Span> spans_;           ///< where they are still to be found: from the end on
  std::vector<Victim> plan_;          ///< from the end to the beginning
  bool seal_log_ = false;             ///< the log should go on in a new segment
  std::set<SegmentNumber> hopeless_;  ///< segments with bodies that cannot be read
  std::shared_ptr<Segment> cold_;
  std::uint64_t cold_end_ = 0;

  std::mutex mutex_;
  std::weak_ptr<void> held_;
};

/// What a crash has left of segments that were reclaimed is removed; their numbers are not given
/// out again. Before anything is written.
Result<void> finish_reclaiming(Segments& segments, const IndexView& view);

/// The number of a segment that had bodies is not given out again, also when its file is lost.
void number_above_used(Segments& segments, const IndexView& view);

}  // namespace hikyaku::store
