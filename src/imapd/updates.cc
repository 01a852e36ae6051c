// What a session tells its client of the selected mailbox (RFC 9051 §7.4, §7.5; RFC 7162 §3.1.2,
// §3.2.10).
#include <algorithm>
#include <fmt/core.h>
#include <optional>
#include <utility>

#include "base/semaphores.h"
#include "imapd/limits.h"
#include "imapd/own_changes.h"
#include "imapd/session.h"
#include "mailbox/tables.h"

namespace hikyaku::imapd {

std::unique_ptr<store::Subscription> Session::listen(Watch& watch, std::uint32_t topic) {
  return services_.store.subscribe(account(), topic, [this, &watch] {
    auto is_behind = std::exchange(watch.changed, true);
    if (idling_) stream_.wake();
    // One that idles tells of a change at once, unless its client does not read.
    if (selected_ && selected_->watch.get() == &watch && (!idling_ || is_behind))
      count_old_rows_later();
  });
}

void Session::count_old_rows_later() {
  if (selected_->count_old_rows || selected_->messages.parked()) return;
  selected_->count_old_rows = Executor::current()->after(kCountOldRowsAfter, [this] {
    auto timer = std::move(selected_->count_old_rows);
    auto& messages = selected_->messages;
    if (messages.parked() || !selected_->watch->changed) return;
    selected_->old_rows =
        services_.views.kept_by(account(), selected_->mailbox, messages.shared_view());
    count_memory();
    count_old_rows_later();
  });
}

void Session::show_place() {
  if (services_.activity) services_.activity->place = selected_ ? selected_->path : "";
}

void Session::leave_mailbox() {
  selected_.reset();
  show_place();
  state_.read_only = false;
  state_.phase = imap::Phase::Authenticated;
}

Task<void> Session::refresh_if_changed(Expunges expunges) {
  if (!selected_) co_return;
  auto has_ghosts = expunges == Expunges::Tell && selected_->messages.ghosts() > 0;
  if (selected_->watch->changed || has_ghosts) co_await refresh(expunges);
  tell_known_change();
}

void Session::tell_known_change() {
  if (!selected_ || !state_.has(imap::Enabled::QResync)) return;
  // RFC 7162 §3.2, §6: at a tagged response the client takes the highest MODSEQ it has seen for
  // what it knows. With a VANISHED that waits, a lost connection would lose that for ever: it is
  // told a number before it, and that of the mailbox once nothing waits any more. Untagged: there
  // may be another code in the tagged response.
  auto& messages = selected_->messages;
  auto waits = messages.ghosts() > 0;
  if (!waits && !selected_->held_back) return;
  selected_->held_back = waits;
  write(imap::ok(waits ? "Expunged messages are told later" : "All is told",
                 fmt::format("HIGHESTMODSEQ {}", messages.told_up_to())));
}

Task<void> Session::unpark() {
  // Numbers of the command that comes are those the client knows: nothing may be renumbered yet.
  if (selected_ && selected_->messages.parked()) co_await refresh(Expunges::HoldBack);
}

Task<void> Session::refresh(Expunges expunges, const OwnChanges* own) {
  if (!selected_) co_return;
  auto updates = co_await renew(expunges);
  if (updates.exists) co_await claim_recent();
  co_await tell(std::move(updates), own);
}

Task<mailbox::Updates> Session::renew(Expunges expunges) {
  selected_->watch->changed = false;
  selected_->may_park = true;
  auto opened = co_await services_.views.open(account(), selected_->mailbox);
  auto view = opened && (*opened)->uid_validity() == selected_->uid_validity
                  ? std::move(*opened)
                  : co_await follow_inbox();
  // What has gone is looked at message by message, by all who have the mailbox open: others have
  // their turn between two of them.
  std::optional<Semaphores<mailbox::AccountId>::Permit> alone;
  if (selected_->messages.missing_in(*view) > kManyExpunged) {
    alone.emplace(co_await services_.large_updates.acquire(account()));
    check_still_wanted();
  }
  selected_->old_rows = 0;
  co_return selected_->messages.advance(std::move(view), expunges == Expunges::Tell);
}

Task<std::shared_ptr<const mailbox::View>> Session::follow_inbox() {
  SessionEnds gone{imap::bye("The mailbox has been deleted or replaced")};
  if (selected_->path != "INBOX") throw gone;
  auto inbox = co_await services_.store.read([id = account()](store::Reader& reader) {
    return mailbox::find_mailbox(reader, id, "INBOX");
  });
  if (!inbox || inbox->uid_validity != selected_->uid_validity) throw gone;
  selected_->mailbox = inbox->id;
  selected_->watch->mailbox = listen(*selected_->watch, inbox->id);
  auto view = co_await services_.views.open(account(), inbox->id);
  if (!view) throw gone;
  co_return std::move(*view);
}

Task<void> Session::claim_recent() {
  if (state_.has(imap::Enabled::Imap4Rev2)) co_return;
  auto id = account();
  auto mailbox = selected_->mailbox;
  auto counters = co_await services_.store.read(
      [id, mailbox](store::Reader& reader) { return mailbox::get_counters(reader, id, mailbox); });
  mailbox::Uid from = counters.recent_from;
  if (from < counters.uid_next) {
    // Only a step sees what others have claimed just now. Lost by a crash, some messages are
    // \Recent once more: no reason to wait for the disk.
    auto read_only = state_.read_only;
    auto claimed = co_await services_.store.transact(
        {id},
        [&from, id, mailbox, read_only](store::Transaction& tx) -> Result<void> {
          from = read_only ? mailbox::get_counters(tx, id, mailbox).recent_from
                           : mailbox::claim_recent(tx, id, mailbox);
          return {};
        },
        {.durability = store::Durability::Lazy, .may_use_reserve = true});
    if (!claimed) co_return;
  }
  // A session that came later may have claimed some of them: they are not ours then.
  auto& view = selected_->messages.view();
  for (auto row = view.lower_bound(std::max(from, selected_->known_next)); row < view.size(); ++row)
    selected_->recent.add(view[row].uid);
  selected_->known_next = std::max(selected_->known_next, view.uid_next());
}

void Session::tell_mailbox_flags() {
  auto& keywords = selected_->messages.view().keywords();
  auto room = keywords.size() < static_cast<std::size_t>(mailbox::kMaxKeywords);
  imap::append_mailbox_flags(out(), keywords);
  write(imap::permanent_flags(keywords, !state_.read_only, room));
}

void Session::append_row_flags(imap::FetchResponse& response,
                               const mailbox::MessageSummary& row) const {
  auto system = static_cast<imap::FlagBits>(row.flags & imap::kSettableFlags);
  if (!selected_->recent.empty() && selected_->recent.contains(row.uid))
    system |= imap::bit(imap::Flag::Recent);
  response.flags(system, row.flags >> mailbox::kFirstKeyword,
                 selected_->messages.view().keywords());
}

void Session::append_changed_row(std::uint32_t sequence, const mailbox::MessageSummary& row) {
  imap::FetchResponse response(out(), sequence);
  response.uid(row.uid);
  append_row_flags(response, row);
  if (state_.tells_modseq()) response.modseq(row.changed);
  response.end();
}

Task<void> Session::write_vanished(const imap::NumberSet& uids, bool earlier) {
  // A line may have a few thousand ranges: of a large mailbox more vanish.
  Turn turn;
  std::span all(uids.ranges());
  for (; !all.empty(); all = all.subspan(std::min(all.size(), kRowsPerTurn))) {
    auto some = all.first(std::min(all.size(), kRowsPerTurn));
    imap::append_vanished(out(), imap::NumberSet::from_ranges({some.begin(), some.end()}), earlier);
    if (output_.full()) co_await output_.flush();
    if (turn.is_over()) co_await take_turn(turn);
  }
}

namespace {

imap::NumberSet set_of(const std::vector<mailbox::Updates::Range>& ranges) {
  std::vector<imap::NumberRange> all;
  all.reserve(ranges.size());
  for (auto& range : ranges) all.push_back({range.first, range.last});
  return imap::NumberSet::from_ranges(std::move(all));
}

}  // namespace

Task<void> Session::tell(mailbox::Updates updates, const OwnChanges* own) {
  auto others = work_;
  work_with(others + updates.memory());
  if (updates.keywords_changed) tell_mailbox_flags();
  if (!updates.expunged.empty()) co_await tell_expunged(updates);
  work_with(others + updates.memory());
  if (updates.exists) {
    imap::append_exists(out(), *updates.exists);
    if (!state_.has(imap::Enabled::Imap4Rev2))
      imap::append_recent(out(), static_cast<std::uint32_t>(selected_->recent.count()));
  }
  co_await tell_flags(updates, own);
  work_with(others);
}

/// What has been told is held no longer.
Task<void> Session::tell_expunged(mailbox::Updates& updates) {
  auto expunged = std::exchange(updates.expunged, {});
  auto uids = set_of(std::exchange(updates.expunged_uids, {}));
  selected_->recent = selected_->recent.without(uids);
  selected_->saved = selected_->saved.without(uids);
  if (state_.has(imap::Enabled::QResync)) {
    expunged = std::vector<mailbox::Updates::Range>();
    co_await write_vanished(uids, false);
    co_return;
  }
  uids = {};
  Turn turn;
  std::size_t lines = 0;
  for (; !expunged.empty(); expunged.pop_back()) {
    auto range = expunged.back();
    for (auto number = range.last; number >= range.first; --number) {
      imap::append_expunge(out(), number);
      if (output_.full()) co_await output_.flush();
      if (++lines % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
    }
  }
}

Task<void> Session::tell_flags(const mailbox::Updates& updates, const OwnChanges* own) {
  RowWalk walk(selected_->messages);
  OwnWalk own_walk(own);
  Turn turn;
  std::size_t rows = 0;
  for (auto& range : updates.flags) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      if (++rows % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
      auto& row = walk.at(sequence);
      if (row.changed <= updates.flags_after || own_walk.has(sequence, row)) continue;
      append_changed_row(sequence, row);
      if (output_.full()) co_await output_.flush();
    }
  }
}

}  // namespace hikyaku::imapd
