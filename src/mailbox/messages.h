// The messages in mailboxes: delivery, reading, flags, copying, moving, expunging.
#pragma once

#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mailbox/mailboxes.h"
#include "mailbox/number_set.h"
#include "mailbox/types.h"

namespace hikyaku::mailbox {

/// What is worked out about a message's bytes once, before the transaction (mailbox/digest.h makes
/// it): everything that FETCH of metadata, SEARCH in headers and threading need. It covers prefix +
/// body.
struct Digest {
  std::string envelope;        ///< finished IMAP ENVELOPE
  std::string body_structure;  ///< finished BODYSTRUCTURE; digest.h derives BODY from it
  /// Raw header fields that clients ask for, as they stand, in order: all that `header_set` names.
  std::string header_fields;
  std::string parts;  ///< encoded part offsets (mime/digest), relative to the body's first byte
  std::vector<std::uint64_t>
      reference_hashes;  ///< hashes of References, In-Reply-To: for the thread
  std::uint64_t message_id_hash = 0;
  std::uint8_t header_set = 0;  ///< see digest.h; 0: none are kept
  /// False when the texts would take too much room: they are empty, and whoever needs them makes
  /// the digest again from the message.
  bool complete = true;
  bool operator==(const Digest&) const = default;

  /// Bytes of memory beside the value itself.
  std::size_t memory() const {
    return envelope.capacity() + body_structure.capacity() + header_fields.capacity() +
           parts.capacity() + reference_hashes.capacity() * sizeof(std::uint64_t);
  }
};

/// What is stored once per message and mailbox.
struct MessageRecord {
  EmailId email = 0;
  ThreadId thread = 0;
  store::BlobId blob = 0;
  std::string prefix;      ///< our own header fields in front of the body: Return-Path, Received, …
  std::uint64_t size = 0;  ///< prefix + body, octets
  Time received{};         ///< INTERNALDATE
  Time saved{};            ///< SAVEDATE: when it came into this mailbox
  Digest digest;

  std::size_t memory() const { return sizeof *this + prefix.capacity() + digest.memory(); }
};

/// One message to be put into a mailbox.
struct NewMessage {
  store::StagedBlob body;
  std::string prefix;
  Time received{};
  Flags system_flags = 0;
  std::vector<std::string> keywords;
  Digest digest;

