// FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, §3.2.6). What the rows of the view hold is answered from
// them; envelopes, structures and the usual header fields from the message's record
// (fetch_records.cc); everything else from its bytes (fetch_contents.cc).
#include <algorithm>

#include "base/async.h"
#include "imapd/extensions.h"
#include "imapd/fetching.h"
#include "imapd/limits.h"
#include "mailbox/digest.h"

namespace hikyaku::imapd {
namespace {

using imap::FetchAtt;

constexpr FetchAtt kFromDigest[] = {FetchAtt::Envelope, FetchAtt::BodyStructure, FetchAtt::Body};

/// The stored header fields have all that this item asks for.
bool is_kept(const imap::BodyItem& item) {
  return item.form == imap::BodyItem::Form::Body && item.section.part.empty() &&
         item.section.text == imap::Section::Text::HeaderFields &&
         std::ranges::all_of(item.section.fields, [](auto& name) {
           return mailbox::keeps_field(mailbox::kHeaderSet, name);
         });
}

}  // namespace

Task<imap::Reply> Session::handle(imap::FetchCommand command) {
  auto since = command.modifiers.changed_since;
  if (since) command.items.add(FetchAtt::ModSeq);
  if (command.items.has(FetchAtt::ModSeq)) enable_condstore();
  co_await unpark();
  auto sequences = co_await named(command.set, command.uid);
  if (!sequences) co_return sequences.error();
  if (command.modifiers.vanished && since)
    co_await tell_vanished(*since, uids_named(command.set), std::nullopt);
  // A number of a time that a restore has taken back tells nothing about what the client knows.
  if (since) since = co_await known_since(*since);

  Fetching fetching;
  fetching.items = std::move(command.items);
  fetching.changed_since = since;
  fetching.sequences = std::move(*sequences);
  for (auto& item : fetching.items.bodies) fetching.labels.push_back(imap::response_label(item));
  fetching.needs_digest =
      !fetching.items.bodies.empty() ||
      std::ranges::any_of(kFromDigest, [&](auto att) { return fetching.items.has(att); });

  fetching.needs_bodies = !std::ranges::all_of(fetching.items.bodies, is_kept);

  if (fetching.needs_bodies || fetching.items.sets_seen())
    co_await fetch_contents(fetching);
  else if (fetching.needs_digest || fetching.items.has(FetchAtt::SaveDate))
    co_await fetch_records(fetching);
  else
    co_await fetch_rows(fetching);

  if (fetching.failed) co_return *fetching.failed;
  if (fetching.missing && !command.uid)
    co_return imap::no("Some of the messages have been expunged", "EXPUNGEISSUED");
  co_return imap::ok("Fetched");
}

imap::NumberSet Session::uids_named(const imap::SequenceSet& set) const {
  if (set.is_saved_result()) return selected_->saved;
  auto& messages = selected_->messages;
  auto size = static_cast<std::uint32_t>(messages.size());
  // What has vanished may lie above all that is there. UIDs that no message has had yet are no
  // expunged ones, however far the set goes.
  auto last = messages.view().uid_next() - 1;
  auto highest = size == 0 ? 0 : messages.at(size).uid;
  imap::NumberSet given_out;
  if (last > 0) given_out.add(1, last);
  return set.resolve(std::max(highest, last)).intersection(given_out);
}

void Session::append_row_items(imap::FetchResponse& response, const imap::FetchItems& items,
                               const mailbox::MessageSummary& row) const {
  if (items.has(FetchAtt::Uid)) response.uid(row.uid);
  if (items.has(FetchAtt::Flags)) append_row_flags(response, row);
  if (items.has(FetchAtt::ModSeq)) response.modseq(row.changed);
  if (items.has(FetchAtt::InternalDate)) response.internal_date(row.received);
  if (items.has(FetchAtt::Rfc822Size)) response.rfc822_size(row.size);
  if (items.has(FetchAtt::EmailId)) response.email_id(email_object_id(row.email));
  if (items.has(FetchAtt::ThreadId)) response.thread_id(thread_object_id(row.thread));
}

Task<void> Session::fetch_rows(Fetching& fetching) {
  std::size_t rows = 0;
  RowWalk walk(selected_->messages);
  for (auto& range : fetching.sequences) {
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      auto& row = walk.at(sequence);
      // A message that was expunged while this session was idle has left but its UID.
      if (row.email == 0) fetching.missing = true;
      if (row.email != 0 && !fetching.skips(row)) {
        imap::FetchResponse response(out(), sequence);
        append_row_items(response, fetching.items, row);
        response.end();
        if (output_.full()) co_await output_.flush();
      }
      if (++rows % kRowsPerTurn == 0) co_await yield_now();
    }
  }
}

}  // namespace hikyaku::imapd
