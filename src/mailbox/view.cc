#include "mailbox/view.h"

#include <algorithm>

#include "mailbox/change.h"
#include "mailbox/view_parts.h"

namespace hikyaku::mailbox {

namespace {

/// A view is brought up to date from at most this many summary rows; with more, it is read anew.
constexpr std::size_t kMaxTouchedGroups = 1'000;

/// Changes of the account that one update looks through.
constexpr std::size_t kMaxChanges = 1'000;

/// Blocks that became smaller are joined with their neighbour below this.
constexpr std::size_t kSmallBlock = kBlockRows / 4;

}  // namespace

std::size_t View::size() const {
  return parts_->size;
}

std::size_t View::block_of(std::size_t row) const {
  const auto& starts = parts_->starts;
  return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), row) -
                                  starts.begin()) -
         1;
}

const MessageSummary& View::operator[](std::size_t row) const {
  auto block = block_of(row);
  return parts_->blocks[block]->rows[row - parts_->starts[block]];
}

std::span<const MessageSummary> View::run(std::size_t row) const {
  if (row >= parts_->size) return {};
  auto block = block_of(row);
  return std::span(parts_->blocks[block]->rows).subspan(row - parts_->starts[block]);
}

std::size_t View::lower_bound(Uid uid) const {
  const auto& blocks = parts_->blocks;
  auto block = std::partition_point(blocks.begin(), blocks.end(), [&](const auto& candidate) {
    return candidate->rows.back().uid < uid;
  });
  if (block == blocks.end()) return parts_->size;
  const auto& rows = (*block)->rows;
  auto row = std::partition_point(rows.begin(), rows.end(),
                                  [&](const MessageSummary& one) { return one.uid < uid; });
  return parts_->starts[static_cast<std::size_t>(block - blocks.begin())] +
         static_cast<std::size_t>(row - rows.begin());
}

std::size_t View::Finder::lower_bound(Uid uid) {
  if (run_.empty() || uid < last_ || uid > run_.back().uid) {
    row_ = view_.lower_bound(uid);
    run_ = view_.run(row_);
  } else if (uid > run_.front().uid) {
    std::size_t high = 1;
    while (high < run_.size() && run_[high].uid < uid) high *= 2;
    auto near = run_.subspan(high / 2, std::min(high + 1, run_.size()) - high / 2);
    auto found = std::ranges::lower_bound(near, uid, {}, &MessageSummary::uid);
    auto passed = high / 2 + static_cast<std::size_t>(found - near.begin());
    row_ += passed;
    run_ = run_.subspan(passed);
  }
  last_ = uid;
  return row_;
}

std::optional<std::size_t> View::find(Uid uid) const {
  auto row = lower_bound(uid);
  if (row == size() || (*this)[row].uid != uid) return std::nullopt;
  return row;
}

ChangeNumber View::change() const {
  return parts_->change;
}
Uid View::uid_next() const {
  return parts_->uid_next;
}
std::uint32_t View::uid_validity() const {
  return parts_->uid_validity;
}
const std::vector<std::string>& View::keywords() const {
  return *parts_->keywords;
}

void ViewBuilder::add(const MessageSummary& row) {
  if (open_.size() == kBlockRows) close_block();
  if (open_.empty()) open_.reserve(kBlockRows);
  open_.push_back(row);
}

void ViewBuilder::add(std::shared_ptr<const View::Block> block) {
  if (!open_.empty() && open_.size() < kSmallBlock &&
      open_.size() + block->rows.size() <= kBlockRows) {
    // What has shrunk goes together with its neighbour.
    open_.insert(open_.end(), block->rows.begin(), block->rows.end());
    close_block();
    return;
  }
  close_block();
  parts_.starts.push_back(parts_.size);
  parts_.size += block->rows.size();
  parts_.blocks.push_back(std::move(block));
}

void ViewBuilder::close_block() {
  if (open_.empty()) return;
  parts_.starts.push_back(parts_.size);
  parts_.size += open_.size();
  auto block = std::make_shared<View::Block>();
  block->rows = std::move(open_);
  if (block->rows.size() < kBlockRows) block->rows.shrink_to_fit();
  parts_.blocks.push_back(std::move(block));
  open_ = {};
}

std::shared_ptr<const View> ViewBuilder::finish(const MailboxState& state) {
  close_block();
  auto parts = std::make_shared<View::Parts>(std::move(parts_));
  parts->change = state.counters.highest_change;
  parts->account_change = state.account_change;
  parts->uid_next = state.counters.uid_next;
  parts->uid_validity = state.uid_validity;
  parts->keywords = std::make_shared<const std::vector<std::string>>(state.keywords);
  return std::make_shared<const View>(std::move(parts));
}

