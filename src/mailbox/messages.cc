#include "mailbox/messages.h"

#include <algorithm>

#include "mailbox/record.h"
#include "mailbox/rows.h"
#include "mailbox/summary_rows.h"

namespace hikyaku::mailbox {

namespace {

/// UIDs from uid_next on are not there yet, though a long append may be writing them.
Uid uid_next(store::Reader& reader, AccountId account, MailboxId mailbox) {
  auto counters = load<Counters>(reader, counters_key(account, mailbox));
  return counters ? counters->uid_next : 1;
}

void decode_group(std::string_view key, std::string_view value, SummaryGroup& group) {
  auto fields = store::key_fields(key);
  fields.u32_be();
  auto number = fields.u32_be();
  if (fields.failed() || number > group_of(UINT32_MAX) || !group.decode(value, base_of(number)))
    throw CorruptRow(key);
}

/// Calls visit(group) for the groups with UIDs from `first` to `last`, until it returns false.
void scan_groups(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first, Uid last,
                 const std::function<bool(SummaryGroup&)>& visit) {
  auto begin = summary_key(account, mailbox, group_of(first)).bytes();
  auto end = summary_key(account, mailbox, group_of(last) + 1).bytes();
  SummaryGroup group;
  reader.scan({begin, end}, [&](std::string_view key, std::string_view value) {
    decode_group(key, value, group);
    return visit(group);
  });
}

}  // namespace

void scan_summaries(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first,
                    Uid last, const std::function<bool(const MessageSummary&)>& visit) {
  auto next = uid_next(reader, account, mailbox);
  last = std::min(last, next - 1);
  first = std::max<Uid>(first, 1);
  if (first > last) return;
  scan_groups(reader, account, mailbox, first, last, [&](SummaryGroup& group) {
    for (const auto& row : group.rows()) {
      if (row.uid < first) continue;
      if (row.uid > last || !visit(row)) return false;
    }
    return true;
  });
}

std::optional<MessageSummary> get_summary(store::Reader& reader, AccountId account,
                                          MailboxId mailbox, Uid uid) {
  std::optional<MessageSummary> found;
  scan_summaries(reader, account, mailbox, uid, uid, [&](const MessageSummary& row) {
    found = row;
    return false;
  });
  return found;
}

std::optional<MessageRecord> get_message_or_ghost(store::Reader& reader, AccountId account,
                                                  MailboxId mailbox, Uid uid) {
  if (uid >= uid_next(reader, account, mailbox)) return std::nullopt;
  return load<MessageRecord>(reader, message_key(account, mailbox, uid));
}

std::optional<MessageRecord> get_message(store::Reader& reader, AccountId account,
                                         MailboxId mailbox, Uid uid) {
  if (!get_summary(reader, account, mailbox, uid)) return std::nullopt;
  return load<MessageRecord>(reader, message_key(account, mailbox, uid));
}

namespace {

/// The next UIDs that are there, from `first` to `last`, at most about kMaxBatch.
std::vector<Uid> next_uids(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first,
                           Uid last) {
  std::vector<Uid> uids;
  scan_groups(reader, account, mailbox, first, last, [&](SummaryGroup& group) {
    for (const auto& row : group.rows())
      if (row.uid >= first && row.uid <= last) uids.push_back(row.uid);
    return uids.size() < kMaxBatch;
  });
  return uids;
}

/// Decodes rows into one Row that is used again and again.
template <class Row>
void scan_rows(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first, Uid last,
               const std::function<bool(Uid, const Row&)>& visit) {
  auto next = uid_next(reader, account, mailbox);
  last = std::min(last, next - 1);
  first = std::max<Uid>(first, 1);
  Row record;
  bool more = true;
  // One walk over a run of rows, in which those of expunged messages are passed over; but not over
  // long stretches of them.
  constexpr Uid kLongGap = 32;
  auto scan_run = [&](std::span<const Uid> run) {
    auto wanted = run.begin();
    auto end = message_key(account, mailbox, run.back());
    reader.scan({message_key(account, mailbox, run.front()).bytes(), end.bytes() + '\0'},
                [&](std::string_view key, std::string_view value) {
                  auto fields = store::key_fields(key);
                  fields.u32_be();
                  auto uid = fields.u32_be();
                  if (uid != *wanted) return uid < *wanted;
                  ++wanted;
                  if (!decode(value, record)) throw CorruptRow(key);
                  more = visit(uid, record);
                  return more && wanted != run.end();
                });
    if (more && wanted != run.end()) throw CorruptRow(message_key(account, mailbox, *wanted));
  };
  while (more && first <= last) {
    auto uids = next_uids(reader, account, mailbox, first, last);
    if (uids.empty()) return;
    std::span<const Uid> left(uids);
    while (more && !left.empty()) {
      std::size_t length = 1;
      while (length < left.size() && left[length] - left[length - 1] <= kLongGap) ++length;
      scan_run(left.first(length));
      left = left.subspan(length);
    }
    first = uids.back() + 1;
  }
}

}  // namespace

void scan_messages(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first, Uid last,
                   const std::function<bool(Uid, const MessageRecord&)>& visit) {
  scan_rows<MessageRecord>(reader, account, mailbox, first, last, visit);
}

void scan_texts(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first, Uid last,
                const std::function<bool(Uid, const MessageTexts&)>& visit) {
  scan_rows<MessageTexts>(reader, account, mailbox, first, last, visit);
}

}  // namespace hikyaku::mailbox
