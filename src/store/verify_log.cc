#include "store/verify_log.h"

#include <algorithm>
#include <fmt/format.h>

#include "store/misnamed.h"
#include "store/reclaim.h"
#include "store/store_files.h"

namespace hikyaku::store {

Result<void> VerifiedLog::open() {
  TRY(auto id, load_id());
  segments_ =
      std::make_unique<Segments>(files_, options_.clock, journal_directory(options_.directory), id);
  TRY_DO(load_segments(id));
  check_headers(id);
  TRY(chain_, open_log_chain(*segments_));
  findings_.report.segments = segments_->names().size();
  if (!chain_.links.empty()) segments_->set_epoch(chain_.links.back().segment->header().epoch);
  return {};
}

/// The store's id; from the segments when its own file cannot be read.
Result<std::string> VerifiedLog::load_id() {
  auto id = options_.for_reading ? find_store_id(files_, options_.directory)
                                 : load_store_id(files_, options_.directory);
  if (id || id.error().code != ErrorCode::Corrupt) return id;
  findings_.problem(id.error().describe());
  TRY(auto found, id_of_segments(files_, options_.directory));
  if (how_.repair) {
    TRY_DO(write_store_id(files_, options_.directory, found));
    findings_.repaired("the file STORE is written again");
  }
  return found;
}

/// What stands under a wrong name is not lost: a repair gives it its own, a look reads it where
/// it is.
Result<void> VerifiedLog::load_segments(const std::string& id) {
  auto journal = journal_directory(options_.directory);
  TRY(auto misnamed, find_misnamed(files_, journal, id));
  for (const auto& one : misnamed) {
    if (one.in_doubt && !one.in_the_way) continue;
    if (one.in_doubt && how_.repair) return fail(ErrorCode::Exists, "{}", one.describe(journal));
    findings_.problem(one.describe(journal));
  }
  if (how_.repair) TRY_DO(put_names_back(files_, journal, misnamed));
  TRY_DO(segments_->load(how_.repair));
  for (const auto& one : misnamed) {
    if (one.in_doubt) continue;
    if (how_.repair)
      findings_.repaired(fmt::format("{} has its name again (it was {})", one.name(), one.file));
    else
      segments_->read_from(one.is, one.file);
  }
  return {};
}

/// One copy is enough for all that reads a segment, until that is hit, too. Before anything is
/// opened: a repair puts another file in its place.
void VerifiedLog::check_headers(const std::string& id) {
  auto journal = journal_directory(options_.directory);
  for (auto segment : segments_->names()) {
    WantedSegment wanted{segment, id};
    auto opened = open_segment(files_, journal, wanted, OpenMode::Read);
    if (!opened) continue;  // who needs it tells it, or reads it under another name
    auto checked = check_header_copies(**opened);
    if (checked) continue;
    findings_.problem(
        fmt::format("journal segment {}: {}", segment.number, checked.error().describe()));
    if (!how_.repair) continue;
    opened->reset();
    if (auto mended = mend_header(files_, journal, wanted); mended)
      findings_.repaired(
          fmt::format("journal segment {}: its header is written again", segment.number));
    else  // it was readable, and is; all else is repaired
      findings_.problem(fmt::format("journal segment {}: its header is not written again: {}",
                                    segment.number, mended.error().describe()));
  }
}

Result<void> VerifiedLog::load_reclaimed(Index& index) {
  auto view = index.view();
  auto range = Key(kInstance, kReclaimedTable).children();
  auto cursor = view->cursor(range, Reach::Disk);
  auto note = [&](std::string_view key) {
    auto number = key_fields(key).u32_be();
    reclaimed_.insert(number);
    segments_->number_above(number);
  };
  for (cursor->seek(range.begin); cursor->valid(); cursor->next()) note(cursor->key());
  number_above_used(*segments_, *view);
  auto learn = [&](const GroupRecord& group, JournalPosition) -> Result<void> {
    const auto& entries = group.writes.entries();
    for (auto row = entries.lower_bound(range.begin);
         row != entries.end() && row->first < range.end; ++row)
      note(row->first);
    return {};
  };
  TRY_DO(replay(chain_, index.position(), learn));
  return {};
}

bool VerifiedLog::is_news(const LogChain::Problem& broken_link) const {
  return !skipped_.contains({broken_link.since, 0}) && !reclaimed_.contains(broken_link.missing);
}

bool VerifiedLog::is_whole() const {
  return chain_.problems.empty() &&
         (chain_.links.empty() || chain_.links.front().segment->header().first_lsn == 1);
}

void VerifiedLog::load_skipped(Index& index) {
  auto view = index.view();
  auto range = Key(kInstance, kSkippedTable).children();
  auto cursor = view->cursor(range, Reach::Disk);
  for (cursor->seek(range.begin); cursor->valid(); cursor->next()) {
    auto fields = key_fields(cursor->key());
    auto segment = fields.u32_be();
    skipped_.insert({segment, fields.u64_be()});
  }
}

Result<void> VerifiedLog::check(const JournalPosition& known) {
  Lsn expected = 0;
  for (std::size_t i = 0; i < chain_.links.size(); ++i) {
    findings_.progress("journal", i, chain_.links.size());
    const auto& segment = *chain_.links[i].segment;
    bool last = i + 1 == chain_.links.size();
    TRY(auto size, segment.file().size());
    auto limit = std::min(size, chain_.links[i].end.value_or(size));
    if (reclaimed_.contains(segment.header().previous)) expected = 0;  // groups went with it
    if (chain_.links[i].end && *chain_.links[i].end > size)
      add_broken(segment, size, *chain_.links[i].end, "the file is too short");
    // Where this one ended, a segment said that has been reclaimed.
    bool unsure = !last && !chain_.links[i].end &&
                  reclaimed_.contains(chain_.links[i + 1].segment->header().previous);
    TRY_DO(check_segment(segment, limit,
                         last     ? End::OfLog
                         : unsure ? End::Unknown
                                  : End::Known,
                         expected, known));
  }
  return {};
}

Result<void> VerifiedLog::check_segment(const Segment& segment, std::uint64_t limit, End end,
                                        Lsn& expected, const JournalPosition& known) {
  for (auto at = kSegmentStart; at < limit;) {
    auto group = read_group(segment, at, limit);
    if (!group) {
      TRY(auto next, find_group(segment, at, limit, expected));
      bool torn =
          end == End::Unknown || (end == End::OfLog && known.lsn < std::max<Lsn>(expected, 1));
      if (torn && !next) return {};  // the end, or what a crash has left of the last group
      if (!next && known.segment == segment.number()) limit = std::min(limit, known.end);
      add_broken(segment, at, next.value_or(limit), group.error().describe());
      if (!next) return {};
      at = *next;
      continue;
    }
    if (expected != 0 && group->header.lsn != expected && !skipped_between(segment, at))
      findings_.problem(
          fmt::format("groups {} to {} are missing", expected, group->header.lsn - 1));
    expected = group->header.lsn + 1;
    ++findings_.report.groups;
    if (auto bodies = check_group_bodies(segment, *group); !bodies) {
      if (bodies.error().code != ErrorCode::Corrupt) return bodies;
      if ((end == End::Unknown || (end == End::OfLog && group->header.lsn > known.lsn)) &&
          !read_group(segment, group->end, limit))
        return {};  // cut off by a crash
      // Bodies that somebody owns are named later; nobody misses the others.
    }
    read_to_ = {segment.number(), group->end};
    at = group->end;
  }
  return {};
}

void VerifiedLog::add_broken(const Segment& segment, std::uint64_t at, std::uint64_t end,
                             const std::string& what) {
  if (skipped_.contains({segment.number(), at})) return;
  broken_.push_back({segment.number(), at, end});
  findings_.problem(
      fmt::format("journal segment {}, from byte {}: {}", segment.number(), at, what));
}

/// Whether a repair went over what is missing between the last group that was read and `at`.
bool VerifiedLog::skipped_between(const Segment& segment, std::uint64_t at) const {
  auto range = skipped_.lower_bound(read_to_);
  return range != skipped_.end() && *range <= std::pair(segment.number(), at);
}

Result<std::uint64_t> VerifiedLog::end_of(const Segment& segment) const {
  auto is_here = [&](const auto& range) { return range.segment == segment.number(); };
  auto skipped = skipped_.lower_bound({segment.number(), 0});
  if (std::ranges::any_of(broken_, is_here) ||
      (skipped != skipped_.end() && skipped->first == segment.number()))
    return segment.file().size();
  return read_to_.first == segment.number() ? read_to_.second : kSegmentStart;
}

}  // namespace hikyaku::store
