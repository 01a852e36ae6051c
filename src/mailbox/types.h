// The words of the data model: what a mailbox, a message, an email are, and the numbers that name
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "store/store.h"

namespace hikyaku::mailbox {

using store::AccountId;

/// A mailbox of an account; never used again. 0 is the root: the parent of top-level mailboxes.
using MailboxId = std::uint32_t;
inline constexpr MailboxId kRoot = 0;

/// RFC 9051 §2.3.1.1: strictly ascending within a mailbox, never shown twice.
using Uid = std::uint32_t;

/// The account's change number: one for every transaction that changes the account. IMAP's MODSEQ,
/// JMAP's state.
using ChangeNumber = std::uint64_t;

/// One email of an account, which may lie in several mailboxes (RFC 8474 EMAILID).
using EmailId = std::uint64_t;
/// RFC 8474 THREADID: the id of the thread's first email.
using ThreadId = std::uint64_t;

/// Flags of a message in a mailbox: system flags and, from bit kFirstKeyword on, the mailbox's
/// keywords.
using Flags = std::uint64_t;
inline constexpr Flags kSeen = 1;
inline constexpr Flags kAnswered = 2;
inline constexpr Flags kFlagged = 4;
inline constexpr Flags kDeleted = 8;
inline constexpr Flags kDraft = 16;
inline constexpr int kFirstKeyword = 6;
/// Keywords that one mailbox can have. When all are used, PERMANENTFLAGS no longer offers \*.
inline constexpr int kMaxKeywords = 64 - kFirstKeyword;

/// What a mailbox is for (RFC 6154, RFC 8621 §2). At most one mailbox of an account has each role
/// but None.
enum class Role : std::uint8_t {
  None,
  Inbox,
  Archive,
  Drafts,
  Flagged,
  Junk,
  Sent,
  Trash,
  All,
  Important
};
/// "inbox", "archive", …, "" for None: as in JMAP.
std::string_view to_string(Role role);
/// The IMAP attribute, such as "\\Sent"; "" for None and Inbox.
std::string_view special_use(Role role);
/// The role of an IMAP attribute (any case), None for others.
Role role_of_special_use(std::string_view attribute);

/// Limits of the data model.
inline constexpr std::size_t kMaxMailboxNameLength = 255;  ///< bytes of one level
inline constexpr int kMaxMailboxDepth = 50;
inline constexpr std::size_t kMaxMailboxes = 10'000;  ///< per account
inline constexpr std::size_t kMaxKeywordLength = 128;

inline constexpr std::size_t kMaxPlaces = 256;     ///< of one email; a further copy is a new email
inline constexpr std::size_t kMaxReferences = 32;  ///< Message-IDs that a thread is looked up by
/// What one transaction may touch: messages of one copy, move, flag change, expunge.
inline constexpr std::size_t kMaxBatch = 1'000;

/// One row of a mailbox as listings need it.
struct MessageSummary {
  Uid uid = 0;
  Flags flags = 0;
  ChangeNumber changed = 0;  ///< when it arrived or its flags changed last: MODSEQ
  std::uint64_t size = 0;    ///< octets, prefix included: RFC822.SIZE
  Time received{};           ///< INTERNALDATE
  EmailId email = 0;         ///< EMAILID
  ThreadId thread = 0;       ///< THREADID
  bool operator==(const MessageSummary&) const = default;
};

}  // namespace hikyaku::mailbox
