// Reading the tree of mailboxes: names, paths, listings.
#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "mailbox/change.h"
#include "mailbox/listing.h"
#include "mailbox/names.h"

namespace hikyaku::mailbox {

namespace {

/// The parent's row and so on up to the root; a loop (which would be a defect) ends.
template <class Lookup>
std::string build_path(std::string_view name, MailboxId parent, Lookup lookup) {
  std::vector<std::string> levels{std::string(name)};
  while (parent != kRoot && levels.size() <= static_cast<std::size_t>(kMaxMailboxDepth)) {
    const auto* row = lookup(parent);
    if (!row) break;
    levels.push_back(row->name);
    parent = row->parent;
  }
  std::reverse(levels.begin(), levels.end());
  return format_path(levels);
}

MailboxInfo info_of(MailboxId id, const MailboxRow& row) {
  MailboxInfo info;
  info.id = id;
  info.parent = row.parent;
  info.name = row.name;
  info.role = row.role;
  info.uid_validity = row.uid_validity;
  info.subscribed = row.subscribed;
  info.selectable = row.selectable;
  info.created = row.created;
  return info;
}

}  // namespace

bool has_children(store::Reader& reader, AccountId account, MailboxId mailbox) {
  bool found = false;
  reader.scan(store::Key(account, kTableMailboxName).u32(mailbox).children(),
              [&](std::string_view, std::string_view) {
                found = true;
                return false;
              });
  return found;
}

MailboxId find_levels(store::Reader& reader, AccountId account,
                      const std::vector<std::string>& levels) {
  MailboxId id = kRoot;
  for (const auto& level : levels) {
    auto key = name_key(account, id, level);
    auto bytes = reader.get(key);
    if (!bytes) return 0;
    Decoder in(*bytes);
    id = in.u32_be();
    if (in.failed() || id == 0) throw CorruptRow(key);
  }
  return id;
}

namespace {

std::string path_of(store::Reader& reader, AccountId account, const MailboxRow& row) {
  std::optional<MailboxRow> above;
  return build_path(row.name, row.parent, [&](MailboxId id) {
    above = load<MailboxRow>(reader, mailbox_key(account, id));
    return above ? &*above : nullptr;
  });
}

}  // namespace

std::string path_of(store::Reader& reader, AccountId account, MailboxId mailbox) {
  auto row = load<MailboxRow>(reader, mailbox_key(account, mailbox));
  return row ? path_of(reader, account, *row) : std::string();
}

std::vector<MailboxInfo> read_mailboxes(store::Reader& reader, AccountId account, MailboxId after,
                                        std::size_t most) {
  std::vector<MailboxInfo> list;
  auto range = store::Key(account, kTableMailbox).children();
  range.begin = mailbox_key(account, after + 1).bytes();
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    MailboxRow row;
    if (!decode(value, row)) throw CorruptRow(key);
    list.push_back(info_of(store::key_fields(key).u32_be(), row));
    return list.size() < most;
  });
  return list;
}

std::vector<MailboxInfo> arrange_mailboxes(std::vector<MailboxInfo> list) {
  // By id, as they were read.
  auto find = [&](MailboxId id) -> MailboxInfo* {
    auto at = std::ranges::lower_bound(list, id, {}, &MailboxInfo::id);
    return at == list.end() || at->id != id ? nullptr : &*at;
  };
  for (auto& info : list) {
    info.path = build_path(info.name, info.parent, find);
    if (auto* parent = find(info.parent)) parent->has_children = true;
  }
  std::ranges::sort(list, path_before, &MailboxInfo::path);
  return list;
}

std::vector<MailboxInfo> list_mailboxes(store::Reader& reader, AccountId account) {
  return arrange_mailboxes(read_mailboxes(reader, account, kRoot, SIZE_MAX));
}

std::optional<MailboxInfo> get_mailbox(store::Reader& reader, AccountId account, MailboxId id) {
  auto row = load<MailboxRow>(reader, mailbox_key(account, id));
  if (!row) return std::nullopt;
  auto info = info_of(id, *row);
  info.path = path_of(reader, account, *row);
  return info;
}

std::optional<MailboxInfo> find_mailbox(store::Reader& reader, AccountId account,
                                        std::string_view path) {
  auto levels = parse_path(path);
  if (!levels) return std::nullopt;
  auto id = find_levels(reader, account, *levels);
  if (id == 0) return std::nullopt;
  return get_mailbox(reader, account, id);
}

std::optional<MailboxInfo> find_role(store::Reader& reader, AccountId account, Role role) {
  if (role == Role::None) return std::nullopt;
  auto row = load<AccountRow>(reader, account_key(account));
  if (!row) return std::nullopt;
  for (auto [has, mailbox] : row->roles)
    if (has == role) return get_mailbox(reader, account, mailbox);
  return std::nullopt;
}

std::vector<std::string> read_orphaned_subscriptions(store::Reader& reader, AccountId account,
                                                     std::string_view after, std::size_t most) {
  std::vector<std::string> paths;
  auto range = store::Key(account, kTableSubscription).children();
  if (!after.empty())
    range.begin = store::Key(account, kTableSubscription).raw(std::string(after) + '\0').bytes();
  reader.scan(range, [&](std::string_view key, std::string_view) {
    paths.emplace_back(store::key_fields(key).rest());
    return paths.size() < most;
  });
  return paths;
}

std::vector<std::string> orphaned_subscriptions(store::Reader& reader, AccountId account) {
  auto paths = read_orphaned_subscriptions(reader, account, "", SIZE_MAX);
  std::sort(paths.begin(), paths.end(), path_before);
  return paths;
}

Counters get_counters(store::Reader& reader, AccountId account, MailboxId mailbox) {
  auto counters = load<Counters>(reader, counters_key(account, mailbox));
  return counters.value_or(Counters{});
}

Usage usage(store::Reader& reader, AccountId account) {
  auto row = load<AccountRow>(reader, account_key(account));
  if (!row) return {};
  return {row->used_bytes, row->used_messages, row->quota};
}

}  // namespace hikyaku::mailbox
