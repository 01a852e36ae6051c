// EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9; RFC 7162 §3.2.7).
#include <fmt/core.h>

#include "imapd/session.h"

namespace hikyaku::imapd {

Task<Result<void>> Session::expunge(SequenceRanges sequences) {
  SequencePieces pieces(sequences);
  for (auto piece = pieces.next_ranges(uids_at_once()); !piece.empty();
       piece = pieces.next_ranges(uids_at_once())) {
    auto deleted = co_await choose(piece, mailbox::kDeleted);
    // What another session has undeleted meanwhile stays.
    CO_TRY_DO(co_await mailbox::expunge_bulk(bulk(), account(), selected_->mailbox,
                                             std::move(deleted.uids), true));
  }
  co_return Result<void>{};
}

Task<imap::Reply> Session::handle(imap::ExpungeCommand command) {
  // Another session may have marked messages that this client has not heard of yet.
  co_await refresh(Expunges::HoldBack);
  SequenceRanges sequences;
  if (command.uids) {
    auto found = co_await named(*command.uids, true);
    if (!found) co_return found.error();
    sequences = std::move(*found);
  } else if (auto all = static_cast<std::uint32_t>(selected_->messages.size())) {
    sequences.push_back({1, all});
  }
  auto done = co_await expunge(std::move(sequences));
  co_await refresh(Expunges::Tell);
  if (!done) co_return refusal(done.error());
  if (!state_.tells_modseq()) co_return imap::ok("Expunged");
  co_return imap::ok("Expunged",
                     fmt::format("HIGHESTMODSEQ {}", selected_->messages.view().change()));
}

}  // namespace hikyaku::imapd
