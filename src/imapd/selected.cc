#include "imapd/selected.h"

#include <algorithm>

namespace hikyaku::imapd {

bool SequencesOf::find_some(std::size_t limit) {
  auto& ranges = uids_.ranges();
  auto stop = std::min(ranges.size(), next_ + limit);
  for (; next_ < stop; ++next_) {
    auto& range = ranges[next_];
    auto first = finder_.lower_bound(range.first);
    auto behind = range.last == UINT32_MAX ? end_ : finder_.lower_bound(range.last + 1);
    if (first >= behind) continue;
    // UIDs that are apart may be those of neighbours.
    if (!found_.empty() && found_.back().last + 1 == first)
      found_.back().last = behind - 1;
    else
      found_.push_back({first, behind - 1});
  }
  return next_ < ranges.size();
}

std::expected<SequenceRanges, imap::Reply> by_number(const mailbox::SessionView& messages,
                                                     const imap::SequenceSet& set) {
  auto size = static_cast<std::uint32_t>(messages.size());
  auto numbers = set.resolve(size);
  if (numbers.highest() > size) {
    // Clients fetch 1:* of a mailbox without looking whether there is anything.
    if (size == 0 && set.has_star()) return SequenceRanges{};
    return std::unexpected(imap::bad("there is no message of that number"));
  }
  return numbers.ranges();
}

std::uint64_t count(const SequenceRanges& ranges) {
  std::uint64_t total = 0;
  for (auto& range : ranges) total += range.last - range.first + 1;
  return total;
}

SequenceRanges SequencePieces::next_ranges(std::size_t limit) {
  SequenceRanges piece;
  while (range_ < ranges_.size() && limit > 0) {
    auto& range = ranges_[range_];
    auto first = range.first + done_;
    auto left = range.last - first + 1;
    auto take = static_cast<std::uint32_t>(std::min<std::size_t>(left, limit));
    piece.push_back({first, first + take - 1});
    limit -= take;
    done_ += take;
    if (take == left) {
      ++range_;
      done_ = 0;
    }
  }
  return piece;
}

std::vector<std::uint32_t> SequencePieces::next(std::size_t limit) {
  std::vector<std::uint32_t> piece;
  for (auto& range : next_ranges(limit))
    for (auto sequence = range.first; sequence <= range.last; ++sequence) piece.push_back(sequence);
  return piece;
}

imap::NumberSet to_imap(const mailbox::NumberSet& set) {
  imap::NumberSet result;
  for (auto& range : set.ranges()) {
    result.add(static_cast<std::uint32_t>(range.first),
               static_cast<std::uint32_t>(std::min<std::uint64_t>(range.last, UINT32_MAX)));
  }
  return result;
}

}  // namespace hikyaku::imapd
