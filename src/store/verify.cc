#include "store/verify.h"

#include <algorithm>
#include <fmt/format.h>

#include "store/ballast.h"
#include "store/log.h"
#include "store/posix_file_system.h"
#include "store/reclaim.h"
#include "store/recovery.h"
#include "store/rows.h"
#include "store/store_files.h"
#include "store/verify_bodies.h"
#include "store/verify_findings.h"
#include "store/verify_index.h"
#include "store/verify_log.h"

namespace hikyaku::store {
namespace {

/// So many bodies may have been in what is lost.
constexpr BlobId kLostBodies = BlobId{1} << 32;

class Verifier {
 public:
  /// `unreadable`: what was wrong with the index when it was tried before.
  Verifier(const Options& options, const VerifyOptions& how, std::string unreadable)
      : options_(options),
        how_(how),
        findings_(how),
        unreadable_(std::move(unreadable)),
        files_(options.files ? *options.files : system_files_),
        indexes_(options, how, files_),
        log_(options, how, files_, findings_) {}

  Result<VerifyReport> run() {
    TRY_DO(open());
    TRY_DO(log_.check(known()));
    TRY_DO(bring_index_up());
    TRY_DO(compare_with_replay());
    TRY_DO(note_skipped());
    TRY(auto fixes, check_bodies(*index_, log_.segments(), options_.clock, findings_));
    TRY_DO(append(fixes));
    // Replaying must not come to the damaged ranges again.
    if (how_.repair && !findings_.report.repairs.empty() && (log_.has_skipped() || salvaged_) &&
        !options_.open_index)
      TRY_DO(keep_copy());
    findings_.report.epoch = log_.segments().epoch();
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
    TRY_DO(log_.open());
    TRY_DO(open_index());
    log_.segments().number_above(index_->position().segment);
    TRY_DO(log_.load_reclaimed(*index_));
    for (const auto& broken_link : log_.chain().problems)
      if (log_.is_news(broken_link)) findings_.problem(broken_link.text);
    return {};
  }

