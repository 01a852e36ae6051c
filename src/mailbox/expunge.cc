#include <algorithm>
#include <map>

#include "mailbox/change.h"
#include "mailbox/check.h"
#include "mailbox/record.h"

namespace hikyaku::mailbox {

Expunger::Expunger(Change& change, MailboxId mailbox, std::string path, std::uint32_t uid_validity)
    : change_(change), mailbox_(mailbox) {
  row_.path = std::move(path);
  row_.uid_validity = uid_validity;
  keywords_ = load_keywords(change.tx(), change.account(), mailbox);
}

int Expunger::expunge(const MessageSummary& message) {
  auto removed = remove_place(change_, mailbox_, message);
  row_.system_flags = message.flags & ((Flags{1} << kFirstKeyword) - 1);
  row_.keywords = names_of(message.flags, keywords_);
  row_.email = message.email;
  row_.blob = removed.blob;
  change_.tx().put(expunged_key(change_.account(), change_.now(), mailbox_, message.uid),
                   encode(row_));
  return removed.threads;
}

std::vector<Uid> expunge_messages(store::Transaction& tx, AccountId account, MailboxId mailbox,
                                  std::span<const Uid> uids, bool only_deleted, Time now) {
  Change change(tx, account, now);
  auto* box = change.find(mailbox);
  std::vector<Uid> gone;
  if (!box) return gone;
  auto messages = existing(change, *box, uids);
  if (only_deleted)
    std::erase_if(messages,
                  [](const MessageSummary& message) { return !(message.flags & kDeleted); });
  if (messages.empty()) return gone;
  Expunger expunger(change, mailbox, path_of(tx, account, mailbox), box->row.uid_validity);
  for (const auto& message : messages) {
    auto threads = expunger.expunge(message);
    count_out(change, *box, message, threads);
    gone.push_back(message.uid);
  }
  change.finish();
  return gone;
}

namespace {

/// The fields of a key in kTableExpunged.
void read_key(std::string_view key, ExpungedMessage& message) {
  auto fields = store::key_fields(key);
  message.expunged = Time(milliseconds(static_cast<std::int64_t>(fields.u64_be())));
  message.mailbox = fields.u32_be();
  message.uid = fields.u32_be();
  if (fields.failed()) throw CorruptRow(key);
}

/// Whether threads are dead, each looked up once: dead ones are looked through to their end, and
/// many messages may be of the same.
using KnownThreads = std::map<ThreadId, bool>;

/// Message-IDs that lead to a thread of which nothing is left are forgotten.
void forget_thread(store::Transaction& tx, AccountId account, const MessageRecord& record,
                   KnownThreads& known) {
  auto [dead, unknown] = known.try_emplace(record.thread);
  if (unknown) dead->second = thread_is_empty(tx, account, record.thread);
  if (!dead->second) return;
  auto forget = [&](std::uint64_t hash) {
    auto key = thread_of_key(account, hash);
    auto bytes = tx.get(key);
    if (bytes && Decoder(*bytes).u64_be() == record.thread) tx.erase(key);
  };
  forget(record.digest.message_id_hash);
  for (auto hash : record.digest.reference_hashes) forget(hash);
}

void forget(store::Transaction& tx, AccountId account, std::string_view key,
            const ExpungedMessage& message, KnownThreads& known) {
  auto row = message_key(account, message.mailbox, message.uid);
  if (auto record = load<MessageRecord>(tx, row)) forget_thread(tx, account, *record, known);
  tx.erase(row);
  tx.erase(key);
}

}  // namespace

void scan_expunged(store::Reader& reader, AccountId account, Time from,
                   const std::function<bool(const ExpungedMessage&)>& visit) {
  auto range = store::Key(account, kTableExpunged).children();
  range.begin = expunged_key(account, from, 0, 0).bytes();
  ExpungedMessage message;
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    read_key(key, message);
    ExpungedRow row;
    if (!decode(value, row)) throw CorruptRow(key);
    auto bytes = reader.get(message_key(account, message.mailbox, message.uid));
    if (!bytes) return true;
    if (!decode(*bytes, message.record)) throw CorruptRow(key);
    message.path = std::move(row.path);
    message.uid_validity = row.uid_validity;
    message.system_flags = row.system_flags;
    message.keywords = std::move(row.keywords);
    return visit(message);
  });
}

bool date_back_expunged(store::Transaction& tx, AccountId account, Time now) {
  // Only what is further in the future tells of a clock that was set back.
  constexpr std::chrono::minutes kSlack{1};
  auto range = store::Key(account, kTableExpunged).children();
  range.begin = expunged_key(account, now + kSlack, 0, 0).bytes();
  std::vector<std::pair<std::string, std::string>> later;
  tx.scan(range, [&](std::string_view key, std::string_view value) {
    later.emplace_back(key, value);
    return later.size() < kMaxBatch;
  });
  for (const auto& [key, value] : later) {
    ExpungedMessage message;
    read_key(key, message);
    tx.erase(key);
    tx.put(expunged_key(account, now, message.mailbox, message.uid), value);
  }
  return later.size() < kMaxBatch;
}

void forget_expunged(store::Transaction& tx, AccountId account, const ExpungedMessage& message) {
  KnownThreads known;
  forget(tx, account, expunged_key(account, message.expunged, message.mailbox, message.uid).bytes(),
         message, known);
}

bool trim_expunged(store::Transaction& tx, AccountId account, Time before) {
  auto range = store::Key(account, kTableExpunged).children();
  range.end = expunged_key(account, std::max(before, Time{}), 0, 0).bytes();  // none before 1970
  std::vector<std::pair<std::string, ExpungedMessage>> old;
  tx.scan(range, [&](std::string_view key, std::string_view) {
    ExpungedMessage message;
    read_key(key, message);
    old.emplace_back(key, message);
    return old.size() < kMaxBatch;
  });
  KnownThreads known;
  for (const auto& [key, message] : old) forget(tx, account, key, message, known);
  return old.size() < kMaxBatch;
}

}  // namespace hikyaku::mailbox
