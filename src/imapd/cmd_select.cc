// SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.3.3, §6.4.1, §6.4.2; RFC 7162 §3.2.5).
#include <algorithm>
#include <fmt/core.h>

#include "base/async.h"
#include "imapd/extensions.h"
#include "imapd/limits.h"
#include "imapd/session.h"
#include "mailbox/tables.h"

namespace hikyaku::imapd {
namespace {

std::uint32_t first_unseen(const mailbox::View& view) {
  for (std::size_t row = 0; row < view.size();) {
    auto run = view.run(row);
    for (auto& message : run) {
      ++row;
      if ((message.flags & mailbox::kSeen) == 0) return static_cast<std::uint32_t>(row);
    }
  }
  return 0;
}

std::string access(bool read_only) {
  return read_only ? "READ-ONLY" : "READ-WRITE";
}

}  // namespace

Task<imap::Reply> Session::handle(imap::SelectCommand command) {
  if (selected_) {
    leave_mailbox();
    write(imap::ok("The mailbox is closed", "CLOSED"));
  }
  auto id = account();
  auto watch = std::make_unique<Watch>();
  watch->list = listen(*watch, mailbox::kTopicMailboxes);
  auto found = co_await services_.store.read([&, id](store::Reader& reader) {
    return mailbox::find_mailbox(reader, id, command.mailbox);
  });
  if (!found || !found->selectable)
    co_return imap::no("There is no such mailbox", found ? "NOSELECT" : "NONEXISTENT");
  watch->mailbox = listen(*watch, found->id);
  auto opened = co_await services_.views.open(id, found->id);
  if (!opened) co_return refusal(opened.error());

  if (command.condstore || command.qresync) enable_condstore();
  state_.read_only = command.read_only;
  state_.phase = imap::Phase::Selected;
  auto uid_validity = (*opened)->uid_validity();
  selected_.emplace(mailbox::SessionView(std::move(*opened)), std::move(watch));
  selected_->mailbox = found->id;
  selected_->path = found->path;
  show_place();
  selected_->uid_validity = uid_validity;
  co_await claim_recent();

  auto& view = selected_->messages.view();
  auto rev2 = state_.has(imap::Enabled::Imap4Rev2);
  imap::append_mailbox_flags(out(), view.keywords());
  imap::append_exists(out(), static_cast<std::uint32_t>(view.size()));
  if (!rev2) {
    imap::append_recent(out(), static_cast<std::uint32_t>(selected_->recent.count()));
    if (auto unseen = first_unseen(view))
      write(imap::ok("The first unseen message", fmt::format("UNSEEN {}", unseen)));
  }
  auto room = view.keywords().size() < static_cast<std::size_t>(mailbox::kMaxKeywords);
  write(imap::permanent_flags(view.keywords(), !state_.read_only, room));
  write(imap::ok("UIDs are valid", fmt::format("UIDVALIDITY {}", view.uid_validity())));
  write(imap::ok("The next UID", fmt::format("UIDNEXT {}", view.uid_next())));
  write(imap::ok("Changes up to here", fmt::format("HIGHESTMODSEQ {}", view.change())));
  write(imap::ok("Its name for ever",
                 fmt::format("MAILBOXID ({})", mailbox_object_id(selected_->mailbox))));
  if (rev2) {
    imap::ListEntry entry{.name = selected_->path, .attributes = {}, .child_info = {}};
    imap::append_list(out(), entry, state_.name_form());
  }
  if (command.qresync) co_await tell_since(*command.qresync);
  co_return imap::ok(state_.read_only ? "Opened for reading" : "Opened", access(state_.read_only));
}

/// QRESYNC: what has happened since the client was here (RFC 7162 §3.2.5).
Task<void> Session::tell_since(const imap::QResync& known) {
  if (known.uid_validity != selected_->uid_validity) co_return;
  co_await tell_vanished(known.modseq, known.known_uids, known.sequence_match);
  auto since = co_await known_since(known.modseq);
  auto& messages = selected_->messages;
  RowWalk walk(messages);
  for (std::uint32_t sequence = 1; sequence <= messages.size(); ++sequence) {
    auto& row = walk.at(sequence);
    if (row.changed > since && (!known.known_uids || known.known_uids->contains(row.uid)))
      append_changed_row(sequence, row);
    if (output_.full()) co_await output_.flush();
    if (sequence % kRowsPerTurn == 0) co_await yield_now();
  }
}

Task<mailbox::ChangeNumber> Session::known_since(mailbox::ChangeNumber since) {
  auto knows = co_await services_.store.read([id = account(), since](store::Reader& reader) {
    return mailbox::knows_change(reader, id, since);
  });
  co_return knows ? since : 0;
}

namespace {

/// The part of the client's UIDs that certainly is as it says, by RFC 7162 §3.2.5.2: up to the last
/// pair of number and UID that agrees with ours, nothing has vanished.
mailbox::Uid agreed_up_to(const mailbox::SessionView& messages,
                          const std::pair<imap::NumberSet, imap::NumberSet>& match) {
  mailbox::Uid agreed = 0;
  auto& numbers = match.first.ranges();
  auto& uids = match.second.ranges();
  std::size_t n = 0, u = 0;
  std::uint32_t number = 0, uid = 0;
  if (!numbers.empty()) number = numbers.front().first;
  if (!uids.empty()) uid = uids.front().first;
  while (n < numbers.size() && u < uids.size()) {
    if (number > messages.size() || messages.at(number).uid != uid) break;
    agreed = uid;
    if (number++ == numbers[n].last && ++n < numbers.size()) number = numbers[n].first;
    if (uid++ == uids[u].last && ++u < uids.size()) uid = uids[u].first;
  }
  return agreed;
}

/// 1:last, or nothing.
imap::NumberSet up_to(mailbox::Uid last) {
  imap::NumberSet all;
  if (last > 0) all.add(1, last);
  return all;
}

}  // namespace

Task<void> Session::tell_vanished(
    mailbox::ChangeNumber since, const std::optional<imap::NumberSet>& known,
    const std::optional<std::pair<imap::NumberSet, imap::NumberSet>>& match) {
  auto id = account();
  auto mailbox = selected_->mailbox;
  auto is_ours = co_await known_since(since) == since;
  if (!is_ours) since = 0;
  auto changes = co_await services_.store.read([id, mailbox, since](store::Reader& reader) {
    return mailbox::changes_since(reader, id, mailbox, since);
  });
  auto& messages = selected_->messages;
  auto given_out = up_to(messages.view().uid_next() - 1);
  // Without changes nobody remembers: all that the client knows and that is not here.
  auto vanished = changes ? to_imap(changes->destroyed) : known.value_or(given_out);
  if (changes && known) vanished = vanished.intersection(*known);
  // Who comes from a future that a restore has taken back may name UIDs of it. Otherwise there has
  // been none from UIDNEXT on.
  if (is_ours) vanished = vanished.intersection(given_out);
  if (!changes && match) vanished = vanished.without(up_to(agreed_up_to(messages, *match)));
  // The store may know of expunges that this session has not told: they come with the others, as
  // VANISHED without EARLIER, and once (RFC 7162 §3.2.10).
  if (!vanished.empty()) {
    auto counted = messages.uids(1, static_cast<std::uint32_t>(messages.size()));
    vanished = vanished.without(imap::NumberSet::from_numbers(counted));
  }
  co_await write_vanished(vanished, true);
}

Task<imap::Reply> Session::handle(imap::CloseCommand) {
  if (!state_.read_only) {
    // Untold: no expunge may be told now, and of later changes alone the client would conclude that
    // it knows the earlier ones, too (RFC 7162 §3.2, §3.2.8).
    co_await renew(Expunges::HoldBack);
    auto all = static_cast<std::uint32_t>(selected_->messages.size());
    SequenceRanges everything;
    if (all > 0) everything.push_back({1, all});
    auto expunged = co_await expunge(everything);
    if (!expunged) co_return refusal(expunged.error());
  }
  leave_mailbox();
  co_return imap::ok("Closed");
}

Task<imap::Reply> Session::handle(imap::UnselectCommand) {
  leave_mailbox();
  co_return imap::ok("Unselected");
}

}  // namespace hikyaku::imapd
