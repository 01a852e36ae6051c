// The rows of the data model but messages and summaries, in memory and as bytes. The order of the
// fields in `encode` is the format (docs/data-model.md).
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/mailboxes.h"
#include "mailbox/number_set.h"
#include "mailbox/tables.h"
#include "mailbox/types.h"
#include "store/store.h"

namespace hikyaku::mailbox {

/// A stored row is not what was written. Ends the step or read; nobody goes on with such bytes.
class CorruptRow : public std::runtime_error {
 public:
  explicit CorruptRow(std::string_view key);
};

/// How far the numbers have come that are never given out twice.
struct Numbers {
  std::uint32_t epoch = 0;  ///< the store's epoch at the last change
  ChangeNumber change = 1;  ///< the last change number given out
  MailboxId next_mailbox = 1;
  EmailId next_email = 1;
  std::uint32_t uid_validity = 0;  ///< the last one given out
  bool operator==(const Numbers&) const = default;
};

/// What there is once per account.
struct AccountRow : Numbers {
  Numbers& numbers() { return *this; }

  ChangeNumber change_floor = 1;  ///< changes up to this one have been trimmed
  std::uint64_t change_rows = 0;  ///< rows in kTableChange
  std::uint64_t next_intent = 1;
  std::uint64_t used_bytes = 0;
  std::uint64_t used_messages = 0;
  std::uint64_t quota = 0;  ///< bytes; 0: no limit
  std::uint32_t mailboxes = 0;
  std::vector<std::pair<Role, MailboxId>> roles;
  /// Change numbers that a raised epoch passed over: who names one has seen a lost future.
  struct Gap {
    ChangeNumber last = 0;   ///< the last one before
    ChangeNumber first = 0;  ///< the first one behind
    bool operator==(const Gap&) const = default;
  };
  std::vector<Gap> gaps;
  bool operator==(const AccountRow&) const = default;
};

struct MailboxRow {
  std::string name;
  MailboxId parent = kRoot;
  Role role = Role::None;
  std::uint32_t uid_validity = 0;
  std::uint32_t epoch = 0;  ///< the store's epoch when uid_validity was given
  bool subscribed = false;
  bool selectable = true;
  Time created{};
  bool operator==(const MailboxRow&) const = default;
};

/// Where an email lies.
struct Place {
  MailboxId mailbox = 0;
  Uid uid = 0;
  bool operator==(const Place&) const = default;
};
struct EmailRow {
  store::BlobId blob = 0;
  ThreadId thread = 0;
  std::uint64_t size = 0;
  std::vector<Place> places;
  bool operator==(const EmailRow&) const = default;
};

/// What one change number did.
struct ChangeRow {
  struct Mailbox {
    MailboxId mailbox = 0;
    bool made = false;        ///< the mailbox itself was created
    bool attributes = false;  ///< its name, parent, role, subscription … changed
    bool gone = false;        ///< it was deleted
    NumberSet created;        ///< UIDs
    NumberSet updated;
    NumberSet destroyed;
    bool operator==(const Mailbox&) const = default;
  };
  Time at{};
  std::vector<Mailbox> mailboxes;  ///< ascending
  NumberSet emails_created;
  NumberSet emails_updated;  ///< got or lost a place (flag changes are found through `mailboxes`)
  NumberSet emails_destroyed;
  NumberSet threads_created;
  NumberSet threads_updated;
  NumberSet threads_destroyed;
  Mailbox& mailbox(MailboxId id);
  bool operator==(const ChangeRow&) const = default;
};

/// Work that takes more than one transaction.
struct IntentRow {
  enum class Kind : std::uint8_t {
    EraseMailbox = 1,  ///< the mailbox has been deleted; its messages go
    Append = 2,        ///< messages are written to reserved UIDs, to be published at once
    Undo = 3,          ///< the same, to be removed: it failed, or the program ended
  };
  Kind kind = Kind::EraseMailbox;
  MailboxId mailbox = 0;
  std::string path;  ///< EraseMailbox: as it was
  std::uint32_t uid_validity = 0;
  // Append and Undo:
  Uid first = 0;               ///< the first reserved UID, a multiple of 32
  std::uint32_t reserved = 0;  ///< how many
  std::uint32_t written = 0;   ///< how many there are
  std::uint32_t unseen = 0;    ///< the counters' share of those
  std::uint64_t size = 0;
  std::uint32_t deleted = 0;
  std::uint32_t deleted_unseen = 0;
  std::uint64_t deleted_size = 0;
  std::int64_t threads = 0;
  bool operator==(const IntentRow&) const = default;
};

/// A message that was expunged and can still be brought back: its message row is still there.
struct ExpungedRow {
  std::string path;
  std::uint32_t uid_validity = 0;
  Flags system_flags = 0;
  std::vector<std::string> keywords;
  EmailId email = 0;
  store::BlobId blob = 0;
  bool operator==(const ExpungedRow&) const = default;
};

std::string encode(const Numbers& numbers);
std::string encode(const AccountRow& row);
std::string encode(const MailboxRow& row);
std::string encode(const Counters& row);
std::string encode(const EmailRow& row);
std::string encode(const ChangeRow& row);
std::string encode(const IntentRow& row);
std::string encode(const ExpungedRow& row);
/// False for bytes that no version of `encode` writes.
bool decode(std::string_view bytes, Numbers& numbers);
bool decode(std::string_view bytes, AccountRow& row);
bool decode(std::string_view bytes, MailboxRow& row);
bool decode(std::string_view bytes, Counters& row);
bool decode(std::string_view bytes, EmailRow& row);
bool decode(std::string_view bytes, ChangeRow& row);
bool decode(std::string_view bytes, IntentRow& row);
bool decode(std::string_view bytes, ExpungedRow& row);

/// The row at `key`, if there is one. Throws CorruptRow.
template <class Row>
std::optional<Row> load(store::Reader& reader, std::string_view key) {
  auto bytes = reader.get(key);
  if (!bytes) return std::nullopt;
  std::optional<Row> row(std::in_place);
  if (!decode(*bytes, *row)) throw CorruptRow(key);
  return row;
}

// Keys.
inline store::Key former_key() {
  return store::Key(store::kInstance, kTableFormer);
}
inline store::Key account_key(AccountId account) {
  return store::Key(account, kTableAccount);
}
inline store::Key mailbox_key(AccountId account, MailboxId mailbox) {
  return store::Key(account, kTableMailbox).u32(mailbox);
}
inline store::Key name_key(AccountId account, MailboxId parent, std::string_view name) {
  return store::Key(account, kTableMailboxName).u32(parent).raw(name);
}
inline store::Key counters_key(AccountId account, MailboxId mailbox) {
  return store::Key(account, kTableCounters).u32(mailbox);
}
inline store::Key message_key(AccountId account, MailboxId mailbox, Uid uid) {
  return store::Key(account, kTableMessage).u32(mailbox).u32(uid);
}
inline store::Key summary_key(AccountId account, MailboxId mailbox, std::uint32_t group) {
  return store::Key(account, kTableSummary).u32(mailbox).u32(group);
}
inline store::Key keyword_key(AccountId account, MailboxId mailbox, std::uint8_t number) {
  return store::Key(account, kTableKeyword).u32(mailbox).u8(number);
}
inline store::Key email_key(AccountId account, EmailId email) {
  return store::Key(account, kTableEmail).u64(email);
}
inline store::Key thread_of_key(AccountId account, std::uint64_t hash) {
  return store::Key(account, kTableThreadOf).u64(hash);
}
inline store::Key thread_key(AccountId account, ThreadId thread, MailboxId mailbox, EmailId email) {
  return store::Key(account, kTableThread).u64(thread).u32(mailbox).u64(email);
}
inline store::Key change_key(AccountId account, ChangeNumber change) {
  return store::Key(account, kTableChange).u64(change);
}
inline store::Key intent_key(AccountId account, std::uint64_t intent) {
  return store::Key(account, kTableIntent).u64(intent);
}
inline store::Key expunged_key(AccountId account, Time at, MailboxId mailbox, Uid uid) {
  return store::Key(account, kTableExpunged)
      .u64(static_cast<std::uint64_t>(at.time_since_epoch().count()))
      .u32(mailbox)
      .u32(uid);
}

}  // namespace hikyaku::mailbox
