// The operations of messages.h on any number of messages, as a few short transactions: so that a
// command for 100,000 messages holds nobody else up.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "mailbox/intents.h"
#include "mailbox/messages.h"

namespace hikyaku::mailbox {

/// Where bulk work is done. All of it must outlive it.
struct BulkContext {
  store::Store& store;
  const Clock& clock;
  /// Asked before each piece: true when the server ends and cannot wait for the rest, which is left
  /// as after an error (Shutdown); what must not be left so is taken up at the next start. Empty:
  /// it waits.
  std::function<bool()> stopping = nullptr;
};

/// What became of a STORE. Of the messages themselves it holds nothing: there may be a million, and
/// who asked for it can look at them.
struct BulkStored {
  std::uint64_t stored = 0;   ///< messages whose flags are now as asked for
  std::vector<Uid> modified;  ///< left alone: changed after unchanged_since; ascending
  std::vector<Uid> news;      ///< stored, and changed by others after `known`; ascending
  struct Piece {
    Uid last = 0;             ///< the pieces are ascending by UID, this one goes up to here
    ChangeNumber change = 0;  ///< a message of it with a later change has been changed since
  };
  std::vector<Piece> pieces;
};
/// STORE, in pieces: what a piece has changed stays when a later one fails. UIDs in any order.
/// Adding \Deleted may use the reserve of disk space: deleting begins so.
Task<Result<BulkStored>> store_flags_bulk(BulkContext context, AccountId account, MailboxId mailbox,
                                          std::vector<Uid> uids, StoreFlags wish);
struct BulkCopy {
  MailboxId from = 0, to = 0;
  std::vector<Uid> uids;     ///< in any order; those that are gone are passed over
  std::uint64_t bytes = 0;   ///< all together, if known: a quota refuses before the first is copied
  bool is_deleting = false;  ///< to Trash: may use half of the reserve
};
/// COPY: all or nothing, and seen all at once. Do not destroy it half-way (but at shutdown): the
/// mailbox would take no other long append until the next start.
Task<Result<Copied>> copy_bulk(BulkContext context, AccountId account, BulkCopy wish);
/// APPEND and MULTIAPPEND: the same, of bodies that are all staged already. UIDs
/// [first, first + count).
Task<Result<Published>> append_bulk(BulkContext context, AccountId account, MailboxId mailbox,
                                    std::vector<NewMessage> messages);
/// MOVE, in pieces: every message is in exactly one of the mailboxes at any time. With an error,
/// what was moved before stays moved, and is in `moved`.
Task<Result<void>> move_bulk(BulkContext context, AccountId account, MailboxId from,
                             std::vector<Uid> uids, MailboxId to, Copied& moved);
/// EXPUNGE, CLOSE, UID EXPUNGE, in pieces. May use the reserve of disk space.
Task<Result<std::vector<Uid>>> expunge_bulk(BulkContext context, AccountId account,
                                            MailboxId mailbox, std::vector<Uid> uids,
                                            bool only_deleted);
/// Works off what delete_mailbox and abandoned appends have left. Call it after delete_mailbox, and
/// for every account that has_intents() at start.
Task<Result<void>> work_off_bulk(BulkContext context, AccountId account);
/// Housekeeping, once a day or so: old changes, messages that were expunged before
/// `expunged_before`.
Task<Result<void>> trim_bulk(BulkContext context, AccountId account, TrimRules rules,
                             Time expunged_before);

}  // namespace hikyaku::mailbox
