#include "store/damage.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "store/rows.h"

namespace hikyaku::store {
namespace {

/// Where the body with the highest id that ever stood in the segment ends, if it is there and
/// somebody owns it. As bodies come one behind the other, that is near the end of what was written.
std::uint64_t end_of_last(const IndexView& view, SegmentNumber number, const SegmentUse& use) {
  auto row = view.get(place_key(use.last), Reach::Disk);
  auto place = row ? decode_body_place(*row) : fail(ErrorCode::NotFound, "");
  if (!place || place->segment != number || !has_owner(view, use.last, Reach::Disk)) return 0;
  return place->header_offset + (place->contiguous ? place->stored : place->header_length);
}

/// What is wrong with a segment; empty if nothing is.
std::string fault(Segments& segments, const IndexView& view, SegmentNumber number,
                  const SegmentUse& use) {
  auto size = segments.size(number);
  if (!size && size.error().code == ErrorCode::NotFound)
    return fmt::format("journal segment {} is missing", number);
  if (!size)
    return fmt::format("journal segment {} cannot be read: {}", number, size.error().describe());
  auto least = kSegmentStart + use.live;
  try {
    least = std::max(least, end_of_last(view, number, use));
  } catch (const IndexError&) {
    // Whoever needs that row is told; the store opens all the same.
  }
  if (*size >= least) return {};
  return fmt::format("journal segment {} has {} bytes, and should have {} or more", number, *size,
                     least);
}

}  // namespace

bool is_damage(const Error& error) {
  return error.code == ErrorCode::Corrupt || error.code == ErrorCode::Io;
}

bool has_owner(const IndexView& view, BlobId body, Reach reach) {
  auto range = owners_key(body).children();
  auto owners = view.cursor(range, reach);
  owners->seek(range.begin);
  return owners->valid();
}

std::vector<LostSegment> find_lost_segments(Segments& segments, const IndexView& view) {
  std::vector<LostSegment> lost;
  auto range = Key(kInstance, kSegmentTable).children();
  auto cursor = view.cursor(range, Reach::Disk);
  for (cursor->seek(range.begin); cursor->valid(); cursor->next()) {
    auto number = key_fields(cursor->key()).u32_be();
    auto use = decode_segment_use(cursor->value());
    // Nobody misses what has no owner: after a repair, only such bodies are left there.
    if (!use || use->live == 0) continue;
    if (auto what = fault(segments, view, number, *use); !what.empty())
      lost.push_back({number, use->live, std::move(what)});
  }
  return lost;
}

void IndexDamage::found(const Error& error) {
  if (!is_damage(error)) return;
  std::lock_guard lock(mutex_);
  if (what_.empty()) {
    what_ = error.describe();
    log_.error("store.index_unreadable", {{"err", what_}});
  }
  if (error.code != ErrorCode::Corrupt || !mark_ || std::exchange(marked_, true)) return;
  if (auto marked = mark_(error.describe()); !marked)
    log_.error("store.index_unreadable", {{"err", marked.error().describe()}});
}

void IndexDamage::stays(std::string what) {
  std::lock_guard lock(mutex_);
  what_ = std::move(what);
  marked_ = true;
}

bool IndexDamage::any() const {
  std::lock_guard lock(mutex_);
  return !what_.empty();
}

std::string IndexDamage::what() const {
  std::lock_guard lock(mutex_);
  return what_;
}

bool UnreadableBodies::found(BlobId body, const Error& error) {
  if (!is_damage(error)) return false;
  bool named = false;
  {
    std::lock_guard lock(mutex_);
    if (bodies_.size() >= kMostDamage || !bodies_.insert(body).second) return false;
    ++found_;
    named = bodies_.size() <= kMostDamageLines;
  }
  if (named) log_.error("store.body_unreadable", {{"body", body}, {"err", error.describe()}});
  return true;
}

void UnreadableBodies::forget(BlobId body) {
  std::lock_guard lock(mutex_);
  bodies_.erase(body);
}

std::uint64_t UnreadableBodies::count() const {
  std::lock_guard lock(mutex_);
  return bodies_.size();
}

std::uint64_t UnreadableBodies::found_ever() const {
  std::lock_guard lock(mutex_);
  return found_;
}

std::vector<BlobId> UnreadableBodies::all() const {
  std::lock_guard lock(mutex_);
  return {bodies_.begin(), bodies_.end()};
}

bool DamagedRecords::found(RecordPlace place, const Error& error) {
  if (!is_damage(error)) return false;
  auto what =
      fmt::format("journal segment {}, byte {}: {}", place.segment, place.offset, error.describe());
  bool named = false;
  {
    std::lock_guard lock(mutex_);
    if (records_.size() >= kMostDamage || !records_.emplace(place, what).second) return false;
    named = records_.size() <= kMostDamageLines;
  }
  if (named)
    log_.error("store.record_unreadable", {{"segment", place.segment}, {"err", std::move(what)}});
  return true;
}

void DamagedRecords::forget(RecordPlace place) {
  std::lock_guard lock(mutex_);
  records_.erase(place);
}

std::uint64_t DamagedRecords::count() const {
  std::lock_guard lock(mutex_);
  return records_.size();
}

std::vector<RecordPlace> DamagedRecords::all() const {
  std::lock_guard lock(mutex_);
  std::vector<RecordPlace> places;
  for (const auto& [place, what] : records_) places.push_back(place);
  return places;
}

std::string DamagedRecords::first() const {
  std::lock_guard lock(mutex_);
  return records_.empty() ? "" : records_.begin()->second;
}

}  // namespace hikyaku::store