  Result<void> open_index() {
    if (!options_.for_reading && !options_.open_index)
      TRY_DO(finish_putting_index(files_, options_.directory));
    if (indexes_.is_missing() && unreadable_.empty()) unreadable_ = "it is missing";
    // The server has met it.
    if (auto mark = find_damage_mark(files_, options_.directory);
        mark && unreadable_.empty() && (indexes_.has_copy() || log_.is_whole()))
      unreadable_ = *mark;
    // Also what nobody asks for here, and what the journal cannot be compared with.
    if (unreadable_.empty()) unreadable_ = indexes_.find_damage().value_or("");
    if (unreadable_.empty()) {
      auto opened = indexes_.open();
      if (opened) {
        index_ = std::move(*opened);
        log_.load_skipped(*index_);
        return {};
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
    if (indexes_.must_salvage(log_.chain(), known_.lsn)) {
      SalvagedIndex found;
      auto salvaged = indexes_.open_scratch(log_.chain(), found);
      if (!salvaged && salvaged.error().code != ErrorCode::NotFound)
        return std::unexpected(salvaged.error());
      if (salvaged) {
        index_ = std::move(*salvaged);
        note_salvaged(found);
        log_.load_skipped(*index_);
        return {};
      }
    }
    TRY(index_, indexes_.open_scratch(indexes_.has_copy() ? Begin::FromCopy : Begin::Empty));
    return {};
  }

  /// It is where its copy is, or empty: the journal is still to be replayed.
  Result<void> make_index_again() {
    known_ = known();
    index_.reset();
    if (indexes_.must_salvage(log_.chain(), known_.lsn)) {
      auto salvaged = salvage_index();
      if (salvaged || salvaged.error().code != ErrorCode::NotFound) return salvaged;
    }
    if (!indexes_.has_copy() && !log_.is_whole())
      return fail(ErrorCode::Corrupt,
                  "the index cannot be made again: nothing of it can be read, parts of the journal "
                  "are gone, and no copy of the index from that time is there; restore a backup");
    TRY(index_, indexes_.make_again(log_.is_whole()));
    findings_.repaired("the index is made again from the journal");
    // What the copy knows to be missing is not missed again.
    log_.load_skipped(*index_);
    return log_.load_reclaimed(*index_);
  }

  /// What can be read of it is to take its place; what that lacks of the journal is still to be
  /// replayed.
  Result<void> salvage_index() {
    SalvagedIndex found;
    TRY(index_, indexes_.salvage(log_.chain(), found));
    note_salvaged(found);
    is_beside_ = true;
    findings_.repaired(fmt::format(
        "the index is made again from what can be read of it ({} rows) and from what there is of "
        "the journal",
        found.rows));
    log_.load_skipped(*index_);
    return log_.load_reclaimed(*index_);
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
    TRY(auto replayed, replay(log_.chain(), index_->position(), apply, whole));
    while (replayed.damage) {
      if (!how_.repair) {
        findings_.problem("the journal cannot be replayed: " + replayed.damage->describe());
        return {};
      }
      TRY(auto behind, behind_damage(log_.chain(), *replayed.damage, replayed.last.lsn));
      TRY_DO(note_lost(*replayed.damage, behind));
      skipped.push_back({replayed.damage->segment, replayed.damage->begin, replayed.damage->end});
      if (!behind) {
        if (!end_is_known) perhaps_lost(replayed.damage->describe());
        break;
      }
      findings_.report.lost_groups += behind->next - replayed.last.lsn - 1;
      TRY(replayed, replay(log_.chain(), behind->before, apply, whole));
    }
    TRY_DO(check_clean_end(replayed.last, skipped));
    if (how_.repair)
      for (const auto& broken_link : log_.chain().problems) {
        if (!log_.is_news(broken_link)) continue;
        skipped.push_back({broken_link.since, 0, 0});
        // Groups behind it count those that are missing before them.
        auto gone = broken_link.missing != 0 ? broken_link.missing : broken_link.since - 1;
        if (!end_is_known && gone >= known.segment && replayed.last.segment <= gone)
          perhaps_lost(broken_link.text);
      }
    // Numbers that were given out may be among the rows that are lost.
    if (!skipped.empty() || (how_.repair && rows_lost_))
      return begin_new_epoch(replayed.last, skipped);
    return write_last_group_again(log_.segments(), replayed);
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
    auto segment = log_.segments().open(damage.segment);
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
    if (log_.chain().links.empty())
      return fail(ErrorCode::Corrupt, "no segment of the journal can be read");
    TRY_DO(announce());
    TRY_DO(remove_clean_mark(files_, options_.directory));
    TRY_DO(log_.segments().begin_epoch());
    epoch_is_due_ = true;
    Overlay rows;
    for (const auto& range : skipped) {
      rows.put(skipped_key(range), encode_number(range.end));
      log_.skip(range);
    }
    rows.put(next_blob_key(), encode_number(next_blob() + kLostBodies));
    TRY_DO(append(rows, last));
    findings_.repaired(fmt::format("the epoch is {} now", log_.segments().epoch()));
    return {};
  }

  /// Rows that are left may name a body whose group is lost: nobody else's mail may get its number.
  BlobId next_blob() const {
    auto row = index_->view()->get(next_blob_key(), Reach::Disk);
    return std::max<BlobId>(row ? decode_number(*row) : 0, 1);
  }

  /// Damaged records that the index knew already: nothing is lost, but nobody is to stumble over
  /// them again.
  Result<void> note_skipped() {
    if (!how_.repair) return {};
    Overlay rows;
    for (const auto& range : log_.broken()) {
      if (!log_.skip(range)) continue;
      rows.put(skipped_key(range), encode_number(range.end));
      findings_.repaired(
          fmt::format("journal segment {}, bytes {} to {}: went over; the index was past it",
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

  /// Writes a group behind `last`, into a segment made since the epoch began, and into the index.
  Result<void> append(const Overlay& rows, JournalPosition last) {
    TRY_DO(announce());
    TRY_DO(remove_clean_mark(files_, options_.directory));
    if (!writer_) {
      writer_.emplace(log_.segments(),
                      LogWriter::Sizes{options_.smallest_segment, options_.largest_segment});
      // The log goes on behind the last segment there is, wherever its last group stands.
      const auto& back = *log_.chain().links.back().segment;
      TRY(auto end, log_.end_of(back));
      if (back.number() == last.segment) end = last.end;
      writer_->continue_behind(back.number(), end);
    }
    auto bytes = LogWriter::bound(rows.encoded_bound(), 0);
    if (std::exchange(epoch_is_due_, false) || !writer_->fits(bytes))
      TRY_DO(writer_->roll(last.lsn + 1, bytes));
    Writes group;
    group.rows = rows;
    TRY(auto position, writer_->append(group, last.lsn + 1, options_.clock.now()));
    TRY_DO(index_->apply(group.rows, position));
    return index_->flush();
  }

  /// All groups since the first are there and whole, and the index is of them.
  bool is_complete() const { return log_.is_unbroken() && !salvaged_; }

  /// The index must hold what all groups together say; that can be told while all are there.
  Result<void> compare_with_replay() {
    using Comparing = VerifyReport::Comparing;
    auto& comparing = findings_.report.comparing;
    comparing = Comparing::Skipped;
    if (log_.chain().links.empty() || options_.for_reading || index_is_scratch_) return {};
    // What reclaiming has removed is in the copy of the index that it keeps.
    if (!is_complete() && (findings_.report.problem_count != 0 || options_.open_index)) return {};
    if (!is_complete() && !indexes_.has_copy()) {
      comparing = Comparing::NoCopy;
      return {};
    }
    comparing = Comparing::Done;
    std::optional<std::string> unreadable;
    if (!is_complete()) {
      TRY(unreadable, indexes_.fault_of_copy(log_.chain(), index_->position().lsn));
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
      TRY(auto scratch, indexes_.open_scratch(is_complete() ? Begin::Empty : Begin::FromCopy));
      TRY(auto replayed, replay(
                             log_.chain(), scratch->position(),
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
  VerifiedLog log_;
  std::unique_ptr<Index> index_;
  std::optional<LogWriter> writer_;  ///< where repairs are written
  bool epoch_is_due_ = false;        ///< no segment has it yet
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
  TRY(auto lock, files.lock(lock_path(options.directory), LockScope::Directory));
  Ballast ballast(files, options.directory, options.ballast, options.log);
  return with_ballast(ballast, [&] { return verify_held(options, how); });
}

}  // namespace hikyaku::store
