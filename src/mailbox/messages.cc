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

/// How many of `uids`, from the first on, are close enough together for one walk over their rows:
/// rows in between are passed over, but not long stretches of them.
std::size_t run_length(std::span<const Uid> uids) {
  constexpr Uid kLongGap = 32;
  std::size_t length = 1;
  while (length < uids.size() && uids[length] - uids[length - 1] <= kLongGap) ++length;
  return length;
}

Uid uid_of(std::string_view message_key) {
  auto fields = store::key_fields(message_key);
  fields.u32_be();
  return fields.u32_be();
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
  if (uid == 0 || uid >= uid_next(reader, account, mailbox)) return std::nullopt;
  auto key = summary_key(account, mailbox, group_of(uid));
  auto value = reader.get(key);
  if (!value) return std::nullopt;
  SummaryGroup group;
  decode_group(key, *value, group);
  auto* row = group.find(uid);
  return row ? std::optional(*row) : std::nullopt;
}

std::optional<MessageRecord> get_message_or_ghost(store::Reader& reader, AccountId account,
                                                  MailboxId mailbox, Uid uid) {
  if (uid >= uid_next(reader, account, mailbox)) return std::nullopt;
  return load<MessageRecord>(reader, message_key(account, mailbox, uid));
}

std::vector<std::optional<MessageRecord>> get_messages_or_ghosts(store::Reader& reader,
                                                                 AccountId account,
                                                                 MailboxId mailbox,
                                                                 std::span<const Uid> uids,
                                                                 std::size_t most_bytes) {
  std::vector<std::optional<MessageRecord>> found(uids.size());
  auto next = uid_next(reader, account, mailbox);
  std::size_t at = 0;
  std::size_t bytes = 0;
  std::size_t done = uids.size();
  // False: it was the last that there is room for.
  auto has_room_after = [&](std::size_t index) {
    if (found[index]) bytes += found[index]->memory();
    if (bytes < most_bytes) return true;
    done = index + 1;
    return false;
  };
  auto get_run = [&](std::span<const Uid> run) {
    auto end = message_key(account, mailbox, run.back());
    std::size_t wanted = 0;
    reader.scan({message_key(account, mailbox, run.front()).bytes(), end.bytes() + '\0'},
                [&](std::string_view key, std::string_view value) {
                  auto uid = uid_of(key);
                  while (wanted < run.size() && run[wanted] < uid) ++wanted;
                  if (wanted == run.size() || run[wanted] != uid) return wanted < run.size();
                  if (!decode(value, found[at + wanted].emplace())) throw CorruptRow(key);
                  return has_room_after(at + wanted) && ++wanted < run.size();
                });
  };
  while (at < done && uids[at] < next) {
    auto run = uids.subspan(at, run_length(uids.subspan(at)));
    while (run.back() >= next) run = run.first(run.size() - 1);
    // A few alone are found faster than a walk begins.
    if (run.size() >= 4)
      get_run(run);
    else
      for (std::size_t i = 0; i < run.size() && at + i < done; ++i) {
        found[at + i] = load<MessageRecord>(reader, message_key(account, mailbox, run[i]));
        if (!has_room_after(at + i)) break;
      }
    at += run.size();
  }
  found.resize(done);
  return found;
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

}  // namespace

void scan_messages(store::Reader& reader, AccountId account, MailboxId mailbox, Uid first, Uid last,
                   const std::function<bool(Uid, const MessageRecord&)>& visit) {
  auto next = uid_next(reader, account, mailbox);
  last = std::min(last, next - 1);
  first = std::max<Uid>(first, 1);
  MessageRecord record;  // used again and again
  bool more = true;
  // One walk over a run of rows, in which those of expunged messages are passed over.
  auto scan_run = [&](std::span<const Uid> run) {
    auto wanted = run.begin();
    auto end = message_key(account, mailbox, run.back());
    reader.scan({message_key(account, mailbox, run.front()).bytes(), end.bytes() + '\0'},
                [&](std::string_view key, std::string_view value) {
                  auto uid = uid_of(key);
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
      auto length = run_length(left);
      scan_run(left.first(length));
      left = left.subspan(length);
    }
    first = uids.back() + 1;
  }
}

}  // namespace hikyaku::mailbox
