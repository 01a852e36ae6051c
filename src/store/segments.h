// All segments of a store: which there are, those that are open, and new ones.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "store/segment.h"

namespace hikyaku::store {

/// What does not change any more of a segment that nothing is written to.
struct SealedSegment {
  std::uint64_t size = 0;
  Time created{};
};

/// From any thread.
class Segments {
 public:
  /// `files` and `clock` must outlive it.
  Segments(FileSystem& files, const Clock& clock, std::string directory, std::string store_id)
      : files_(files),
        clock_(clock),
        directory_(std::move(directory)),
        store_id_(std::move(store_id)) {}

  /// Finds what is in the directory and removes segments that were never finished.
  Result<void> load(bool may_write);
  /// Reads a segment from a file under another name, for who may not give it its own back.
  void read_from(SegmentName segment, const std::string& file);
  std::vector<SegmentName> names() const;
  /// New segments get higher numbers than this one, which somebody remembers.
  void number_above(SegmentNumber number);

  /// An open segment, for reading (the ones made here also for writing). Blocks.
  /// NotFound, Corrupt, Io.
  Result<std::shared_ptr<Segment>> open(SegmentNumber number);
  /// A segment of its own for who reads all of it, past the kernel's memory. As open().
  Result<std::shared_ptr<Segment>> open_for_scrubbing(SegmentNumber number);
  /// The same as open() if it is open already, otherwise null. Does not block.
  std::shared_ptr<Segment> opened(SegmentNumber number);
  /// Opens a log segment for writing on (after a clean close), as create().
  Result<std::shared_ptr<Segment>> open_for_writing(SegmentNumber number);

  /// Makes a new segment. `chain` gives kind, first_lsn, previous and previous_end. Whoever has
  /// what this gives (or a copy of it) may write.
  Result<std::shared_ptr<Segment>> create(SegmentHeader chain, std::uint64_t size);

  /// Removes the file of a segment that nobody will ask for again; who has it open reads on.
  /// Blocks.
  Result<void> remove(SegmentNumber number);
  /// Whether somebody has a segment for writing. Who gave it up never writes to it again.
  bool is_written(SegmentNumber number) const;
  /// The length of a segment's file. Blocks.
  Result<std::uint64_t> size(SegmentNumber number);
  /// Of a segment to which nothing is written any more. Looked at once and then remembered, so that
  /// who asks for all of them throws no open segment out. Conflict: it is_written(). Blocks the
  /// first time.
  Result<SealedSegment> sealed(SegmentNumber number);
  Result<std::uint64_t> free_space() { return files_.free_space(directory_); }

  /// The size for a new log segment: small stores have small ones.
  std::uint64_t next_size(std::uint64_t smallest, std::uint64_t largest) const;

  std::uint32_t epoch() const;
  void set_epoch(std::uint32_t epoch);
  /// The next one, by chance. Corrupt: there is none any more.
  Result<void> begin_epoch();

 private:
  /// What is known of a segment without opening it.
  struct Known {
    SegmentKind kind{};
    std::optional<SealedSegment> sealed = {};
    std::string file = {};  ///< its name, if that is not its own
  };
  Result<Known> find(SegmentNumber number) const;
  Result<std::shared_ptr<Segment>> open_anew(SegmentNumber number, const Known& known,
                                             OpenMode mode = OpenMode::Read);
  void remember(std::shared_ptr<Segment> segment);
  /// Numbers of segments that somebody has for writing: he may outlive this.
  struct Writing {
    std::mutex mutex;
    std::set<SegmentNumber> numbers;
  };
  std::shared_ptr<Segment> for_writing(std::shared_ptr<Segment> segment);

  static constexpr std::size_t kMostOpen = 128;

  FileSystem& files_;
  const Clock& clock_;
  std::string directory_;
  std::string store_id_;

  std::shared_ptr<Writing> writing_ = std::make_shared<Writing>();
  mutable std::mutex mutex_;
  std::map<SegmentNumber, Known> known_;
  SegmentNumber next_number_ = 1;
  std::uint32_t epoch_ = 1;
  std::uint64_t bytes_made_ = 0;
  /// Least recently used last.
  std::list<std::shared_ptr<Segment>> open_;
  std::unordered_map<SegmentNumber, std::list<std::shared_ptr<Segment>>::iterator> places_;
};

}  // namespace hikyaku::store
