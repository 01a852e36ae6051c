// What happens at a start: reading the chain of log segments and bringing the index up to its end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/index.h"
#include "store/log.h"
#include "store/segments.h"

namespace hikyaku::store {

/// The log segments in order, each with the place where its groups end; nullopt for the last one.
struct LogChain {
  struct Link {
    std::shared_ptr<Segment> segment;
    std::optional<std::uint64_t> end;
  };
  std::vector<Link> links;
  /// Segments that are missing or cannot be read. Only who replays from before segment `since`
  /// needs them.
  struct Problem {
    SegmentNumber since;
    std::string text;
    SegmentNumber missing = 0;  ///< the segment that should be there and is not, if it is that
  };
  std::vector<Problem> problems;
};

/// A part of the journal that should hold groups and does not.
struct DamagedRange {
  SegmentNumber segment = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string what;
  std::string describe() const;
};

/// Opens all log segments and checks that each continues the one before it. Io.
Result<LogChain> open_log_chain(Segments& segments);

struct ReplayResult {
  JournalPosition last;          ///< the last group that was found
  std::uint64_t last_begin = 0;  ///< where that one begins; 0 if none was read
  std::uint64_t groups = 0;
  /// Where reading could not go on. The index holds everything before it and nothing behind it.
  std::optional<DamagedRange> damage;
};

/// Reads groups from `from` (the last one that is known already) to the end, calls `apply` for
/// each, and stops at damage. A torn group at the very end is no damage: it was never acknowledged.
/// Groups up to `whole` (where a clean end was noted) are not torn, whatever became of their
/// bodies.
Result<ReplayResult> replay(
    const LogChain& chain, JournalPosition from,
    const std::function<Result<void>(const GroupRecord&, JournalPosition)>& apply, Lsn whole = 0);

/// Goes over damage: the next place behind it from which groups can be read, if any.
struct Resumption {
  JournalPosition before;  ///< replay(chain, before, …) reads on behind the damage
  Lsn next = 0;            ///< the first group there
};
Result<std::optional<Resumption>> behind_damage(const LogChain& chain, const DamagedRange& damage,
                                                Lsn last);

/// Writes the last group once more where it stands, and syncs. Its sync may have failed before the
/// crash, so it may be in the kernel's memory alone, and marked clean there.
Result<void> write_last_group_again(Segments& segments, const ReplayResult& result);

}  // namespace hikyaku::store
