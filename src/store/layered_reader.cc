#include "store/layered_reader.h"

#include <algorithm>

namespace hikyaku::store {
namespace {

const Overlay kNothing;

}  // namespace

std::optional<Overlay::Range> LayeredReader::erased_around(std::string_view key) const {
  for (auto* layer : {upper_, lower_})
    if (layer)
      if (auto range = layer->erased_around(key)) return range;
  return std::nullopt;
}

std::optional<std::string> LayeredReader::get(std::string_view key) const {
  for (auto* layer : {upper_, lower_})
    if (layer)
      if (auto* entry = layer->find(key)) return *entry;
  try {
    return view_.get(key, reach_);
  } catch (const ColdRead&) {
    cold_ = true;
    throw;
  }
}

// Both scans look up their place in the overlays anew for each row: the visitor may write there.
void LayeredReader::scan_forward(const KeyRange& range, const Visit& visit) const {
  const auto& upper = (upper_ ? *upper_ : kNothing).entries();
  const auto& lower = (lower_ ? *lower_ : kNothing).entries();
  try {
    auto cursor = view_.cursor(range, reach_);
    cursor->seek(range.begin);
    std::string at = range.begin;
    bool included = true;  // whether `at` itself is still to come
    std::string copy;
    while (true) {
      while (cursor->valid()) {
        auto erased = erased_around(cursor->key());
        if (!erased) break;
        // The range lies in an overlay that the visitor may change, so seek with a copy.
        cursor->seek(std::string(erased->end));
      }
      auto high = included ? upper.lower_bound(at) : upper.upper_bound(at);
      auto low = included ? lower.lower_bound(at) : lower.upper_bound(at);
      bool has_high = high != upper.end() && high->first < range.end;
      bool has_low = low != lower.end() && low->first < range.end;
      bool has_index = cursor->valid();
      if (!has_high && !has_low && !has_index) return;

      std::string_view next;
      if (has_index) next = cursor->key();
      if (has_low && (next.empty() || low->first < next)) next = low->first;
      if (has_high && (next.empty() || high->first < next)) next = high->first;
      std::string key(next);
      bool from_index = has_index && cursor->key() == key;
      std::optional<std::string_view> value;
      if (has_high && high->first == key) {
        if (high->second) value = copy = *high->second;
      } else if (has_low && low->first == key) {
        bool erased = upper_ && upper_->erased_around(key);
        if (!erased && low->second) value = *low->second;
      } else {
        value = cursor->value();
      }
      if (value && !visit(key, *value)) return;
      if (from_index) cursor->next();
      at = std::move(key);
      included = false;
    }
  } catch (const ColdRead&) {
    cold_ = true;
    throw;
  }
}

void LayeredReader::scan_backward(const KeyRange& range, const Visit& visit) const {
  const auto& upper = (upper_ ? *upper_ : kNothing).entries();
  const auto& lower = (lower_ ? *lower_ : kNothing).entries();
  try {
    auto cursor = view_.cursor(range, reach_);
    cursor->seek_before(range.end);
    std::string at = range.end;  // everything from here on is done
    std::string copy;
    while (true) {
      while (cursor->valid()) {
        auto erased = erased_around(cursor->key());
        if (!erased) break;
        cursor->seek_before(std::string(erased->begin));
      }
      auto high = upper.lower_bound(at);
      auto low = lower.lower_bound(at);
      bool has_high = high != upper.begin() && (--high)->first >= range.begin;
      bool has_low = low != lower.begin() && (--low)->first >= range.begin;
      bool has_index = cursor->valid();
      if (!has_high && !has_low && !has_index) return;

      std::string_view next;
      if (has_index) next = cursor->key();
      if (has_low && low->first > next) next = low->first;
      if (has_high && high->first > next) next = high->first;
      std::string key(next);
      bool from_index = has_index && cursor->key() == key;
      std::optional<std::string_view> value;
      if (has_high && high->first == key) {
        if (high->second) value = copy = *high->second;
      } else if (has_low && low->first == key) {
        bool erased = upper_ && upper_->erased_around(key);
        if (!erased && low->second) value = *low->second;
      } else {
        value = cursor->value();
      }
      if (value && !visit(key, *value)) return;
      if (from_index) cursor->previous();
      at = std::move(key);
    }
  } catch (const ColdRead&) {
    cold_ = true;
    throw;
  }
}

void ViewReader::scan(const KeyRange& range, Direction direction,
                      const LayeredReader::Visit& visit) {
  if (range.begin >= range.end) return;
  if (direction == Direction::Forward) {
    layers_.scan_forward(range, visit);
  } else {
    layers_.scan_backward(range, visit);
  }
}

std::optional<std::uint64_t> ViewReader::blob_size(BlobId blob) {
  auto row = get(place_key(blob));
  if (!row) return std::nullopt;
  auto place = decode_body_place(*row);
  if (!place) throw IndexError(place.error().text);
  return place->size;
}

}  // namespace hikyaku::store
