// COPY and MOVE (RFC 9051 §6.4.7, §6.4.8; RFC 4315, RFC 6851).
#include <utility>

#include "imapd/session.h"
#include "mailbox/bulk.h"

namespace hikyaku::imapd {
namespace {

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

/// COPYUID's two sets must pair up: both are ascending, as UIDs were named.
Task<std::string> Session::copy_uid(const mailbox::Copied& copied) {
  auto from = co_await text_of(copied.from);
  co_return imap::copy_uid_code(copied.uid_validity, from, co_await text_of(copied.to));
}

Task<imap::Reply> Session::handle(imap::CopyCommand command) {
  co_await unpark();
  auto sequences = co_await named(command.set, command.uid);
  if (!sequences) co_return sequences.error();
  auto target = co_await find_target(command.mailbox);
  if (!target) co_return target.error();
  auto chosen = co_await choose(*sequences);
  if (chosen.uids.empty()) co_return imap::ok("Nothing to copy");
  if (!command.uid && chosen.has_ghost) co_return expunged_meanwhile();

  mailbox::BulkCopy wish{.from = selected_->mailbox,
                         .to = target->id,
                         .uids = std::move(chosen.uids),
                         .bytes = chosen.bytes,
                         // To many clients deleting is copying to Trash, then expunging.
                         .is_deleting = target->role == mailbox::Role::Trash};
  work_with(2 * wish.uids.capacity() * sizeof(mailbox::Uid));  // with those it gets
  auto copied = co_await mailbox::copy_bulk(bulk(), account(), std::move(wish));
  if (!copied) co_return refusal(copied.error());
  if (target->id == selected_->mailbox) co_await refresh(Expunges::Tell);
  if (copied->from.empty()) co_return imap::ok("Nothing to copy");
  co_return imap::ok("Copied", co_await copy_uid(*copied));
}

Task<imap::Reply> Session::handle(imap::MoveCommand command) {
  co_await unpark();
  auto sequences = co_await named(command.set, command.uid);
  if (!sequences) co_return sequences.error();
  auto target = co_await find_target(command.mailbox);
  if (!target) co_return target.error();
  auto chosen = co_await choose(*sequences);
  if (!command.uid && chosen.has_ghost) co_return expunged_meanwhile();

  work_with(2 * chosen.memory());  // with the UIDs it gets
  mailbox::Copied moved;
  auto done = co_await mailbox::move_bulk(bulk(), account(), selected_->mailbox,
                                          std::move(chosen.uids), target->id, moved);
  // RFC 6851 §4.3: COPYUID untagged, before the EXPUNGEs; also when only a part has been moved.
  auto none = moved.from.empty();
  if (!none) write(imap::ok("Moved", co_await copy_uid(moved)));
  moved = {};
  work_with(0);
  co_await refresh(Expunges::Tell);
  if (!done) co_return refusal(done.error());
  co_return imap::ok(none ? "Nothing to move" : "Done");
}

}  // namespace hikyaku::imapd
