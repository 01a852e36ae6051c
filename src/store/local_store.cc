#include "store/local_store.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/async.h"
#include "store/blob.h"
#include "store/borrowed_job.h"
#include "store/freeze.h"
#include "store/index_job.h"
#include "store/index_opening.h"
#include "store/index_source.h"
#include "store/layered_reader.h"
#include "store/misnamed.h"
#include "store/posix_file_system.h"
#include "store/rocks_index.h"
#include "store/schema.h"
#include "store/store_files.h"

namespace hikyaku::store {
namespace {

FileSystem& system_files() {
  static PosixFileSystem files;  // has no state
  return files;
}

/// What a start on a full disk needs when there is no ballast (any more): a few files of the index
/// and a small log segment.
constexpr std::uint64_t kRoomToStart = 16ull << 20;

/// Nobody may read what is said last.
constexpr std::chrono::duration<int, std::milli> kLastWords{2000};

[[noreturn]] void end_process(const Error& error) {
  // The kernel may have forgotten what it could not write; only a fresh look at the disk tells.
  pollfd out{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&out, 1, kLastWords.count()) > 0)
    std::fprintf(stderr, "hikyaku: the journal has failed, ending: %s\n", error.describe().c_str());
  std::abort();
}

class StoreSnapshot final : public Snapshot {
 public:
  explicit StoreSnapshot(std::shared_ptr<const IndexView> view) : view(std::move(view)) {}
  std::shared_ptr<const IndexView> view;
};

/// Stands for a BlobWriter when there is nothing to write to.
class NoWriter final : public BlobWriter {
 public:
  explicit NoWriter(Error error) : error_(std::move(error)) {}
  Task<Result<void>> append(std::string_view) override { co_return std::unexpected(error_); }
  std::uint64_t size() const override { return 0; }
  Task<Result<StagedBlob>> finish() override { co_return std::unexpected(error_); }

 private:
  Error error_;
};

}  // namespace

LocalStore::LocalStore(Options options)
    : options_(std::move(options)),
      files_(options_.files ? *options_.files : system_files()),
      unreadable_(std::make_shared<UnreadableBodies>(options_.log)),
      damaged_records_(options_.log),
      index_damage_(watch_index(options_, files_)),
      workers_(options_.workers),
      ballast_(files_, options_.directory, options_.ballast, options_.log),
      space_(files_, options_.directory, options_.reserve, ballast_),
      memory_(std::make_shared<StagedMemory>(options_.staged_memory)) {
  if (!options_.journal_failed) options_.journal_failed = end_process;
}

LocalStore::~LocalStore() {
  close();
}

Result<std::unique_ptr<Store>> LocalStore::open(Options options) {
  for (bool again = false;;) {
    std::unique_ptr<LocalStore> store(new LocalStore(options));
    auto started = store->try_start();
    if (started) return store;
    // What cannot be read of the index is marked: the next start makes it again.
    if (started.error().code == ErrorCode::Corrupt && store->index_damage_->any() &&
        !std::exchange(again, true))
      continue;
    if (started.error().code != ErrorCode::NoSpace) return std::unexpected(started.error());
    // Others have filled the disk: there is a way out, or it is named.
    if (store->lock_ && !store->has_no_inodes() && store->ballast_.give(started.error())) continue;
    return std::unexpected(store->full_disk(started.error()));
  }
}

/// Then no space that is made helps, nor what is kept for a full disk.
bool LocalStore::has_no_inodes() const {
  return !options_.files && lacks_inodes(options_.directory);
}

/// Who reads it has to know what to do, for nothing else leads out.
Error LocalStore::full_disk(const Error& error) const {
  if (error.code != ErrorCode::NoSpace) return error;
  if (has_no_inodes())
    return wrap(error,
                "the file system of {} has no inodes left for new files: remove files there (df -i "
                "counts them), and try again",
                options_.directory)
        .error();
  return wrap(error, "the disk of {} is full: make {} MB of room there, and try again",
              options_.directory, kRoomToStart >> 20)
      .error();
}

Result<void> LocalStore::try_start() {
  try {
    return start();
  } catch (const IndexError& error) {
    return fail(ErrorCode::Corrupt, "the index cannot be read: {}", error.what());
  }
}

