#include "store/overlay.h"

#include <algorithm>

namespace hikyaku::store {
namespace {
// Kind, three lengths: what an operation takes beside its bytes.
constexpr std::uint64_t kOperationOverhead = 32;
const std::optional<std::string> kErased;
}  // namespace

std::optional<std::string>& Overlay::slot(std::string_view key) {
  auto place = entries_.lower_bound(key);
  if (place == entries_.end() || place->first != key) {
    place = entries_.emplace_hint(place, key, std::nullopt);
    encoded_bound_ += key.size() + kOperationOverhead;
  }
  return place->second;
}

void Overlay::put(std::string_view key, std::string_view value) {
  auto& entry = slot(key);
  if (entry) encoded_bound_ -= entry->size();
  encoded_bound_ += value.size();
  entry.emplace(value);
}

void Overlay::erase(std::string_view key) {
  auto& entry = slot(key);
  if (entry) encoded_bound_ -= entry->size();
  entry.reset();
}

void Overlay::erase_range(const KeyRange& range) {
  if (range.begin >= range.end) return;
  auto from = entries_.lower_bound(range.begin);
  auto to = entries_.lower_bound(range.end);
  for (auto at = from; at != to; ++at)
    encoded_bound_ -= at->first.size() + kOperationOverhead + (at->second ? at->second->size() : 0);
  entries_.erase(from, to);

  // Swallow every range that touches the new one, so that ranges stay disjoint.
  auto begin = range.begin;
  auto end = range.end;
  auto at = ranges_.upper_bound(begin);
  if (at != ranges_.begin() && std::prev(at)->second >= begin) --at;
  while (at != ranges_.end() && at->first <= end) {
    begin = std::min(begin, at->first);
    end = std::max(end, at->second);
    encoded_bound_ -= at->first.size() + at->second.size() + kOperationOverhead;
    at = ranges_.erase(at);
  }
  encoded_bound_ += begin.size() + end.size() + kOperationOverhead;
  ranges_.emplace(std::move(begin), std::move(end));
}

void Overlay::merge(const Overlay& later) {
  for (const auto& [begin, end] : later.ranges_) erase_range({begin, end});
  for (const auto& [key, value] : later.entries_) {
    if (value) {
      put(key, *value);
    } else {
      erase(key);
    }
  }
}

void Overlay::clear() {
  entries_.clear();
  ranges_.clear();
  encoded_bound_ = 0;
}

const std::optional<std::string>* Overlay::find(std::string_view key) const {
  if (auto entry = entries_.find(key); entry != entries_.end()) return &entry->second;
  return erased_around(key) ? &kErased : nullptr;
}

std::optional<Overlay::Range> Overlay::erased_around(std::string_view key) const {
  auto after = ranges_.upper_bound(key);
  if (after == ranges_.begin()) return std::nullopt;
  auto& [begin, end] = *std::prev(after);
  if (key >= end) return std::nullopt;
  return Range{begin, end};
}

}  // namespace hikyaku::store
