#include "store/key_ranges.h"

#include <algorithm>

namespace hikyaku::store {

void KeyRanges::add(KeyRange range) {
  if (range.begin >= range.end) return;
  auto first = std::ranges::lower_bound(ranges_, range.begin, {}, &KeyRange::end);
  auto last = first;
  for (; last != ranges_.end() && last->begin <= range.end; ++last) {
    range.begin = std::min(range.begin, last->begin);
    range.end = std::max(range.end, last->end);
  }
  ranges_.insert(ranges_.erase(first, last), std::move(range));
}

void KeyRanges::add(const KeyRanges& others) {
  for (const auto& range : others.ranges_) add(range);
}

bool KeyRanges::contains(std::string_view key) const {
  auto behind = std::ranges::upper_bound(
      ranges_, key, {}, [](const KeyRange& range) { return std::string_view(range.end); });
  return behind != ranges_.end() && behind->begin <= key;
}

KeyRanges KeyRanges::common_with(const KeyRanges& others) const {
  KeyRanges common;
  for (const auto& a : ranges_)
    for (const auto& b : others.ranges_)
      common.add({std::max(a.begin, b.begin), std::min(a.end, b.end)});
  return common;
}

KeyRanges KeyRanges::without(const KeyRanges& others) const {
  KeyRanges left;
  for (const auto& range : ranges_) {
    auto begin = range.begin;
    for (const auto& other : others.ranges_) {
      if (other.end <= begin || other.begin >= range.end) continue;
      left.add({begin, other.begin});
      begin = other.end;
    }
    left.add({begin, range.end});
  }
  return left;
}

}  // namespace hikyaku::store
