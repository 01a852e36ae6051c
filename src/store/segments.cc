#include "store/segments.h"

#include <algorithm>
#include <bit>

#include "base/codec.h"
#include "crypto/random.h"
#include "store/epoch.h"

namespace hikyaku::store {
namespace {

std::uint64_t secret() {
  return Decoder(crypto::SystemRandom().bytes(8)).u64_be();
}

}  // namespace

Result<void> Segments::load(bool may_write) {
  TRY(auto listed, files_.list(directory_));
  std::lock_guard lock(mutex_);
  for (const auto& file : listed) {
    if (auto name = parse_segment_name(file)) {
      known_[name->number] = {name->kind};
      next_number_ = std::max(next_number_, name->number + 1);
    } else if (may_write && file.ends_with(".new")) {
      TRY_DO(files_.unlink(directory_ + "/" + file));
    }
  }
  return {};
}

void Segments::read_from(SegmentName segment, const std::string& file) {
  std::lock_guard lock(mutex_);
  if (auto name = parse_segment_name(file))
    if (auto known = known_.find(name->number); known != known_.end() && known->second.file.empty())
      known_.erase(known);
  known_[segment.number] = {segment.kind, {}, file};
  next_number_ = std::max(next_number_, segment.number + 1);
}

std::vector<SegmentName> Segments::names() const {
  std::lock_guard lock(mutex_);
  std::vector<SegmentName> all;
  for (const auto& [number, known] : known_) all.push_back({number, known.kind});
  return all;
}

void Segments::number_above(SegmentNumber number) {
  std::lock_guard lock(mutex_);
  next_number_ = std::max(next_number_, number + 1);
}

std::shared_ptr<Segment> Segments::opened(SegmentNumber number) {
  std::lock_guard lock(mutex_);
  auto place = places_.find(number);
  if (place == places_.end()) return nullptr;
  open_.splice(open_.begin(), open_, place->second);
  return *place->second;
}

Result<std::shared_ptr<Segment>> Segments::open(SegmentNumber number) {
  if (auto segment = opened(number)) return segment;
  TRY(auto known, find(number));
  TRY(auto segment, open_anew(number, known));
  remember(segment);
  return segment;
}

Result<Segments::Known> Segments::find(SegmentNumber number) const {
  std::lock_guard lock(mutex_);
  auto known = known_.find(number);
  if (known == known_.end())
    return fail(ErrorCode::NotFound, "there is no journal segment {}", number);
  return known->second;
}

Result<std::shared_ptr<Segment>> Segments::open_for_scrubbing(SegmentNumber number) {
  TRY(auto known, find(number));
  return open_anew(number, known, OpenMode::Scrub);
}

Result<std::shared_ptr<Segment>> Segments::open_anew(SegmentNumber number, const Known& known,
                                                     OpenMode mode) {
  return open_segment(files_, directory_, {{number, known.kind}, store_id_}, mode, known.file);
}

bool Segments::is_written(SegmentNumber number) const {
  std::lock_guard lock(writing_->mutex);
  return writing_->numbers.contains(number);
}

/// The same segment; until the last copy of this goes, it is being written.
std::shared_ptr<Segment> Segments::for_writing(std::shared_ptr<Segment> segment) {
  auto number = segment->number();
  auto* itself = segment.get();
  {
    std::lock_guard lock(writing_->mutex);
    writing_->numbers.insert(number);
  }
  return {itself, [segment = std::move(segment), writing = writing_, number](Segment*) {
            std::lock_guard lock(writing->mutex);
            writing->numbers.erase(number);
          }};
}

Result<SealedSegment> Segments::sealed(SegmentNumber number) {
  if (is_written(number))
    return fail(ErrorCode::Conflict, "journal segment {} is being written", number);
  TRY(auto found, find(number));
  if (found.sealed) return *found.sealed;
  TRY(auto segment, open_anew(number, found));
  TRY(auto size, segment->file().size());
  SealedSegment sealed{size, segment->header().created};
  std::lock_guard lock(mutex_);
  if (auto known = known_.find(number); known != known_.end()) known->second.sealed = sealed;
  return sealed;
}

Result<std::shared_ptr<Segment>> Segments::open_for_writing(SegmentNumber number) {
  TRY(auto known, find(number));
  TRY(auto segment, open_segment(files_, directory_, {{number, SegmentKind::Log}, store_id_},
                                 OpenMode::Write, known.file));
  auto written = for_writing(segment);
  remember(std::move(segment));
  return written;
}

Result<std::shared_ptr<Segment>> Segments::create(SegmentHeader chain, std::uint64_t size) {
  chain.store_id = store_id_;
  chain.mark = secret();
  chain.seed = static_cast<std::uint32_t>(secret());
  chain.created = clock_.now();
  {
    std::lock_guard lock(mutex_);
    chain.number = next_number_++;
    chain.epoch = epoch_;
  }
  TRY(auto segment, create_segment(files_, directory_, chain, size));
  auto written = for_writing(segment);  // before anybody knows of it
  {
    std::lock_guard lock(mutex_);
    known_[chain.number] = {chain.kind};
    bytes_made_ += size;
  }
  remember(std::move(segment));
  return written;
}

Result<void> Segments::remove(SegmentNumber number) {
  SegmentKind kind{};
  {
    std::lock_guard lock(mutex_);
    auto known = known_.find(number);
    if (known == known_.end()) return {};
    kind = known->second.kind;
    known_.erase(known);
    if (auto place = places_.find(number); place != places_.end()) {
      open_.erase(place->second);
      places_.erase(place);
    }
  }
  return files_.unlink(directory_ + "/" + segment_name(number, kind));
}

Result<std::uint64_t> Segments::size(SegmentNumber number) {
  TRY(auto segment, open(number));
  return segment->file().size();
}

void Segments::remember(std::shared_ptr<Segment> segment) {
  std::lock_guard lock(mutex_);
  auto number = segment->number();
  if (auto place = places_.find(number); place != places_.end()) {
    open_.erase(place->second);
    places_.erase(place);
  }
  open_.push_front(std::move(segment));
  places_[number] = open_.begin();
  while (open_.size() > kMostOpen) {
    places_.erase(open_.back()->number());
    open_.pop_back();
  }
}

std::uint64_t Segments::next_size(std::uint64_t smallest, std::uint64_t largest) const {
  std::lock_guard lock(mutex_);
  // Each as large as all that this run has made before it, so sizes double.
  return std::clamp(std::bit_ceil(std::max<std::uint64_t>(bytes_made_, 1)), smallest, largest);
}

std::uint32_t Segments::epoch() const {
  std::lock_guard lock(mutex_);
  return epoch_;
}

void Segments::set_epoch(std::uint32_t epoch) {
  std::lock_guard lock(mutex_);
  epoch_ = epoch;
}

Result<void> Segments::begin_epoch() {
  auto next = next_epoch(epoch(), static_cast<std::uint16_t>(secret()));
  if (!next) return fail(ErrorCode::Corrupt, "{} has the last epoch that there is", directory_);
  set_epoch(*next);
  return {};
}

}  // namespace hikyaku::store
