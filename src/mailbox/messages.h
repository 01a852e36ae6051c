// The messages in mailboxes: delivery, reading, flags, copying, moving, expunging.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "mailbox/mailboxes.h"
#include "mailbox/types.h"

namespace hikyaku::mailbox {

/// What is worked out about a message's bytes once, before the transaction (mailbox/digest.h makes
/// it): everything that FETCH of metadata, SEARCH in headers and threading need. It covers prefix +
/// body.
struct Digest {
  std::string envelope;        ///< finished IMAP ENVELOPE
  std::string body_structure;  ///< finished BODYSTRUCTURE (extended form)
  std::string body;  ///< finished BODY (basic form); empty: derive it from the stored parts
  std::string
      header_fields;  ///< raw header fields that clients ask for, "Name: value\r\n" each, in order
  std::string parts;  ///< encoded part offsets (mime/digest), relative to the body's first byte
  std::vector<std::uint64_t>
      reference_hashes;  ///< hashes of Message-ID, In-Reply-To, References: for the thread
  std::uint64_t message_id_hash = 0;
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
};

/// One message to be put into a mailbox.
struct NewMessage {
  store::StagedBlob body;
  std::string prefix;
  Time received{};
  Flags system_flags = 0;
  std::vector<std::string> keywords;
  Digest digest;
};

/// Where a message went.
struct Placed {
  MailboxId mailbox = 0;
  std::uint32_t uid_validity = 0;
  Uid uid = 0;
  EmailId email = 0;
  ChangeNumber change = 0;
};

/// NotFound (mailbox gone), QuotaExceeded, TooLarge (keywords, UIDs used up).
Result<Placed> deliver(store::Transaction& tx, AccountId account, MailboxId mailbox,
                       const NewMessage& message, Time now);

std::optional<MessageRecord> get_message(store::Reader& reader, AccountId account,
                                         MailboxId mailbox, Uid uid);
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
  std::optional<ChangeNumber> unchanged_since;  ///< RFC 7162 §3.1.3
};
struct StoredFlags {
  std::vector<MessageSummary>
      changed;                ///< those whose flags are now as asked for (also if they were before)
  std::vector<Uid> modified;  ///< left alone: changed after unchanged_since
};
/// Unknown UIDs are passed over. Call it with at most 1,000 UIDs a transaction.
Result<StoredFlags> store_flags(store::Transaction& tx, AccountId account, MailboxId mailbox,
                                std::span<const Uid> uids, const StoreFlags& wish);

struct Copied {
  std::uint32_t uid_validity = 0;
  std::vector<Uid> from;  ///< in the order of `uids`, those that existed
  std::vector<Uid> to;    ///< pairwise
};
/// Within one account: the same email in another mailbox (or twice in the same). All or nothing; ≤
/// 1,000 a call.
Result<Copied> copy_messages(store::Transaction& tx, AccountId account, MailboxId from,
                             std::span<const Uid> uids, MailboxId to, Time now);
/// RFC 6851. NotFound, QuotaExceeded. In pieces of ≤ 1,000.
Result<Copied> move_messages(store::Transaction& tx, AccountId account, MailboxId from,
                             std::span<const Uid> uids, MailboxId to, Time now);
/// Erases those of `uids` that exist and, with `only_deleted`, have \Deleted. Gives the UIDs that
/// went.
std::vector<Uid> expunge_messages(store::Transaction& tx, AccountId account, MailboxId mailbox,
                                  std::span<const Uid> uids, bool only_deleted, Time now);

/// What happened in a mailbox after `since`: from the change table. nullopt when it has been
/// trimmed beyond `since`.
struct MailboxChanges {
  std::vector<Uid> created;
  std::vector<Uid> updated;
  std::vector<Uid> destroyed;  ///< RFC 7162 VANISHED
  ChangeNumber up_to = 0;
};
std::optional<MailboxChanges> changes_since(store::Reader& reader, AccountId account,
                                            MailboxId mailbox, ChangeNumber since,
                                            std::size_t max_changes = 10'000);

}  // namespace hikyaku::mailbox