std::optional<MailboxState> read_state(store::Reader& reader, AccountId account,
                                       MailboxId mailbox) {
  auto row = load<MailboxRow>(reader, mailbox_key(account, mailbox));
  if (!row || !row->selectable) return std::nullopt;
  MailboxState state;
  state.counters = get_counters(reader, account, mailbox);
  state.uid_validity = row->uid_validity;
  state.account_change = account_change(reader, account);
  state.keywords = load_keywords(reader, account, mailbox);
  return state;
}

std::shared_ptr<const View> read_view(store::Reader& reader, AccountId account, MailboxId mailbox) {
  auto state = read_state(reader, account, mailbox);
  if (!state) return nullptr;
  ViewBuilder builder;
  scan_summaries(reader, account, mailbox, 1, UINT32_MAX, [&](const MessageSummary& row) {
    builder.add(row);
    return true;
  });
  return builder.finish(*state);
}

namespace {

/// The rows of `wanted` as they are now, in UID order. False when they lie in too many groups.
bool read_rows(store::Reader& reader, AccountId account, MailboxId mailbox, const NumberSet& wanted,
               std::vector<MessageSummary>& rows) {
  std::size_t groups = 0;
  for (const auto& range : wanted.ranges()) {
    auto first = static_cast<Uid>(range.first), last = static_cast<Uid>(range.last);
    groups += group_of(last) - group_of(first) + 1;
    if (groups > kMaxTouchedGroups) return false;
    scan_summaries(reader, account, mailbox, first, last, [&](const MessageSummary& row) {
      rows.push_back(row);
      return true;
    });
  }
  return true;
}

/// Walks over old blocks and new rows, both in UID order.
class Merge {
 public:
  Merge(const std::vector<MessageSummary>& changed, const NumberSet& destroyed)
      : changed_(changed), destroyed_(destroyed) {}

  void block(const std::shared_ptr<const View::Block>& block, bool last_block) {
    auto first = block->rows.front().uid, last = block->rows.back().uid;
    // New messages are behind all others: they fill up the last block.
    bool takes_more = last_block && block->rows.size() < kBlockRows && next_ < changed_.size();
    bool touched = takes_more || (next_ < changed_.size() && changed_[next_].uid <= last) ||
                   overlaps(first, last);
    if (!touched) {
      builder_.add(block);
      return;
    }
    for (const auto& row : block->rows) {
      while (next_ < changed_.size() && changed_[next_].uid < row.uid) add_changed();
      if (next_ < changed_.size() && changed_[next_].uid == row.uid)
        add_changed();
      else if (!destroyed_.contains(row.uid))
        builder_.add(row);
    }
  }
  std::shared_ptr<const View> finish(const MailboxState& state) {
    while (next_ < changed_.size()) add_changed();
    return builder_.finish(state);
  }

 private:
  void add_changed() { builder_.add(changed_[next_++]); }
  bool overlaps(Uid first, Uid last) const {
    const auto& ranges = destroyed_.ranges();
    auto range = std::partition_point(ranges.begin(), ranges.end(), [&](const auto& candidate) {
      return candidate.last < first;
    });
    return range != ranges.end() && range->first <= last;
  }

  const std::vector<MessageSummary>& changed_;
  const NumberSet& destroyed_;
  std::size_t next_ = 0;
  ViewBuilder builder_;
};

}  // namespace

std::shared_ptr<const View> update_view(store::Reader& reader, AccountId account, MailboxId mailbox,
                                        std::shared_ptr<const View> old) {
  auto counters = load<Counters>(reader, counters_key(account, mailbox));
  if (!counters) return nullptr;
  if (counters->highest_change == old->change()) return old;
  auto state = read_state(reader, account, mailbox);
  if (!state || state->uid_validity != old->uid_validity()) return nullptr;
  auto changes = changes_since(reader, account, mailbox, old->parts().account_change, kMaxChanges);
  if (!changes) return nullptr;
  std::vector<MessageSummary> rows;
  // Updated and created ones are apart in UID order but for what a long append had reserved.
  auto wanted = std::move(changes->updated);
  for (const auto& range : changes->created.ranges()) wanted.add(range);
  if (!read_rows(reader, account, mailbox, wanted, rows)) return nullptr;
  Merge merge(rows, changes->destroyed);
  const auto& blocks = old->parts().blocks;
  for (std::size_t i = 0; i < blocks.size(); ++i) merge.block(blocks[i], i + 1 == blocks.size());
  auto view = merge.finish(*state);
  // What must agree; if it does not, reading anew is right again.
  return view->size() == state->counters.total ? view : nullptr;
}

}  // namespace hikyaku::mailbox
