// EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9; RFC 7162 §3.2.7).
#include <fmt/core.h>

#include "imapd/session.h"

namespace hikyaku::imapd {

Task<Result<void>> Session::expunge(SequenceRanges sequences) {
  auto id = account();
  auto mailbox = selected_->mailbox;
  SequencePieces pieces(sequences);
  for (auto piece = pieces.next(mailbox::kMaxBatch); !piece.empty();
       piece = pieces.next(mailbox::kMaxBatch)) {
    std::vector<mailbox::Uid> uids;
    RowWalk walk(selected_->messages);
    for (auto sequence : piece) {
      auto& row = walk.at(sequence);
      if ((row.flags & mailbox::kDeleted) != 0) uids.push_back(row.uid);
    }
    if (uids.empty()) continue;
    // What another session has undeleted meanwhile stays.
    CO_TRY_DO(co_await services_.store.transact(
        {id},
        [&, id, mailbox, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
          mailbox::expunge_messages(tx, id, mailbox, uids, true, now);
          return {};
        },
        {.may_use_reserve = true}));
  }
  co_return Result<void>{};
}

Task<imap::Reply> Session::handle(imap::ExpungeCommand command) {
  // Another session may have marked messages that this client has not heard of yet.
  co_await refresh(Expunges::HoldBack);
  SequenceRanges sequences;
  if (command.uids) {
    auto named = resolve(*selected_, *command.uids, true);
    if (!named) co_return named.error();
    sequences = std::move(*named);
  } else if (auto all = static_cast<std::uint32_t>(selected_->messages.size())) {
    sequences.push_back({1, all});
  }
  auto done = co_await expunge(std::move(sequences));
  co_await refresh(Expunges::Tell);
  if (!done) co_return imap::reply_for(done.error());
  if (!state_.tells_modseq()) co_return imap::ok("Expunged");
  co_return imap::ok("Expunged",
                     fmt::format("HIGHESTMODSEQ {}", selected_->messages.view().change()));
}

}  // namespace hikyaku::imapd
