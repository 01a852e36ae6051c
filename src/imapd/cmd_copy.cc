// COPY and MOVE (RFC 9051 §6.4.7, §6.4.8; RFC 4315, RFC 6851).
#include <algorithm>
#include <utility>

#include "imapd/session.h"
#include "mailbox/intents.h"

namespace hikyaku::imapd {
namespace {

imap::NumberSet set_of(const std::vector<mailbox::Uid>& uids) {
  return imap::NumberSet::from_numbers(uids);
}

/// COPYUID's two sets must pair up: both are ascending, as UIDs were named.
std::string copy_uid(const mailbox::Copied& copied) {
  return imap::copy_uid_code(copied.uid_validity, set_of(copied.from), set_of(copied.to));
}

/// To many clients deleting is copying to Trash, then expunging.
store::TransactOptions space_for(const mailbox::MailboxInfo& target) {
  return {.may_use_half_reserve = target.role == mailbox::Role::Trash};
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

Task<imap::Reply> Session::handle(imap::CopyCommand command) {
  co_await unpark();
  auto sequences = resolve(*selected_, command.set, command.uid);
  if (!sequences) co_return sequences.error();
  auto target = co_await find_target(command.mailbox);
  if (!target) co_return target.error();
  auto uids = uids_of(*sequences);
  if (uids.empty()) co_return imap::ok("Nothing to copy");
  if (!command.uid && has_ghost(*sequences)) co_return expunged_meanwhile();

  auto copied = uids.size() <= mailbox::kMaxBatch ? co_await copy_few(std::move(uids), *target)
                                                  : co_await copy_many(*sequences, *target);
  if (!copied) co_return imap::reply_for(copied.error());
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

Task<Result<mailbox::Copied>> Session::copy_few(std::vector<mailbox::Uid> uids,
                                                const mailbox::MailboxInfo& to) {
  mailbox::Copied copied;
  CO_TRY_DO(co_await services_.store.transact(
      {account()},
      [&, id = account(), from = selected_->mailbox,
       now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
        TRY(copied, mailbox::copy_messages(tx, id, from, uids, to.id, now));
        return {};
      },
      space_for(to)));
  co_return copied;
}

/// All or nothing too, but in pieces that nobody sees before the last one (mailbox/intents.h).
Task<Result<mailbox::Copied>> Session::copy_many(SequenceRanges sequences,
                                                 const mailbox::MailboxInfo& to) {
  auto id = account();
  auto from = selected_->mailbox;
  std::uint64_t bytes = 0;
  RowWalk walk(selected_->messages);
  for (auto& range : sequences) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence)
      bytes += walk.at(sequence).size;
  }
  auto number = static_cast<std::uint32_t>(count(sequences));
  mailbox::IntentId intent = 0;
  CO_TRY_DO(co_await services_.store.transact(
      {id},
      [&, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
        TRY(intent, mailbox::begin_append(tx, id, to.id, number, bytes, now));
        return {};
      },
      space_for(to)));
  auto copied = co_await copy_pieces(std::move(sequences), from, intent, space_for(to));
  if (copied) co_return copied;
  // If even this fails, the next start undoes it.
  (void)co_await services_.store.transact({id},
                                          [&](store::Transaction& tx) -> Result<void> {
                                            mailbox::abandon(tx, id, intent);
                                            return {};
                                          },
                                          {.may_use_reserve = true});
  co_return copied;
}

Task<Result<mailbox::Copied>> Session::copy_pieces(SequenceRanges sequences,
                                                   mailbox::MailboxId from,
                                                   mailbox::IntentId intent,
                                                   store::TransactOptions options) {
  auto id = account();
  mailbox::Copied copied;
  SequencePieces pieces(sequences);
  for (auto piece = pieces.next(mailbox::kMaxBatch); !piece.empty();
       piece = pieces.next(mailbox::kMaxBatch)) {
    std::vector<mailbox::Uid> uids;
    RowWalk walk(selected_->messages);
    for (auto sequence : piece) uids.push_back(walk.at(sequence).uid);
    std::vector<mailbox::Uid> there;
    CO_TRY_DO(co_await services_.store.transact(
        {id},
        [&, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
          TRY(there, mailbox::copy_piece(tx, id, intent, from, uids, now));
          return {};
        },
        options));
    // Which of them went where could not be told.
    if (there.size() < uids.size())
      co_return fail(ErrorCode::Conflict, "some of the messages have been expunged meanwhile");
    copied.from.insert(copied.from.end(), uids.begin(), uids.end());
    copied.to.insert(copied.to.end(), there.begin(), there.end());
  }
  CO_TRY_DO(co_await services_.store.transact(
      {id},
      [&, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
        TRY(auto published, mailbox::publish(tx, id, intent, now));
        copied.uid_validity = published.uid_validity;
        return {};
      },
      options));
  co_return copied;
}

Task<imap::Reply> Session::handle(imap::MoveCommand command) {
  co_await unpark();
  auto sequences = resolve(*selected_, command.set, command.uid);
  if (!sequences) co_return sequences.error();
  auto target = co_await find_target(command.mailbox);
  if (!target) co_return target.error();
  if (!command.uid && has_ghost(*sequences)) co_return expunged_meanwhile();

  auto id = account();
  auto from = selected_->mailbox;
  mailbox::Copied moved;
  std::optional<Error> error;
  SequencePieces pieces(*sequences);
  for (auto piece = pieces.next(mailbox::kMaxBatch); !piece.empty() && !error;
       piece = pieces.next(mailbox::kMaxBatch)) {
    std::vector<mailbox::Uid> uids;
    RowWalk walk(selected_->messages);
    for (auto sequence : piece) uids.push_back(walk.at(sequence).uid);
    mailbox::Copied part;
    auto done = co_await services_.store.transact(
        {id},
        [&, now = services_.clock.now()](store::Transaction& tx) -> Result<void> {
          TRY(part, mailbox::move_messages(tx, id, from, uids, target->id, now));
          return {};
        },
        {.may_use_half_reserve = true});
    if (!done) {
      error = std::move(done).error();
      break;
    }
    moved.uid_validity = part.uid_validity;
    moved.from.insert(moved.from.end(), part.from.begin(), part.from.end());
    moved.to.insert(moved.to.end(), part.to.begin(), part.to.end());
  }
  // RFC 6851 §4.3: COPYUID untagged, before the EXPUNGEs; also when only a part has been moved.
  if (!moved.from.empty()) write(imap::ok("Moved", copy_uid(moved)));
  co_await refresh(Expunges::Tell);
  if (error) co_return imap::reply_for(*error);
  co_return imap::ok(moved.from.empty() ? "Nothing to move" : "Done");
}

}  // namespace hikyaku::imapd
