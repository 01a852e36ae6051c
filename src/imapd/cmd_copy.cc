// COPY and MOVE (RFC 9051 §6.4.7, §6.4.8; RFC 4315, RFC 6851).
#include <utility>

#include "imapd/session.h"
#include "mailbox/bulk.h"

namespace hikyaku::imapd {
namespace {

imap::NumberSet set_of(const std::vector<mailbox::Uid>& uids) {
  return imap::NumberSet::from_numbers(uids);
}

/// COPYUID's two sets must pair up: both are ascending, as UIDs were named.
std::string copy_uid(const mailbox::Copied& copied) {
  return imap::copy_uid_code(copied.uid_validity, set_of(copied.from), set_of(copied.to));
}

imap::Reply expunged_meanwhile() {
  return imap::no("Some of the messages have been expunged", "EXPUNGEISSUED");
}

}  // namespace

Task<std::expected<mailbox::MailboxInfo, imap::Reply>> Session::find_target(std::string path) {
  auto found = co_await services_.store.read([&, id = account()](store::Reader& reader) {
    return mailbox::find_mailbox(reader, id, path);
  });
  if (!found || !found->selectable)
    co_return std::unexpected(imap::no("There is no such mailbox", "TRYCREATE"));
  co_return std::move(*found);
}

std::vector<mailbox::Uid> Session::uids_of(const SequenceRanges& sequences) const {
  std::vector<mailbox::Uid> uids;
  for (auto& range : sequences) {
    auto part = selected_->messages.uids(range.first, range.last);
    uids.insert(uids.end(), part.begin(), part.end());
  }
  return uids;
}

std::uint64_t Session::bytes_of(const SequenceRanges& sequences) const {
  std::uint64_t bytes = 0;
  RowWalk walk(selected_->messages);
  for (auto& range : sequences) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence)
      bytes += walk.at(sequence).size;
  }
  return bytes;
}

Task<imap::Reply> Session::handle(imap::CopyCommand command) {
  co_await unpark();
  auto sequences = resolve(*selected_, command.set, command.uid);
  if (!sequences) co_return sequences.error();
  auto target = co_await find_target(command.mailbox);
  if (!target) co_return target.error();
  auto uids = uids_of(*sequences);
  if (uids.empty()) co_return imap::ok("Nothing to copy");
  if (!command.uid && has_ghost(*sequences)) co_return expunged_meanwhile();

  mailbox::BulkCopy wish{.from = selected_->mailbox,
                         .to = target->id,
                         .uids = std::move(uids),
                         .bytes = bytes_of(*sequences),
                         // To many clients deleting is copying to Trash, then expunging.
                         .is_deleting = target->role == mailbox::Role::Trash};
  auto copied = co_await mailbox::copy_bulk(bulk(), account(), std::move(wish));
  if (!copied) co_return refusal(copied.error());
  if (target->id == selected_->mailbox) co_await refresh(Expunges::Tell);
  if (copied->from.empty()) co_return imap::ok("Nothing to copy");
  co_return imap::ok("Copied", copy_uid(*copied));
}

bool Session::has_ghost(const SequenceRanges& sequences) const {
  auto& messages = selected_->messages;
  if (messages.ghosts() == 0) return false;
  for (auto& range : sequences) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence)
      if (messages.is_ghost(sequence)) return true;
  }
  return false;
}

Task<imap::Reply> Session::handle(imap::MoveCommand command) {
  co_await unpark();
  auto sequences = resolve(*selected_, command.set, command.uid);
  if (!sequences) co_return sequences.error();
  auto target = co_await find_target(command.mailbox);
  if (!target) co_return target.error();
  if (!command.uid && has_ghost(*sequences)) co_return expunged_meanwhile();

  mailbox::Copied moved;
  auto done = co_await mailbox::move_bulk(bulk(), account(), selected_->mailbox,
                                          uids_of(*sequences), target->id, moved);
  // RFC 6851 §4.3: COPYUID untagged, before the EXPUNGEs; also when only a part has been moved.
  if (!moved.from.empty()) write(imap::ok("Moved", copy_uid(moved)));
  co_await refresh(Expunges::Tell);
  if (!done) co_return refusal(done.error());
  co_return imap::ok(moved.from.empty() ? "Nothing to move" : "Done");
}

}  // namespace hikyaku::imapd
