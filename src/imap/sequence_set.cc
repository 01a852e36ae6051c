#include "imap/sequence_set.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace hikyaku::imap {
namespace {

constexpr std::uint32_t kMaxNumber = UINT32_MAX;

void append_number(std::string& out, std::uint32_t number) {
  char digits[10];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

bool touches(const NumberRange& left, const NumberRange& right) {
  return left.last == kMaxNumber || right.first <= left.last + 1;
}

/// The first position from `from` on whose UID is at least `uid`. Looks near `from` first: the
/// ranges of a set mostly follow each other closely.
std::size_t first_at_least(std::span<const std::uint32_t> uids, std::size_t from,
                           std::uint64_t uid) {
  std::size_t step = 1;
  auto low = from;
  auto high = from;
  while (high < uids.size() && uids[high] < uid) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  auto end = uids.begin() + static_cast<std::ptrdiff_t>(std::min(high, uids.size()));
  auto found = std::lower_bound(uids.begin() + static_cast<std::ptrdiff_t>(low), end, uid);
  return static_cast<std::size_t>(found - uids.begin());
}

}  // namespace

NumberSet NumberSet::from_ranges(std::vector<NumberRange> ranges) {
  auto by_first = [](const NumberRange& a, const NumberRange& b) { return a.first < b.first; };
  if (!std::ranges::is_sorted(ranges, by_first)) std::ranges::sort(ranges, by_first);
  NumberSet set;
  auto meets = [](const NumberRange& a, const NumberRange& b) { return touches(a, b); };
  if (std::ranges::adjacent_find(ranges, meets) == ranges.end()) {
    set.ranges_ = std::move(ranges);
    return set;
  }
  for (auto& range : ranges) {
    if (set.ranges_.empty() || !touches(set.ranges_.back(), range))
      set.ranges_.push_back(range);
    else
      set.ranges_.back().last = std::max(set.ranges_.back().last, range.last);
  }
  return set;
}

NumberSet NumberSet::from_numbers(std::span<const std::uint32_t> numbers) {
  if (std::ranges::is_sorted(numbers)) {
    NumberSet set;
    for (auto number : numbers) set.add(number);
    return set;
  }
  std::vector<NumberRange> ranges;
  ranges.reserve(numbers.size());
  for (auto number : numbers) ranges.push_back({number, number});
  return from_ranges(std::move(ranges));
}

void NumberSet::add(std::uint32_t first, std::uint32_t last) {
  if (first > last) std::swap(first, last);
  NumberRange added{first, last};
  if (ranges_.empty() || (first > ranges_.back().last && !touches(ranges_.back(), added))) {
    ranges_.push_back(added);
    return;
  }
  // The ranges that touch the new one are [begin, end); they become one.
  auto begin = std::ranges::partition_point(ranges_, [&](const NumberRange& range) {
    return range.last < first && range.last + 1 < first;
  });
  auto end = begin;
  while (end != ranges_.end() && touches(added, *end)) {
    added.first = std::min(added.first, end->first);
    added.last = std::max(added.last, end->last);
    ++end;
  }
  if (begin == end) {
    ranges_.insert(begin, added);
    return;
  }
  *begin = added;
  ranges_.erase(begin + 1, end);
}

bool NumberSet::contains(std::uint32_t number) const {
  auto range = std::ranges::partition_point(
      ranges_, [&](const NumberRange& candidate) { return candidate.last < number; });
  return range != ranges_.end() && range->first <= number;
}

std::uint64_t NumberSet::count() const {
  std::uint64_t total = 0;
  for (auto& range : ranges_) total += std::uint64_t{range.last} - range.first + 1;
  return total;
}

NumberSet NumberSet::intersection(const NumberSet& other) const {
  NumberSet both;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    auto first = std::max(a->first, b->first);
    auto last = std::min(a->last, b->last);
    if (first <= last) both.add(first, last);
    if (a->last < b->last)
      ++a;
    else
      ++b;
  }
  return both;
}

