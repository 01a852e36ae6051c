#include "mailbox/intents.h"

#include <algorithm>

#include "mailbox/change.h"
#include "mailbox/record.h"

namespace hikyaku::mailbox {

namespace {

/// UIDs that stay free for deliveries below a long append.
constexpr Uid kHeadroom = 1U << 16;

/// Messages that are erased or undone in one transaction: some milliseconds. Users wait meanwhile.
constexpr std::size_t kErasePiece = 256;

constexpr Flags kSystemFlags = kSeen | kAnswered | kFlagged | kDeleted | kDraft;

using Kind = IntentRow::Kind;

/// A long append while a piece is written.
struct Append {
  IntentRow row;
  OpenMailbox* box = nullptr;
};

Result<Append> open_append(Change& change, IntentId intent) {
  auto row = load<IntentRow>(change.tx(), intent_key(change.account(), intent));
  if (!row || row->kind != Kind::Append)
    return fail(ErrorCode::NotFound, "the append has been given up");
  auto* box = change.find(row->mailbox);
  if (!box) return fail(ErrorCode::NotFound, "the mailbox is gone");
  return Append{std::move(*row), box};
}

void save(Change& change, IntentId intent, const IntentRow& row) {
  change.tx().put(intent_key(change.account(), intent), encode(row));
}

/// The intent's share of the counters.
void count(IntentRow& row, const MessageSummary& message, int sign) {
  Counters counters{1,           row.written,        row.unseen,      row.size,
                    row.deleted, row.deleted_unseen, row.deleted_size};
  count_message(counters, message, sign);
  row.written = counters.total;
  row.unseen = counters.unseen;
  row.size = counters.size;
  row.deleted = counters.deleted;
  row.deleted_unseen = counters.deleted_unseen;
  row.deleted_size = counters.deleted_size;
}

/// Writes one message at the next reserved UID, with change number 0 until it is published.
void write_hidden(Change& change, Append& append, const MessageRecord& record,
                  const NewPlace& place) {
  append.row.threads += write_place(change, append.box->id, record, place);
  count(append.row, *change.group(append.box->id, group_of(place.uid)).find(place.uid), 1);
}

Result<void> check_room(const Append& append, std::size_t more) {
  if (more > append.row.reserved - append.row.written)
    return fail(ErrorCode::TooLarge, "more messages than were announced");
  return {};
}

/// Calls visit(group number, group) for groups of the mailbox from `first` on.
void scan_numbered_groups(store::Reader& reader, AccountId account, MailboxId mailbox,
                          std::uint32_t first, std::uint32_t end,
                          const std::function<bool(std::uint32_t, SummaryGroup&)>& visit) {
  SummaryGroup group;
  reader.scan(
      {summary_key(account, mailbox, first).bytes(), summary_key(account, mailbox, end).bytes()},
      [&](std::string_view key, std::string_view value) {
        auto fields = store::key_fields(key);
        fields.u32_be();
        auto number = fields.u32_be();
        if (!group.decode(value, base_of(number))) throw CorruptRow(key);
        return visit(number, group);
      });
}

/// At most kErasePiece messages of the mailbox, from group `first` to `end`.
std::vector<MessageSummary> some_messages(Change& change, MailboxId mailbox, std::uint32_t first,
                                          std::uint32_t end) {
  std::vector<MessageSummary> messages;
  scan_numbered_groups(change.tx(), change.account(), mailbox, first, end,
                       [&](std::uint32_t, SummaryGroup& group) {
                         messages.insert(messages.end(), group.rows().begin(), group.rows().end());
                         return messages.size() + kGroup <= kErasePiece;
                       });
  return messages;
}

constexpr std::uint32_t kEveryGroup = group_of(UINT32_MAX) + 1;

bool erase_mailbox_piece(Change& change, IntentId intent, const IntentRow& row) {
  auto messages = some_messages(change, row.mailbox, 0, kEveryGroup);
  if (!messages.empty()) {
    Expunger expunger(change, row.mailbox, row.path, row.uid_validity);
    for (const auto& message : messages) expunger.expunge(message);
  }
  if (messages.size() + kGroup > kErasePiece) return false;
  change.tx().erase_range(store::Key(change.account(), kTableKeyword).u32(row.mailbox).children());
  change.tx().erase(intent_key(change.account(), intent));
  return true;
}

bool undo_piece(Change& change, IntentId intent, IntentRow row) {
  auto first = group_of(row.first);
  auto end = group_of(row.first + row.reserved - 1) + 1;
  auto messages = some_messages(change, row.mailbox, first, end);
  for (const auto& message : messages) {
    row.threads += remove_place(change, row.mailbox, message).threads;
    change.tx().erase(message_key(change.account(), row.mailbox, message.uid));
  }
  if (messages.size() + kGroup > kErasePiece) {
    save(change, intent, row);
    return false;
  }
  if (auto* box = change.find(row.mailbox); box && box->counters.reserved_by == intent) {
    // What came into the threads of the unseen messages meanwhile was not counted as a new one.
    box->counters.threads = static_cast<std::uint32_t>(box->counters.threads + row.threads);
    box->counters.reserved_from = 0;
    box->counters.reserved_by = 0;
    box->counters_changed = true;
  }
  change.tx().erase(intent_key(change.account(), intent));
  return true;
}

/// Calls visit(id, row) for the account's intents, until it gives false.
void scan_intents(store::Reader& reader, AccountId account,
                  const std::function<bool(IntentId, const IntentRow&)>& visit) {
  reader.scan(store::Key(account, kTableIntent).children(),
              [&](std::string_view key, std::string_view value) {
                IntentRow row;
                if (!decode(value, row)) throw CorruptRow(key);
                return visit(store::key_fields(key).u64_be(), row);
              });
}

/// The first intent that work_off has something to do for.
std::optional<IntentId> next_intent(store::Reader& reader, AccountId account) {
  std::optional<IntentId> found;
  scan_intents(reader, account, [&](IntentId id, const IntentRow& row) {
    if (row.kind != Kind::Append) found = id;
    return !found;
  });
  return found;
}

}  // namespace

Result<IntentId> begin_append(store::Transaction& tx, AccountId account, MailboxId mailbox,
                              std::uint32_t count, std::uint64_t bytes, Time now) {
  Change change(tx, account, now);
  auto* box = change.find(mailbox);
  if (!box) return fail(ErrorCode::NotFound, "the mailbox is gone");
  TRY_DO(change.check_quota(bytes));
  auto& counters = box->counters;
  if (counters.reserved_from != 0)
    return fail(ErrorCode::Unavailable, "a long append into {} is under way", box->row.name);
  // Whole groups, so that no row is shared with visible messages.
  auto first = (std::uint64_t{counters.uid_next} + kHeadroom + kGroup - 1) / kGroup * kGroup;
  if (first + count >= UINT32_MAX)
    return fail(ErrorCode::TooLarge, "the mailbox {} has used up its UIDs", box->row.name);
  change.renew_uid_validity(*box);
  auto intent = change.row().next_intent++;
  counters.reserved_from = static_cast<Uid>(first);
  counters.reserved_by = intent;
  box->counters_changed = true;
  IntentRow row;
  row.kind = Kind::Append;
  row.mailbox = mailbox;
  row.first = static_cast<Uid>(first);
  row.reserved = count;
  save(change, intent, row);
  change.finish();
  return intent;
}

Result<void> append_piece(store::Transaction& tx, AccountId account, IntentId intent,
                          std::span<const NewMessage> messages, Time now) {
  Change change(tx, account, now);
  TRY(auto append, open_append(change, intent));
  TRY_DO(check_room(append, messages.size()));
  for (const auto& message : messages) {
    auto uid = append.row.first + append.row.written;
    MessageRecord record;
    record.prefix = message.prefix;
    record.size = message.prefix.size() + message.body.size();
    record.received = message.received;
    record.saved = now;
    record.digest = message.digest;
    auto flags = message.system_flags & kSystemFlags;
    flags |= intern(change, *append.box, message.keywords).bits;
    auto joining = add_email(change, record, &message.body, {append.box->id, uid});
    write_hidden(change, append, record, {uid, flags, 0, joining});
  }
  save(change, intent, append.row);
  change.finish();
  return {};
}

Result<std::vector<Uid>> copy_piece(store::Transaction& tx, AccountId account, IntentId intent,
                                    MailboxId from, std::span<const Uid> uids, Time now) {
  Change change(tx, account, now);
  TRY(auto append, open_append(change, intent));
  auto* source = change.find(from);
  if (!source) return fail(ErrorCode::NotFound, "the mailbox is gone");
  auto messages = existing(change, *source, uids);
  TRY_DO(check_room(append, messages.size()));
  FlagsTranslator translate(change, *source, *append.box);
  std::vector<Uid> copied;
  for (const auto& message : messages) {
    auto uid = append.row.first + append.row.written;
    auto record = load_record(change, from, message.uid);
    auto joining = add_place(change, record, {append.box->id, uid});
    record.saved = now;
    write_hidden(change, append, record, {uid, translate(message.flags), 0, joining});
    copied.push_back(message.uid);
  }
  save(change, intent, append.row);
  change.finish();
  return copied;
}

Result<Published> publish(store::Transaction& tx, AccountId account, IntentId intent, Time now) {
  Change change(tx, account, now);
  TRY(auto append, open_append(change, intent));
  auto& row = append.row;
  auto& box = *append.box;
  TRY_DO(change.check_quota(row.size));
  tx.erase(intent_key(account, intent));
  auto& counters = box.counters;
  counters.reserved_from = 0;
  counters.reserved_by = 0;
  box.counters_changed = true;
  Published published{box.row.uid_validity, row.first, row.written};
  if (row.written > 0) {
    auto number = change.number();
    auto end = group_of(row.first + row.written - 1) + 1;
    std::vector<std::pair<std::uint32_t, std::string>> groups;
    scan_numbered_groups(tx, account, box.id, group_of(row.first), end,
                         [&](std::uint32_t at, SummaryGroup& group) {
                           for (auto& message : group.rows()) message.changed = number;
                           groups.emplace_back(at, group.encode(base_of(at)));
                           return true;
                         });
    for (const auto& [at, bytes] : groups) tx.put(summary_key(account, box.id, at), bytes);
    counters.uid_next = row.first + row.written;
    counters.total += row.written;
    counters.unseen += row.unseen;
    counters.size += row.size;
    counters.deleted += row.deleted;
    counters.deleted_unseen += row.deleted_unseen;
    counters.deleted_size += row.deleted_size;
    change.row().used_bytes += row.size;
    change.row().used_messages += row.written;
    change.record(box).created.add({row.first, row.first + row.written - 1});
  }
  counters.threads = static_cast<std::uint32_t>(counters.threads + row.threads);
  change.finish();
  return published;
}

void abandon(store::Transaction& tx, AccountId account, IntentId intent) {
  auto key = intent_key(account, intent);
  auto row = load<IntentRow>(tx, key);
  if (!row || row->kind != Kind::Append) return;
  row->kind = Kind::Undo;
  tx.put(key, encode(*row));
}

bool work_off(store::Transaction& tx, AccountId account, Time now) {
  // What is left of a removed account goes as a whole.
  if (!tx.get(account_key(account))) return true;
  auto intent = next_intent(tx, account);
  if (!intent) return true;
  erase_piece(tx, account, *intent, now);
  return !next_intent(tx, account);
}

bool has_intents(store::Reader& reader, AccountId account) {
  bool found = false;
  scan_intents(reader, account, [&](IntentId, const IntentRow&) {
    found = true;
    return false;
  });
  return found;
}

void abandon_appends(store::Transaction& tx, AccountId account) {
  std::vector<IntentId> appends;
  scan_intents(tx, account, [&](IntentId id, const IntentRow& row) {
    if (row.kind == Kind::Append) appends.push_back(id);
    return true;
  });
  for (auto intent : appends) abandon(tx, account, intent);
}

IntentId begin_erasing(Change& change, MailboxId mailbox, std::string path,
                       std::uint32_t uid_validity) {
  auto intent = change.row().next_intent++;
  IntentRow row;
  row.mailbox = mailbox;
  row.path = std::move(path);
  row.uid_validity = uid_validity;
  save(change, intent, row);
  return intent;
}

bool erase_piece(store::Transaction& tx, AccountId account, IntentId intent, Time now) {
  auto row = load<IntentRow>(tx, intent_key(account, intent));
  if (!row) return true;
  Change change(tx, account, now);
  bool done = row->kind == Kind::EraseMailbox ? erase_mailbox_piece(change, intent, *row)
                                              : undo_piece(change, intent, *row);
  change.finish();
  return done;
}

}  // namespace hikyaku::mailbox
