// What scrubbing remembers from one start to the next: a small file beside the index. Losing it
// costs only time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "store/damage.h"
#include "store/file_system.h"

namespace hikyaku::store {

struct ScrubNote {
  /// Of the round that goes on, or of the last one.
  Time began{};
  /// Of the last whole round; the epoch: there was none yet.
  Time ended{};
  bool in_round = false;
  /// In a round: segments before `next` are done, those behind `last` belong to the next round.
  SegmentNumber next = 0;
  SegmentNumber last = 0;
  /// What could not be read: whether it still cannot is the first thing to look at.
  std::vector<BlobId> bodies;
  std::vector<RecordPlace> records;
};

std::string encode_scrub_note(const ScrubNote& note);
/// nullopt: it is none.
std::optional<ScrubNote> decode_scrub_note(std::string_view bytes);

Result<void> write_scrub_note(FileSystem& files, const std::string& directory,
                              const ScrubNote& note);
/// After a repair: what was known to be damaged is mended, or nobody has it any more.
Result<void> forget_damage(FileSystem& files, const std::string& directory);
/// An empty one where there is none that can be read.
ScrubNote read_scrub_note(FileSystem& files, const std::string& directory);

}  // namespace hikyaku::store
