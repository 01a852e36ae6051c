// STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).
#include "imapd/limits.h"
#include "imapd/own_changes.h"
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

  auto wanted = count(*sequences);
  auto stored = co_await store(*sequences, wish_of(command));
  if (!stored) co_return refusal(stored.error());
  OwnChanges own{std::move(*sequences), std::move(stored->modified), std::move(stored->news),
                 std::move(stored->pieces)};
  work_with(own.memory());
  co_await refresh(Expunges::HoldBack, &own);
  // RFC 7162 §3.1.3: the mod-sequence is told even when .SILENT wants no flags.
  if (!command.silent || command.unchanged_since) co_await tell_stored(command, own);
  if (!own.left_alone.empty()) co_return co_await modified(command.uid, std::move(own.left_alone));
  if (stored->stored < wanted && !command.uid)
    co_return imap::no("Some of the messages have been expunged", "EXPUNGEISSUED");
  co_return imap::ok("Stored");
}

/// A piece after the other, however many there are.
Task<Result<mailbox::BulkStored>> Session::store(const SequenceRanges& sequences,
                                                 mailbox::StoreFlags wish) {
  mailbox::BulkStored all;
  wish.known = selected_->messages.view().change();
  SequencePieces pieces(sequences);
  for (auto piece = pieces.next_ranges(uids_at_once()); !piece.empty();
       piece = pieces.next_ranges(uids_at_once())) {
    auto chosen = co_await choose(piece);
    CO_TRY(auto stored, co_await mailbox::store_flags_bulk(bulk(), account(), selected_->mailbox,
                                                           std::move(chosen.uids), wish));
    all.stored += stored.stored;
    all.modified.insert(all.modified.end(), stored.modified.begin(), stored.modified.end());
    all.news.insert(all.news.end(), stored.news.begin(), stored.news.end());
    all.pieces.insert(all.pieces.end(), stored.pieces.begin(), stored.pieces.end());
    work_with((all.modified.capacity() + all.news.capacity()) * sizeof(mailbox::Uid) +
              all.pieces.capacity() * sizeof(mailbox::BulkStored::Piece));
  }
  co_return all;
}

/// As the rows are in the session's view. What somebody has changed since has been told already,
/// and what is expunged has no flags any more.
Task<void> Session::tell_stored(const imap::StoreCommand& command, const OwnChanges& own) {
  auto& messages = selected_->messages;
  RowWalk walk(messages);
  OwnWalk own_walk(&own);
  Turn turn;
  std::size_t rows = 0;
  for (auto& range : own.messages) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      if (++rows % kRowsPerTurn == 0 && turn.is_over()) co_await take_turn(turn);
      auto& row = walk.at(sequence);
      if (!own_walk.has(sequence, row)) continue;
      if (messages.ghosts() > 0 && messages.is_ghost(sequence)) continue;
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
