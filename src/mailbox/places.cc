#include <algorithm>

#include "mailbox/change.h"
#include "mailbox/record.h"

namespace hikyaku::mailbox {

MessageRecord load_record(Change& change, MailboxId mailbox, Uid uid) {
  auto key = message_key(change.account(), mailbox, uid);
  auto record = load<MessageRecord>(change.tx(), key);
  if (!record) throw CorruptRow(key);
  return std::move(*record);
}

int write_place(Change& change, MailboxId mailbox, const MessageRecord& record,
                const NewPlace& place) {
  change.tx().put(message_key(change.account(), mailbox, place.uid), encode(record));
  change.group(mailbox, group_of(place.uid))
      .put({place.uid, place.flags, place.changed, record.size, record.received, record.email,
            record.thread});
  change.mark_group(mailbox, place.uid);
  return enter_thread(change, record.thread, mailbox, record.email, place.joining);
}

void count_in(Change& change, OpenMailbox& mailbox, const MessageSummary& message, int threads) {
  auto& counters = mailbox.counters;
  count_message(counters, message, 1);
  counters.threads += static_cast<std::uint32_t>(threads);
  counters.uid_next = message.uid + 1;
  change.row().used_bytes += message.size;
  ++change.row().used_messages;
  change.record(mailbox).created.add(message.uid);
}

Removed remove_place(Change& change, MailboxId mailbox, const MessageSummary& message) {
  auto& tx = change.tx();
  auto account = change.account();
  auto key = email_key(account, message.email);
  auto email = load<EmailRow>(tx, key);
  if (!email) throw CorruptRow(key);
  change.number();
  auto& record = change.record();
  auto threads = leave_thread(change, message.thread, mailbox, message.email);
  std::erase(email->places, Place{mailbox, message.uid});
  if (email->places.empty()) {
    tx.erase(key);
    tx.disown(email->blob, key);
    record.emails_destroyed.add(message.email);
    if (threads < 0 && thread_is_empty(tx, account, message.thread))
      record.threads_destroyed.add(message.thread);
    else
      record.threads_updated.add(message.thread);
  } else {
    tx.put(key, encode(*email));
    record.emails_updated.add(message.email);
  }
  auto uid = message.uid;  // `message` may lie in the group
  change.group(mailbox, group_of(uid)).remove(uid);
  change.mark_group(mailbox, uid);
  return {threads, email->blob};
}

void count_out(Change& change, OpenMailbox& mailbox, const MessageSummary& message, int threads) {
  count_message(mailbox.counters, message, -1);
  mailbox.counters.threads += static_cast<std::uint32_t>(threads);
  change.row().used_bytes -= message.size;
  --change.row().used_messages;
  change.record(mailbox).destroyed.add(message.uid);
}

Joining add_email(Change& change, MessageRecord& record, const store::StagedBlob* body,
                  Place place) {
  auto& tx = change.tx();
  record.email = change.next_email();
  auto key = email_key(change.account(), record.email);
  if (body)
    record.blob = tx.own(*body, key);
  else
    tx.own(record.blob, key);
  auto assigned = assign_thread(change, record.digest, record.email, place.mailbox);
  record.thread = assigned.thread;
  change.record().emails_created.add(record.email);
  tx.put(key, encode(EmailRow{record.blob, record.thread, record.size, {place}}));
  return {.new_email = true, .here = assigned.here};
}

Joining add_place(Change& change, MessageRecord& record, Place place) {
  auto& tx = change.tx();
  auto key = email_key(change.account(), record.email);
  auto email = load<EmailRow>(tx, key);
  if (!email) throw CorruptRow(key);
  if (email->places.size() >= kMaxPlaces) {
    // Rows must not grow without end: the copy becomes an email of its own, with the same body.
    return add_email(change, record, nullptr, place);
  }
  email->places.push_back(place);
  tx.put(key, encode(*email));
  change.number();
  change.record().emails_updated.add(record.email);
  return {};
}

}  // namespace hikyaku::mailbox
