// What verifying a store finds in its journal: the segments, how they hang together, what is broken
// in them, and what of that an earlier repair or reclaiming accounts for.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/index.h"
#include "store/recovery.h"
#include "store/rows.h"
#include "store/segments.h"
#include "store/store.h"
#include "store/verify.h"
#include "store/verify_findings.h"

namespace hikyaku::store {

class VerifiedLog {
 public:
  /// All must outlive it.
  VerifiedLog(const Options& options, const VerifyOptions& how, FileSystem& files,
              Findings& findings)
      : options_(options), how_(how), files_(files), findings_(findings) {}

  /// Before all others: the store's id, its segments and their chain. A repair writes the id again
  /// and gives segments their names back. Corrupt, Exists (a name that two claim), Io.
  Result<void> open();

  /// The segments that reclaiming has removed: of `index`, and of groups that it lacks. Io.
  Result<void> load_reclaimed(Index& index);
  /// The ranges that an earlier repair went over: they are no news.
  void load_skipped(Index& index);

  /// Holds every group against its checksum and counts them. `known`: how far the index has come.
  /// Tells what is broken. Io. Reads the whole log.
  Result<void> check(const JournalPosition& known);

  /// Where the last segment's groups end, and what a repair went over there: the log goes on
  /// behind. One without any was made by a repair that was cut off. Io.
  Result<std::uint64_t> end_of(const Segment& segment) const;

  Segments& segments() { return *segments_; }
  const LogChain& chain() const { return chain_; }
  /// All groups since the first are in segments that are there.
  bool is_whole() const;
  /// And nothing in them is broken, or was.
  bool is_unbroken() const { return is_whole() && skipped_.empty() && broken_.empty(); }
  /// Neither known from an earlier repair, nor removed by reclaiming.
  bool is_news(const LogChain::Problem& broken_link) const;
  /// What check() found.
  const std::vector<SkippedRange>& broken() const { return broken_; }
  bool has_skipped() const { return !skipped_.empty(); }
  /// A repair goes over the range; false: one did already.
  bool skip(const SkippedRange& range) {
    return skipped_.insert({range.segment, range.begin}).second;
  }

 private:
  /// What is known of where a segment's groups end.
  enum class End {
    Known,    ///< the segment behind it says so
    Unknown,  ///< that one was reclaimed: a torn group may stand there that others have replaced
    OfLog,    ///< it is the last one: a torn group may stand there
  };

  Result<std::string> load_id();
  Result<void> load_segments(const std::string& id);
  void check_headers(const std::string& id);
  Result<void> check_segment(const Segment& segment, std::uint64_t limit, End end, Lsn& expected,
                             const JournalPosition& known);
  void add_broken(const Segment& segment, std::uint64_t at, std::uint64_t end,
                  const std::string& what);
  bool skipped_between(const Segment& segment, std::uint64_t at) const;

  const Options& options_;
  const VerifyOptions& how_;
  FileSystem& files_;
  Findings& findings_;
  std::unique_ptr<Segments> segments_;
  LogChain chain_;
  std::set<std::pair<SegmentNumber, std::uint64_t>> skipped_;
  std::vector<SkippedRange> broken_;
  std::pair<SegmentNumber, std::uint64_t> read_to_{};  ///< where the last group that was read ends
  std::set<SegmentNumber> reclaimed_;
};

}  // namespace hikyaku::store
