// Reading one segment of the journal from begin to end, piece by piece, to see whether it is as it
// was written.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "store/blob.h"
#include "store/record.h"
#include "store/segment.h"

namespace hikyaku::store {

/// Is called with what could not be read: Corrupt, Io.
struct ScrubFindings {
  std::function<void(const PlacedBody&, const Error&)> body;
  std::function<void(std::uint64_t offset, const Error&)> record;
};

/// Where groups of records stand in a log segment.
struct ScrubRecords {
  std::uint64_t begin = kSegmentStart;
  /// Where they end; nullopt: nobody knows, and the first one that is none ends them.
  std::optional<std::uint64_t> end = {};
  /// What a repair went over: begin -> end.
  std::map<std::uint64_t, std::uint64_t> skipped = {};
};

/// Holds one frame of a body and its header in memory, no more. Of one thread at a time.
class SegmentScrub {
 public:
  /// `bodies`: those in the segment that are to be looked at. `records`: of a log segment.
  SegmentScrub(std::shared_ptr<Segment> segment, std::vector<PlacedBody> bodies,
               std::optional<ScrubRecords> records);

  bool done() const { return !records_ && next_body_ == bodies_.size(); }
  /// Reads the next piece, 128 KB or one header; gives its bytes. Blocks.
  std::uint64_t read_some(const ScrubFindings& findings);
  /// Nothing of it can be read for this reason.
  void give_up(const Error& error, const ScrubFindings& findings);

 private:
  std::uint64_t read_body(const ScrubFindings& findings);
  std::uint64_t read_frame(const ScrubFindings& findings);
  std::uint64_t read_record(const ScrubFindings& findings);
  std::uint64_t read_operations(const ScrubFindings& findings);
  std::uint64_t search_record();
  void broken_body(const ScrubFindings& findings, const Error& error);

  std::shared_ptr<Segment> segment_;
  std::vector<PlacedBody> bodies_;  ///< in the order in which they stand
  std::size_t next_body_ = 0;
  std::optional<BodyHeader> header_;  ///< of the body that is being read
  std::size_t next_frame_ = 0;

  std::optional<ScrubRecords> records_;  ///< nothing once all are read
  std::uint64_t at_ = 0;                 ///< of the group's header, or of its operations
  std::uint64_t group_ = 0;              ///< where the group begins
  std::optional<GroupHeader> group_header_;
  std::uint64_t operations_left_ = 0;
  std::uint32_t crc_ = 0;
  bool searching_ = false;  ///< for the next group behind damage
};

/// Reads and checks one body at once. Corrupt, Io.
Result<void> check_placed_body(const Segment& segment, const BodyPlace& place);
/// Reads and checks one group, without its bodies. Corrupt, Io.
Result<void> check_record(std::shared_ptr<Segment> segment, std::uint64_t offset);

}  // namespace hikyaku::store
