#include <algorithm>
#include <cassert>

#include "mailbox/view.h"
#include "mailbox/view_parts.h"

namespace hikyaku::mailbox {

namespace {

using Range = Updates::Range;

/// Behind all that are there, or next to the last.
void add(std::vector<Range>& ranges, std::uint32_t first, std::uint32_t last) {
  if (!ranges.empty() && ranges.back().last + 1 == first)
    ranges.back().last = last;
  else
    ranges.push_back({first, last});
}

/// How many of the first `count` are in order, when all behind the first that is not are not,
/// either: quick for few and for all.
template <class InOrder>
std::size_t leading(std::size_t count, InOrder in_order) {
  if (count == 0 || in_order(count - 1)) return count;
  std::size_t good = 0, step = 1;
  while (good + step < count && in_order(good + step - 1)) {
    good += step;
    step *= 2;
  }
  auto end = std::min(good + step, count);  // one of [good, end) is not
  while (good < end) {
    auto middle = good + (end - good) / 2;
    if (in_order(middle))
      good = middle + 1;
    else
      end = middle;
  }
  return good;
}

/// A walk over the rows of a view that can pass over whole blocks.
class Rows {
 public:
  explicit Rows(const View& view) : blocks_(view.parts().blocks) {}
  bool at_end() const { return block_ == blocks_.size(); }
  const MessageSummary& row() const { return blocks_[block_]->rows[row_]; }
  std::size_t number() const { return number_; }
  /// From this one to the end of its block.
  std::span<const MessageSummary> run() const {
    return std::span(blocks_[block_]->rows).subspan(row_);
  }
  /// Behind the next `count` of its run.
  void pass(std::size_t count) {
    number_ += count;
    row_ += count;
    if (row_ < blocks_[block_]->rows.size()) return;
    row_ = 0;
    ++block_;
  }
  /// Passes over a block that both have, if both stand at its beginning.
  static bool skip_shared(Rows& a, Rows& b) {
    if (a.row_ != 0 || b.row_ != 0 || a.blocks_[a.block_] != b.blocks_[b.block_]) return false;
    a.skip_block();
    b.skip_block();
    return true;
  }

 private:
  void skip_block() { number_ += blocks_[block_++]->rows.size(); }

  const std::vector<std::shared_ptr<const View::Block>>& blocks_;
  std::size_t block_ = 0;
  std::size_t row_ = 0;
  std::size_t number_ = 0;
};

}  // namespace

/// What a newer view has that the client does not know.
struct SessionView::Difference {
  /// Nothing holds expunges back, and none was: they need no rows.
  bool tells_at_once = false;
  std::vector<Ghost> ghosts;         ///< else; without numbers
  std::vector<Range> expunged;       ///< sequence numbers as they were
  std::vector<Range> expunged_uids;  ///< ascending
  std::vector<Range> same;  ///< rows of the newer view that are in both, and may have changed
  bool more = false;        ///< it has new messages

  /// `rows` of the older view are gone, the first of which was the message of this number.
  void gone(std::span<const MessageSummary> rows, std::size_t sequence) {
    if (!tells_at_once) {
      for (const auto& row : rows) ghosts.push_back({row, 0});
      return;
    }
    auto first = static_cast<std::uint32_t>(sequence);
    add(expunged, first, first + static_cast<std::uint32_t>(rows.size()) - 1);
    if (rows.back().uid - rows.front().uid == rows.size() - 1)
      add(expunged_uids, rows.front().uid, rows.back().uid);
    else
      for (const auto& row : rows) add(expunged_uids, row.uid, row.uid);
  }
  /// Of these nothing is known but their UIDs.
  void gone(Uid first, Uid last, std::size_t sequence) {
    if (tells_at_once) {
      auto number = static_cast<std::uint32_t>(sequence);
      add(expunged, number, number + last - first);
      add(expunged_uids, first, last);
      return;
    }
    for (std::uint64_t uid = first; uid <= last; ++uid) {
      Ghost ghost;
      ghost.row.uid = static_cast<Uid>(uid);
      ghosts.push_back(ghost);
    }
  }
  void stayed(std::size_t row, std::size_t count) {
    add(same, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row + count - 1));
  }
};

SessionView::SessionView(std::shared_ptr<const View> view) : view_(std::move(view)) {}

