#include "store/verify.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "store/ballast.h"
#include "store/log.h"
#include "store/misnamed.h"
#include "store/posix_file_system.h"
#include "store/reclaim.h"
#include "store/recovery.h"
#include "store/rows.h"
#include "store/store_files.h"
#include "store/verify_bodies.h"
#include "store/verify_findings.h"
#include "store/verify_index.h"

namespace hikyaku::store {
namespace {

class Verifier {
 public:
  /// `unreadable`: what was wrong with the index when it was tried before.
  Verifier(const Options& options, const VerifyOptions& how, std::string unreadable)
      : options_(options),
        how_(how),
        findings_(how),
        unreadable_(std::move(unreadable)),
        files_(options.files ? *options.files : system_files_),
        indexes_(options, how, files_) {}

  Result<VerifyReport> run() {
    TRY_DO(open());
    TRY_DO(check_log());
    TRY_DO(bring_index_up());
    TRY_DO(compare_with_replay());
    TRY_DO(note_skipped());
    TRY(auto fixes, check_bodies(*index_, *segments_, options_.clock, findings_));
    TRY_DO(append(fixes));
    // Replaying must not come to the damaged ranges again.
    if (how_.repair && !findings_.report.repairs.empty() && (!skipped_.empty() || salvaged_) &&
        !options_.open_index)
      TRY_DO(keep_copy());
    findings_.report.epoch = segments_->epoch();
    if (index_is_scratch_) {
      index_.reset();
      indexes_.remove_scratch();
    }
    return std::move(findings_.report);
  }

 private:
  using Begin = VerifiedIndexes::Begin;

  // --- what is there ---------------------------------------------------------------------------

  Result<void> open() {
    const auto& directory = options_.directory;
    TRY(auto id, load_id());
    segments_ =
        std::make_unique<Segments>(files_, options_.clock, journal_directory(directory), id);
    TRY_DO(load_segments(id));
    TRY(chain_, open_log_chain(*segments_));
    findings_.report.segments = segments_->names().size();
    if (!chain_.links.empty()) segments_->set_epoch(chain_.links.back().segment->header().epoch);
    complete_ = whole_journal();
    TRY_DO(open_index());
    segments_->number_above(index_->position().segment);
    TRY_DO(load_reclaimed());
    for (const auto& broken_link : chain_.problems)
      if (is_news(broken_link)) findings_.problem(broken_link.text);
    return {};
  }

