// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 9051 §6.3.4 to §6.3.8, §6.3.11;
// RFC 6154 §3, RFC 8438, RFC 8474).
#include <fmt/core.h>

#include "imap/mailbox_name.h"
#include "imapd/extensions.h"
#include "imapd/session.h"

namespace hikyaku::imapd {

Task<imap::Reply> Session::handle(imap::CreateCommand command) {
  if (auto valid = imap::check_new_name(command.mailbox); !valid)
    co_return imap::no(valid.error().text, "CANNOT");
  auto role = mailbox::Role::None;
  if (!command.special_uses.empty()) {
    role = mailbox::role_of_special_use(command.special_uses.front());
    if (role == mailbox::Role::None || command.special_uses.size() > 1)
      co_return imap::no("A mailbox can have one special use, of those that LIST shows", "USEATTR");
  }
  mailbox::MailboxInfo made;
  auto done = co_await services_.store.transact(
      {account()},
      [&, id = account(), now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
        TRY(made, mailbox::create_mailbox(tx, id, command.mailbox, role, now));
        return {};
      });
  if (!done && done.error().code == ErrorCode::Conflict && role != mailbox::Role::None)
    co_return imap::no("Another mailbox has this special use", "USEATTR");
  if (!done) co_return refusal_of_name(done.error());
  co_return imap::ok("Created", fmt::format("MAILBOXID ({})", mailbox_object_id(made.id)));
}

imap::Reply Session::refusal_of_name(const Error& error) {
  // The grammar was right: it is the name that cannot be.
  if (error.code == ErrorCode::Invalid) return imap::no(error.text, "CANNOT");
  return refusal(error);
}

Task<imap::Reply> Session::handle(imap::DeleteCommand command) {
  auto id = account();
  std::optional<mailbox::MailboxInfo> found;
  auto done = co_await services_.store.transact(
      {id},
      [&, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
        found = mailbox::find_mailbox(tx, id, command.mailbox);
        return mailbox::delete_mailbox(tx, id, command.mailbox, now);
      },
      {.may_use_reserve = true});
  if (!done) co_return refusal_of_name(done.error());
  if (selected_ && found && selected_->mailbox == found->id) {
    leave_mailbox();
    write(imap::ok("The mailbox is closed", "CLOSED"));
  }
  // The mailbox is gone; now the messages of a large one go in pieces, to where undelete finds
  // them: those of a very large one behind the answer.
  auto context = bulk();
  auto until = std::chrono::steady_clock::now() + settings_.delete_waits;
  context.stopping = [stopping = std::move(context.stopping), until] {
    return stopping() || std::chrono::steady_clock::now() >= until;
  };
  bool all = false;
  try {
    all = (co_await mailbox::work_off_bulk(std::move(context), id)).has_value();
  } catch (const std::exception&) {
    // A row that cannot be read: the mailbox is gone all the same, and who works it off tells it.
  }
  if (!all && services_.take_up) services_.take_up(id);
  co_return imap::ok("Deleted");
}

Task<imap::Reply> Session::handle(imap::RenameCommand command) {
  if (auto valid = imap::check_new_name(command.to); !valid)
    co_return imap::no(valid.error().text, "CANNOT");
  auto done = co_await services_.store.transact(
      {account()}, [&, id = account(), now = services_.clock.now()](store::Transaction& tx) {
        return mailbox::rename_mailbox(tx, id, command.from, command.to, now);
      });
  if (!done) co_return refusal_of_name(done.error());
  co_return imap::ok("Renamed");
}

Task<Result<void>> Session::set_subscribed(std::string path, bool subscribed) {
  co_return co_await services_.store.transact(
      {account()}, [&, id = account(), now = services_.clock.now()](store::Transaction& tx) {
        return mailbox::subscribe_mailbox(tx, id, path, subscribed, now);
      });
}

Task<imap::Reply> Session::handle(imap::SubscribeCommand command) {
  auto done = co_await set_subscribed(std::move(command.mailbox), true);
  if (!done) co_return refusal_of_name(done.error());
  co_return imap::ok("Subscribed");
}

Task<imap::Reply> Session::handle(imap::UnsubscribeCommand command) {
  auto done = co_await set_subscribed(std::move(command.mailbox), false);
  if (!done) co_return refusal_of_name(done.error());
  co_return imap::ok("Unsubscribed");
}

imap::StatusValues Session::status_values(const mailbox::MailboxInfo& info,
                                          const mailbox::Counters& counters) {
  imap::StatusValues values;
  values.messages = counters.total;
  values.recent = 0;
  if (counters.recent_from < counters.uid_next) {
    // Those that nobody has seen as new; some of the UIDs may be gone again.
    values.recent = std::min(counters.total, counters.uid_next - counters.recent_from);
  }
  values.uid_next = counters.uid_next;
  values.uid_validity = info.uid_validity;
  values.unseen = counters.unseen;
  values.deleted = counters.deleted;
  values.size = counters.size;
  values.highest_modseq = counters.highest_change;
  values.mailbox_id = mailbox_object_id(info.id);
  return values;
}

Task<imap::Reply> Session::handle(imap::StatusCommand command) {
  if (command.items.has(imap::StatusItem::HighestModSeq)) enable_condstore();
  struct Found {
    std::optional<mailbox::MailboxInfo> info;
    mailbox::Counters counters;
  };
  auto found = co_await services_.store.read([&, id = account()](store::Reader& reader) {
    Found result{mailbox::find_mailbox(reader, id, command.mailbox), {}};
    if (result.info) result.counters = mailbox::get_counters(reader, id, result.info->id);
    return result;
  });
  if (!found.info || !found.info->selectable)
    co_return imap::no("There is no such mailbox", "NONEXISTENT");
  imap::append_status(out(), found.info->path, state_.name_form(), command.items,
                      status_values(*found.info, found.counters));
  co_return imap::ok("Status told");
}

}  // namespace hikyaku::imapd
