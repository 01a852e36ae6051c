// STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
#include <algorithm>

#include "imapd/session.h"

namespace hikyaku::imapd {
namespace {

mailbox::StoreFlags wish_of(const imap::StoreCommand& command) {
  mailbox::StoreFlags wish;
  switch (command.mode) {
    case imap::StoreCommand::Mode::Replace:
      wish.change = mailbox::FlagChange::Replace;
      break;
    case imap::StoreCommand::Mode::Add:
      wish.change = mailbox::FlagChange::Add;
      break;
    case imap::StoreCommand::Mode::Remove:
      wish.change = mailbox::FlagChange::Remove;
      break;
  }
  wish.system_flags = command.flags.system & imap::kSettableFlags;
  wish.keywords = command.flags.keywords;
  wish.unchanged_since = command.unchanged_since;
  return wish;
}

}  // namespace

Task<imap::Reply> Session::handle(imap::StoreCommand command) {
  if (command.unchanged_since) enable_condstore();
  co_await unpark();
  auto sequences = resolve(*selected_, command.set, command.uid);
  if (!sequences) co_return sequences.error();

  auto id = account();
  auto mailbox = selected_->mailbox;
  auto wish = wish_of(command);
  mailbox::StoredFlags stored;
  bool missing = false;
  // Deleting begins here: it must be possible on a full disk.
  store::TransactOptions options{.may_use_reserve =
                                     wish.change != mailbox::FlagChange::Remove &&
                                     (wish.system_flags & imap::bit(imap::Flag::Deleted)) != 0};
  SequencePieces pieces(*sequences);
  for (auto piece = pieces.next(mailbox::kMaxBatch); !piece.empty();
       piece = pieces.next(mailbox::kMaxBatch)) {
    std::vector<mailbox::Uid> uids;
    RowWalk walk(selected_->messages);
    for (auto sequence : piece) uids.push_back(walk.at(sequence).uid);
    mailbox::StoredFlags part;
    auto done = co_await services_.store.transact(
        {id},
        [&, id, mailbox, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
          TRY(part, mailbox::store_flags(tx, id, mailbox, uids, wish, now));
          return {};
        },
        options);
    if (!done) co_return imap::reply_for(done.error());
    missing |= part.changed.size() + part.modified.size() < uids.size();
    stored.changed.insert(stored.changed.end(), part.changed.begin(), part.changed.end());
    stored.modified.insert(stored.modified.end(), part.modified.begin(), part.modified.end());
  }

  std::ranges::sort(stored.changed, {}, &mailbox::MessageSummary::uid);
  co_await refresh(Expunges::HoldBack, stored.changed);
  // RFC 7162 §3.1.3: the mod-sequence is told even when .SILENT wants no flags.
  if (!command.silent || command.unchanged_since) {
    for (auto& row : stored.changed) {
      auto sequence = selected_->messages.sequence_of(row.uid);
      if (!sequence) continue;
      if (command.silent) {
        imap::FetchResponse response(out(), *sequence);
        response.uid(row.uid);
        response.modseq(row.changed);
        response.end();
      } else {
        append_changed_row(*sequence, row);
      }
      if (output_.full()) co_await output_.flush();
    }
  }

  if (!stored.modified.empty()) {
    std::vector<std::uint32_t> numbers;
    for (auto uid : stored.modified) {
      if (command.uid)
        numbers.push_back(uid);
      else if (auto sequence = selected_->messages.sequence_of(uid))
        numbers.push_back(*sequence);
    }
    co_return imap::ok("Some messages were changed meanwhile",
                       imap::modified_code(imap::NumberSet::from_numbers(numbers)));
  }
  if (missing && !command.uid)
    co_return imap::no("Some of the messages have been expunged", "EXPUNGEISSUED");
  co_return imap::ok("Stored");
}

}  // namespace hikyaku::imapd
