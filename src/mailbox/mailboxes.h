// The mailboxes of an account: names, roles, counters. Functions over a Reader work in reads and in
// steps alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "base/result.h"
#include "mailbox/types.h"

namespace hikyaku::mailbox {

/// One mailbox. Paths join the levels with "/" in UTF-8 (NFC); mailbox/names.h has the rules. The
/// inbox is "INBOX" in any case.
struct MailboxInfo {
  MailboxId id = 0;
  MailboxId parent = kRoot;
  std::string name;  ///< the last level alone, unescaped
  std::string path;  ///< all levels, escaped
  Role role = Role::None;
  std::uint32_t uid_validity = 0;
  bool subscribed = false;
  bool selectable = true;  ///< false: a level that only holds others (deleted, but with children)
  bool has_children = false;  ///< from list_mailboxes() alone
  Time created{};
};

/// What SELECT and STATUS answer from, without looking at any message.
struct Counters {
  Uid uid_next = 1;
  std::uint32_t total = 0;
  std::uint32_t unseen = 0;
  std::uint64_t size = 0;
  std::uint32_t deleted = 0;  ///< of total, those with \Deleted
  std::uint32_t deleted_unseen = 0;
  std::uint64_t deleted_size = 0;
  Uid recent_from = 1;  ///< messages from this UID on are \Recent to the next session that selects
  ChangeNumber highest_change = 1;  ///< HIGHESTMODSEQ
  std::uint32_t threads = 0;        ///< threads that have a message here
  Uid reserved_from = 0;            ///< a long append writes from this UID on, unseen; 0: none does
  std::uint64_t reserved_by = 0;    ///< its intent
  bool operator==(const Counters&) const = default;
};

/// The roles that a new account's mailboxes have, with their names in `language`:
/// INBOX, Drafts, Sent, Archive, Junk, Trash; all subscribed. Idempotent.
void create_standard_mailboxes(store::Transaction& tx, AccountId account, Language language,
                               Time now);

/// All mailboxes, sorted by path, INBOX first.
std::vector<MailboxInfo> list_mailboxes(store::Reader& reader, AccountId account);
std::optional<MailboxInfo> find_mailbox(store::Reader& reader, AccountId account,
                                        std::string_view path);
std::optional<MailboxInfo> get_mailbox(store::Reader& reader, AccountId account, MailboxId id);
std::optional<MailboxInfo> find_role(store::Reader& reader, AccountId account, Role role);
inline constexpr std::size_t kMostOrphanedSubscriptions = 1000;
/// Subscribed paths whose mailbox is gone (RFC 9051 §6.3.7: they stay until UNSUBSCRIBE), at most
/// kMostOrphanedSubscriptions.
std::vector<std::string> orphaned_subscriptions(store::Reader& reader, AccountId account);

/// Makes a mailbox and the levels above it that are missing. Exists; Invalid (empty level, too
/// long, too deep, not NFC-able UTF-8, control characters); TooLarge (too many mailboxes); Conflict
/// if another has the role.
Result<MailboxInfo> create_mailbox(store::Transaction& tx, AccountId account, std::string_view path,
                                   Role role, Time now);
/// NotFound, Exists, Invalid (into itself, too deep). Subscriptions go with it. Renaming INBOX
/// moves its messages to the new name (RFC 9051 §6.3.6): INBOX becomes another mailbox, empty, with
/// the UIDVALIDITY and UIDNEXT that it had, and the old one gets the new name and a new
/// UIDVALIDITY. A session that has INBOX selected opens "INBOX" anew when told that the mailboxes
/// changed, and finds all messages gone.
Result<void> rename_mailbox(store::Transaction& tx, AccountId account, std::string_view from,
                            std::string_view to, Time now);
/// NotFound; Denied for INBOX and for a name that has only children. With children, the name stays,
/// not selectable, until the last of them is gone. Messages count no more from then on; those of
/// large mailboxes are erased in pieces behind (work_off in mailbox/intents.h).
Result<void> delete_mailbox(store::Transaction& tx, AccountId account, std::string_view path,
                            Time now);
/// NotFound when there is no such mailbox. Unsubscribing from what is not there succeeds: a client
/// that renames and then unsubscribes from the old name has what it wants.
Result<void> subscribe_mailbox(store::Transaction& tx, AccountId account, std::string_view path,
                               bool subscribed, Time now);

Counters get_counters(store::Reader& reader, AccountId account, MailboxId mailbox);
/// Takes the \Recent messages for this session: gives the old mark and moves it to uid_next (RFC
/// 3501 §2.3.2).
Uid claim_recent(store::Transaction& tx, AccountId account, MailboxId mailbox);

/// The mailbox's keywords, by number (bit kFirstKeyword + number).
std::vector<std::string> keywords(store::Reader& reader, AccountId account, MailboxId mailbox);
/// The bits of these keywords (any case) as far as the mailbox has them.
Flags find_keywords(store::Reader& reader, AccountId account, MailboxId mailbox,
                    const std::vector<std::string>& names);

/// Bytes and messages of the whole account: the sum over its mailboxes (a message in two of them
/// counts twice, so that it agrees with what a client adds up).
struct Usage {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
  std::uint64_t quota = 0;  ///< bytes; 0: no limit
};
Usage usage(store::Reader& reader, AccountId account);
/// Sets the limit. What is there already may exceed it.
void set_quota(store::Transaction& tx, AccountId account, std::uint64_t bytes);

/// From now on nothing is written for the account any more, by whoever has begun to: it is removed.
/// Accounts that are made later go on behind its numbers. Nothing if it was closed before.
void close_account(store::Transaction& tx, AccountId account, Time now);
/// Removes everything of the account, in pieces of at most kMaxBatch rows: call it again (in new
/// transactions) until it returns true. It is closed.
bool erase_account(store::Transaction& tx, AccountId account);

}  // namespace hikyaku::mailbox