  std::size_t memory() const {
    auto bytes = sizeof *this + prefix.capacity() + digest.memory();
    for (auto& keyword : keywords) bytes += sizeof(std::string) + keyword.capacity();
    return bytes;
  }
};

/// Where a message went.
struct Placed {
  MailboxId mailbox = 0;
  std::uint32_t uid_validity = 0;
  Uid uid = 0;
  EmailId email = 0;
  ChangeNumber change = 0;
};

/// NotFound (mailbox gone), QuotaExceeded, TooLarge (UIDs used up), Unavailable (a long append has
/// reserved the next UID). An error leaves the transaction as it was, so the step may go on with
/// another outcome. Keywords that the mailbox has no room for, or that are none, are left out.
Result<Placed> deliver(store::Transaction& tx, AccountId account, MailboxId mailbox,
                       const NewMessage& message, Time now);

std::optional<MessageRecord> get_message(store::Reader& reader, AccountId account,
                                         MailboxId mailbox, Uid uid);
/// The same, also of a message that was expunged (not moved) a short time ago: for a session that
/// has not been told yet (RFC 9051 §7.5.1).
std::optional<MessageRecord> get_message_or_ghost(store::Reader& reader, AccountId account,
                                                  MailboxId mailbox, Uid uid);
/// Many of them at once, as get_message_or_ghost() finds them; `uids` ascend. Fewer than `uids`, of
/// the first ones, when they take `most_bytes` of memory; at least one.
std::vector<std::optional<MessageRecord>> get_messages_or_ghosts(store::Reader& reader,
                                                                 AccountId account,
                                                                 MailboxId mailbox,
                                                                 std::span<const Uid> uids,
                                                                 std::size_t most_bytes = SIZE_MAX);
/// Records from `first` to `last` in UID order until `visit` returns false. At most about 1,000 per
/// read.
void scan_messages(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first, Uid last,
                   const std::function<bool(Uid, const MessageRecord&)>& visit);
/// UID, flags, change number, size, date, in UID order: what a view is made of.
void scan_summaries(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first,
                    Uid last, const std::function<bool(const MessageSummary&)>& visit);
std::optional<MessageSummary> get_summary(store::Reader& reader, AccountId account,
                                          MailboxId mailbox, Uid uid);

enum class FlagChange { Replace, Add, Remove };

struct StoreFlags {
  FlagChange change = FlagChange::Replace;
  Flags system_flags = 0;
  std::vector<std::string> keywords;
  /// RFC 7162 §3.1.3. With a number that a restore took back every message counts as changed.
  std::optional<ChangeNumber> unchanged_since;
  /// Up to which change whoever asks knows the messages.
  ChangeNumber known = std::numeric_limits<ChangeNumber>::max();
};
struct StoredFlags {
  std::vector<MessageSummary>
      changed;                ///< those whose flags are now as asked for (also if they were before)
  std::vector<Uid> modified;  ///< left alone: changed after unchanged_since
  std::vector<Uid> news;      ///< of `changed`: changed by others, too, after what is known
};
/// Unknown UIDs are passed over; any order, at most kMaxBatch a transaction. NotFound; TooLarge
/// (the mailbox has no room for a new keyword); Invalid (a keyword that is none). Messages that
/// have the flags already keep their change number.
Result<StoredFlags> store_flags(store::Transaction& tx, AccountId account, MailboxId mailbox,
                                std::span<const Uid> uids, const StoreFlags& wish, Time now);

struct Copied {
  std::uint32_t uid_validity = 0;
  std::vector<Uid> from;  ///< in the order of `uids`, those that existed
  std::vector<Uid> to;    ///< pairwise
};
/// Within one account: the same email in another mailbox (or twice in the same). All or nothing; at
/// most kMaxBatch a call (mailbox/intents.h for more). NotFound, QuotaExceeded, TooLarge,
/// Unavailable as for deliver.
Result<Copied> copy_messages(store::Transaction& tx, AccountId account, MailboxId from,
                             std::span<const Uid> uids, MailboxId to, Time now);
/// RFC 6851. NotFound, TooLarge, Unavailable. In pieces of at most kMaxBatch.
Result<Copied> move_messages(store::Transaction& tx, AccountId account, MailboxId from,
                             std::span<const Uid> uids, MailboxId to, Time now);
/// Erases those of `uids` (at most kMaxBatch) that exist and, with `only_deleted`, have \Deleted.
/// Gives the UIDs that went, ascending. They can be brought back for a while (undelete).
std::vector<Uid> expunge_messages(store::Transaction& tx, AccountId account, MailboxId mailbox,
                                  std::span<const Uid> uids, bool only_deleted, Time now);

/// What happened in a mailbox after `since`.
struct MailboxChanges {
  NumberSet created;    ///< UIDs that came and are still there
  NumberSet updated;    ///< others whose flags changed and that are still there
  NumberSet destroyed;  ///< RFC 7162 VANISHED; may name UIDs that never were
  ChangeNumber up_to = 0;
};
/// From the change table. nullopt when it has been trimmed beyond `since`, when more than
/// `max_changes` of the account lie behind it, or when `since` was given out in a future that a
/// restore has taken back: compare everything then.
std::optional<MailboxChanges> changes_since(store::Reader& reader, AccountId account,
                                            MailboxId mailbox, ChangeNumber since,
                                            std::size_t max_changes = 10'000);
/// True if `since` (a client's MODSEQ) belongs to what the account remembers: between a number that
/// was never given out in this history, and all others. When false, use 0 instead.
bool knows_change(store::Reader& reader, AccountId account, ChangeNumber since);

/// The account's last change number (JMAP state).
ChangeNumber account_change(store::Reader& reader, AccountId account);

/// How long the change table remembers.
struct TrimRules {
  std::chrono::hours age{24 * 90};
  std::uint64_t keep = 10'000;   ///< changes that stay whatever their age
  std::uint64_t most = 200'000;  ///< changes that stay at most
  /// The clock has gone evenly for so long that it is believed: what was expunged in the future
  /// was expunged now (date_back_expunged).
  bool clock_is_settled = false;
};
/// Removes at most kMaxBatch old changes. True when there are no more to remove.
bool trim_changes(store::Transaction& tx, AccountId account, Time now, const TrimRules& rules);

/// Forgets messages that were expunged before `before`, at most kMaxBatch of them. True when there
/// are no more. Their bodies are the store's to reclaim.
bool trim_expunged(store::Transaction& tx, AccountId account, Time before);
/// What was expunged in the future, by a clock that was set back since, was expunged now: it would
/// stay until the clock gets there again. False: there is more, call again.
bool date_back_expunged(store::Transaction& tx, AccountId account, Time now);

/// A message that can be brought back.
struct ExpungedMessage {
  Time expunged{};
  std::string path;  ///< of the mailbox, as it was called
  MailboxId mailbox = 0;
  Uid uid = 0;
  std::uint32_t uid_validity = 0;
  Flags system_flags = 0;
  std::vector<std::string> keywords;
  MessageRecord record;
};
/// Those that were expunged at `from` or later, oldest first, until `visit` returns false.
void scan_expunged(store::Reader& reader, AccountId account, Time from,
                   const std::function<bool(const ExpungedMessage&)>& visit);
/// Puts it back into a mailbox (usually of the same path), as a new message with its flags (without
/// \Deleted) and date. NotFound when the body has been reclaimed, or the row is gone; else as
/// deliver.
Result<Placed> restore_message(store::Transaction& tx, AccountId account, MailboxId into,
                               const ExpungedMessage& message, Time now);

}  // namespace hikyaku::mailbox
