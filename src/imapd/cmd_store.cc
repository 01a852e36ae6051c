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

  auto uids = uids_of(*sequences);
  auto wanted = uids.size();
  auto stored = co_await mailbox::store_flags_bulk(bulk(), account(), selected_->mailbox,
                                                   std::move(uids), wish_of(command));
  if (!stored) co_return refusal(stored.error());
  std::ranges::sort(stored->changed, {}, &mailbox::MessageSummary::uid);
  co_await refresh(Expunges::HoldBack, stored->changed);
  // RFC 7162 §3.1.3: the mod-sequence is told even when .SILENT wants no flags.
  if (!command.silent || command.unchanged_since) co_await tell_stored(command, stored->changed);
  if (!stored->modified.empty()) co_return modified(command, stored->modified);
  if (stored->changed.size() < wanted && !command.uid)
    co_return imap::no("Some of the messages have been expunged", "EXPUNGEISSUED");
  co_return imap::ok("Stored");
}

Task<void> Session::tell_stored(const imap::StoreCommand& command,
                                const std::vector<mailbox::MessageSummary>& changed) {
  for (auto& row : changed) {
    auto sequence = selected_->messages.sequence_of(row.uid);
    if (!sequence) continue;
    // Somebody has changed it since: that has been told, and this would be older.
    if (selected_->messages.at(*sequence).changed > row.changed) continue;
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

/// UNCHANGEDSINCE kept these as they are.
imap::Reply Session::modified(const imap::StoreCommand& command,
                              const std::vector<mailbox::Uid>& uids) const {
  std::vector<std::uint32_t> numbers;
  for (auto uid : uids) {
    if (command.uid)
      numbers.push_back(uid);
    else if (auto sequence = selected_->messages.sequence_of(uid))
      numbers.push_back(*sequence);
  }
  return imap::ok("Some messages were changed meanwhile",
                  imap::modified_code(imap::NumberSet::from_numbers(numbers)));
}

}  // namespace hikyaku::imapd
