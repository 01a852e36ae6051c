// STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
#include "imapd/limits.h"
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
  auto sequences = co_await named(command.set, command.uid);
  if (!sequences) co_return sequences.error();

  auto chosen = co_await choose(*sequences);
  auto wanted = chosen.uids.size();
  auto stored = co_await mailbox::store_flags_bulk(bulk(), account(), selected_->mailbox,
                                                   std::move(chosen.uids), wish_of(command));
  if (!stored) co_return refusal(stored.error());
  co_await refresh(Expunges::HoldBack, stored->changed);
  // RFC 7162 §3.1.3: the mod-sequence is told even when .SILENT wants no flags.
  if (!command.silent || command.unchanged_since) co_await tell_stored(command, stored->changed);
  if (!stored->modified.empty())
    co_return co_await modified(command.uid, std::move(stored->modified));
  if (stored->changed.size() < wanted && !command.uid)
    co_return imap::no("Some of the messages have been expunged", "EXPUNGEISSUED");
  co_return imap::ok("Stored");
}

Task<void> Session::tell_stored(const imap::StoreCommand& command,
                                const std::vector<mailbox::MessageSummary>& changed) {
  auto& messages = selected_->messages;
  mailbox::SessionView::Finder finder(messages);
  RowWalk walk(messages);
  Turn turn;
  std::size_t rows = 0;
  for (auto& row : changed) {
    if (++rows % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
    auto sequence = finder.lower_bound(row.uid);
    if (sequence > messages.size()) break;
    auto& known = walk.at(sequence);
    // Or somebody has changed it since: that has been told, and this would be older.
    if (known.uid != row.uid || known.changed > row.changed) continue;
    if (command.silent) {
      imap::FetchResponse response(out(), sequence);
      response.uid(row.uid);
      response.modseq(row.changed);
      response.end();
    } else {
      append_changed_row(sequence, row);
    }
    if (output_.full()) co_await output_.flush();
  }
}

/// UNCHANGEDSINCE kept these as they are.
Task<imap::Reply> Session::modified(bool by_uid, std::vector<mailbox::Uid> uids) {
  if (!by_uid) {
    auto& messages = selected_->messages;
    mailbox::SessionView::Finder finder(messages);
    RowWalk walk(messages);
    Turn turn;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < uids.size(); ++i) {
      if (i % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
      auto sequence = finder.lower_bound(uids[i]);
      if (sequence <= messages.size() && walk.at(sequence).uid == uids[i]) uids[kept++] = sequence;
    }
    uids.resize(kept);
  }
  co_return imap::ok("Some messages were changed meanwhile",
                     imap::modified_code(co_await text_of(uids)));
}

}  // namespace hikyaku::imapd
