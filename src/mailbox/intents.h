// Work that is too much for one transaction: copies and appends of more than kMaxBatch messages,
// which are all or nothing all the same (RFC 9051 §6.4.7, RFC 3502), and the erasing of large
// mailboxes.
//
// A long append reserves UIDs far above uid_next, writes its messages there in pieces, unseen
// because nothing at or above uid_next is, and publishes them in one short transaction that moves
// uid_next behind them. Deliveries go on below meanwhile. A mailbox has one long append at a time.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "mailbox/messages.h"

namespace hikyaku::mailbox {

class Change;
using IntentId = std::uint64_t;

/// Begins a long append of `count` messages of `bytes` together. NotFound, QuotaExceeded; TooLarge
/// (UIDs used up); Unavailable while another long append into the mailbox is under way: wait for a
/// change of the mailbox, or answer NO [INUSE].
Result<IntentId> begin_append(store::Transaction& tx, AccountId account, MailboxId mailbox,
                              std::uint32_t count, std::uint64_t bytes, Time now);
/// The next messages, at most kMaxBatch. NotFound: the mailbox is gone, or the intent was undone.
/// TooLarge: more than were announced.
Result<void> append_piece(store::Transaction& tx, AccountId account, IntentId intent,
                          std::span<const NewMessage> messages, Time now);
/// The same with the messages of another mailbox of the account that are still there; gives their
/// UIDs there.
Result<std::vector<Uid>> copy_piece(store::Transaction& tx, AccountId account, IntentId intent,
                                    MailboxId from, std::span<const Uid> uids, Time now);
/// What a long append has become: UIDs [first, first + count) in the order they were written.
struct Published {
  std::uint32_t uid_validity = 0;
  Uid first = 0;
  std::uint32_t count = 0;
};
/// Makes the messages visible. NotFound as above; QuotaExceeded when others have filled the account
/// meanwhile.
Result<Published> publish(store::Transaction& tx, AccountId account, IntentId intent, Time now);
/// Gives up a long append; its messages go in pieces behind (work_off).
void abandon(store::Transaction& tx, AccountId account, IntentId intent);

/// One piece (at most kMaxBatch messages) of what is to be erased or undone. True when nothing is
/// left.
bool work_off(store::Transaction& tx, AccountId account, Time now);
/// Whether work_off has something to do, or there are long appends.
bool has_intents(store::Reader& reader, AccountId account);
/// At start, before any session: gives up the long appends that a crash has cut short.
void abandon_appends(store::Transaction& tx, AccountId account);

// mailbox/'s own:
IntentId begin_erasing(Change& change, MailboxId mailbox, std::string path,
                       std::uint32_t uid_validity);
/// True when the intent is done.
bool erase_piece(store::Transaction& tx, AccountId account, IntentId intent, Time now);

}  // namespace hikyaku::mailbox
