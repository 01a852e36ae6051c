// Sets of message numbers and UIDs: as a client writes them, and as we compute with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::imap {

/// All numbers from first to last, both included; first <= last.
struct NumberRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

/// A set of message numbers or UIDs: sorted ranges that neither overlap nor touch. Numbers are
/// 1..2^32-1.
class NumberSet {
 public:
  NumberSet() = default;
  /// Any order, overlaps allowed. O(n log n).
  static NumberSet from_ranges(std::vector<NumberRange> ranges);
  /// Any order, doubles allowed.
  static NumberSet from_numbers(std::span<const std::uint32_t> numbers);

  /// O(1) when `number` is above everything in the set, O(size) otherwise: add in ascending order.
  void add(std::uint32_t number) { add(number, number); }
  void add(std::uint32_t first, std::uint32_t last);

  bool contains(std::uint32_t number) const;
  bool empty() const { return ranges_.empty(); }
  /// How many numbers are in the set.
  std::uint64_t count() const;
  /// The smallest and the largest; 0 when empty.
  std::uint32_t lowest() const { return ranges_.empty() ? 0 : ranges_.front().first; }
  std::uint32_t highest() const { return ranges_.empty() ? 0 : ranges_.back().last; }
  const std::vector<NumberRange>& ranges() const { return ranges_; }

  NumberSet intersection(const NumberSet& other) const;
  /// The numbers of this set that are not in `other`.
  NumberSet without(const NumberSet& other) const;

  /// "1:5,7" (RFC 9051 §9 uid-set); "" when empty.
  std::string to_string() const;
  void append_to(std::string& out) const;

  friend bool operator==(const NumberSet&, const NumberSet&) = default;

 private:
  std::vector<NumberRange> ranges_;
};

/// A half-open range of positions in a sorted list.
struct IndexRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

/// Which positions of `uids` (ascending, no doubles) are in `set`, as ranges: 1:* over 100,000 UIDs
/// is one range found in logarithmic time.
std::vector<IndexRange> positions(const NumberSet& set, std::span<const std::uint32_t> uids);

/// A sequence-set as written in a command (RFC 9051 §9 sequence-set, RFC 5182 "$"). What "*" stands
/// for is known only when the command runs.
class SequenceSet {
 public:
  /// How long a set may be; a line's length limit usually comes first.
  static constexpr std::size_t kMaxRanges = 50'000;

  SequenceSet() = default;

  /// The whole text. Invalid with the position of what is wrong; TooLarge above `max_ranges`.
  static Result<SequenceSet> parse(std::string_view text, std::size_t max_ranges = kMaxRanges);
  static SequenceSet of(NumberSet numbers);

  /// "$": the result of the last SEARCH RETURN (SAVE).
  bool is_saved_result() const { return saved_result_; }
  bool has_star() const { return has_star_; }

  /// The numbers meant when "*" is `largest` (0 for an empty mailbox: "*" alone then names
  /// nothing). "n:*" always has the largest in it, also when n is above it. For "$" the answer is
  /// empty: the session has that set.
  NumberSet resolve(std::uint32_t largest) const;

  /// As a client would write it.
  std::string to_string() const;

  friend bool operator==(const SequenceSet&, const SequenceSet&) = default;

 private:
  NumberSet numbers_;            // what was written without "*"
  bool has_star_ = false;        // "*", "n:*" or "*:n"
  std::uint32_t star_from_ = 0;  // the lowest n of all "n:*"; 0: only "*" itself
  bool saved_result_ = false;
};

}  // namespace hikyaku::imap
