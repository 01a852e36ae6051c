// Reading and writing record groups in log segments.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "store/group.h"
#include "store/index.h"
#include "store/record.h"
#include "store/segments.h"

namespace hikyaku::store {

/// One group as it was read.
struct GroupRecord {
  GroupHeader header;
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  Overlay writes;
};

/// Reads the group at `offset`, which must end at `limit` or before; seeks over its bodies. Corrupt
/// unless there is one; Io.
Result<GroupRecord> read_group(const Segment& segment, std::uint64_t offset, std::uint64_t limit);

/// Reads the bodies of a group and checks every byte. `bodies`, if given, gets their headers.
Result<void> check_group_bodies(
    const Segment& segment, const GroupRecord& group,
    std::vector<std::pair<std::uint64_t, BodyHeader>>* bodies = nullptr);

/// The first place in [from, limit) where a group can be read whose number is at least `least`.
Result<std::optional<std::uint64_t>> find_group(const Segment& segment, std::uint64_t from,
                                                std::uint64_t limit, Lsn least);

/// Every body header that can be read in [from, limit), with its place.
Result<std::vector<std::pair<std::uint64_t, BodyHeader>>> find_body_headers(const Segment& segment,
                                                                            std::uint64_t from,
                                                                            std::uint64_t limit);

/// The open end of the log. The committer's alone.
class LogWriter {
 public:
  struct Sizes {
    std::uint64_t smallest = 8ull << 20;
    std::uint64_t largest = 256ull << 20;
  };
  LogWriter(Segments& segments, Sizes sizes) : segments_(segments), sizes_(sizes) {}

  /// Goes on in `segment` from `end` on, where there is space until `capacity`.
  void continue_in(std::shared_ptr<Segment> segment, std::uint64_t end, std::uint64_t capacity);
  /// The log ends at `end` of segment `number`, and what is written next goes to a new one.
  void continue_behind(SegmentNumber number, std::uint64_t end);
  /// Begins a new segment with space for a group of `bytes`, of which `next` is the first. NoSpace
  /// leaves everything as it was; after any other error nothing may be written any more.
  Result<void> roll(Lsn next, std::uint64_t bytes);

  /// Whether a group of so many bytes fits into the segment.
  bool fits(std::uint64_t bytes) const { return segment_ && end_ + bytes <= capacity_; }

  /// Writes one group and syncs; adds the places of its bodies to its rows. Any error is final.
  Result<JournalPosition> append(Writes& group, Lsn lsn, Time now);

  SegmentNumber segment() const { return number_; }
  std::uint64_t end() const { return end_; }
  /// Gives the unused space back, at a clean end. False if there is no segment to write on.
  Result<bool> close();

  /// The most bytes that a group of these writes takes.
  static std::uint64_t bound(std::uint64_t rows, std::uint64_t bodies) {
    return GroupHeader::kSize + 1024 + rows + bodies;
  }

 private:
  Segments& segments_;
  Sizes sizes_;
  std::shared_ptr<Segment> segment_;
  SegmentNumber number_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t capacity_ = 0;
};

}  // namespace hikyaku::store