Result<std::unique_ptr<Store>> open_store(Options options) {
  return LocalStore::open(std::move(options));
}

/// What holds it is mostly another verb, which ends by itself.
Result<void> LocalStore::take_lock() {
  constexpr std::chrono::milliseconds kStep{100};
  const auto& directory = options_.directory;
  auto until = std::chrono::steady_clock::now() + options_.lock_patience;
  for (bool told = false;; std::this_thread::sleep_for(kStep)) {
    auto taken = files_.lock(lock_path(directory), LockScope::Directory);
    if (taken) {
      lock_ = std::move(*taken);
      // Whoever had it may have taken the store away.
      return told && options_.if_missing == IfMissing::Refuse ? refuse_missing(files_, directory)
                                                              : Result<void>();
    }
    bool wait =
        taken.error().code == ErrorCode::Conflict && std::chrono::steady_clock::now() < until;
    if (!wait) return std::unexpected(std::move(taken).error());
    if (!std::exchange(told, true))
      options_.log.warn(
          "store.locked",
          {{"err", fmt::format("{}: waiting for it, {} at most", taken.error().describe(),
                               format_duration(options_.lock_patience))}});
  }
}

Result<void> LocalStore::start() {
  if (options_.for_reading) return start_for_reading();
  const auto& directory = options_.directory;
  if (options_.if_missing == IfMissing::Refuse) TRY_DO(refuse_missing(files_, directory));
  TRY_DO(files_.make_directory(journal_directory(directory)));
  TRY_DO(take_lock());
  if (!options_.open_index) TRY_DO(clear_missing(files_, directory));
  TRY(auto id, load_store_id(files_, directory));
  TRY_DO(name_segments(id));
  segments_ = std::make_unique<Segments>(files_, options_.clock, journal_directory(directory), id);
  TRY_DO(segments_->load(true));
  TRY(auto names, files_.list(directory));
  TRY_DO(remove_frozen(files_, directory, names));
  TRY(index_, open_index(options_, files_, *segments_, index_damage_));
  TRY_DO(recover());
  bulk_ = std::make_unique<BulkStore>(*segments_, writes_, options_.largest_segment,
                                      options_.journal_failed);
  staging_ = std::make_unique<StagingContext>(
      StagingContext{workers_, options_.clock, memory_, *bulk_, [this] { return space_.check(); }});
  if (committer_)
    reclaimer_ = std::make_unique<Reclaimer>(Reclaimer::Context{
        .store = *this,
        .segments = *segments_,
        .bulk = *bulk_,
        .index = *index_,
        .committer = *committer_,
        .workers = workers_,
        .clock = options_.clock,
        .log = options_.log,
        .segment_size = options_.largest_segment,
        .keep_index = [this] { return with_ballast(ballast_, [this] { return keep_index(); }); },
    });
  if (committer_)
    scrubber_ = std::make_unique<Scrubber>(Scrubber::Context{
        .files = files_,
        .directory = directory,
        .segments = *segments_,
        .index = *index_,
        .view = [this] { return newest(); },
        .workers = workers_,
        .clock = options_.clock,
        .log = options_.log,
        .bodies = *unreadable_,
        .records = damaged_records_,
        .index_damage = *index_damage_,
        .keep_index_anew = [this]() -> Result<void> {
          TRY_DO(keep_index(true));
          return {};
        },
    });
  if (!read_only_.empty()) {
    options_.log.error("store.read_only", {{"reason", read_only_}});
    fixed_view_ = index_->view();
  } else {
    if (!options_.open_index) {
      TRY_DO(forget_damaged_indexes(files_, directory));
      keep_first_copy();
    }
    ballast_.keep();
  }
  look_for_lost_segments();
  return {};
}

/// A store that came out of a backup has no copy of its index, and perhaps no longer all of the
/// journal: from now on there is something to make the index again from. So it is with one whose
/// index has been made from its copy, and shares that one's tables.
void LocalStore::keep_first_copy() {
  if (whole_journal_ || index_damage_->any()) return;
  if (has_own_kept_index(files_, options_.directory)) return;
  // What a full disk refuses now, reclaiming or the next start makes.
  if (auto kept = keep_index(); !kept)
    options_.log.warn("store.index_not_kept", {{"err", kept.error().describe()}});
}

