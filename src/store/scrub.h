// Scrubbing: everything that the store keeps is read again now and then, so that damage is told
// while there is a backup that is whole. docs/storage.md §4.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/log.h"
#include "base/task.h"
#include "store/damage.h"
#include "store/index.h"
#include "store/rows.h"
#include "store/scrub_note.h"
#include "store/segment_scrub.h"
#include "store/segments.h"
#include "store/store.h"

namespace hikyaku::store {

/// Goes round: what is known to be damaged, the segments by their numbers, the files of the index
/// and of its copy.
/// Segments that are made while a round goes on belong to the next. Any thread may call; one step
/// at a time.
class Scrubber {
 public:
  struct Context {
    FileSystem& files;
    std::string directory;
    Segments& segments;
    Index& index;
    std::function<std::shared_ptr<const IndexView>()> view;  ///< the newest durable state
    WorkerPool& workers;
    const Clock& clock;
    Log log;
    UnreadableBodies& bodies;
    DamagedRecords& records;
    IndexDamage& index_damage;
    /// Makes the copy of the index again, with nothing of the one before. Fails while the index is
    /// known to be damaged.
    std::function<Result<void>()> keep_index_anew;
  };
  /// Goes on where the last process was.
  explicit Scrubber(Context context);
  /// Notes where it is.
  ~Scrubber();

  /// See Store::scrub.
  Task<Result<Scrubbed>> step(ScrubRules rules);
  /// Looks first at what a process before this one knew, as step() would, but not for long: what a
  /// failing disk leaves no time for is taken to be as it was. Forgets bodies that nobody has.
  Task<Result<void>> settle_doubts();
  /// Lets settle_doubts() end soon. From any thread.
  void stop() { stopping_ = true; }
  void add_to(Statistics& statistics) const;

 private:
  enum class Phase {
    Rest,      ///< until the next round is due
    Segments,  ///< between two
    Places,    ///< looking for a segment's bodies
    Reading,   ///< it
    Index,     ///< its files, and its copy's
  };

  Result<Scrubbed> locked_step(ScrubRules rules);
  void advance(Scrubbed& done);
  bool is_due(ScrubRules rules) const;
  void begin_round();
  void measure();
  void end_round();
  void next_segment();
  void begin_segment(SegmentNumber number);
  void end_segment();
  void find_places();
  void begin_reading(const IndexView& view);
  std::optional<SegmentKind> kind_of(SegmentNumber number) const;
  void read_segment(Scrubbed& done);
  void read_index(Scrubbed& done);
  void read_copy(const IndexFile& file, Scrubbed& done);
  void mend_copy(Error fault);
  std::optional<IndexFile> next_file(const std::vector<IndexFile>& files);
  std::optional<ScrubRecords> records_of(SegmentNumber number, const IndexView& view) const;

  void look_again(Scrubbed& done);
  void look_at_header();
  void look_at_record();
  void look_at_body(Scrubbed& done);
  void settle();
  void forget_unowned();
  void pass_over_known();
  void stays(BlobId body);
  void stays(RecordPlace record);
  bool is_missed(SegmentNumber number) const;
  Result<void> check_again(const BodyPlace& place);
  Result<void> check_again(RecordPlace record);
  void broken_body(const PlacedBody& body, const Error& error, Scrubbed& done);
  void found(bool is_new);
  bool has_news() const;
  void note();

  Context context_;
  std::atomic<bool> busy_{false};
  std::atomic<bool> stopping_{false};

  // Of the step that runs.
  ScrubNote note_;
  Phase phase_ = Phase::Rest;
  std::uint64_t unnoted_ = 0;      ///< bytes that were read since the note was written
  bool news_ = false;              ///< something else has changed since
  std::uint64_t noted_found_ = 0;  ///< UnreadableBodies::found_ever() when it was written
  std::vector<BlobId> doubted_bodies_;
  std::vector<RecordPlace> doubted_records_;
  std::vector<SegmentNumber> headers_;  ///< of segments, still to be looked at since the start
  bool look_again_ = true;
  bool measured_ = false;  ///< how much the round reads

  SegmentNumber segment_ = 0;
  std::shared_ptr<Segment> open_;
  Result<void> opened_;
  std::vector<PlacedBody> places_;
  BlobId place_ = 0;  ///< the next id to look at
  BlobId last_place_ = 0;
  std::unique_ptr<SegmentScrub> reading_;
  std::string index_file_;           ///< the last one that was read
  std::optional<Error> copy_fault_;  ///< that this round has met

  mutable std::mutex mutex_;
  Time ended_{};
  std::uint64_t bytes_ = 0;  ///< since the start
  std::uint64_t found_ = 0;  ///< likewise
  std::uint64_t round_bytes_ = 0;
};

}  // namespace hikyaku::store
