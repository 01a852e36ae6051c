#include <algorithm>
#include <cassert>

#include "mailbox/view.h"
#include "mailbox/view_parts.h"

namespace hikyaku::mailbox {

/// What a newer view has that the client does not know.
struct SessionView::Difference {
  std::vector<Ghost> vanished;       ///< without numbers
  std::vector<std::size_t> changed;  ///< rows of the newer view
  bool more = false;                 ///< it has new messages
};

namespace {

/// A walk over the rows of a view that can pass over whole blocks.
class Rows {
 public:
  explicit Rows(const View& view) : blocks_(view.parts().blocks) {}
  bool at_end() const { return block_ == blocks_.size(); }
  const MessageSummary& row() const { return blocks_[block_]->rows[row_]; }
  std::size_t number() const { return number_; }
  void next() {
    ++number_;
    if (++row_ == blocks_[block_]->rows.size()) {
      row_ = 0;
      ++block_;
    }
  }
  /// To a row behind this one, or to this one.
  void skip_to(std::size_t number) {
    while (number - number_ >= blocks_[block_]->rows.size() - row_) {
      number_ += blocks_[block_++]->rows.size() - row_;
      row_ = 0;
    }
    row_ += number - number_;
    number_ = number;
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

SessionView::SessionView(std::shared_ptr<const View> view) : view_(std::move(view)) {}

SessionView::Difference SessionView::from_view(const View& newer) const {
  Difference difference;
  Rows before(*view_), now(newer);
  while (!before.at_end()) {
    if (!now.at_end() && Rows::skip_shared(before, now)) continue;
    if (now.at_end() || before.row().uid < now.row().uid) {
      difference.vanished.push_back({before.row(), 0});
      before.next();
      continue;
    }
    assert(before.row().uid == now.row().uid && "new messages are behind all others");
    if (before.row().changed != now.row().changed) difference.changed.push_back(now.number());
    before.next();
    now.next();
  }
  difference.more = !now.at_end();
  return difference;
}

SessionView::Difference SessionView::from_parked(const View& newer) const {
  Difference difference;
  Rows now(newer);
  for (const auto& range : parked_.uids.ranges()) {
    for (auto uid = range.first; uid <= range.last; ++uid) {
      if (now.at_end() || uid < now.row().uid) {
        MessageSummary row;
        row.uid = static_cast<Uid>(uid);
        difference.vanished.push_back({row, 0});
        continue;
      }
      if (now.row().changed > parked_.change) difference.changed.push_back(now.number());
      now.next();
    }
  }
  difference.more = !now.at_end();
  return difference;
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

Updates SessionView::advance(std::shared_ptr<const View> newer, bool may_expunge,
                             std::span<const MessageSummary> silent) {
  Updates updates;
  Difference difference;
  if (ghosts_.empty()) before_ghosts_ = change();
  if (parked()) {
    difference = from_parked(*newer);
    updates.keywords_changed = parked_.keywords != newer->keywords();
    parked_ = {};
    view_ = std::move(newer);
  } else if (newer->parts().account_change > view_->parts().account_change) {
    difference = from_view(*newer);
    updates.keywords_changed = view_->keywords() != newer->keywords();
    view_ = std::move(newer);
  }

  if (ghosts_.empty()) {
    ghosts_ = std::move(difference.vanished);
  } else {
    auto older = static_cast<std::ptrdiff_t>(ghosts_.size());
    ghosts_.insert(ghosts_.end(), difference.vanished.begin(), difference.vanished.end());
    std::inplace_merge(ghosts_.begin(), ghosts_.begin() + older, ghosts_.end(),
                       [](const Ghost& a, const Ghost& b) { return a.row.uid < b.row.uid; });
  }
  number_ghosts();
  if (may_expunge) {
    for (const auto& ghost : ghosts_) updates.expunged_uids.add(ghost.row.uid);
    for (auto ghost = ghosts_.rbegin(); ghost != ghosts_.rend(); ++ghost)
      updates.expunged.push_back(ghost->sequence);
    ghosts_ = std::vector<Ghost>();  // their memory, too: it may have been a large mailbox
  }
  if (difference.more) updates.exists = static_cast<std::uint32_t>(size());

  Rows rows(*view_);
  std::size_t below = 0;  // ghosts
  for (auto row : difference.changed) {
    rows.skip_to(row);
    const auto& message = rows.row();
    while (!silent.empty() && silent.front().uid < message.uid) silent = silent.subspan(1);
    if (!silent.empty() && silent.front().uid == message.uid &&
        silent.front().flags == message.flags)
      continue;
    while (below < ghosts_.size() && ghosts_[below].row.uid < message.uid) ++below;
    updates.flags.push_back({static_cast<std::uint32_t>(row + 1 + below), message});
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
