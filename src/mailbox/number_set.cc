#include "mailbox/number_set.h"

#include <algorithm>

namespace hikyaku::mailbox {

NumberSet NumberSet::of(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  NumberSet set;
  for (const auto& range : ranges) set.add(range);
  return set;
}

void NumberSet::add(Range range) {
  // The first range that the new one overlaps or touches.
  auto begin = ranges_.end();
  if (!ranges_.empty() &&
      (ranges_.back().last >= range.first || ranges_.back().last + 1 == range.first)) {
    begin = std::partition_point(ranges_.begin(), ranges_.end(), [&](const Range& before) {
      return before.last < range.first && before.last + 1 != range.first;
    });
  }
  auto end = begin;
  while (end != ranges_.end() && (range.last == UINT64_MAX || end->first <= range.last + 1)) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  if (begin == end) {
    ranges_.insert(begin, range);
  } else {
    *begin = range;
    ranges_.erase(begin + 1, end);
  }
}

void NumberSet::remove(const NumberSet& others) {
  std::vector<Range> left;
  auto other = others.ranges_.begin();
  for (auto range : ranges_) {
    while (other != others.ranges_.end() && other->last < range.first) ++other;
    bool gone = false;
    for (auto cut = other; cut != others.ranges_.end() && cut->first <= range.last; ++cut) {
      if (cut->first > range.first) left.push_back({range.first, cut->first - 1});
      if (cut->last >= range.last) {
        gone = true;
        break;
      }
      range.first = cut->last + 1;
    }
    if (!gone) left.push_back(range);
  }
  ranges_ = std::move(left);
}

bool NumberSet::contains(std::uint64_t number) const {
  auto at = std::partition_point(ranges_.begin(), ranges_.end(),
                                 [&](const Range& range) { return range.last < number; });
  return at != ranges_.end() && at->first <= number;
}

std::uint64_t NumberSet::count() const {
  std::uint64_t total = 0;
  for (const auto& range : ranges_) {
    auto length = range.last - range.first;
    if (length >= UINT64_MAX - total) return UINT64_MAX;
    total += length + 1;
  }
  return total;
}

std::vector<std::uint64_t> NumberSet::numbers(std::size_t limit) const {
  std::vector<std::uint64_t> all;
  for (const auto& range : ranges_) {
    for (auto number = range.first;; ++number) {
      if (all.size() == limit) return all;
      all.push_back(number);
      if (number == range.last) break;
    }
  }
  return all;
}

void NumberSet::encode(Encoder& encoder) const {
  encoder.varint(ranges_.size());
  std::uint64_t end = 0;
  for (const auto& range : ranges_) {
    encoder.varint(range.first - end);
    encoder.varint(range.last - range.first);
    end = range.last;
  }
}

bool NumberSet::decode(Decoder& decoder) {
  ranges_.clear();
  auto count = decoder.varint();
  // Every range takes two bytes at least.
  if (decoder.failed() || count > decoder.remaining() / 2) return false;
  ranges_.reserve(count);
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto gap = decoder.varint();
    auto length = decoder.varint();
    if (decoder.failed() || gap > UINT64_MAX - end || length > UINT64_MAX - end - gap) return false;
    if (i > 0 && gap < 2) return false;
    ranges_.push_back({end + gap, end + gap + length});
    end = ranges_.back().last;
  }
  return true;
}

}  // namespace hikyaku::mailbox
