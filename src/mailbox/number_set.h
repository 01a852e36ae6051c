// Sets of UIDs and ids as ranges: small when they are dense, as what one command touches mostly is.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/codec.h"

namespace hikyaku::mailbox {

/// A set of numbers, kept as ascending ranges that neither overlap nor touch.
class NumberSet {
 public:
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;  ///< included
    bool operator==(const Range&) const = default;
  };

  NumberSet() = default;
  NumberSet(std::initializer_list<std::uint64_t> numbers) {
    for (auto number : numbers) add(number);
  }
  /// Any ranges, in any order.
  static NumberSet of(std::vector<Range> ranges);

  /// Cheap at or behind the end, linear elsewhere.
  void add(std::uint64_t number) { add(Range{number, number}); }
  void add(Range range);
  void remove(const NumberSet& others);

  bool contains(std::uint64_t number) const;
  bool empty() const { return ranges_.empty(); }
  /// How many numbers (2^64 - 1 at most).
  std::uint64_t count() const;
  const std::vector<Range>& ranges() const { return ranges_; }
  /// All numbers, if they are at most `limit`; the first `limit` otherwise.
  std::vector<std::uint64_t> numbers(std::size_t limit = 1'000'000) const;

  bool operator==(const NumberSet&) const = default;

  /// varint number of ranges; for each: varint distance from the end of the one before (from 0 for
  /// the first), varint numbers beyond the first.
  void encode(Encoder& encoder) const;
  /// False for bytes that encode() does not write.
  bool decode(Decoder& decoder);

 private:
  std::vector<Range> ranges_;
};

}  // namespace hikyaku::mailbox
