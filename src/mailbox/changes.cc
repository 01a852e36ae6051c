// Reading and trimming the change table.
#include <algorithm>

#include "mailbox/messages.h"
#include "mailbox/rows.h"

namespace hikyaku::mailbox {

namespace {

/// True if the account's history goes through this number.
bool in_history(const AccountRow& row, ChangeNumber since) {
  if (since > row.change) return false;
  return std::none_of(row.gaps.begin(), row.gaps.end(), [&](const AccountRow::Gap& gap) {
    return since > gap.last && since < gap.first;
  });
}

}  // namespace

ChangeNumber account_change(store::Reader& reader, AccountId account) {
  auto row = load<AccountRow>(reader, account_key(account));
  return row ? row->change : 1;
}

bool knows_change(store::Reader& reader, AccountId account, ChangeNumber since) {
  auto row = load<AccountRow>(reader, account_key(account));
  return row && in_history(*row, since);
}

std::optional<MailboxChanges> changes_since(store::Reader& reader, AccountId account,
                                            MailboxId mailbox, ChangeNumber since,
                                            std::size_t max_changes) {
  auto row = load<AccountRow>(reader, account_key(account));
  if (!row || since < row->change_floor || !in_history(*row, since)) return std::nullopt;
  MailboxChanges changes;
  changes.up_to = row->change;
  if (since == row->change) return changes;
  // Collected first and sorted once: adding one by one to a growing set would be quadratic.
  std::vector<NumberSet::Range> created, updated, destroyed;
  auto collect = [](std::vector<NumberSet::Range>& into, const NumberSet& set) {
    into.insert(into.end(), set.ranges().begin(), set.ranges().end());
  };
  std::size_t count = 0;
  auto range = store::Key(account, kTableChange).children();
  range.begin = change_key(account, since + 1).bytes();
  ChangeRow change;
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    if (++count > max_changes) return false;
    if (!decode(value, change)) throw CorruptRow(key);
    for (const auto& section : change.mailboxes) {
      if (section.mailbox != mailbox) continue;
      collect(created, section.created);
      collect(updated, section.updated);
      collect(destroyed, section.destroyed);
    }
    return true;
  });
  if (count > max_changes) return std::nullopt;
  changes.created = NumberSet::of(std::move(created));
  changes.updated = NumberSet::of(std::move(updated));
  changes.destroyed = NumberSet::of(std::move(destroyed));
  changes.updated.remove(changes.created);
  changes.updated.remove(changes.destroyed);
  changes.created.remove(changes.destroyed);
  return changes;
}

bool trim_changes(store::Transaction& tx, AccountId account, Time now, const TrimRules& rules) {
  auto row = load<AccountRow>(tx, account_key(account));
  if (!row || row->change_rows <= rules.keep) return true;
  auto may_go = std::min<std::uint64_t>(row->change_rows - rules.keep, kMaxBatch);
  std::uint64_t gone = 0;
  ChangeNumber floor = row->change_floor;
  bool more = false;
  tx.scan(store::Key(account, kTableChange).children(),
          [&](std::string_view key, std::string_view value) {
            if (gone == may_go) {
              more = row->change_rows - gone > rules.keep;
              return false;
            }
            ChangeRow change;
            if (!decode(value, change)) throw CorruptRow(key);
            if (now - change.at < rules.age && row->change_rows - gone <= rules.most) return false;
            floor = store::key_fields(key).u64_be();
            ++gone;
            return true;
          });
  if (gone == 0) return true;
  tx.erase_range({change_key(account, 0).bytes(), change_key(account, floor + 1).bytes()});
  row->change_floor = floor;
  row->change_rows -= gone;
  tx.put(account_key(account), encode(*row));
  return !more;
}

}  // namespace hikyaku::mailbox
