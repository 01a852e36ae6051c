// EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9; RFC 7162 §3.2.7).
#include <fmt/core.h>

#include "imapd/session.h"

namespace hikyaku::imapd {

Task<Result<void>> Session::expunge(SequenceRanges sequences) {
  std::vector<mailbox::Uid> uids;
  RowWalk walk(selected_->messages);
  for (auto& range : sequences) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      auto& row = walk.at(sequence);
      if ((row.flags & mailbox::kDeleted) != 0) uids.push_back(row.uid);
    }
  }
  // What another session has undeleted meanwhile stays.
  CO_TRY_DO(
      co_await mailbox::expunge_bulk(bulk(), account(), selected_->mailbox, std::move(uids), true));
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
  if (!done) co_return refusal(done.error());
  if (!state_.tells_modseq()) co_return imap::ok("Expunged");
  co_return imap::ok("Expunged",
                     fmt::format("HIGHESTMODSEQ {}", selected_->messages.view().change()));
}

}  // namespace hikyaku::imapd