/// Somebody has renamed files of the journal: they get their names back before anything is missed.
Result<void> LocalStore::name_segments(const std::string& id) {
  auto journal = journal_directory(options_.directory);
  TRY(auto misnamed, find_misnamed(files_, journal, id));
  TRY_DO(put_names_back(files_, journal, misnamed));
  for (const auto& one : misnamed) {
    if (!one.in_doubt)
      options_.log.warn("store.segment_named",
                        {{"segment", one.name()}, {"err", "its file was named " + one.file}});
    else if (one.in_the_way)
      options_.log.error("store.segment_misnamed", {{"err", one.describe(journal)}});
  }
  return {};
}

void LocalStore::look_for_lost_segments() {
  constexpr std::size_t kMostLines = 100;
  auto found = find_lost_segments(*segments_, *newest());
  std::lock_guard lock(lost_mutex_);
  std::size_t told = 0;
  for (const auto& lost : found) {
    bool known = std::ranges::find(lost_segments_, lost.number, &LostSegment::number) !=
                 lost_segments_.end();
    if (!known && told++ < kMostLines)
      options_.log.error("store.segment_lost",
                         {{"segment", lost.number}, {"size", lost.live_bytes}, {"err", lost.what}});
  }
  lost_segments_ = std::move(found);
}

Result<void> LocalStore::start_for_reading() {
  const auto& directory = options_.directory;
  TRY(auto id, find_store_id(files_, directory));
  segments_ = std::make_unique<Segments>(files_, options_.clock, journal_directory(directory), id);
  TRY_DO(segments_->load(false));
  TRY(index_, open_rocks_index_for_reading({index_directory(directory), options_.index_memory,
                                            options_.log, options_.files, index_damage_}));
  TRY(auto clean, read_clean_mark(files_, directory));
  if (!clean || *clean != index_->position())
    return fail(ErrorCode::Corrupt, "{} is not whole: its index and its journal end apart",
                directory);
  TRY(auto chain, open_log_chain(*segments_));
  if (!chain.links.empty()) segments_->set_epoch(chain.links.back().segment->header().epoch);
  read_only_ = "it was opened for reading";
  fixed_view_ = index_->view();
  return check_schema(*fixed_view_, options_);
}

Result<JournalPosition> LocalStore::keep_index(bool anew) {
  std::lock_guard lock(keeping_);
  // The copy that is there may be what the index is made from again.
  if (index_damage_->any())
    return fail(ErrorCode::Corrupt, "the index is damaged: {}", index_damage_->what());
  if (options_.open_index) {
    TRY_DO(index_->flush());
    return index_->flushed();
  }
  return keep_rocks_index(*index_, files_, options_.directory,
                          {.reserve = options_.reserve, .anew = anew});
}

Task<Result<std::shared_ptr<const Frozen>>> LocalStore::freeze() {
  if (!reclaimer_) co_return fail(ErrorCode::Unavailable, "the store is read-only: {}", read_only_);
  // Whoever makes a backup must know what it will lack. What cannot be known now is no reason to
  // make none; damage of the index is told by itself.
  if (scrubber_) (void)co_await scrubber_->settle_doubts();
  co_return co_await run_reading(workers_, [this] {
    try {
      look_for_lost_segments();
    } catch (const IndexError&) {
    }
    return freeze_files({files_, options_.directory, *segments_, *index_, ++frozen_count_},
                        reclaimer_->hold());
  });
}