  /// The store's id; from the segments when its own file cannot be read.
  Result<std::string> load_id() {
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
  Result<void> load_segments(const std::string& id) {
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

  Result<void> open_index() {
    if (!options_.for_reading && !options_.open_index)
      TRY_DO(finish_putting_index(files_, options_.directory));
    if (indexes_.is_missing() && unreadable_.empty()) unreadable_ = "it is missing";
    // The server has met it.
    if (auto mark = find_damage_mark(files_, options_.directory);
        mark && unreadable_.empty() && (indexes_.has_copy() || whole_journal()))
      unreadable_ = *mark;
    // Also what nobody asks for here, and what the journal cannot be compared with.
    if (unreadable_.empty()) unreadable_ = indexes_.find_damage().value_or("");
    if (unreadable_.empty()) {
      auto opened = indexes_.open();
      if (opened) {
        index_ = std::move(*opened);
        return load_skipped();
      }
      if (opened.error().code != ErrorCode::Corrupt && opened.error().code != ErrorCode::Io)
        return std::unexpected(opened.error());
      unreadable_ = opened.error().describe();
    }
    findings_.problem("the index cannot be read: " + unreadable_);
    known_ = indexes_.position();
    if (how_.repair) return make_index_again();
    // What the journal says, and what can be read of the index, can be looked at all the same.
    index_is_scratch_ = true;
    if (indexes_.must_salvage(chain_, known_.lsn)) {
      SalvagedIndex found;
      auto salvaged = indexes_.open_scratch(chain_, found);
      if (!salvaged && salvaged.error().code != ErrorCode::NotFound)
        return std::unexpected(salvaged.error());
      if (salvaged) {
        index_ = std::move(*salvaged);
        note_salvaged(found);
        return load_skipped();
      }
    }
    TRY(index_, indexes_.open_scratch(indexes_.has_copy() ? Begin::FromCopy : Begin::Empty));
    return {};
  }

  /// The segments that reclaiming removed, also by groups that the index does not have yet.
  Result<void> load_reclaimed() {
    auto view = index_->view();
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
    TRY_DO(replay(chain_, index_->position(), learn));
    return {};
  }

  /// Neither known from an earlier repair, nor removed by reclaiming.
  bool is_news(const LogChain::Problem& broken_link) const {
    return !skipped_.contains({broken_link.since, 0}) && !reclaimed_.contains(broken_link.missing);
  }

  /// All groups since the first are in segments that are there.
  bool whole_journal() const {
    return chain_.problems.empty() &&
           (chain_.links.empty() || chain_.links.front().segment->header().first_lsn == 1);
  }

  /// It is where its copy is, or empty: the journal is still to be replayed.
  Result<void> make_index_again() {
    known_ = known();
    index_.reset();
    if (indexes_.must_salvage(chain_, known_.lsn)) {
      auto salvaged = salvage_index();
      if (salvaged || salvaged.error().code != ErrorCode::NotFound) return salvaged;
    }
    if (!indexes_.has_copy() && !whole_journal())
      return fail(ErrorCode::Corrupt,
                  "the index cannot be made again: nothing of it can be read, parts of the journal "
                  "are gone, and no copy of the index from that time is there; restore a backup");
    TRY(index_, indexes_.make_again(whole_journal()));
    findings_.repaired("the index is made again from the journal");
    // What the copy knows to be missing is not missed again.
    TRY_DO(load_skipped());
    return load_reclaimed();
  }

  /// What can be read of it is to take its place; what that lacks of the journal is still to be
  /// replayed.
  Result<void> salvage_index() {
    SalvagedIndex found;
    TRY(index_, indexes_.salvage(chain_, found));
    note_salvaged(found);
    is_beside_ = true;
    findings_.repaired(fmt::format(
        "the index is made again from what can be read of it ({} rows) and from what there is of "
        "the journal",
        found.rows));
    TRY_DO(load_skipped());
    return load_reclaimed();
  }

  /// Only now that the epoch says what it lacks: who finds it in its place finds nothing wrong.
  Result<void> put_in_place() {
    if (!std::exchange(is_beside_, false)) return {};
    TRY_DO(announce());
    TRY_DO(index_->flush());
    index_.reset();
    TRY(index_, indexes_.use_salvaged());
    return {};
  }

  void note_salvaged(const SalvagedIndex& found) {
    salvaged_ = true;
    complete_ = false;
    rows_lost_ = !found.complete();
    if (!found.certain)
      findings_.report.perhaps_lost.push_back(
          "which tables belong to the index cannot be read: rows that were erased may be there "
          "again, and others may be missing");
    for (const auto& keys : found.unreadable)
      findings_.report.perhaps_lost.push_back(fmt::format(
          "{} cannot be read; what is left of the journal says again what it can of them",
          describe_keys(keys)));
  }

  /// Ranges that an earlier repair went over are no news.
  Result<void> load_skipped() {
    auto view = index_->view();
    auto range = Key(kInstance, kSkippedTable).children();
    auto cursor = view->cursor(range, Reach::Disk);
    for (cursor->seek(range.begin); cursor->valid(); cursor->next()) {
      auto fields = key_fields(cursor->key());
      auto segment = fields.u32_be();
      skipped_.insert({segment, fields.u64_be()});
    }
    if (!skipped_.empty()) complete_ = false;
    return {};
  }

  // --- the journal -----------------------------------------------------------------------------

  Result<void> check_log() {
    Lsn expected = 0;
    for (std::size_t i = 0; i < chain_.links.size(); ++i) {
      findings_.progress("journal", i, chain_.links.size());
      const auto& segment = *chain_.links[i].segment;
      bool last = i + 1 == chain_.links.size();
      TRY(auto size, segment.file().size());
      auto limit = std::min(size, chain_.links[i].end.value_or(size));
      if (reclaimed_.contains(segment.header().previous)) expected = 0;  // groups went with it
      if (chain_.links[i].end && *chain_.links[i].end > size)
        broken(segment, size, *chain_.links[i].end, "the file is too short");
      // Where this one ended, a segment said that has been reclaimed.
      bool unsure = !last && !chain_.links[i].end &&
                    reclaimed_.contains(chain_.links[i + 1].segment->header().previous);
      TRY_DO(check_segment(segment, limit,
                           last     ? End::OfLog
                           : unsure ? End::Unknown
                                    : End::Known,
                           expected));
    }
    return {};
  }

  /// What is known of where a segment's groups end.
  enum class End {
    Known,    ///< the segment behind it says so
    Unknown,  ///< that one was reclaimed: a torn group may stand there that others have replaced
    OfLog,    ///< it is the last one: a torn group may stand there
  };
  Result<void> check_segment(const Segment& segment, std::uint64_t limit, End end, Lsn& expected) {
    for (auto at = kSegmentStart; at < limit;) {
      auto group = read_group(segment, at, limit);
      if (!group) {
        TRY(auto next, find_group(segment, at, limit, expected));
        auto known = this->known();
        bool torn =
            end == End::Unknown || (end == End::OfLog && known.lsn < std::max<Lsn>(expected, 1));
        if (torn && !next) return {};  // the end, or what a crash has left of the last group
        if (!next && known.segment == segment.number()) limit = std::min(limit, known.end);
        broken(segment, at, next.value_or(limit), group.error().describe());
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
        if ((end == End::Unknown || (end == End::OfLog && group->header.lsn > known().lsn)) &&
            !read_group(segment, group->end, limit))
          return {};  // cut off by a crash
        // Bodies that somebody owns are named later; nobody misses the others.
      }
      read_to_ = {segment.number(), group->end};
      at = group->end;
    }
    return {};
  }

  void broken(const Segment& segment, std::uint64_t at, std::uint64_t end,
              const std::string& what) {
    if (skipped_.contains({segment.number(), at})) return;
    complete_ = false;
    broken_.push_back({segment.number(), at, end});
    findings_.problem(
        fmt::format("journal segment {}, from byte {}: {}", segment.number(), at, what));
  }

  /// Whether a repair went over what is missing between the last group that was read and `at`.
  bool skipped_between(const Segment& segment, std::uint64_t at) const {
    auto range = skipped_.lower_bound(read_to_);
    return range != skipped_.end() && *range <= std::pair(segment.number(), at);
  }

  // --- the index -------------------------------------------------------------------------------

  /// How far the index has come, and before a repair had.
  JournalPosition known() const {
    auto now = index_ ? index_->position() : JournalPosition{};
    return now.lsn < known_.lsn ? known_ : now;
  }

  Result<void> bring_index_up() {
    TRY_DO(replay_into_index());
    return put_in_place();
  }

  /// Replays what the index lacks, as opening does; over damage only when repairing.
  Result<void> replay_into_index() {
    auto apply = [&](const GroupRecord& group, JournalPosition position) {
      return index_->apply(group.writes, position);
    };
    std::vector<SkippedRange> skipped;
    TRY(auto clean, read_clean_mark(files_, options_.directory));
    auto known = this->known();
    auto whole = std::max(clean ? clean->lsn : 0, known.lsn);
    bool end_is_known = clean.has_value();
    TRY(auto replayed, replay(chain_, index_->position(), apply, whole));
    while (replayed.damage) {
      if (!how_.repair) {
        findings_.problem("the journal cannot be replayed: " + replayed.damage->describe());
        return {};
      }
      TRY(auto behind, behind_damage(chain_, *replayed.damage, replayed.last.lsn));
      TRY_DO(note_lost(*replayed.damage, behind));
      skipped.push_back({replayed.damage->segment, replayed.damage->begin, replayed.damage->end});
      if (!behind) {
        if (!end_is_known) perhaps_lost(replayed.damage->describe());
        break;
      }
      findings_.report.lost_groups += behind->next - replayed.last.lsn - 1;
      TRY(replayed, replay(chain_, behind->before, apply, whole));
    }
    TRY_DO(check_clean_end(replayed.last, skipped));
    if (how_.repair)
      for (const auto& broken_link : chain_.problems) {
        if (!is_news(broken_link)) continue;
        skipped.push_back({broken_link.since, 0, 0});
        // Groups behind it count those that are missing before them.
        auto gone = broken_link.missing != 0 ? broken_link.missing : broken_link.since - 1;
        if (!end_is_known && gone >= known.segment && replayed.last.segment <= gone)
          perhaps_lost(broken_link.text);
      }
    // Numbers that were given out may be among the rows that are lost.
    if (!skipped.empty() || (how_.repair && rows_lost_))
      return begin_new_epoch(replayed.last, skipped);
    return write_last_group_again(*segments_, replayed);
  }

  /// Where the journal ended is not known: there may have been more than the index has.
  void perhaps_lost(const std::string& what) {
    findings_.report.perhaps_lost.push_back(
        fmt::format("transactions may be missing: the end of the journal is not known ({})", what));
  }

  /// A log that ends before the place where it was closed has lost its end.
  Result<void> check_clean_end(JournalPosition& last, std::vector<SkippedRange>& skipped) {
    TRY(auto clean, read_clean_mark(files_, options_.directory));
    if (!clean || *clean == last) return {};
    findings_.problem(fmt::format("the journal ends at group {}, but was closed at group {}",
                                  last.lsn, clean->lsn));
    if (!how_.repair) return {};
    auto begin = last.segment == clean->segment ? last.end : kSegmentStart;
    skipped.push_back({clean->segment, begin, clean->end});
    findings_.report.lost_groups += std::max(clean->lsn, last.lsn) - last.lsn;
    // The numbers of the lost groups were seen.
    last.lsn = std::max(clean->lsn, last.lsn);
    findings_.repaired("went over the lost end of the journal");
    return {};
  }

  /// Lists the bodies that stand in a damaged range: nobody knows them any more.
  Result<void> note_lost(const DamagedRange& damage, const std::optional<Resumption>& behind) {
    auto segment = segments_->open(damage.segment);
    if (!segment) return {};
    TRY(auto size, (*segment)->file().size());
    auto end = behind && behind->before.segment == damage.segment ? behind->before.end : size;
    TRY(auto headers, find_body_headers(**segment, damage.begin, end));
    for (auto& [place, header] : headers)
      findings_.lost({0, header.size, header.staged, std::move(header.salvage), {}});
    findings_.repaired("went over " + damage.describe());
    return {};
  }

  /// Numbers that were given out after the lost groups must not be given out again. It is on the
  /// disk with the group that is written, if there are rows for that or not.
  Result<void> begin_new_epoch(JournalPosition last, const std::vector<SkippedRange>& skipped) {
    if (chain_.links.empty())
      return fail(ErrorCode::Corrupt, "no segment of the journal can be read");
    TRY_DO(announce());
    TRY_DO(remove_clean_mark(files_, options_.directory));
    TRY_DO(segments_->begin_epoch());
    epoch_is_due_ = true;
    Overlay rows;
    for (const auto& range : skipped) {
      rows.put(skipped_key(range), encode_number(range.end));
      skipped_.insert({range.segment, range.begin});
    }
    TRY_DO(append(rows, last));
    findings_.repaired(fmt::format("the epoch is {} now", segments_->epoch()));
    complete_ = false;
    return {};
  }

  /// Damaged records that the index knew already: nothing is lost, but nobody is to stumble over
  /// them again.
  Result<void> note_skipped() {
    if (!how_.repair) return {};
    Overlay rows;
    for (const auto& range : broken_) {
      if (!skipped_.insert({range.segment, range.begin}).second) continue;
      rows.put(skipped_key(range), encode_number(range.end));
      findings_.repaired(
          fmt::format("journal segment {}, bytes {} to {}: went over; the index has all of it",
                      range.segment, range.begin, range.end));
    }
    return append(rows);
  }

  /// What is told from here on may not be found again.
  Result<void> announce() {
    return how_.before_repair ? how_.before_repair(findings_.report) : Result<void>();
  }

  Result<void> append(const Overlay& rows) {
    return rows.empty() ? Result<void>() : append(rows, index_->position());
  }

  /// Where the groups of the last segment end, and what a repair went over there. One without any
  /// was made by a repair that was cut off.
  Result<std::uint64_t> end_of(const Segment& segment) {
    auto is_here = [&](const auto& range) { return range.segment == segment.number(); };
    auto skipped = skipped_.lower_bound({segment.number(), 0});
    if (std::ranges::any_of(broken_, is_here) ||
        (skipped != skipped_.end() && skipped->first == segment.number()))
      return segment.file().size();
    return read_to_.first == segment.number() ? read_to_.second : kSegmentStart;
  }

  /// Writes a group behind `last`, into a segment made since the epoch began, and into the index.
  Result<void> append(const Overlay& rows, JournalPosition last) {
    TRY_DO(announce());
    TRY_DO(remove_clean_mark(files_, options_.directory));
    if (!log_) {
      log_.emplace(*segments_,
                   LogWriter::Sizes{options_.smallest_segment, options_.largest_segment});
      // The log goes on behind the last segment there is, wherever its last group stands.
      const auto& back = *chain_.links.back().segment;
      TRY(auto end, end_of(back));
      if (back.number() == last.segment) end = last.end;
      log_->continue_behind(back.number(), end);
    }
    auto bytes = LogWriter::bound(rows.encoded_bound(), 0);
    if (std::exchange(epoch_is_due_, false) || !log_->fits(bytes))
      TRY_DO(log_->roll(last.lsn + 1, bytes));
    Writes group;
    group.rows = rows;
    TRY(auto position, log_->append(group, last.lsn + 1, options_.clock.now()));
    TRY_DO(index_->apply(group.rows, position));
    return index_->flush();
  }

  /// The index must hold what all groups together say; that can be told while all are there.
  Result<void> compare_with_replay() {
    using Comparing = VerifyReport::Comparing;
    auto& comparing = findings_.report.comparing;
    comparing = Comparing::Skipped;
    if (chain_.links.empty() || options_.for_reading || index_is_scratch_) return {};
    // What reclaiming has removed is in the copy of the index that it keeps.
    if (!complete_ && (findings_.report.problem_count != 0 || options_.open_index)) return {};
    if (!complete_ && !indexes_.has_copy()) {
      comparing = Comparing::NoCopy;
      return {};
    }
    comparing = Comparing::Done;
    std::optional<std::string> unreadable;
    if (!complete_) {
      TRY(unreadable, indexes_.fault_of_copy(chain_, index_->position().lsn));
    }
    if (unreadable) {
      findings_.problem("the copy of the index cannot be read: " + *unreadable);
      comparing = Comparing::Skipped;
      if (!how_.repair) return {};
      TRY_DO(keep_copy());
      findings_.repaired("the copy of the index is made again");
      return {};
    }
    TRY(bool same, replay_gives_the_same());
    if (same || !how_.repair) return {};
    TRY_DO(make_index_again());
    return bring_index_up();
  }

  /// In place of a copy that is damaged, or older than what was mended.
  Result<void> keep_copy() {
    KeptIndexRules rules{.reserve = options_.reserve, .anew = true};
    auto kept = keep_rocks_index(*index_, files_, options_.directory, rules);
    if (!kept && kept.error().code == ErrorCode::NoSpace) {
      TRY_DO(forget_kept_indexes(files_, options_.directory));
      kept = keep_rocks_index(*index_, files_, options_.directory, rules);
    }
    TRY_DO(std::move(kept));
    return {};
  }

  Result<bool> replay_gives_the_same() {
    bool same = true;
    {
      TRY(auto scratch, indexes_.open_scratch(complete_ ? Begin::Empty : Begin::FromCopy));
      TRY(auto replayed, replay(
                             chain_, scratch->position(),
                             [&](const GroupRecord& group, JournalPosition position) {
                               return scratch->apply(group.writes, position);
                             },
                             index_->position().lsn));
      auto found = compare(*index_->view(), *scratch->view());
      findings_.report.rows += found.rows;
      same = found.different == 0;
      if (!same)
        findings_.problem(
            fmt::format("{} rows of the index are not what the journal says", found.different));
    }
    indexes_.remove_scratch();
    return same;
  }

  const Options& options_;
  const VerifyOptions& how_;
  Findings findings_;
  std::string unreadable_;
  bool index_is_scratch_ = false;
  bool salvaged_ = false;   ///< the index is what could be read of it
  bool rows_lost_ = false;  ///< and that was not all
  bool is_beside_ = false;  ///< it is not in its place yet
  JournalPosition known_;   ///< how far the one before it had come
  PosixFileSystem system_files_;
  FileSystem& files_;
  VerifiedIndexes indexes_;
  std::unique_ptr<Segments> segments_;
  std::unique_ptr<Index> index_;
  LogChain chain_;
  /// All groups since the first are there and whole.
  bool complete_ = false;
  std::set<std::pair<SegmentNumber, std::uint64_t>> skipped_;
  std::vector<SkippedRange> broken_;
  std::pair<SegmentNumber, std::uint64_t> read_to_{};  ///< where the last group that was read ends
  std::optional<LogWriter> log_;                       ///< where repairs are written
  bool epoch_is_due_ = false;                          ///< no segment has it yet
  std::set<SegmentNumber> reclaimed_;
};

/// A store that nobody else has open.
Result<VerifyReport> verify_held(const Options& options, const VerifyOptions& how) {
  std::string unreadable;
  for (int tries = 0; tries < 2; ++tries) {
    try {
      return Verifier(options, how, unreadable).run();
    } catch (const IndexError& error) {
      unreadable = error.what();
    }
  }
  return fail(ErrorCode::Corrupt, "the index cannot be read: {}", unreadable);
}

}  // namespace

Result<VerifyReport> verify_store(const Options& options, const VerifyOptions& how) {
  PosixFileSystem system_files;
  FileSystem& files = options.files ? *options.files : system_files;
  TRY_DO(refuse_missing(files, options.directory));
  if (options.for_reading) return verify_held(options, how);
  TRY(auto lock, files.lock(lock_path(options.directory)));
  Ballast ballast(files, options.directory, options.ballast, options.log);
  return with_ballast(ballast, [&] { return verify_held(options, how); });
}

}  // namespace hikyaku::store