void SessionView::compare_view(const View& newer, Difference& difference) const {
  Rows before(*view_), now(newer);
  while (!before.at_end()) {
    if (!now.at_end() && Rows::skip_shared(before, now)) continue;
    auto old = before.run();
    auto gone = leading(old.size(),
                        [&](std::size_t i) { return now.at_end() || old[i].uid < now.row().uid; });
    if (gone > 0) {
      difference.gone(old.first(gone), before.number() + 1);
      before.pass(gone);
      continue;
    }
    // New messages are behind all others, so the newer view has some of these, in this order: where
    // both have the same number up to the same UID, they are the same.
    auto present = now.run();
    auto same = leading(std::min(old.size(), present.size()),
                        [&](std::size_t i) { return old[i].uid == present[i].uid; });
    assert(same > 0 && "new messages are behind all others");
    same = std::max<std::size_t>(same, 1);
    difference.stayed(now.number(), same);
    before.pass(same);
    now.pass(same);
  }
  difference.more = !now.at_end();
}

void SessionView::compare_parked(const View& newer, Difference& difference) const {
  Rows now(newer);
  std::size_t sequence = 1;
  for (const auto& range : parked_.uids.ranges()) {
    for (auto uid = range.first; uid <= range.last;) {
      if (now.at_end() || uid < now.row().uid) {
        auto last = range.last;
        if (!now.at_end()) last = std::min<std::uint64_t>(last, now.row().uid - 1);
        difference.gone(static_cast<Uid>(uid), static_cast<Uid>(last), sequence);
        sequence += last - uid + 1;
        uid = last + 1;
        continue;
      }
      auto present = now.run();
      auto same = leading(std::min<std::size_t>(present.size(), range.last - uid + 1),
                          [&](std::size_t i) { return present[i].uid == uid + i; });
      same = std::max<std::size_t>(same, 1);
      difference.stayed(now.number(), same);
      now.pass(same);
      sequence += same;
      uid += same;
    }
  }
  difference.more = !now.at_end();
}

std::size_t SessionView::missing_in(const View& newer) const {
  std::uint64_t behind = 1;  // the first UID above those the client knows
  if (!parked()) {
    if (view_->size() > 0) behind = std::uint64_t{(*view_)[view_->size() - 1].uid} + 1;
  } else if (!parked_.uids.empty()) {
    behind = parked_.uids.ranges().back().last + 1;
  }
  auto known = parked() ? parked_.size : view_->size();
  auto still = behind > UINT32_MAX ? newer.size() : newer.lower_bound(static_cast<Uid>(behind));
  return known > still ? known - still : 0;
}

std::size_t SessionView::ghosts_below(Uid uid) const {
  auto at = std::partition_point(ghosts_.begin(), ghosts_.end(),
                                 [&](const Ghost& ghost) { return ghost.row.uid < uid; });
  return static_cast<std::size_t>(at - ghosts_.begin());
}

void SessionView::number_ghosts() {
  View::Finder rows(*view_);
  for (std::size_t i = 0; i < ghosts_.size(); ++i)
    ghosts_[i].sequence = static_cast<std::uint32_t>(rows.lower_bound(ghosts_[i].row.uid) + i + 1);
}

/// Of many ghosts their memory, too, is given back: it may have been a large mailbox.
void SessionView::tell_ghosts(Updates& updates) {
  for (const auto& ghost : ghosts_) {
    add(updates.expunged, ghost.sequence, ghost.sequence);
    add(updates.expunged_uids, ghost.row.uid, ghost.row.uid);
  }
  ghosts_ = std::vector<Ghost>();
}