Result<void> LocalStore::recover() {
  TRY(auto clean, read_clean_mark(files_, options_.directory));
  segments_->number_above(index_->position().segment);
  TRY(auto chain, open_log_chain(*segments_));
  whole_journal_ = chain.problems.empty() && is_within({}, chain);
  if (!chain.links.empty()) segments_->set_epoch(chain.links.back().segment->header().epoch);
  // Before anything is made of what another version has written, or shown to anybody.
  TRY_DO(check_schema(*index_->view(), options_));
  for (const auto& problem : chain.problems)
    if (index_->position().segment < problem.since) {
      read_only_ = problem.text;
      return {};
    }
  TRY(auto replayed, replay(
                         chain, index_->position(),
                         [&](const GroupRecord& group, JournalPosition position) -> Result<void> {
                           TRY_DO(check_schema(group, options_));
                           return index_->apply(group.writes, position);
                         },
                         clean ? clean->lsn : 0));
  replayed_groups_ = replayed.groups;
  if (replayed.damage) {
    read_only_ = replayed.damage->describe();
    return {};
  }
  if (clean && replayed.last != *clean) {
    read_only_ = fmt::format("the journal ends at group {}, but was closed at group {}",
                             replayed.last.lsn, clean->lsn);
    return {};
  }
  if (clean) {
    TRY_DO(remove_clean_mark(files_, options_.directory));
  } else {
    TRY_DO(write_last_group_again(*segments_, replayed));
  }
  // Not before: the last group may be what says that a segment goes.
  TRY_DO(finish_reclaiming(*segments_, *index_->view()));
  number_above_used(*segments_, *index_->view());
  TRY(auto log, begin_log(chain, replayed, clean.has_value()));
  options_.log.info(
      "store.opened",
      {{"groups", replayed.groups}, {"lsn", replayed.last.lsn}, {"clean", clean ? "yes" : "no"}});
  CommitterOptions committer;
  committer.segment_sizes = {options_.smallest_segment, options_.largest_segment};
  committer.most_tail_bytes = options_.most_tail_bytes;
  committer.most_tail_records = options_.most_tail_records;
  committer.lazy_delay = options_.lazy_delay;
  committer.metrics = options_.metrics;
  if (options_.on_one_thread) {
    committer.own_thread = false;
    committer.apply_pause = {};
    committer.apply_tries = 3;
  }
  committer.schema = options_.schema;
  committer_ = std::make_unique<Committer>(
      Committer::Context{*segments_, *index_, *subscriptions_, space_, ballast_, writes_, workers_,
                         options_.clock, options_.log, options_.journal_failed, committer},
      std::move(log), replayed.last);
  return {};
}

Result<LogWriter> LocalStore::begin_log(const LogChain& chain, const ReplayResult& replayed,
                                        bool clean) {
  LogWriter log(*segments_, {options_.smallest_segment, options_.largest_segment});
  if (!chain.links.empty()) {
    auto number = chain.links.back().segment->number();
    auto end = replayed.last.segment == number ? replayed.last.end : kSegmentStart;
    log.continue_behind(number, end);
    auto capacity = std::clamp(std::bit_ceil(end + end / 4), options_.smallest_segment,
                               options_.largest_segment);
    if (clean && end < capacity) {
      // Nothing uncertain stands behind a clean end, so the segment can be used up.
      TRY(auto segment, segments_->open_for_writing(number));
      if (segment->file().preallocate(capacity)) {
        log.continue_in(std::move(segment), end, capacity);
        return log;
      }
    }
  }
  // What follows a crash never stands behind what the crash may have left.
  auto rolled = log.roll(replayed.last.lsn + 1, 0);
  // With a full disk the store opens all the same: the first transaction tries again.
  if (!rolled && rolled.error().code != ErrorCode::NoSpace) return std::unexpected(rolled.error());
  return log;
}

bool LocalStore::closed() const {
  return !index_;
}

void LocalStore::close() {
  if (closed()) return;
  if (scrubber_) scrubber_->stop();
  bool healthy = committer_ && committer_->stop();
  workers_.wait_until_idle();
  reclaimer_.reset();
  scrubber_.reset();
  if (healthy) {
    auto position = committer_->position();
    auto finish = [&]() -> Result<void> {
      TRY_DO(index_->flush());
      TRY(bool finished, committer_->log().close());
      if (!finished) return {};
      return write_clean_mark(files_, options_.directory, position);
    };
    if (auto finished = finish(); !finished)
      options_.log.error("store.close_failed", {{"err", finished.error().describe()}});
  }
  committer_.reset();
  fixed_view_.reset();
  index_.reset();
  lock_.reset();
}

std::shared_ptr<const IndexView> LocalStore::newest() const {
  return committer_ ? committer_->view() : fixed_view_;
}

