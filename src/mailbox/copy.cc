#include <algorithm>

#include "mailbox/change.h"
#include "mailbox/record.h"

namespace hikyaku::mailbox {

namespace {

Result<std::pair<OpenMailbox*, OpenMailbox*>> open_both(Change& change, MailboxId from,
                                                        MailboxId to) {
  auto* source = change.find(from);
  auto* target = change.find(to);
  if (!source || !target) return fail(ErrorCode::NotFound, "the mailbox is gone");
  return std::pair(source, target);
}

}  // namespace

Result<Copied> copy_messages(store::Transaction& tx, AccountId account, MailboxId from,
                             std::span<const Uid> uids, MailboxId to, Time now) {
  Change change(tx, account, now);
  TRY(auto both, open_both(change, from, to));
  auto [source, target] = both;
  auto messages = existing(change, *source, uids);
  Copied copied{target->row.uid_validity, {}, {}};
  if (messages.empty()) return copied;
  std::uint64_t bytes = 0;
  for (const auto& message : messages) bytes += message.size;
  TRY_DO(change.check_quota(bytes));
  TRY_DO(change.reserve_uids(*target, messages.size()));

  change.renew_uid_validity(*target);
  copied.uid_validity = target->row.uid_validity;
  FlagsTranslator translate(change, *source, *target);
  for (const auto& message : messages) {
    auto record = load_record(change, from, message.uid);
    auto uid = target->counters.uid_next;
    auto joining = add_place(change, record, {to, uid});
    record.saved = now;
    auto threads =
        write_place(change, to, record, {uid, translate(message.flags), change.number(), joining});
    count_in(change, *target, *change.group(to, group_of(uid)).find(uid), threads);
    copied.from.push_back(message.uid);
    copied.to.push_back(uid);
  }
  change.finish();
  return copied;
}

Result<Copied> move_messages(store::Transaction& tx, AccountId account, MailboxId from,
                             std::span<const Uid> uids, MailboxId to, Time now) {
  Change change(tx, account, now);
  TRY(auto both, open_both(change, from, to));
  auto [source, target] = both;
  auto messages = existing(change, *source, uids);
  Copied moved{target->row.uid_validity, {}, {}};
  if (messages.empty()) return moved;
  TRY_DO(change.reserve_uids(*target, messages.size()));

  change.renew_uid_validity(*target);
  moved.uid_validity = target->row.uid_validity;
  FlagsTranslator translate(change, *source, *target);
  for (const auto& message : messages) {
    auto record = load_record(change, from, message.uid);
    auto uid = target->counters.uid_next;
    // The new place first: an email must not be without any in between.
    auto joining = add_place(change, record, {to, uid});
    record.saved = now;
    auto threads =
        write_place(change, to, record, {uid, translate(message.flags), change.number(), joining});
    count_in(change, *target, *change.group(to, group_of(uid)).find(uid), threads);
    threads = remove_place(change, from, message).threads;
    count_out(change, *source, message, threads);
    tx.erase(message_key(account, from, message.uid));
    moved.from.push_back(message.uid);
    moved.to.push_back(uid);
  }
  change.finish();
  return moved;
}

}  // namespace hikyaku::mailbox
