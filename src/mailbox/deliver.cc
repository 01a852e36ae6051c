#include "mailbox/change.h"

namespace hikyaku::mailbox {

namespace {

constexpr Flags kSystemFlags = kSeen | kAnswered | kFlagged | kDeleted | kDraft;

Result<OpenMailbox*> open_for_delivery(Change& change, MailboxId mailbox, std::uint64_t bytes) {
  auto* box = change.find(mailbox);
  if (!box) return fail(ErrorCode::NotFound, "the mailbox is gone");
  TRY_DO(change.check_quota(bytes));
  TRY_DO(change.reserve_uids(*box, 1));
  return box;
}

/// `body` or `record.blob` is what it consists of.
Placed place_new(Change& change, OpenMailbox& box, MessageRecord record,
                 const store::StagedBlob* body, Flags flags) {
  change.renew_uid_validity(box);
  auto uid = box.counters.uid_next;
  auto joining = add_email(change, record, body, {box.id, uid});
  auto threads = write_place(change, box.id, record, {uid, flags, change.number(), joining});
  count_in(change, box, *change.group(box.id, group_of(uid)).find(uid), threads);
  return {box.id, box.row.uid_validity, uid, record.email, change.number()};
}

}  // namespace

Result<Placed> deliver(store::Transaction& tx, AccountId account, MailboxId mailbox,
                       const NewMessage& message, Time now) {
  Change change(tx, account, now);
  auto size = message.prefix.size() + message.body.size();
  TRY(auto* box, open_for_delivery(change, mailbox, size));
  auto flags = message.system_flags & kSystemFlags;
  flags |= intern(change, *box, message.keywords).bits;
  MessageRecord record;
  record.prefix = message.prefix;
  record.size = size;
  record.received = message.received;
  record.saved = now;
  record.digest = message.digest;
  auto placed = place_new(change, *box, std::move(record), &message.body, flags);
  change.finish();
  return placed;
}

Result<Placed> restore_message(store::Transaction& tx, AccountId account, MailboxId into,
                               const ExpungedMessage& message, Time now) {
  auto key = expunged_key(account, message.expunged, message.mailbox, message.uid);
  if (!tx.get(key)) return fail(ErrorCode::NotFound, "the message has been forgotten");
  if (!tx.blob_size(message.record.blob))
    return fail(ErrorCode::NotFound, "the body of the message has been reclaimed");
  Change change(tx, account, now);
  TRY(auto* box, open_for_delivery(change, into, message.record.size));
  auto flags = message.system_flags & kSystemFlags & ~kDeleted;
  flags |= intern(change, *box, message.keywords).bits;
  auto record = message.record;
  record.saved = now;
  auto placed = place_new(change, *box, std::move(record), nullptr, flags);
  change.finish();
  tx.erase(key);
  tx.erase(message_key(account, message.mailbox, message.uid));
  return placed;
}

}  // namespace hikyaku::mailbox