Task<Result<void>> LocalStore::transact(std::vector<AccountId> accounts, Step step,
                                        TransactOptions options) {
  if (!committer_) co_return fail(ErrorCode::Unavailable, "the store is read-only: {}", read_only_);
  auto ticket = std::make_shared<Ticket>();
  ticket->account = accounts.empty() ? kInstance : accounts.front();
  ticket->step = std::move(step);
  ticket->options = options;
  auto done = co_await CommitAwaiter(*committer_, std::move(ticket));
  // Everybody else is told only to come again.
  if (!done && options.may_use_reserve) co_return std::unexpected(full_disk(done.error()));
  co_return done;
}

std::shared_ptr<const Snapshot> LocalStore::snapshot() {
  return std::make_shared<StoreSnapshot>(newest());
}

Task<void> LocalStore::run_read(std::shared_ptr<const Snapshot> snapshot,
                                std::function<void(Reader&)>& function) {
  auto view = snapshot ? static_cast<const StoreSnapshot&>(*snapshot).view : newest();
  bool cold = false;
  {
    ViewReader reader(*view, Reach::Memory, epoch());
    try {
      function(reader);
#ifdef HIKYAKU_DEBUG
      // As if the first run had gone cold: what counts or takes something shows it.
      if (!reader.went_cold()) function(reader);
#endif
    } catch (const ColdRead&) {
      cold = true;
    }
    cold = cold || reader.went_cold();
  }
  if (!cold) co_return;
  co_await run_borrowed(workers_, [view, &function, epoch = epoch()] {
    ViewReader reader(*view, Reach::Disk, epoch);
    function(reader);
  });
}

std::unique_ptr<BlobWriter> LocalStore::stage(std::string salvage) {
  if (!committer_)
    return std::make_unique<NoWriter>(
        Error{ErrorCode::Unavailable, "the store is read-only: " + read_only_, nullptr});
  return make_blob_writer(*staging_, std::move(salvage));
}

Task<Result<std::unique_ptr<Blob>>> LocalStore::open_blob(BlobId blob) {
  auto row =
      co_await read([key = place_key(blob).bytes()](Reader& reader) { return reader.get(key); });
  if (!row) co_return fail(ErrorCode::NotFound, "there is no body {}", blob);
  CO_TRY(auto place, decode_body_place(*row));
  auto opened = co_await open_body(bodies(), blob, place);
  if (!opened && opened.error().code == ErrorCode::NotFound) {
    // It may have moved, or gone, since its place was read.
    auto again =
        co_await read([key = place_key(blob).bytes()](Reader& reader) { return reader.get(key); });
    if (!again) co_return fail(ErrorCode::NotFound, "there is no body {}", blob);
    if (*again != *row) co_return co_await open_blob(blob);
  }
  if (opened) co_return opened;
  if (opened.error().code == ErrorCode::NotFound)
    opened = fail(ErrorCode::Corrupt, "{}", opened.error().describe());
  auto error = wrap(std::move(opened).error(), "body {} cannot be read", blob);
  unreadable_->found(blob, error.error());
  co_return error;
}

Task<OpenedBlobs> LocalStore::open_blobs(std::vector<BlobId> blobs) {
  OpenedBlobs opened(blobs.size());
  if (blobs.size() == 1) {
    opened.front() = co_await open_blob(blobs.front());
    co_return opened;
  }
  auto rows = co_await read([&](Reader& reader) { return find_place_rows(reader, blobs); });
  std::vector<PlacedBody> places;
  std::vector<std::size_t> whose;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i]) continue;
    if (auto place = decode_body_place(*rows[i])) {
      places.push_back({blobs[i], *place});
      whose.push_back(i);
    }
  }
  auto found = co_await open_bodies(bodies(), std::move(places));
  for (std::size_t i = 0; i < found.size(); ++i) opened[whose[i]] = std::move(found[i]);
  // What is not simply there is looked for alone: it may have moved meanwhile.
  for (std::size_t i = 0; i < opened.size(); ++i)
    if (!opened[i] || !*opened[i]) opened[i] = co_await open_blob(blobs[i]);
  co_return opened;
}

