#include "imapd/own_changes.h"

namespace hikyaku::imapd {
namespace {

/// What is behind those for which this is so.
template <class Item, class Before>
void pass(std::span<const Item>& items, Before before) {
  while (!items.empty() && before(items.front())) items = items.subspan(1);
}

}  // namespace

OwnWalk::OwnWalk(const OwnChanges* changes) {
  if (!changes) return;
  messages_ = changes->messages;
  left_alone_ = changes->left_alone;
  news_ = changes->news;
  stored_ = changes->stored;
}

bool OwnWalk::has(std::uint32_t sequence, const mailbox::MessageSummary& row) {
  pass(messages_, [&](auto& range) { return range.last < sequence; });
  if (messages_.empty() || sequence < messages_.front().first) return false;
  for (auto* others : {&left_alone_, &news_}) {
    pass(*others, [&](auto uid) { return uid < row.uid; });
    if (!others->empty() && others->front() == row.uid) return false;
  }
  pass(stored_, [&](auto& piece) { return piece.last < row.uid; });
  return !stored_.empty() && row.changed <= stored_.front().change;
}

}  // namespace hikyaku::imapd
