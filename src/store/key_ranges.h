// Which keys something is about, when they are too many to be named.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace hikyaku::store {

/// Ranges of keys, disjoint and ascending.
class KeyRanges {
 public:
  KeyRanges() = default;
  void add(KeyRange range);
  void add(const KeyRanges& others);
  bool contains(std::string_view key) const;
  KeyRanges common_with(const KeyRanges& others) const;
  KeyRanges without(const KeyRanges& others) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<KeyRange>& all() const { return ranges_; }

 private:
  std::vector<KeyRange> ranges_;
};

}  // namespace hikyaku::store