Task<Result<std::unique_ptr<Blob>>> LocalStore::open_staged(StagedBlob blob) {
  auto body = staged_body(blob);
  if (!body) co_return fail(ErrorCode::NotFound, "nothing is staged");
  if (auto frames = body->frames()) co_return open_in_memory(*body, std::move(frames));
  auto opened = co_await open_body(bodies(), body->id, *body->place());
  // Owned, and moved since.
  if (!opened && opened.error().code == ErrorCode::NotFound && body->id != 0)
    co_return co_await open_blob(body->id);
  co_return opened;
}

Task<Result<Reclaimed>> LocalStore::reclaim(ReclaimRules rules) {
  if (!reclaimer_) co_return fail(ErrorCode::Unavailable, "the store is read-only: {}", read_only_);
  auto step = co_await reclaimer_->step(rules);
  // Nothing is lost by giving it up: what moves, or is noted, here makes room.
  if (!step && step.error().code == ErrorCode::NoSpace &&
      co_await run_on(workers_, [this, &step] { return ballast_.give(step.error()); }))
    step = co_await reclaimer_->step(rules);
  if (!step) co_return std::unexpected(full_disk(step.error()));
  auto done = *step;
  if (!done.more && !done.busy) co_await run_on(workers_, [this] { ballast_.keep(); });
  std::lock_guard lock(reclaimed_mutex_);
  reclaimed_.bodies_forgotten += done.bodies_forgotten;
  reclaimed_.bytes_moved += done.bytes_moved;
  reclaimed_.segments_removed += done.segments_removed;
  reclaimed_.bytes_returned += done.bytes_returned;
  co_return done;
}

Task<Result<SpaceUse>> LocalStore::space_use() {
  if (!reclaimer_) co_return fail(ErrorCode::Unavailable, "the store is read-only: {}", read_only_);
  co_return co_await run_reading(workers_, [this] { return reclaimer_->use(); });
}

/// Of a store that is read-only everything is told that scrubbing could find: `verify` is next.
Task<Result<Scrubbed>> LocalStore::scrub(ScrubRules rules) {
  if (!scrubber_) co_return Scrubbed{};
  co_return co_await scrubber_->step(rules);
}

std::unique_ptr<Subscription> LocalStore::subscribe(AccountId account, std::uint32_t topic,
                                                    std::function<void()> changed) {
  return subscriptions_->add(account, topic, std::move(changed));
}

Statistics LocalStore::statistics() const {
  Statistics statistics;
  statistics.read_only = read_only_;
  statistics.replayed_groups = replayed_groups_;
  {
    std::lock_guard lock(lost_mutex_);
    statistics.lost_segments = lost_segments_.size();
    if (!lost_segments_.empty()) statistics.lost_segment = lost_segments_.front().what;
  }
  statistics.unreadable_bodies = unreadable_->count();
  statistics.unreadable_found = unreadable_->found_ever();
  statistics.damaged_records = damaged_records_.count();
  statistics.damaged_record = damaged_records_.first();
  if (scrubber_) scrubber_->add_to(statistics);
  statistics.index_damage = index_damage_->what();
  statistics.write_under_way = write_under_way();
  statistics.staged_bytes = memory_->used();
  statistics.ballast_bytes = ballast_.bytes();
  statistics.ballast_wanted = ballast_.wanted();
  if (index_) statistics.index_stall = index_->stall_state();
  {
    std::lock_guard lock(reclaimed_mutex_);
    statistics.bodies_forgotten = reclaimed_.bodies_forgotten;
    statistics.bytes_moved = reclaimed_.bytes_moved;
    statistics.segments_removed = reclaimed_.segments_removed;
    statistics.bytes_returned = reclaimed_.bytes_returned;
  }
  if (!committer_) return statistics;
  auto counters = committer_->counters();
  statistics.transactions = counters.transactions;
  statistics.failed_steps = counters.failed_steps;
  statistics.cold_steps = counters.cold_runs;
  statistics.waiting = counters.waiting;
  statistics.groups = counters.groups;
  statistics.largest_group = counters.largest_group;
  statistics.journal_bytes = counters.journal_bytes;
  statistics.sync_time = counters.sync_time;
  statistics.longest_sync = counters.longest_sync;
  statistics.tail_bytes = counters.tail_bytes;
  statistics.tail_records = counters.tail_records;
  statistics.index_flushes = counters.index_flushes;
  return statistics;
}

}  // namespace hikyaku::store
