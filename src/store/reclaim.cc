#include "store/reclaim.h"

#include <algorithm>

#include "store/blob.h"
#include "store/group.h"
#include "store/index_job.h"

namespace hikyaku::store {
namespace {

/// What one step does at most.
constexpr std::size_t kForgetAtOnce = 500;
constexpr std::size_t kMoveAtOnce = 256;
/// Only what is further in the future tells of a clock that was set back.
constexpr std::chrono::minutes kClockSlack{1};
constexpr std::uint64_t kMoveBytes = 2 << 20;
constexpr std::size_t kRemoveAtOnce = 100;
/// What one plan holds at most, so that it takes little memory.
constexpr std::uint64_t kPlanBytes = 64 << 20;
/// Rows that are read from one state of the index; a longer one would keep old rows alive.
constexpr std::size_t kRowsAtOnce = 10'000;
/// Bodies up to this size are copied whole, their header first, so that one read gets them.
constexpr std::uint64_t kWhole = 256 << 10;
/// With less in it a segment is not left for reclaiming's sake.
constexpr std::uint64_t kWorthSealing = 256 << 10;
/// Less dead bytes than this are no reason to move what is beside them.
constexpr std::uint64_t kWorthMoving = 16 << 10;

constexpr TransactOptions kFreesSpace{.durability = Durability::Sync, .may_use_reserve = true};

/// A source that the device does not give is as bad as a damaged one, and no reason to stop
/// writing.
template <class T>
Result<T> from_source(Result<T> got) {
  if (!got && got.error().code == ErrorCode::Io) got.error().code = ErrorCode::Corrupt;
  return got;
}

/// How much of a segment is dead, if that is worth anything.
std::uint64_t dead_percent(const SegmentUse& use, std::uint64_t size) {
  // A header alone is not worth moving anything: what was moved would be moved again for ever.
  size -= std::min(size, kSegmentStart);
  auto dead = size - std::min(size, use.live + use.retained);
  return dead < kWorthMoving ? 0 : dead * 100 / size;
}

/// Steps of a store on disk have its own kind of transaction.
StepTransaction& own(Transaction& tx) {
  return static_cast<StepTransaction&>(tx);
}

}  // namespace

void number_above_used(Segments& segments, const IndexView& view) {
  auto range = Key(kInstance, kSegmentTable).children();
  auto cursor = view.cursor(range, Reach::Disk);
  for (cursor->seek(range.begin); cursor->valid(); cursor->next())
    segments.number_above(key_fields(cursor->key()).u32_be());
}

Result<void> finish_reclaiming(Segments& segments, const IndexView& view) {
  auto range = Key(kInstance, kReclaimedTable).children();
  auto cursor = view.cursor(range, Reach::Disk);
  for (cursor->seek(range.begin); cursor->valid(); cursor->next()) {
    auto number = key_fields(cursor->key()).u32_be();
    segments.number_above(number);
    TRY_DO(segments.remove(number));
  }
  return {};
}

std::shared_ptr<void> Reclaimer::hold() {
  std::lock_guard lock(mutex_);
  auto held = held_.lock();
  if (!held) held_ = held = std::make_shared<int>();
  return held;
}

bool Reclaimer::held() {
  std::lock_guard lock(mutex_);
  return !held_.expired();
}

Task<Result<Reclaimed>> Reclaimer::step(ReclaimRules rules) {
  if (busy_.exchange(true)) co_return Reclaimed{.busy = true};
  struct Free {
    std::atomic<bool>& busy;
    ~Free() { busy = false; }
  } free{busy_};
  try {
    co_return co_await locked_step(rules);
  } catch (const IndexError& error) {
    co_return fail(ErrorCode::Corrupt, "the index cannot be read: {}", error.what());
  }
}

Task<Result<Reclaimed>> Reclaimer::locked_step(ReclaimRules rules) {
  if (held()) co_return Reclaimed{.busy = true};
  CO_TRY(auto forgotten, co_await forget_bodies(rules.before));
  if (forgotten.more) co_return forgotten;
  if (rules.clock_is_settled) {
    CO_TRY(auto dated, co_await date_back());
    if (dated.more) co_return dated;
  }
  // When space is needed, what can go goes before anything new is written; otherwise all at the
  // end, because bringing the index to the disk is dear.
  if (!has_plan() || rules.urgent) {
    CO_TRY(auto removed, co_await remove_segments());
    if (removed.more) co_return removed;
  }
  co_return co_await move_bodies(rules);
}

Task<Result<Reclaimed>> Reclaimer::forget_bodies(Time before) {
  struct Due {
    std::string row;
    Time when;
    BlobId blob;
  };
  auto read = [before](Reader& reader) {
    std::vector<Due> due;
    auto range = Key(kInstance, kFreedTable).children();
    range.end = freed_key(std::max(before, Time{}), 0).bytes();  // keys know no time before 1970
    reader.scan(range, [&](std::string_view key, std::string_view) {
      auto fields = key_fields(key);
      Time when{milliseconds(static_cast<std::int64_t>(fields.u64_be()))};
      due.push_back({std::string(key), when, fields.u64_be()});
      return due.size() < kForgetAtOnce;
    });
    return due;
  };
  auto due = co_await context_.store.read(read);
  Reclaimed done;
  if (due.empty()) co_return done;
  CO_TRY_DO(co_await context_.store.transact(
      {kInstance},
      [&](Transaction& tx) -> Result<void> {
        done.bodies_forgotten = 0;
        for (const auto& one : due) {
          done.bodies_forgotten += own(tx).forget(one.blob, one.when) ? 1 : 0;
          // A damaged one, too: it would be found again for ever.
          tx.erase(one.row);
        }
        return {};
      },
      kFreesSpace));
  done.more = true;  // the rows are gone now, whatever they were
  co_return done;
}

/// Bodies that lost their owners while the clock was ahead would stay until it gets there again:
/// their time begins now.
Task<Result<Reclaimed>> Reclaimer::date_back() {
  auto now = context_.clock.now();
  std::vector<std::pair<Time, BlobId>> found;
  auto read = [from = now + kClockSlack](Reader& reader) {
    std::vector<std::pair<Time, BlobId>> later;
    auto range = Key(kInstance, kFreedTable).children();
    range.begin = freed_key(from, 0).bytes();
    reader.scan(range, [&](std::string_view key, std::string_view) {
      auto fields = key_fields(key);
      Time when{milliseconds(static_cast<std::int64_t>(fields.u64_be()))};
      later.emplace_back(when, fields.u64_be());
      return later.size() < kForgetAtOnce;
    });
    return later;
  };
  found = co_await context_.store.read(read);
  if (found.empty()) co_return Reclaimed{};
  CO_TRY_DO(co_await context_.store.transact(
      {kInstance},
      [&](Transaction& tx) -> Result<void> {
        for (auto [when, blob] : found) own(tx).free_again(blob, when, now);
        return {};
      },
      kFreesSpace));
  co_return Reclaimed{.more = true};
}

// --- segments ------------------------------------------------------------------------------------

/// The segments to which nothing is written any more, with what the index knows of them.
std::vector<Reclaimer::SegmentState> Reclaimer::sealed_segments() {
  std::vector<SegmentState> all;
  auto open = context_.committer.open_segment();
  for (auto name : context_.segments.names()) {
    if (name.kind == SegmentKind::Log && name.number >= open) continue;
    // A bulk segment is for writing as long as it has bodies that nobody may own yet.
    if (context_.segments.is_written(name.number)) continue;
    all.push_back({name, {}});
  }
  // After that: a body that is owned by now is counted by now.
  auto view = context_.committer.view();
  for (auto& segment : all)
    segment.use = segment_use(view->get(segment_use_key(segment.name.number), Reach::Disk));
  return all;
}

Result<std::uint64_t> Reclaimer::size_now(SegmentNumber number) {
  auto known = context_.segments.sealed(number);
  if (known) return known->size;
  if (known.error().code != ErrorCode::Conflict) return std::unexpected(std::move(known).error());
  return context_.segments.size(number);
}

Result<SpaceUse> Reclaimer::use() {
  SpaceUse all;
  auto view = context_.committer.view();
  for (auto name : context_.segments.names()) {
    auto size = size_now(name.number);
    if (!size && size.error().code == ErrorCode::NotFound) continue;
    // One that cannot be read is there all the same.
    auto bytes = size.value_or(0);
    ++all.segments;
    all.journal_bytes += bytes;
    auto use = segment_use(view->get(segment_use_key(name.number), Reach::Disk));
    all.live_bytes += std::min(use.live, bytes);
    all.retained_bytes += std::min(use.retained, bytes);
  }
  return all;
}

Result<std::vector<SegmentNumber>> Reclaimer::removable() {
  std::vector<SegmentNumber> found;
  auto candidates = [&](SegmentNumber below) {
    found.clear();
    for (const auto& segment : sealed_segments())
      if (segment.use.empty() &&
          (segment.name.kind == SegmentKind::Bulk || segment.name.number < below))
        found.push_back(segment.name.number);
  };
  candidates(UINT32_MAX);
  if (found.empty()) return found;
  // The index on the disk must not need them: neither the groups in them, nor to learn that their
  // bodies are gone.
  TRY(auto kept, context_.keep_index());
  candidates(kept.segment);
  if (found.size() > kRemoveAtOnce) found.resize(kRemoveAtOnce);
  return found;
}

Task<Result<Reclaimed>> Reclaimer::remove_segments() {
  CO_TRY(auto segments, co_await run_reading(context_.workers, [this] { return removable(); }));
  Reclaimed done;
  if (segments.empty()) co_return done;
  std::vector<SegmentNumber> removed;
  CO_TRY_DO(co_await context_.store.transact(
      {kInstance},
      [&](Transaction& tx) -> Result<void> {
        removed.clear();
        for (auto number : segments) {
          if (!segment_use(tx.get(segment_use_key(number))).empty()) continue;
          tx.erase(segment_use_key(number));
          tx.put(reclaimed_key(number), "");
          removed.push_back(number);
        }
        return {};
      },
      kFreesSpace));
  CO_TRY(done, co_await run_on(context_.workers, [this, removed] { return unlink(removed); }));
  done.more = !removed.empty();
  co_return done;
}

Result<Reclaimed> Reclaimer::unlink(const std::vector<SegmentNumber>& segments) {
  Reclaimed done;
  for (auto number : segments) {
    // A backup that has begun meanwhile may want them; a step after it removes them then.
    std::lock_guard lock(mutex_);
    if (!held_.expired()) break;
    auto known = context_.segments.sealed(number);
    TRY_DO(context_.segments.remove(number));
    ++done.segments_removed;
    if (known) done.bytes_returned += known->size;
    context_.log.info("store.segment_removed", {{"segment", number}});
  }
  return done;
}

// --- moving --------------------------------------------------------------------------------------

/// Leaves the segments that are written on, if that gives space: they can be reclaimed then.
void Reclaimer::leave_open_segments(const ReclaimRules& rules) {
  auto& committer = context_.committer;
  auto view = committer.view();
  auto is_worth = [&](SegmentNumber number, std::uint64_t size) {
    auto use = segment_use(view->get(segment_use_key(number), Reach::Disk));
    return size > kWorthSealing && dead_percent(use, size) >= rules.dead_percent;
  };
  auto log = committer.open_segment();
  if (is_worth(log, committer.log_end())) seal_log_ = true;
  if (auto bulk = context_.bulk.current()) {
    auto size = context_.segments.size(bulk);
    if (size && is_worth(bulk, *size)) context_.bulk.seal();
  }
  // The one that bodies were copied to may have lost them again.
  cold_.reset();
}

/// Chooses the segments that give the most space for the least work. True: there is one that only
/// has to be removed, as what was written on until now may be.
bool Reclaimer::choose_segments(ReclaimRules rules) {
  if (rules.urgent) leave_open_segments(rules);
  bool is_one_empty = false;
  struct Candidate {
    std::uint64_t dead = 0;
    SegmentState segment;
  };
  std::vector<Candidate> candidates;
  auto now = context_.clock.now();
  auto is_young = [&](Time created) {
    return created > now - rules.least_age && created <= now;  // not of a clock that was ahead
  };
  for (auto& segment : sealed_segments()) {
    is_one_empty |= segment.use.empty() && segment.name.kind == SegmentKind::Bulk;
    if (segment.use.empty() || hopeless_.contains(segment.name.number)) continue;
    auto known = context_.segments.sealed(segment.name.number);
    if (!known) {
      give_up(segment.name.number, known.error());
      continue;
    }
    auto dead = dead_percent(segment.use, known->size);
    if (dead < rules.dead_percent || is_young(known->created)) continue;
    candidates.push_back({dead, segment});
  }
  std::ranges::sort(candidates, std::greater(), &Candidate::dead);
  // Segments go when all of a plan has been copied: on a full disk a plan is small.
  auto most = kPlanBytes;
  if (auto free = context_.segments.free_space()) most = std::min(most, *free / 2);
  std::uint64_t bytes = 0;
  for (const auto& candidate : candidates) {
    const auto& use = candidate.segment.use;
    if (bytes != 0 && bytes + use.live + use.retained > most) break;
    bytes += use.live + use.retained;
    leaving_.insert(candidate.segment.name.number);
    spans_.push_back({use.first, use.last});
  }
  merge_spans();
  return is_one_empty;
}

/// Each id is looked at once, however many segments it may stand in. The first span comes last.
void Reclaimer::merge_spans() {
  std::ranges::sort(spans_, std::greater(), &Span::first);
  std::vector<Span> merged;
  while (!spans_.empty()) {
    auto span = spans_.back();
    spans_.pop_back();
    if (!merged.empty() && (span.first == 0 || span.first - 1 <= merged.back().last))
      merged.back().last = std::max(merged.back().last, span.last);
    else
      merged.push_back(span);
  }
  std::ranges::reverse(merged);
  spans_ = std::move(merged);
}

/// Looks for the bodies of the segments that are to be left, so many rows at once.
Result<void> Reclaimer::find_victims() {
  auto end = prefix_end(Key(kInstance, kPlaceTable));
  auto view = context_.committer.view();
  for (std::size_t rows = 0; !spans_.empty() && rows < kRowsAtOnce;) {
    auto& span = spans_.back();
    KeyRange range{place_key(span.first).bytes(), end};
    auto cursor = view->cursor(range, Reach::Disk);
    BlobId id = 0;
    for (cursor->seek(range.begin); cursor->valid(); cursor->next(), ++rows) {
      id = key_fields(cursor->key()).u64_be();
      if (id > span.last || rows == kRowsAtOnce) break;
      auto place = decode_body_place(cursor->value());
      // A damaged row's body stays where it is.
      if (place && leaving_.contains(place->segment))
        plan_.push_back({id, account_of(*view, id), *place});
    }
    if (cursor->valid() && id <= span.last)
      span.first = id;
    else
      spans_.pop_back();
  }
  if (!spans_.empty()) return {};
  leaving_.clear();
  // The end comes first.
  std::ranges::sort(plan_, [](const Victim& a, const Victim& b) {
    return std::pair(a.account, a.id) > std::pair(b.account, b.id);
  });
  return {};
}

void Reclaimer::drop_plan() {
  plan_.clear();
  spans_.clear();
  leaving_.clear();
}

/// What can still be read in a damaged segment stays where it is.
void Reclaimer::give_up(SegmentNumber segment, const Error& error) {
  if (error.code == ErrorCode::NotFound || !hopeless_.insert(segment).second) return;
  context_.log.error("store.reclaim_failed", {{"segment", segment}, {"err", error.describe()}});
}

AccountId Reclaimer::account_of(const IndexView& view, BlobId blob) const {
  auto range = owners_key(blob).children();
  auto cursor = view.cursor(range, Reach::Disk);
  cursor->seek(range.begin);
  if (!cursor->valid()) return kInstance;
  auto fields = key_fields(cursor->key());
  fields.u64_be();
  return fields.u32_be();
}

Result<void> Reclaimer::begin_cold() {
  if (cold_ && cold_end_ < context_.segment_size) return {};
  SegmentHeader header;
  header.kind = SegmentKind::Bulk;
  TRY(cold_, context_.segments.create(header, kSegmentStart));
  cold_end_ = kSegmentStart;
  return {};
}

/// Copies one body behind those in the cold segment, compressed.
Result<BodyPlace> Reclaimer::copy(const Victim& victim) {
  TRY(auto source, from_source(context_.segments.open(victim.place.segment)));
  TRY(auto header, from_source(read_body_header(*source, victim.place)));
  BodyPlace place;
  place.segment = cold_->number();
  place.size = header.size;
  place.contiguous = header.size <= kWhole;
  place.header_length = static_cast<std::uint32_t>(header.encoded_size());
  auto at = cold_end_ + (place.contiguous ? place.header_length : 0);
  std::string frames;
  for (auto& frame : header.frames) {
    TRY(auto stored, from_source(read_exactly(source->file(), frame.offset, frame.stored)));
    TRY(auto bytes, decode_frame(frame, std::move(stored)));
    auto encoded = encode_frame(std::move(bytes), Codec::Zstd);
    encoded.frame.offset = at;
    if (place.contiguous) {
      frames += encoded.bytes;
    } else {
      TRY_DO(write_all(cold_->file(), at, encoded.bytes));
    }
    at += encoded.bytes.size();
    frame = encoded.frame;
  }
  place.header_offset = place.contiguous ? cold_end_ : at;
  place.stored = at - cold_end_ + (place.contiguous ? 0 : place.header_length);
  auto head = encode_body_header(header, *cold_, place.header_offset);
  std::string_view pieces[] = {head, frames};
  TRY_DO(write_all(cold_->file(), place.header_offset, pieces));
  cold_end_ += place.stored;
  return place;
}

/// Copies the next bodies of the plan and syncs them. After any failure to write nothing more goes
/// to the same segment.
Result<std::vector<Reclaimer::Moved>> Reclaimer::copy_some() {
  std::vector<Moved> moved;
  auto failed = [&](Error error) -> Result<std::vector<Moved>> {
    cold_.reset();
    drop_plan();
    return std::unexpected(std::move(error));
  };
  std::vector<std::shared_ptr<Segment>> written;
  std::uint64_t bytes = 0;
  while (!plan_.empty() && moved.size() < kMoveAtOnce && bytes < kMoveBytes) {
    auto victim = plan_.back();
    plan_.pop_back();
    if (hopeless_.contains(victim.place.segment)) continue;
    if (auto begun = begin_cold(); !begun) return failed(begun.error());
    auto copied = copy(victim);
    if (!copied) {
      const auto& error = copied.error();
      if (error.code == ErrorCode::NotFound) continue;  // gone meanwhile
      if (error.code != ErrorCode::Corrupt) return failed(error);
      give_up(victim.place.segment, error);
      cold_.reset();
      continue;
    }
    bytes += copied->stored;
    if (written.empty() || written.back() != cold_) written.push_back(cold_);
    moved.push_back({victim.id, victim.place, *copied});
  }
  for (const auto& segment : written)
    if (auto synced = segment->file().sync_data(); !synced) return failed(synced.error());
  return moved;
}

/// The log goes on in a new segment, in which there is a group at once: without one the old segment
/// would still be where replaying begins.
Task<Result<Reclaimed>> Reclaimer::leave_log_segment() {
  context_.committer.seal();
  for (int i = 0; i < 2; ++i)
    CO_TRY_DO(co_await context_.store.transact(
        {kInstance},
        [now = context_.clock.now(), i](Transaction& tx) -> Result<void> {
          auto when = static_cast<std::uint64_t>(now.time_since_epoch().count());
          if (i == 1) tx.put(left_key(), encode_number(when));
          return {};
        },
        kFreesSpace));
  co_return Reclaimed{.more = true};
}

Task<Result<Reclaimed>> Reclaimer::move_bodies(ReclaimRules rules) {
  Reclaimed done;
  if (!has_plan()) {
    CO_TRY(done.more, co_await run_reading(context_.workers, [this, rules]() -> Result<bool> {
             return choose_segments(rules);
           }));
  }
  if (std::exchange(seal_log_, false)) co_return co_await leave_log_segment();
  if (!spans_.empty()) {
    auto looked = co_await run_reading(context_.workers, [this] { return find_victims(); });
    if (!looked) {
      drop_plan();
      co_return std::unexpected(looked.error());
    }
    // Counters may know of bodies that no row knows: then there is nothing to do.
    done.more |= has_plan();
    co_return done;
  }
  if (plan_.empty()) co_return done;
  CO_TRY(auto moved, co_await run_on(context_.workers, [this] { return copy_some(); }));
  done.more = true;
  if (moved.empty()) co_return done;
  CO_TRY_DO(co_await context_.store.transact(
      {kInstance},
      [&](Transaction& tx) -> Result<void> {
        for (const auto& one : moved) own(tx).relocate(one.id, one.from, one.to);
        return {};
      },
      kFreesSpace));
  done.bodies_moved = moved.size();
  for (const auto& one : moved) done.bytes_moved += one.to.stored;
  co_return done;
}

}  // namespace hikyaku::store
