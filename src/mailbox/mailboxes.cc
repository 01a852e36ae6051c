// Making, renaming and deleting mailboxes (RFC 9051 §6.3.4–§6.3.8).
#include "mailbox/mailboxes.h"

#include <algorithm>
#include <map>

#include "mailbox/change.h"
#include "mailbox/intents.h"
#include "mailbox/listing.h"
#include "mailbox/names.h"
#include "mailbox/numbers.h"
#include "store/erase.h"

namespace hikyaku::mailbox {

namespace {

/// Mailboxes up to this size are erased in the transaction that deletes them.
constexpr std::uint32_t kEraseAtOnce = 200;

void put_name(Change& change, MailboxId parent, std::string_view name, MailboxId id) {
  Encoder value;
  value.u32_be(id);
  change.tx().put(name_key(change.account(), parent, name), value.bytes());
}

void erase_name(Change& change, const MailboxRow& row) {
  change.tx().erase(name_key(change.account(), row.parent, row.name));
}

store::Key subscription_key(AccountId account, std::string_view path) {
  return store::Key(account, kTableSubscription).raw(path);
}

MailboxId holder_of(const AccountRow& row, Role role) {
  for (auto [has, mailbox] : row.roles)
    if (has == role) return mailbox;
  return 0;
}

void give_role(Change& change, OpenMailbox& mailbox, Role role) {
  auto& roles = change.row().roles;
  std::erase_if(roles, [&](const auto& entry) { return entry.second == mailbox.id; });
  if (role != Role::None) roles.emplace_back(role, mailbox.id);
  mailbox.row.role = role;
  mailbox.row_changed = true;
}

bool is_inbox(const std::vector<std::string>& levels) {
  return levels.size() == 1 && levels[0] == "INBOX";
}

/// Writes the row at once: functions over a Reader see it.
void save(Change& change, OpenMailbox& mailbox) {
  change.tx().put(mailbox_key(change.account(), mailbox.id), encode(mailbox.row));
  mailbox.row_changed = false;
}

/// A mailbox that gets a path takes over a subscription that waited for one of this name.
void take_subscription(Change& change, OpenMailbox& mailbox) {
  auto waiting =
      subscription_key(change.account(), path_of(change.tx(), change.account(), mailbox.id));
  if (!change.tx().get(waiting)) return;
  change.tx().erase(waiting);
  mailbox.row.subscribed = true;
  save(change, mailbox);
}

/// A new mailbox below `parent`.
OpenMailbox& make(Change& change, MailboxId parent, const std::string& name) {
  auto id = change.next_mailbox();
  ++change.row().mailboxes;
  MailboxRow row;
  row.name = name;
  row.parent = parent;
  row.uid_validity = change.next_uid_validity();
  row.epoch = change.tx().epoch();
  row.created = change.now();
  auto& mailbox = change.add(id, std::move(row));
  save(change, mailbox);
  put_name(change, parent, name, id);
  change.record(mailbox).made = true;
  take_subscription(change, mailbox);
  return mailbox;
}

/// Who subscribes and deletes without end must not fill the store with what nobody cleans up.
bool has_room_for_orphan(store::Reader& reader, AccountId account) {
  return read_orphaned_subscriptions(reader, account, "", kMostOrphanedSubscriptions).size() <
         kMostOrphanedSubscriptions;
}

/// Takes the mailbox out of the tree. Its messages are the caller's matter.
void remove(Change& change, OpenMailbox& mailbox) {
  auto& tx = change.tx();
  auto account = change.account();
  if (mailbox.row.subscribed && has_room_for_orphan(tx, account))
    tx.put(subscription_key(account, path_of(tx, account, mailbox.id)), "");
  erase_name(change, mailbox.row);
  tx.erase(mailbox_key(account, mailbox.id));
  tx.erase(counters_key(account, mailbox.id));
  std::erase_if(change.row().roles, [&](const auto& entry) { return entry.second == mailbox.id; });
  --change.row().mailboxes;
  change.record(mailbox).gone = true;
  change.drop(mailbox.id);
}

/// How many of the levels are missing.
std::size_t missing_levels(store::Reader& reader, AccountId account,
                           std::vector<std::string> levels) {
  std::size_t missing = 0;
  while (!levels.empty() && find_levels(reader, account, levels) == 0) {
    levels.pop_back();
    ++missing;
  }
  return missing;
}

Result<void> check_room(Change& change, std::size_t more) {
  if (change.row().mailboxes + more > kMaxMailboxes)
    return fail(ErrorCode::TooLarge, "an account has at most {} mailboxes", kMaxMailboxes);
  return {};
}

/// The mailbox of these levels, made with those above that are missing.
MailboxId make_levels(Change& change, const std::vector<std::string>& levels) {
  MailboxId parent = kRoot;
  for (const auto& level : levels) {
    auto bytes = change.tx().get(name_key(change.account(), parent, level));
    parent = bytes ? Decoder(*bytes).u32_be() : make(change, parent, level).id;
  }
  return parent;
}

/// Removes placeholders from `id` upwards that hold nothing any more.
void prune(Change& change, MailboxId id) {
  while (id != kRoot) {
    auto* mailbox = change.find(id, false);
    if (!mailbox || mailbox->row.selectable || has_children(change.tx(), change.account(), id))
      return;
    auto parent = mailbox->row.parent;
    remove(change, *mailbox);
    id = parent;
  }
}

/// All mailboxes directly below `from` come below `to`.
void adopt_children(Change& change, MailboxId from, MailboxId to) {
  std::vector<MailboxId> children;
  change.tx().scan(store::Key(change.account(), kTableMailboxName).u32(from).children(),
                   [&](std::string_view, std::string_view value) {
                     children.push_back(Decoder(value).u32_be());
                     return true;
                   });
  // The change names mailboxes in this order: each goes to its end, however many there are.
  std::ranges::sort(children);
  for (auto id : children) {
    auto* child = change.find(id, false);
    if (!child) throw CorruptRow(mailbox_key(change.account(), id));
    erase_name(change, child->row);
    child->row.parent = to;
    put_name(change, to, child->row.name, id);
    save(change, *child);
    // Not touched: to those who have it open, and to IMAP, it is as it was.
    change.number();
    change.record().mailbox(id).attributes = true;
  }
}

/// The levels below `mailbox`, itself included.
int height_of(store::Reader& reader, AccountId account, MailboxId mailbox) {
  int height = 0;
  std::vector<MailboxId> level{mailbox};
  while (!level.empty() && height <= kMaxMailboxDepth) {
    ++height;
    std::vector<MailboxId> below;
    for (auto id : level)
      reader.scan(store::Key(account, kTableMailboxName).u32(id).children(),
                  [&](std::string_view, std::string_view value) {
                    below.push_back(Decoder(value).u32_be());
                    return true;
                  });
    level = std::move(below);
  }
  return height;
}

/// RFC 9051 §6.3.6: the messages go to the new name, INBOX stays, empty; children stay with INBOX.
/// No message is touched: the old mailbox gets the name, and INBOX becomes another one that goes on
/// with its UIDs.
void rename_inbox(Change& change, OpenMailbox& inbox, MailboxId parent, const std::string& name) {
  MailboxRow fresh = inbox.row;
  auto id = change.next_mailbox();
  ++change.row().mailboxes;
  erase_name(change, inbox.row);
  inbox.row.parent = parent;
  inbox.row.name = name;
  inbox.row.uid_validity = change.next_uid_validity();
  inbox.row.epoch = change.tx().epoch();
  give_role(change, inbox, Role::None);
  save(change, inbox);
  put_name(change, parent, name, inbox.id);
  change.record(inbox).attributes = true;

  fresh.created = change.now();
  auto& empty = change.add(id, std::move(fresh));
  give_role(change, empty, Role::Inbox);
  save(change, empty);
  put_name(change, kRoot, "INBOX", id);
  empty.counters.uid_next = inbox.counters.uid_next;
  empty.counters.recent_from = inbox.counters.uid_next;
  auto& section = change.record(empty);
  section.made = true;
  if (inbox.counters.uid_next > 1) section.destroyed.add({1, inbox.counters.uid_next - 1});
  adopt_children(change, inbox.id, id);
}

}  // namespace

void create_standard_mailboxes(store::Transaction& tx, AccountId account, Language language,
                               Time now) {
  struct Standard {
    Role role;
    Phrase name;
  };
  static constexpr Standard kStandard[] = {
      {Role::Inbox, {"INBOX", "INBOX"}},    {Role::Drafts, {"Drafts", "下書き"}},
      {Role::Sent, {"Sent", "送信済み"}},   {Role::Archive, {"Archive", "アーカイブ"}},
      {Role::Junk, {"Junk", "迷惑メール"}}, {Role::Trash, {"Trash", "ゴミ箱"}},
  };
  begin_account(tx, account, now);
  Change change(tx, account, now);
  for (const auto& standard : kStandard) {
    if (holder_of(change.row(), standard.role) != 0) continue;
    std::string name(standard.name.in(language));
    auto id = find_levels(tx, account, {name});
    auto& mailbox = id == 0 ? make(change, kRoot, name) : *change.find(id, false);
    mailbox.row.subscribed = true;
    give_role(change, mailbox, standard.role);
    save(change, mailbox);
    change.record(mailbox).attributes = true;
  }
  change.finish();
}

Result<MailboxInfo> create_mailbox(store::Transaction& tx, AccountId account, std::string_view path,
                                   Role role, Time now) {
  TRY(auto levels, parse_path(path));
  Change change(tx, account, now);
  TRY_DO(change.check_account());
  auto* there = change.find(find_levels(tx, account, levels), false);
  if (there && there->row.selectable)
    return fail(ErrorCode::Exists, "the mailbox {} exists", format_path(levels));
  if (role == Role::Inbox && !is_inbox(levels))
    return fail(ErrorCode::Denied, "only INBOX is the inbox");
  if (role != Role::None && holder_of(change.row(), role) != 0)
    return fail(ErrorCode::Conflict, "another mailbox has the role {}", to_string(role));
  TRY_DO(check_room(change, missing_levels(tx, account, levels)));

  auto id = make_levels(change, levels);
  auto& mailbox = *change.find(id, false);
  if (!mailbox.row.selectable) {
    mailbox.row.selectable = true;
    mailbox.row.uid_validity = change.next_uid_validity();
    mailbox.row.epoch = tx.epoch();
    mailbox.row.created = now;
  }
  if (role != Role::None) give_role(change, mailbox, role);
  change.record(mailbox).attributes = true;
  save(change, mailbox);
  change.finish();
  return *get_mailbox(tx, account, id);
}

Result<void> rename_mailbox(store::Transaction& tx, AccountId account, std::string_view from,
                            std::string_view to, Time now) {
  TRY(auto from_levels, parse_path(from));
  TRY(auto to_levels, parse_path(to));
  Change change(tx, account, now);
  auto id = find_levels(tx, account, from_levels);
  auto* mailbox = change.find(id, false);
  if (!mailbox)
    return fail(ErrorCode::NotFound, "there is no mailbox {}", format_path(from_levels));
  if (find_levels(tx, account, to_levels) != 0)
    return fail(ErrorCode::Exists, "the mailbox {} exists", format_path(to_levels));
  bool inbox = is_inbox(from_levels);
  if (!inbox && to_levels.size() > from_levels.size() &&
      std::equal(from_levels.begin(), from_levels.end(), to_levels.begin()))
    return fail(ErrorCode::Invalid, "a mailbox cannot be moved into itself");
  if (!inbox &&
      static_cast<int>(to_levels.size()) + height_of(tx, account, id) - 1 > kMaxMailboxDepth)
    return fail(ErrorCode::Invalid, "a mailbox name has more than {} levels", kMaxMailboxDepth);
  // The mailbox itself is only a new one if it is INBOX.
  TRY_DO(check_room(change, missing_levels(tx, account, to_levels) - (inbox ? 0 : 1)));

  auto name = to_levels.back();
  to_levels.pop_back();
  auto parent = make_levels(change, to_levels);
  if (inbox) {
    rename_inbox(change, *mailbox, parent, name);
  } else {
    auto parent_before = mailbox->row.parent;
    erase_name(change, mailbox->row);
    mailbox->row.parent = parent;
    mailbox->row.name = name;
    put_name(change, parent, name, id);
    save(change, *mailbox);
    take_subscription(change, *mailbox);
    change.record(*mailbox).attributes = true;
    prune(change, parent_before);
  }
  change.finish();
  return {};
}

Result<void> delete_mailbox(store::Transaction& tx, AccountId account, std::string_view path,
                            Time now) {
  TRY(auto levels, parse_path(path));
  auto full_path = format_path(levels);
  if (is_inbox(levels)) return fail(ErrorCode::Denied, "INBOX cannot be deleted");
  Change change(tx, account, now);
  auto* mailbox = change.find(find_levels(tx, account, levels), false);
  if (!mailbox) return fail(ErrorCode::NotFound, "there is no mailbox {}", full_path);
  bool parent = has_children(tx, account, mailbox->id);
  if (!mailbox->row.selectable && parent)
    return fail(ErrorCode::Denied, "the name {} only holds other mailboxes; delete those",
                full_path);

  auto id = mailbox->id;
  auto above = mailbox->row.parent;
  auto total = mailbox->counters.total;
  auto placeholder = mailbox->row;
  change.row().used_bytes -= mailbox->counters.size;
  change.row().used_messages -= total;
  if (parent) mailbox->row.subscribed = false;  // the placeholder keeps it
  remove(change, *mailbox);
  if (parent) {
    // Another id, so that what is made under this name later is not this mailbox (RFC 8474 §4).
    auto new_id = change.next_mailbox();
    ++change.row().mailboxes;
    placeholder.selectable = false;
    placeholder.role = Role::None;
    auto& left = change.add(new_id, placeholder);
    save(change, left);
    put_name(change, above, placeholder.name, new_id);
    change.record(left).made = true;
    adopt_children(change, id, new_id);
  } else {
    prune(change, above);
  }
  auto intent = begin_erasing(change, id, full_path, placeholder.uid_validity);
  change.finish();
  if (total <= kEraseAtOnce) erase_piece(tx, account, intent, now);
  return {};
}

Result<void> subscribe_mailbox(store::Transaction& tx, AccountId account, std::string_view path,
                               bool subscribed, Time now) {
  TRY(auto levels, parse_path(path));
  Change change(tx, account, now);
  auto* mailbox = change.find(find_levels(tx, account, levels), false);
  auto full_path = format_path(levels);
  if (!mailbox) {
    if (subscribed) return fail(ErrorCode::NotFound, "there is no mailbox {}", full_path);
    tx.erase(subscription_key(account, full_path));
    return {};
  }
  if (mailbox->row.subscribed == subscribed) return {};
  mailbox->row.subscribed = subscribed;
  mailbox->row_changed = true;
  change.record(*mailbox).attributes = true;
  change.finish();
  return {};
}

Uid claim_recent(store::Transaction& tx, AccountId account, MailboxId mailbox) {
  auto key = counters_key(account, mailbox);
  auto counters = load<Counters>(tx, key);
  if (!counters) return 1;
  auto from = counters->recent_from;
  if (from != counters->uid_next) {
    counters->recent_from = counters->uid_next;
    tx.put(key, encode(*counters));
  }
  return from;
}

void set_quota(store::Transaction& tx, AccountId account, std::uint64_t bytes) {
  Change change(tx, account, Time{});
  change.row().quota = bytes;
  change.finish();
}

bool erase_account(store::Transaction& tx, AccountId account) {
  // Bodies have owners outside of the account's rows: give them back first.
  std::vector<std::pair<std::string, store::BlobId>> emails;
  tx.scan(store::Key(account, kTableEmail).children(),
          [&](std::string_view key, std::string_view value) {
            EmailRow row;
            if (!decode(value, row)) throw CorruptRow(key);
            emails.emplace_back(key, row.blob);
            return emails.size() < kMaxBatch;
          });
  for (const auto& [key, blob] : emails) {
    tx.disown(blob, key);
    tx.erase(key);
  }
  if (emails.size() == kMaxBatch) return false;
  std::size_t most = kMaxBatch;
  if (!store::erase_some(
          tx, {store::Key(account, kTableAccount).bytes(), store::Key(account, kTableEnd).bytes()},
          most))
    return false;
  tx.notify(account, kTopicMailboxes);
  return true;
}

}  // namespace hikyaku::mailbox
