// Writes that are not yet in the index: an ordered map with erased ranges beneath it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "store/store.h"

namespace hikyaku::store {

/// A set of writes. Its meaning: first all of `ranges` are erased below, then `entries` hold (a
/// value, or nullopt for "erased"). A step has one, a group has one; a step's is merged into its
/// group's when it succeeds.
class Overlay {
 public:
  using Entries = std::map<std::string, std::optional<std::string>, std::less<>>;
  using Ranges = std::map<std::string, std::string, std::less<>>;  ///< begin -> end, disjoint

  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  void erase_range(const KeyRange& range);
  /// Applies the other's writes on top of these.
  void merge(const Overlay& later);
  void clear();

  /// What this overlay says about a key: nullptr = nothing; otherwise the value, or nullopt if it
  /// is erased.
  const std::optional<std::string>* find(std::string_view key) const;

  /// The erased range that `key` lies in, if any.
  struct Range {
    std::string_view begin;
    std::string_view end;
  };
  std::optional<Range> erased_around(std::string_view key) const;

  const Entries& entries() const { return entries_; }
  const Ranges& ranges() const { return ranges_; }
  bool empty() const { return entries_.empty() && ranges_.empty(); }
  /// At least as many bytes as the encoded operation list has.
  std::uint64_t encoded_bound() const { return encoded_bound_; }

  bool operator==(const Overlay& other) const {
    return entries_ == other.entries_ && ranges_ == other.ranges_;
  }

 private:
  std::optional<std::string>& slot(std::string_view key);

  Entries entries_;
  Ranges ranges_;
  std::uint64_t encoded_bound_ = 0;
};

}  // namespace hikyaku::store