Updates SessionView::advance(std::shared_ptr<const View> newer, bool may_expunge) {
  Updates updates;
  updates.flags_after = change();
  Difference difference;
  difference.tells_at_once = may_expunge && ghosts_.empty();
  if (ghosts_.empty()) before_ghosts_ = change();
  if (parked()) {
    compare_parked(*newer, difference);
    updates.keywords_changed = parked_.keywords != newer->keywords();
    parked_ = {};
    view_ = std::move(newer);
  } else if (newer->parts().account_change > view_->parts().account_change) {
    compare_view(*newer, difference);
    updates.keywords_changed = view_->keywords() != newer->keywords();
    view_ = std::move(newer);
  }

  updates.expunged = std::move(difference.expunged);
  updates.expunged_uids = std::move(difference.expunged_uids);
  if (ghosts_.empty()) {
    ghosts_ = std::move(difference.ghosts);
  } else {
    auto older = static_cast<std::ptrdiff_t>(ghosts_.size());
    ghosts_.insert(ghosts_.end(), difference.ghosts.begin(), difference.ghosts.end());
    std::inplace_merge(ghosts_.begin(), ghosts_.begin() + older, ghosts_.end(),
                       [](const Ghost& a, const Ghost& b) { return a.row.uid < b.row.uid; });
  }
  number_ghosts();
  if (may_expunge) tell_ghosts(updates);
  if (difference.more) updates.exists = static_cast<std::uint32_t>(size());

  updates.flags = std::move(difference.same);
  for (auto& range : updates.flags) {
    // Ghosts that are among them have rows from before.
    range.first += static_cast<std::uint32_t>(1 + ghosts_below((*view_)[range.first].uid));
    range.last += static_cast<std::uint32_t>(1 + ghosts_below((*view_)[range.last].uid));
  }
  return updates;
}

bool SessionView::park(std::size_t max_ranges) {
  if (parked()) return true;
  std::vector<NumberSet::Range> ranges;
  for (std::size_t row = 0; row < view_->size();) {
    auto run = view_->run(row);
    for (const auto& message : run) {
      if (!ranges.empty() && ranges.back().last + 1 == message.uid)
        ranges.back().last = message.uid;
      else if (ranges.size() == max_ranges)
        return false;
      else
        ranges.push_back({message.uid, message.uid});
    }
    row += run.size();
  }
  parked_.uids = NumberSet::of(std::move(ranges));
  parked_.size = view_->size();
  parked_.change = view_->change();
  parked_.keywords = view_->keywords();
  view_ = nullptr;
  return true;
}

std::size_t SessionView::size() const {
  return (parked() ? parked_.size : view_->size()) + ghosts_.size();
}

namespace {

/// How many of the (ascending) ghost numbers are below `sequence`.
template <class Ghosts>
std::size_t numbered_below(const Ghosts& ghosts, std::uint32_t sequence) {
  auto at = std::partition_point(ghosts.begin(), ghosts.end(),
                                 [&](const auto& ghost) { return ghost.sequence < sequence; });
  return static_cast<std::size_t>(at - ghosts.begin());
}

}  // namespace

bool SessionView::is_ghost(std::uint32_t sequence) const {
  auto below = numbered_below(ghosts_, sequence);
  return below < ghosts_.size() && ghosts_[below].sequence == sequence;
}

const MessageSummary& SessionView::at(std::uint32_t sequence) const {
  assert(sequence >= 1 && sequence <= size());
  auto below = numbered_below(ghosts_, sequence);
  if (below < ghosts_.size() && ghosts_[below].sequence == sequence) return ghosts_[below].row;
  return (*view_)[sequence - 1 - below];
}

std::uint32_t SessionView::lower_bound(Uid uid) const {
  return static_cast<std::uint32_t>(view_->lower_bound(uid) + ghosts_below(uid) + 1);
}

std::optional<std::uint32_t> SessionView::sequence_of(Uid uid) const {
  auto sequence = lower_bound(uid);
  if (sequence > size() || at(sequence).uid != uid) return std::nullopt;
  return sequence;
}

std::vector<Uid> SessionView::uids(std::uint32_t first, std::uint32_t last) const {
  std::vector<Uid> result;
  first = std::max<std::uint32_t>(first, 1);
  last = static_cast<std::uint32_t>(std::min<std::size_t>(last, size()));
  if (first > last) return result;
  result.reserve(last - first + 1);
  auto ghost = ghosts_.begin() + static_cast<std::ptrdiff_t>(numbered_below(ghosts_, first));
  auto row = first - 1 - static_cast<std::size_t>(ghost - ghosts_.begin());
  std::span<const MessageSummary> run;
  for (auto sequence = first; sequence <= last; ++sequence) {
    if (ghost != ghosts_.end() && ghost->sequence == sequence) {
      result.push_back(ghost->row.uid);
      ++ghost;
      continue;
    }
    if (run.empty()) run = view_->run(row);
    result.push_back(run.front().uid);
    run = run.subspan(1);
    ++row;
  }
  return result;
}

}  // namespace hikyaku::mailbox
