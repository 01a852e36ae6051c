// Segments whose files have names that are not theirs: renamed, swapped or copied by somebody.
// Their own headers say which they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/segment.h"

namespace hikyaku::store {

struct MisnamedSegment {
  std::string file;  ///< its name in the journal's directory
  SegmentName is{};  ///< what its header says
  /// Another file is it, too, or has its name: which of them counts, a person must say.
  bool in_doubt = false;
  /// In doubt, and the journal cannot be judged before that is said. Others are copies under names
  /// of no segment beside a good one, and do no harm.
  bool in_the_way = false;

  std::string name() const { return segment_name(is.number, is.kind); }
  /// A sentence with the remedy. `directory`: of the journal.
  std::string describe(const std::string& directory) const;
};

/// Looks at the headers of all files of the journal's directory; of this store's segments alone.
/// Io.
Result<std::vector<MisnamedSegment>> find_misnamed(FileSystem& files, const std::string& directory,
                                                   std::string_view store_id);

/// Gives those that are not in doubt their names back, on the disk; a crash meanwhile leaves others
/// that are misnamed. Nobody has them open. NoSpace, Io.
Result<void> put_names_back(FileSystem& files, const std::string& directory,
                            const std::vector<MisnamedSegment>& misnamed);

}  // namespace hikyaku::store
