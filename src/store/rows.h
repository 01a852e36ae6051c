// The store's own rows, all of account 0: where bodies are, who owns them, what segments hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "store/key.h"
#include "store/segment.h"
#include "store/store.h"

namespace hikyaku::store {

/// Single values: the next body id.
inline constexpr Table kMetaTable = 0x01;
/// body -> BodyPlace
inline constexpr Table kPlaceTable = 0x02;
/// (body, owner) -> nothing
inline constexpr Table kOwnerTable = 0x03;
/// (time, body) -> nothing: bodies without owners, in the order in which their time runs out
inline constexpr Table kFreedTable = 0x04;
/// body -> time since when it has no owner
inline constexpr Table kFreedAtTable = 0x05;
/// segment -> SegmentUse
inline constexpr Table kSegmentTable = 0x06;
/// (segment, offset) -> a damaged range that a repair has skipped
inline constexpr Table kSkippedTable = 0x07;
/// segment -> nothing: removed by reclaiming
inline constexpr Table kReclaimedTable = 0x08;

/// Where a body is.
struct BodyPlace {
  SegmentNumber segment = 0;
  std::uint64_t header_offset = 0;
  std::uint32_t header_length = 0;
  std::uint64_t size = 0;    ///< of the body
  std::uint64_t stored = 0;  ///< bytes that it takes in the segment, header and all
  bool contiguous = true;    ///< its frames follow its header at once
  bool operator==(const BodyPlace&) const = default;
};

std::string encode(const BodyPlace& place);
/// Corrupt.
Result<BodyPlace> decode_body_place(std::string_view bytes);

/// How many bytes of a segment's bodies are owned, and how many wait for the end of their
/// retention; and the lowest and highest id of all that ever stood in it, so that they are found.
struct SegmentUse {
  std::uint64_t live = 0;
  std::uint64_t retained = 0;
  BlobId first = 1;
  BlobId last = UINT64_MAX;

  bool empty() const { return live == 0 && retained == 0; }
  bool same_bytes(const SegmentUse& other) const {
    return live == other.live && retained == other.retained;
  }
  bool operator==(const SegmentUse&) const = default;
};
std::string encode(const SegmentUse& use);
/// Corrupt.
Result<SegmentUse> decode_segment_use(std::string_view bytes);
/// What a segment's row says; without a row there is nothing in it. One that makes no sense stands
/// for more than any segment holds: nothing of it is to be taken for dead.
SegmentUse segment_use(const std::optional<std::string>& row);

/// A range of a segment that could not be read and that a repair went over.
struct SkippedRange {
  SegmentNumber segment = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool operator==(const SkippedRange&) const = default;
};

inline Key next_blob_key() {
  return Key(kInstance, kMetaTable).u8(1);
}
inline Key schema_key() {
  return Key(kInstance, kMetaTable).u8(2);
}
/// When the log last went on in a new segment for reclaiming's sake.
inline Key left_key() {
  return Key(kInstance, kMetaTable).u8(3);
}
inline Key place_key(BlobId blob) {
  return Key(kInstance, kPlaceTable).u64(blob);
}
inline Key owners_key(BlobId blob) {
  return Key(kInstance, kOwnerTable).u64(blob);
}
inline Key owner_key(BlobId blob, std::string_view owner) {
  return owners_key(blob).raw(owner);
}
inline Key freed_key(Time when, BlobId blob) {
  return Key(kInstance, kFreedTable)
      .u64(static_cast<std::uint64_t>(when.time_since_epoch().count()))
      .u64(blob);
}
inline Key freed_at_key(BlobId blob) {
  return Key(kInstance, kFreedAtTable).u64(blob);
}
inline Key segment_use_key(SegmentNumber segment) {
  return Key(kInstance, kSegmentTable).u32(segment);
}
inline Key reclaimed_key(SegmentNumber segment) {
  return Key(kInstance, kReclaimedTable).u32(segment);
}
inline Key skipped_key(const SkippedRange& range) {
  return Key(kInstance, kSkippedTable).u32(range.segment).u64(range.begin);
}

std::string encode_number(std::uint64_t value);
/// 0 for what is no number.
std::uint64_t decode_number(std::string_view bytes);

}  // namespace hikyaku::store
