// Segments: the files of the journal. docs/storage.md has every field.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "store/file_system.h"

namespace hikyaku::store {

/// The number of a journal record group: 1, 2, 3 … without gaps over the life of a store.
using Lsn = std::uint64_t;
/// Segments of all kinds count together; a number is never used for another file. 0 is none.
using SegmentNumber = std::uint32_t;

enum class SegmentKind : std::uint8_t {
  Log = 'L',   ///< record groups: operations and small bodies, written by the committer alone
  Bulk = 'B',  ///< large bodies, written by many at once before their transactions
};

/// Records begin here; the header has the space before it, twice.
inline constexpr std::uint64_t kSegmentStart = 4096;

struct SegmentHeader {
  SegmentKind kind = SegmentKind::Log;
  std::string store_id;  ///< 16 bytes
  SegmentNumber number = 0;
  /// Secret: begins every record header, so that nobody's mail can contain a record.
  std::uint64_t mark = 0;
  /// Secret: where the CRCs of all headers and operation lists in this segment begin.
  std::uint32_t seed = 0;
  Lsn first_lsn = 0;           ///< Log: of the first group in it
  SegmentNumber previous = 0;  ///< Log: the one before it, and where that one ends
  std::uint64_t previous_end = 0;
  std::uint32_t epoch = 0;
  Time created{};
};

/// "0000000007.log", "0000000008.bulk".
std::string segment_name(SegmentNumber number, SegmentKind kind);
struct SegmentName {
  SegmentNumber number;
  SegmentKind kind;
};
std::optional<SegmentName> parse_segment_name(std::string_view name);

/// Which segment's header is looked for: a disk may have put another's sector in its place, which
/// is whole in itself.
struct WantedSegment {
  SegmentName name;
  std::string_view store_id;  ///< empty: of any store

  bool is(const SegmentHeader& header) const;
};

/// kSegmentStart bytes: the header, and its copy.
std::string encode_segment_header(const SegmentHeader& header);
/// Reads the header or, if that is damaged, its copy. Corrupt when both are. Of two that are whole
/// it is the one that is `wanted`; when none is, whichever there is, for others to judge.
Result<SegmentHeader> decode_segment_header(std::string_view bytes);
Result<SegmentHeader> decode_segment_header(std::string_view bytes, const WantedSegment& wanted);

/// Whether both copies of the header are as they were written; Corrupt names the one that is not.
/// With none that is `wanted` the segment cannot be opened at all.
Result<void> check_header_copies(std::string_view bytes, const WantedSegment& wanted);

/// An open segment. Shared by everybody who reads in it; a removed file lives until the last one is
/// done.
class Segment {
 public:
  Segment(std::unique_ptr<File> file, SegmentHeader header)
      : file_(std::move(file)), header_(std::move(header)) {}

  const SegmentHeader& header() const { return header_; }
  SegmentNumber number() const { return header_.number; }
  File& file() const { return *file_; }

  /// The CRC of bytes that stand at `offset` of this segment and nowhere else.
  std::uint32_t checksum(std::uint64_t offset, std::string_view bytes) const;

 private:
  std::unique_ptr<File> file_;
  SegmentHeader header_;
};

/// Of a file that would be `wanted` by its name, or has none. NotFound, Corrupt, Io.
Result<SegmentHeader> read_segment_header(FileSystem& files, const std::string& path,
                                          const std::optional<WantedSegment>& wanted);

/// Both copies of the header of an open segment, as check_header_copies(). Corrupt, Io.
Result<void> check_header_copies(const Segment& segment);
/// Writes both copies again, from the one that is `wanted`, into a copy of the file that takes its
/// place: the file itself may be a backup's, too. Where there is no space for that, in place.
/// Nobody has it open. Corrupt (none is, or both and they differ: nothing is written), Io.
Result<void> mend_header(FileSystem& files, const std::string& directory,
                         const WantedSegment& wanted);

/// Opens a segment and reads its header. `file`: its name, if that is not its own. NotFound,
/// Corrupt (also a header that is not `wanted`), Io.
Result<std::shared_ptr<Segment>> open_segment(FileSystem& files, const std::string& directory,
                                              const WantedSegment& wanted, OpenMode mode,
                                              std::string_view file = {});

/// Makes a segment of `size` bytes with this header, so that after a crash it is there with a whole
/// header or not at all. NoSpace leaves nothing behind; what is there is never replaced (Io).
Result<std::shared_ptr<Segment>> create_segment(FileSystem& files, const std::string& directory,
                                                SegmentHeader header, std::uint64_t size);

}  // namespace hikyaku::store
