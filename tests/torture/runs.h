// The two kinds of runs. Each is a world of its own that follows from its seed; each throws Broken
// when something that must hold does not.
#pragma once

#include <cstdint>

#include "watched_files.h"

namespace hikyaku::torture {

struct RunReport {
  std::uint64_t crashes = 0;       ///< points at which the disk lost power, failed, or was full
  std::uint64_t transactions = 0;  ///< that the store had in its history at the end
  std::uint64_t flips = 0;
  std::uint64_t backups = 0;
  std::uint64_t segments_removed = 0;
  std::vector<Operation> operations = {};  ///< the same for the same seed
};

/// Mail work on a disk that loses power, fails, tears, shortens writes and fills up, again and
/// again.
RunReport crash_run(std::uint64_t seed, Break broken);
/// Mail work, then bits of the synced files turn over: exactly what was hit is reported and lost.
RunReport flip_run(std::uint64_t seed, Break broken);

}  // namespace hikyaku::torture