NumberSet NumberSet::without(const NumberSet& other) const {
  NumberSet left;
  auto hole = other.ranges_.begin();
  for (auto& range : ranges_) {
    std::uint64_t next = range.first;
    while (hole != other.ranges_.end() && hole->last < next) ++hole;
    for (auto h = hole; h != other.ranges_.end() && h->first <= range.last; ++h) {
      if (h->first > next) left.add(static_cast<std::uint32_t>(next), h->first - 1);
      next = std::uint64_t{h->last} + 1;
      hole = h;
    }
    if (next <= range.last) left.add(static_cast<std::uint32_t>(next), range.last);
  }
  return left;
}

std::string NumberSet::to_string() const {
  std::string text;
  append_to(text);
  return text;
}

void NumberSet::append_to(std::string& out) const {
  bool separate = false;
  for (auto& range : ranges_) {
    if (separate) out += ',';
    separate = true;
    append_number(out, range.first);
    if (range.last == range.first) continue;
    out += ':';
    append_number(out, range.last);
  }
}

std::vector<IndexRange> positions(const NumberSet& set, std::span<const std::uint32_t> uids) {
  std::vector<IndexRange> found;
  std::size_t from = 0;
  for (auto& range : set.ranges()) {
    auto begin = first_at_least(uids, from, range.first);
    auto end = first_at_least(uids, begin, std::uint64_t{range.last} + 1);
    from = end;
    if (begin == end) {
      if (end == uids.size()) break;
      continue;
    }
    // Ranges with a gap of unknown UIDs between them may be neighbours here.
    if (!found.empty() && found.back().end == begin)
      found.back().end = end;
    else
      found.push_back({begin, end});
  }
  return found;
}

Result<SequenceSet> SequenceSet::parse(std::string_view text, std::size_t max_ranges) {
  SequenceSet set;
  if (text == "$") {
    set.saved_result_ = true;
    return set;
  }
  std::size_t at = 0;
  // 0 stands for "*" here: no message has that number.
  auto take_number = [&]() -> Result<std::uint32_t> {
    if (at < text.size() && text[at] == '*') {
      ++at;
      return 0U;
    }
    auto start = at;
    while (at < text.size() && is_ascii_digit(text[at])) ++at;
    auto number = parse_decimal(text.substr(start, at - start), kMaxNumber);
    if (!number || *number == 0 || text[start] == '0')
      return fail(ErrorCode::Invalid, "a sequence set needs numbers from 1 to {} (at \"{}\")",
                  kMaxNumber, printable(text.substr(start), 40));
    return static_cast<std::uint32_t>(*number);
  };
  auto add_star = [&](std::uint32_t from) {
    if (from != 0 && (!set.has_star_ || set.star_from_ == 0 || from < set.star_from_))
      set.star_from_ = from;
    set.has_star_ = true;
  };

  std::vector<NumberRange> ranges;
  for (std::size_t count = 1;; ++count) {
    if (count > max_ranges)
      return fail(ErrorCode::TooLarge, "a sequence set may have {} ranges", max_ranges);
    TRY(auto first, take_number());
    auto last = first;
    if (at < text.size() && text[at] == ':') {
      ++at;
      TRY(last, take_number());
    }
    if (first == 0 || last == 0)
      add_star(std::max(first, last));
    else
      ranges.push_back({std::min(first, last), std::max(first, last)});
    if (at == text.size()) break;
    if (text[at] != ',')
      return fail(ErrorCode::Invalid, "unexpected \"{}\" in a sequence set",
                  printable(text.substr(at), 40));
    ++at;
  }
  set.numbers_ = NumberSet::from_ranges(std::move(ranges));
  return set;
}

SequenceSet SequenceSet::of(NumberSet numbers) {
  SequenceSet set;
  set.numbers_ = std::move(numbers);
  return set;
}

NumberSet SequenceSet::resolve(std::uint32_t largest) const {
  auto numbers = numbers_;
  if (!has_star_) return numbers;
  if (largest == 0) {
    // An empty mailbox: "5:*" still names number 5, which the caller will not find.
    if (star_from_ != 0) numbers.add(star_from_);
    return numbers;
  }
  numbers.add(star_from_ == 0 ? largest : star_from_, largest);
  return numbers;
}

std::string SequenceSet::to_string() const {
  if (saved_result_) return "$";
  auto text = numbers_.to_string();
  if (!has_star_) return text;
  if (!text.empty()) text += ',';
  if (star_from_ != 0) text += std::to_string(star_from_) + ':';
  text += '*';
  return text;
}

}  // namespace hikyaku::imap
