#include "store/scrub.h"

#include <algorithm>
#include <utility>

#include "base/async.h"
#include "store/idle_disk.h"
#include "store/index_job.h"
#include "store/store_files.h"

namespace hikyaku::store {
namespace {

/// What one step reads at most, but for a file of the index.
constexpr std::uint64_t kBytesAtOnce = 1 << 20;
/// Rows that are read from one state of the index.
constexpr std::size_t kRowsAtOnce = 10'000;
/// Known damage that one step looks at again.
constexpr std::size_t kDoubtsAtOnce = 8;
/// What is read again at most after a crash.
constexpr std::uint64_t kNoteEvery = 64 << 20;
/// Who wants to know of doubts waits for a step as often, and so long, at most.
constexpr int kMostWaits = 500;
constexpr std::chrono::milliseconds kWait{20};
/// And for so long looks at them: a failing disk may take seconds for each.
constexpr std::chrono::seconds kSettling{10};

}  // namespace

Scrubber::Scrubber(Context context)
    : context_(std::move(context)),
      note_(read_scrub_note(context_.files, context_.directory)),
      phase_(note_.in_round ? Phase::Segments : Phase::Rest),
      doubted_bodies_(note_.bodies),
      doubted_records_(note_.records),
      ended_(note_.ended) {
  // Whoever opens a segment needs one copy of its header: nobody else looks at the other.
  for (auto name : context_.segments.names()) headers_.push_back(name.number);
}

Scrubber::~Scrubber() {
  if (unnoted_ != 0 || has_news()) note();
}

/// Also what somebody else has met is to be known after the next start.
bool Scrubber::has_news() const {
  return news_ || context_.bodies.found_ever() != noted_found_;
}

Task<Result<Scrubbed>> Scrubber::step(ScrubRules rules) {
  if (busy_.exchange(true)) co_return Scrubbed{};
  struct Free {
    std::atomic<bool>& busy;
    ~Free() { busy = false; }
  } free{busy_};
  co_return co_await run_reading(context_.workers, [this, rules] { return locked_step(rules); });
}

Task<Result<void>> Scrubber::settle_doubts() {
  for (int waited = 0; busy_.exchange(true); ++waited) {
    if (waited == kMostWaits) co_return fail(ErrorCode::Unavailable, "scrubbing goes on");
    co_await sleep_for(kWait);
  }
  struct Free {
    std::atomic<bool>& busy;
    ~Free() { busy = false; }
  } free{busy_};
  co_return co_await run_reading(context_.workers, [this]() -> Result<void> {
    settle();
    return {};
  });
}

Result<Scrubbed> Scrubber::locked_step(ScrubRules rules) {
  IdleDisk idle;
  Scrubbed done;
  try {
    look_again(done);
    if (phase_ == Phase::Rest && is_due(rules)) begin_round();
    if (done.bytes < kBytesAtOnce) advance(done);
  } catch (const IndexError&) {
    // It is told, and the next start mends it: until then what lies behind it is looked at.
    if (phase_ == Phase::Places || phase_ == Phase::Reading) end_segment();
    look_again_ = false;
    throw;
  }
  done.more = phase_ != Phase::Rest || !doubted_bodies_.empty() || !doubted_records_.empty() ||
              !headers_.empty();
  if (!done.more) look_again_ = true;
  unnoted_ += done.bytes;
  if (unnoted_ >= kNoteEvery || has_news()) note();
  std::lock_guard lock(mutex_);
  bytes_ += done.bytes;
  done.round_bytes = round_bytes_;
  return done;
}

void Scrubber::advance(Scrubbed& done) {
  switch (phase_) {
    case Phase::Rest:
      return;
    case Phase::Segments:
      return next_segment();
    case Phase::Places:
      return find_places();
    case Phase::Reading:
      return read_segment(done);
    case Phase::Index:
      return read_index(done);
  }
}

// --- rounds --------------------------------------------------------------------------------------

bool Scrubber::is_due(ScrubRules rules) const {
  auto now = context_.clock.now();
  return note_.began == Time{} || now < note_.began || now - note_.began >= rules.every;
}

void Scrubber::begin_round() {
  note_.began = context_.clock.now();
  note_.in_round = true;
  note_.next = note_.last = 0;
  for (auto name : context_.segments.names()) note_.last = std::max(note_.last, name.number);
  phase_ = Phase::Segments;
  index_file_.clear();
  copy_fault_.reset();
  measured_ = false;
  news_ = true;
}

/// Of segments that are too damaged to be opened nobody knows the size.
void Scrubber::measure() {
  std::uint64_t bytes = 0;
  for (auto name : context_.segments.names())
    if (auto known = context_.segments.sealed(name.number))
      bytes += known->size;
    else if (auto size = context_.segments.size(name.number))
      bytes += *size;
  for (const auto& file : context_.index.files()) bytes += file.bytes;
  for (const auto& file : kept_tables(context_.files, context_.directory)) bytes += file.bytes;
  measured_ = true;
  std::lock_guard lock(mutex_);
  round_bytes_ = bytes;
}

void Scrubber::end_round() {
  note_.in_round = false;
  note_.ended = context_.clock.now();
  phase_ = Phase::Rest;
  news_ = true;
  {
    std::lock_guard lock(mutex_);
    ended_ = note_.ended;
  }
  context_.log.info("store.scrubbed",
                    {{"size", round_bytes_},
                     {"damaged", context_.bodies.count() + context_.records.count()},
                     {"ms", (note_.ended - note_.began).count()}});
}

void Scrubber::next_segment() {
  if (!measured_) return measure();
  look_again_ = true;
  for (auto name : context_.segments.names())
    if (name.number >= note_.next && name.number <= note_.last) return begin_segment(name.number);
  phase_ = Phase::Index;
}

// --- a segment -----------------------------------------------------------------------------------

void Scrubber::begin_segment(SegmentNumber number) {
  segment_ = number;
  note_.next = number + 1;
  auto use = segment_use(context_.view()->get(segment_use_key(number), Reach::Once));
  places_.clear();
  place_ = use.empty() ? 1 : use.first;
  last_place_ = use.empty() ? 0 : use.last;
  phase_ = Phase::Places;
}

void Scrubber::end_segment() {
  reading_.reset();
  open_.reset();
  places_ = {};
  phase_ = Phase::Segments;
}

/// The bodies that stand in the segment, owned or not.
void Scrubber::find_places() {
  auto view = context_.view();
  if (place_ <= last_place_) {
    KeyRange range{place_key(place_).bytes(), prefix_end(Key(kInstance, kPlaceTable))};
    auto cursor = view->cursor(range, Reach::Once);
    std::size_t rows = 0;
    for (cursor->seek(range.begin); cursor->valid(); cursor->next(), ++rows) {
      auto id = key_fields(cursor->key()).u64_be();
      place_ = id;
      if (id > last_place_ || rows == kRowsAtOnce) break;
      // A row that makes no sense is for `verify`.
      auto place = decode_body_place(cursor->value());
      if (place && place->segment == segment_) places_.push_back({id, *place});
    }
    if (cursor->valid() && place_ <= last_place_) return;
  }
  begin_reading(*view);
}

/// Opens the segment once all that is to be read in it is known: a file that is read in large
/// pieces does not show what is written behind the place where it was read.
void Scrubber::begin_reading(const IndexView& view) {
  auto records = records_of(segment_, view);
  auto opened = context_.segments.open_for_scrubbing(segment_);
  if (!kind_of(segment_)) return end_segment();  // it is gone
  opened_ = {};
  open_ = nullptr;
  if (opened) {
    open_ = std::move(*opened);
    if (auto copies = check_header_copies(*open_); !copies && is_missed(segment_))
      found(context_.records.found({segment_, 0}, copies.error()));
    else
      context_.records.forget({segment_, 0});
  } else {
    auto error = std::move(opened).error();
    if (error.code == ErrorCode::NotFound) error.code = ErrorCode::Corrupt;
    if (is_missed(segment_))
      found(context_.records.found({segment_, 0}, error));
    else
      context_.records.forget({segment_, 0});
    opened_ = std::unexpected(std::move(error));
    records.reset();
  }
  reading_ = std::make_unique<SegmentScrub>(open_, std::move(places_), std::move(records));
  places_ = {};
  phase_ = Phase::Reading;
}

/// nullopt: there is no such segment any more.
std::optional<SegmentKind> Scrubber::kind_of(SegmentNumber number) const {
  for (auto name : context_.segments.names())
    if (name.number == number) return name.kind;
  return std::nullopt;
}

/// Where groups stand in a log segment; nothing for others.
std::optional<ScrubRecords> Scrubber::records_of(SegmentNumber number,
                                                 const IndexView& view) const {
  if (kind_of(number) != SegmentKind::Log) return std::nullopt;
  ScrubRecords records;
  auto position = context_.index.position();
  if (position.segment == number) {
    records.end = position.end;
  } else if (position.segment < number) {
    records.end = kSegmentStart;  // the first group in it is on its way
  } else {
    // The next one says where this one ends: what is behind was torn by a crash, or is nothing.
    for (auto name : context_.segments.names()) {
      if (name.kind != SegmentKind::Log || name.number <= number) continue;
      auto next = context_.segments.open(name.number);
      if (next && (*next)->header().previous == number)
        records.end = (*next)->header().previous_end;
      break;
    }
  }
  auto range = Key(kInstance, kSkippedTable).u32(number).children();
  auto cursor = view.cursor(range, Reach::Once);
  for (cursor->seek(range.begin); cursor->valid(); cursor->next()) {
    auto fields = key_fields(cursor->key());
    fields.u32_be();
    records.skipped[fields.u64_be()] = decode_number(cursor->value());
  }
  return records;
}

void Scrubber::read_segment(Scrubbed& done) {
  ScrubFindings findings;
  findings.body = [&](const PlacedBody& body, const Error& error) {
    broken_body(body, error, done);
  };
  findings.record = [&](std::uint64_t offset, const Error& error) {
    found(context_.records.found({segment_, offset}, error));
  };
  if (!open_) {
    reading_->give_up(opened_.error(), findings);
  } else {
    while (!reading_->done() && done.bytes < kBytesAtOnce)
      done.bytes += reading_->read_some(findings);
  }
  if (reading_->done()) end_segment();
}

/// It may have moved, or gone, since its place was read; or only waits for its end, as what a
/// repair has taken out of its mailboxes.
void Scrubber::broken_body(const PlacedBody& body, const Error& error, Scrubbed& done) {
  auto view = context_.view();
  auto row = view->get(place_key(body.id), Reach::Once);
  if (!row || *row != encode(body.place)) return;
  if (!has_owner(*view, body.id, Reach::Once)) return context_.bodies.forget(body.id);
  auto told =
      wrap(error, "body {} in journal segment {} cannot be read", body.id, body.place.segment);
  if (!context_.bodies.found(body.id, told.error())) return;
  found(true);
  done.found.push_back(body.id);
}

void Scrubber::found(bool is_new) {
  if (!is_new) return;
  news_ = true;
  std::lock_guard lock(mutex_);
  ++found_;
}

// --- the index -----------------------------------------------------------------------------------

/// The first behind the one that was read last.
std::optional<IndexFile> Scrubber::next_file(const std::vector<IndexFile>& files) {
  for (const auto& file : files) {
    if (file.name <= index_file_) continue;
    index_file_ = file.name;
    return file;
  }
  return std::nullopt;
}

void Scrubber::read_index(Scrubbed& done) {
  // By their names the copy's files come first.
  if (auto file = next_file(kept_tables(context_.files, context_.directory)))
    return read_copy(*file, done);
  if (auto file = next_file(context_.index.files())) {
    auto checked = context_.index.check_file(file->name);
    done.bytes += file->bytes;
    if (!checked && checked.error().code != ErrorCode::NotFound) {
      found(!context_.index_damage.any());
      context_.index_damage.found(checked.error());
    }
    return;
  }
  if (auto fault = std::exchange(copy_fault_, std::nullopt)) return mend_copy(std::move(*fault));
  // What is known to be damaged is looked at within the round.
  if (doubted_bodies_.empty() && doubted_records_.empty()) end_round();
}

void Scrubber::read_copy(const IndexFile& file, Scrubbed& done) {
  auto checked = context_.index.check_copied_file(file.name);
  done.bytes += file.bytes;
  if (checked) return;
  auto there = kept_tables(context_.files, context_.directory);
  if (std::ranges::find(there, file.name, &IndexFile::name) == there.end()) return;
  found(true);
  if (!copy_fault_) copy_fault_ = checked.error();
}

/// What is damaged there would be passed on from copy to copy, and be missed where it is needed.
/// But what it is made of has to be whole: all of the index has been read in this round.
void Scrubber::mend_copy(Error fault) {
  auto made = context_.keep_index_anew();
  if (!made) fault.text += "; it cannot be made again: " + made.error().describe();
  context_.log.error("store.index_copy_damaged", {{"err", fault.describe()}});
}

// --- what is known -------------------------------------------------------------------------------

/// Forgets what has been mended, or is gone; what a process before this one knew is told again.
void Scrubber::look_again(Scrubbed& done) {
  if (std::exchange(look_again_, false)) {
    for (auto body : context_.bodies.all()) doubted_bodies_.push_back(body);
    for (auto record : context_.records.all()) doubted_records_.push_back(record);
  }
  for (std::size_t i = 0; i < kDoubtsAtOnce && !headers_.empty(); ++i) look_at_header();
  for (std::size_t i = 0; i < kDoubtsAtOnce && !doubted_records_.empty(); ++i) look_at_record();
  for (std::size_t i = 0; i < kDoubtsAtOnce && !doubted_bodies_.empty(); ++i) look_at_body(done);
}

void Scrubber::look_at_header() {
  RecordPlace header{headers_.back(), 0};
  headers_.pop_back();
  if (auto checked = check_again(header); !checked)
    found(context_.records.found(header, checked.error()));
}

void Scrubber::look_at_record() {
  auto record = doubted_records_.back();
  doubted_records_.pop_back();
  try {
    auto checked = check_again(record);
    if (!checked) {
      found(context_.records.found(record, checked.error()));
    } else {
      context_.records.forget(record);
    }
  } catch (const IndexError&) {
    stays(record);
    throw;
  }
}

void Scrubber::look_at_body(Scrubbed& done) {
  auto body = doubted_bodies_.back();
  doubted_bodies_.pop_back();
  try {
    auto view = context_.view();
    auto row = view->get(place_key(body), Reach::Once);
    auto place = row ? decode_body_place(*row) : fail(ErrorCode::NotFound, "");
    bool owned = place && has_owner(*view, body, Reach::Once);
    auto checked = owned ? check_again(*place) : Result<void>();
    if (!checked) {
      broken_body({body, *place}, checked.error(), done);
    } else {
      context_.bodies.forget(body);
    }
    if (owned) done.bytes += place->stored;
  } catch (const IndexError&) {
    stays(body);
    throw;
  }
}

/// Nothing says that it can be read now.
void Scrubber::stays(BlobId body) {
  auto told = fail(ErrorCode::Corrupt,
                   "body {} could not be read before the start, and was not looked at since", body);
  found(context_.bodies.found(body, told.error()));
}

void Scrubber::stays(RecordPlace record) {
  auto told = fail(ErrorCode::Corrupt,
                   "it could not be read before the start, and was not looked at since");
  found(context_.records.found(record, told.error()));
}

void Scrubber::settle() {
  forget_unowned();
  pass_over_known();
  auto began = context_.clock.now();
  auto in_time = [&] {
    auto now = context_.clock.now();
    return !stopping_ && now >= began && now - began < kSettling;
  };
  Scrubbed done;
  while (!doubted_records_.empty() && in_time()) look_at_record();
  while (!doubted_bodies_.empty() && in_time()) look_at_body(done);
  // The next steps look at them.
  for (auto record : doubted_records_) stays(record);
  for (auto body : doubted_bodies_) stays(body);
}

/// Who has deleted a message that cannot be read has mended what there was to mend.
void Scrubber::forget_unowned() {
  auto view = context_.view();
  auto unowned = [&](BlobId body) { return !has_owner(*view, body, Reach::Once); };
  std::erase_if(doubted_bodies_, unowned);
  for (auto body : context_.bodies.all())
    if (unowned(body)) context_.bodies.forget(body);
}

/// Of what this process has met itself nobody needs to be told before the next round.
void Scrubber::pass_over_known() {
  auto bodies = context_.bodies.all();
  auto records = context_.records.all();
  auto passed = std::erase_if(
      doubted_bodies_, [&](BlobId body) { return std::ranges::binary_search(bodies, body); });
  passed += std::erase_if(doubted_records_, [&](RecordPlace record) {
    return std::ranges::binary_search(records, record);
  });
  if (passed != 0) look_again_ = true;
}

/// Whether anything is lost with the segment: not if there are only bodies in it that nobody has,
/// and a repair has gone over its records.
bool Scrubber::is_missed(SegmentNumber number) const {
  auto view = context_.view();
  if (segment_use(view->get(segment_use_key(number), Reach::Once)).live != 0) return true;
  if (kind_of(number) != SegmentKind::Log) return false;
  for (auto name : context_.segments.names()) {
    if (name.kind != SegmentKind::Log || name.number <= number) continue;
    if (view->get(skipped_key({name.number, 0, 0}), Reach::Once)) return false;
    if (context_.segments.open(name.number)) return true;
  }
  return true;
}

Result<void> Scrubber::check_again(const BodyPlace& place) {
  auto segment = context_.segments.open_for_scrubbing(place.segment);
  if (!segment && segment.error().code == ErrorCode::NotFound)
    return fail(ErrorCode::Corrupt, "{}", segment.error().describe());
  if (!segment) return std::unexpected(std::move(segment).error());
  return check_placed_body(**segment, place);
}

Result<void> Scrubber::check_again(RecordPlace record) {
  if (!kind_of(record.segment)) return {};
  if (record.offset == 0 && !is_missed(record.segment)) return {};
  auto segment = context_.segments.open_for_scrubbing(record.segment);
  if (!segment && segment.error().code == ErrorCode::NotFound)
    return fail(ErrorCode::Corrupt, "{}", segment.error().describe());
  if (!segment) return std::unexpected(std::move(segment).error());
  if (record.offset == 0) return check_header_copies(**segment);
  auto view = context_.view();
  auto records = records_of(record.segment, *view);
  if (!records) return {};
  auto skipped = records->skipped.upper_bound(record.offset);
  if (skipped != records->skipped.begin() && std::prev(skipped)->second > record.offset) return {};
  return check_record(std::move(*segment), record.offset);
}

/// Where it is, and what is damaged. A failure costs only time.
void Scrubber::note() {
  unnoted_ = 0;
  news_ = false;
  noted_found_ = context_.bodies.found_ever();
  auto written = note_;
  // What was begun is begun again.
  if (phase_ == Phase::Places || phase_ == Phase::Reading) written.next = segment_;
  written.bodies = context_.bodies.all();
  written.records = context_.records.all();
  written.bodies.insert(written.bodies.end(), doubted_bodies_.begin(), doubted_bodies_.end());
  written.records.insert(written.records.end(), doubted_records_.begin(), doubted_records_.end());
  (void)write_scrub_note(context_.files, context_.directory, written);
}

void Scrubber::add_to(Statistics& statistics) const {
  std::lock_guard lock(mutex_);
  statistics.scrub_ended = ended_;
  statistics.scrubbed_bytes = bytes_;
  statistics.scrub_found = found_;
}

}  // namespace hikyaku::store
