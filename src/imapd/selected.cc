#include "imapd/selected.h"

#include <algorithm>

namespace hikyaku::imapd {
namespace {

/// From UIDs to the sequence numbers that they have.
SequenceRanges by_uid(const mailbox::SessionView& messages, const imap::NumberSet& uids) {
  SequenceRanges ranges;
  auto end = static_cast<std::uint32_t>(messages.size()) + 1;
  for (auto& range : uids.ranges()) {
    auto first = messages.lower_bound(range.first);
    auto behind = range.last == UINT32_MAX ? end : messages.lower_bound(range.last + 1);
    if (first < behind) ranges.push_back({first, behind - 1});
  }
  return ranges;
}

}  // namespace

std::expected<SequenceRanges, imap::Reply> resolve(const Selected& selected,
                                                   const imap::SequenceSet& set, bool uid) {
  auto& messages = selected.messages;
  auto size = static_cast<std::uint32_t>(messages.size());
  if (set.is_saved_result()) return by_uid(messages, selected.saved);
  if (uid) return by_uid(messages, set.resolve(size == 0 ? 0 : messages.at(size).uid));
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

std::vector<std::uint32_t> SequencePieces::next(std::size_t limit) {
  std::vector<std::uint32_t> piece;
  while (range_ < ranges_.size() && piece.size() < limit) {
    auto& range = ranges_[range_];
    auto first = range.first + done_;
    auto left = range.last - first + 1;
    auto take = static_cast<std::uint32_t>(std::min<std::size_t>(left, limit - piece.size()));
    for (std::uint32_t i = 0; i < take; ++i) piece.push_back(first + i);
    done_ += take;
    if (take == left) {
      ++range_;
      done_ = 0;
    }
  }
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
