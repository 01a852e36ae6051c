#include "mailbox/change.h"

#include <algorithm>
#include <cassert>

#include "mailbox/numbers.h"
#include "store/epoch.h"

namespace hikyaku::mailbox {

Change::Change(store::Transaction& tx, AccountId account, Time now)
    : tx_(tx), account_(account), now_(now) {
  if (auto row = load<AccountRow>(tx, account_key(account))) {
    row_ = std::move(*row);
  } else {
    gone_ = true;
  }
  row_before_ = row_;
}

bool Change::is_lost(ChangeNumber number) const {
  auto within = [&](const AccountRow::Gap& gap) { return number > gap.last && number < gap.first; };
  if (std::ranges::any_of(row_.gaps, within)) return true;
  // The gap that the next change will note is one already.
  return row_.epoch != tx_.epoch() &&
         within({row_.change,
                 row_.change + store::epoch_distance(row_.epoch, tx_.epoch(), kLostNumbers)});
}

void Change::enter_epoch() {
  if (row_.epoch == tx_.epoch()) return;
  auto last = row_.change;
  row_.numbers() = in_epoch(row_, tx_.epoch(), now_);
  row_.gaps.push_back({last, row_.change});
}

ChangeNumber Change::number() {
  if (numbered_) return row_.change;
  numbered_ = true;
  auto begun = change_key(account_, row_.change);
  if (row_.epoch == tx_.epoch() && tx_.has_put(begun)) {
    // An earlier operation of this transaction has begun the change: this one joins it.
    auto row = load<ChangeRow>(tx_, begun);
    if (row) record_ = std::move(*row);
    return row_.change;
  }
  enter_epoch();
  ++row_.change;
  ++row_.change_rows;
  record_.at = now_;
  return row_.change;
}

ChangeRow::Mailbox& Change::record(OpenMailbox& mailbox) {
  number();
  mailbox.touched = true;
  return record_.mailbox(mailbox.id);
}

Result<void> Change::check_account() const {
  if (gone_) return fail(ErrorCode::NotFound, "the account is gone");
  return {};
}

OpenMailbox* Change::find(MailboxId id, bool selectable_only) {
  // What is left of a removed account is not there, and goes.
  if (gone_) return nullptr;
  auto found = mailboxes_.find(id);
  if (found == mailboxes_.end()) {
    auto row = load<MailboxRow>(tx_, mailbox_key(account_, id));
    if (!row) return nullptr;
    auto opened = std::make_unique<OpenMailbox>();
    opened->id = id;
    opened->row = std::move(*row);
    if (auto counters = load<Counters>(tx_, counters_key(account_, id)))
      opened->counters = *counters;
    found = mailboxes_.emplace(id, std::move(opened)).first;
  }
  auto* mailbox = found->second.get();
  return mailbox && (mailbox->row.selectable || !selectable_only) ? mailbox : nullptr;
}

OpenMailbox& Change::add(MailboxId id, MailboxRow row) {
  auto& slot = mailboxes_[id];
  slot = std::make_unique<OpenMailbox>();
  slot->id = id;
  slot->row = std::move(row);
  slot->row_changed = true;
  slot->counters_changed = true;
  return *slot;
}

void Change::drop(MailboxId mailbox) {
  mailboxes_[mailbox] = nullptr;
}

std::uint32_t Change::next_uid_validity() {
  number();
  // At least the time: stores of earlier versions did not note how far those of removed accounts
  // had come, whose addresses may be used again (RFC 9051 §2.3.1.1).
  auto next = std::max(std::uint64_t{row_.uid_validity} + 1, uid_validity_time(now_));
  row_.uid_validity = static_cast<std::uint32_t>(std::min<std::uint64_t>(next, UINT32_MAX));
  return row_.uid_validity;
}

MailboxId Change::next_mailbox() {
  number();  // which enters the epoch
  return row_.next_mailbox++;
}

EmailId Change::next_email() {
  number();
  return row_.next_email++;
}

Result<void> Change::reserve_uids(const OpenMailbox& mailbox, std::size_t count) const {
  const auto& counters = mailbox.counters;
  if (count > UINT32_MAX - counters.uid_next)
    return fail(ErrorCode::TooLarge, "the mailbox {} has used up its UIDs", mailbox.row.name);
  if (counters.reserved_from != 0 && count > counters.reserved_from - counters.uid_next)
    return fail(ErrorCode::Unavailable, "a long append into {} is under way", mailbox.row.name);
  return {};
}

void Change::renew_uid_validity(OpenMailbox& mailbox) {
  if (mailbox.row.epoch == tx_.epoch()) return;
  mailbox.row.uid_validity = next_uid_validity();
  mailbox.row.epoch = tx_.epoch();
  mailbox.row_changed = true;
  record(mailbox).attributes = true;
}

Change::Group& Change::load_group(MailboxId mailbox, std::uint32_t number) {
  auto& slot = groups_[{mailbox, number}];
  if (!slot) {
    slot = std::make_unique<Group>();
    auto key = summary_key(account_, mailbox, number);
    if (auto bytes = tx_.get(key); bytes && !slot->rows.decode(*bytes, base_of(number)))
      throw CorruptRow(key);
  }
  return *slot;
}

SummaryGroup& Change::group(MailboxId mailbox, std::uint32_t number) {
  return load_group(mailbox, number).rows;
}

MessageSummary* Change::find(const OpenMailbox& mailbox, Uid uid) {
  if (uid >= mailbox.counters.uid_next) return nullptr;
  return load_group(mailbox.id, group_of(uid)).rows.find(uid);
}

void Change::mark_group(MailboxId mailbox, Uid uid) {
  load_group(mailbox, group_of(uid)).changed = true;
}

Result<void> Change::check_quota(std::uint64_t bytes) const {
  if (row_.quota != 0 && (row_.used_bytes >= row_.quota || bytes > row_.quota - row_.used_bytes))
    return fail(ErrorCode::QuotaExceeded, "the mailbox is full ({} of {} bytes are used)",
                row_.used_bytes, row_.quota);
  return {};
}

void Change::finish() {
  if (gone_) return;
  bool list_changed = false;
  if (numbered_) {
    for (const auto& section : record_.mailboxes) {
      tx_.notify(account_, section.mailbox);
      list_changed = list_changed || section.made || section.attributes || section.gone;
    }
    tx_.put(change_key(account_, row_.change), encode(record_));
  }
  if (list_changed) tx_.notify(account_, kTopicMailboxes);
  for (auto& [id, mailbox] : mailboxes_) {
    if (!mailbox) continue;
    if (mailbox->touched) {
      mailbox->counters.highest_change = row_.change;
      mailbox->counters_changed = true;
    }
    if (mailbox->row_changed) tx_.put(mailbox_key(account_, id), encode(mailbox->row));
    if (mailbox->counters_changed) tx_.put(counters_key(account_, id), encode(mailbox->counters));
  }
  for (auto& [where, group] : groups_) {
    if (!group->changed) continue;
    auto key = summary_key(account_, where.first, where.second);
    if (group->rows.empty())
      tx_.erase(key);
    else
      tx_.put(key, group->rows.encode(base_of(where.second)));
  }
  if (row_ != row_before_) tx_.put(account_key(account_), encode(row_));
}

std::vector<MessageSummary> existing(Change& change, const OpenMailbox& box,
                                     std::span<const Uid> uids) {
  std::vector<Uid> wanted(uids.begin(), uids.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::vector<MessageSummary> messages;
  for (auto uid : wanted)
    if (auto* message = change.find(box, uid)) messages.push_back(*message);
  return messages;
}

void count_message(Counters& counters, const MessageSummary& message, int sign) {
  auto step = [sign](auto& counter, std::uint64_t by) {
    assert(sign > 0 || counter >= by);
    counter = static_cast<std::remove_reference_t<decltype(counter)>>(sign > 0 ? counter + by
                                                                               : counter - by);
  };
  bool unseen = !(message.flags & kSeen);
  bool deleted = message.flags & kDeleted;
  step(counters.total, 1);
  step(counters.unseen, unseen ? 1 : 0);
  step(counters.size, message.size);
  step(counters.deleted, deleted ? 1 : 0);
  step(counters.deleted_unseen, deleted && unseen ? 1 : 0);
  step(counters.deleted_size, deleted ? message.size : 0);
}

}  // namespace hikyaku::mailbox
