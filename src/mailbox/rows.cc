#include "mailbox/rows.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"

namespace hikyaku::mailbox {

CorruptRow::CorruptRow(std::string_view key)
    : std::runtime_error("the row at key " + to_hex(key.substr(0, 64)) + " is damaged") {}

namespace {

void put_time(Encoder& out, Time time) {
  out.svarint(time.time_since_epoch().count());
}

Time take_time(Decoder& in) {
  return Time(milliseconds(in.svarint()));
}

std::uint32_t take_u32(Decoder& in, bool& good) {
  auto value = in.varint();
  if (value > UINT32_MAX) good = false;
  return static_cast<std::uint32_t>(value);
}

/// The number of items that follow, each of at least `bytes` bytes.
std::uint64_t take_count(Decoder& in, std::size_t bytes, bool& good) {
  auto count = in.varint();
  if (count > in.remaining() / bytes) {
    good = false;
    return 0;
  }
  return count;
}

Role take_role(Decoder& in, bool& good) {
  auto value = in.u8();
  if (value > static_cast<std::uint8_t>(Role::Important)) {
    good = false;
    return Role::None;
  }
  return static_cast<Role>(value);
}

}  // namespace

std::string encode(const Numbers& numbers) {
  Encoder out;
  out.varint(numbers.epoch);
  out.varint(numbers.change);
  out.varint(numbers.next_mailbox);
  out.varint(numbers.next_email);
  out.varint(numbers.uid_validity);
  return out.take();
}

bool decode(std::string_view bytes, Numbers& numbers) {
  Decoder in(bytes);
  bool good = true;
  numbers.epoch = take_u32(in, good);
  numbers.change = in.varint();
  numbers.next_mailbox = take_u32(in, good);
  numbers.next_email = in.varint();
  numbers.uid_validity = take_u32(in, good);
  return good && !in.failed();
}

std::string encode(const AccountRow& row) {
  Encoder out;
  out.varint(row.epoch);
  out.varint(row.change);
  out.varint(row.change_floor);
  out.varint(row.change_rows);
  out.varint(row.next_mailbox);
  out.varint(row.next_email);
  out.varint(row.next_intent);
  out.varint(row.uid_validity);
  out.varint(row.used_bytes);
  out.varint(row.used_messages);
  out.varint(row.quota);
  out.varint(row.mailboxes);
  out.varint(row.roles.size());
  for (auto [role, mailbox] : row.roles) {
    out.u8(static_cast<std::uint8_t>(role));
    out.varint(mailbox);
  }
  out.varint(row.gaps.size());
  for (const auto& gap : row.gaps) {
    out.varint(gap.last);
    out.varint(gap.first);
  }
  return out.take();
}

bool decode(std::string_view bytes, AccountRow& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  row.epoch = take_u32(in, good);
  row.change = in.varint();
  row.change_floor = in.varint();
  row.change_rows = in.varint();
  row.next_mailbox = take_u32(in, good);
  row.next_email = in.varint();
  row.next_intent = in.varint();
  row.uid_validity = take_u32(in, good);
  row.used_bytes = in.varint();
  row.used_messages = in.varint();
  row.quota = in.varint();
  row.mailboxes = take_u32(in, good);
  for (auto left = take_count(in, 2, good); left > 0; --left) {
    auto role = take_role(in, good);
    row.roles.emplace_back(role, take_u32(in, good));
  }
  for (auto left = take_count(in, 2, good); left > 0; --left) {
    auto last = in.varint();
    row.gaps.push_back({last, in.varint()});
  }
  return good && !in.failed();
}

std::string encode(const MailboxRow& row) {
  Encoder out;
  out.text(row.name);
  out.varint(row.parent);
  out.u8(static_cast<std::uint8_t>(row.role));
  out.varint(row.uid_validity);
  out.varint(row.epoch);
  out.u8(static_cast<std::uint8_t>((row.subscribed ? 1 : 0) | (row.selectable ? 2 : 0)));
  put_time(out, row.created);
  return out.take();
}

bool decode(std::string_view bytes, MailboxRow& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  row.name = in.text();
  row.parent = take_u32(in, good);
  row.role = take_role(in, good);
  row.uid_validity = take_u32(in, good);
  row.epoch = take_u32(in, good);
  auto bits = in.u8();
  row.subscribed = bits & 1;
  row.selectable = bits & 2;
  row.created = take_time(in);
  return good && !in.failed();
}

std::string encode(const Counters& row) {
  Encoder out;
  out.varint(row.uid_next);
  out.varint(row.total);
  out.varint(row.unseen);
  out.varint(row.size);
  out.varint(row.deleted);
  out.varint(row.deleted_unseen);
  out.varint(row.deleted_size);
  out.varint(row.recent_from);
  out.varint(row.highest_change);
  out.varint(row.threads);
  out.varint(row.reserved_from);
  out.varint(row.reserved_by);
  return out.take();
}

bool decode(std::string_view bytes, Counters& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  row.uid_next = take_u32(in, good);
  row.total = take_u32(in, good);
  row.unseen = take_u32(in, good);
  row.size = in.varint();
  row.deleted = take_u32(in, good);
  row.deleted_unseen = take_u32(in, good);
  row.deleted_size = in.varint();
  row.recent_from = take_u32(in, good);
  row.highest_change = in.varint();
  row.threads = take_u32(in, good);
  row.reserved_from = take_u32(in, good);
  row.reserved_by = in.varint();
  return good && !in.failed();
}

std::string encode(const EmailRow& row) {
  Encoder out;
  out.varint(row.blob);
  out.varint(row.thread);
  out.varint(row.size);
  out.varint(row.places.size());
  for (const auto& place : row.places) {
    out.varint(place.mailbox);
    out.varint(place.uid);
  }
  return out.take();
}

bool decode(std::string_view bytes, EmailRow& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  row.blob = in.varint();
  row.thread = in.varint();
  row.size = in.varint();
  for (auto left = take_count(in, 2, good); left > 0; --left) {
    auto mailbox = take_u32(in, good);
    row.places.push_back({mailbox, take_u32(in, good)});
  }
  return good && !in.failed();
}

ChangeRow::Mailbox& ChangeRow::mailbox(MailboxId id) {
  auto place =
      std::lower_bound(mailboxes.begin(), mailboxes.end(), id,
                       [](const Mailbox& one, MailboxId wanted) { return one.mailbox < wanted; });
  if (place == mailboxes.end() || place->mailbox != id) {
    place = mailboxes.insert(place, Mailbox{});
    place->mailbox = id;
  }
  return *place;
}

std::string encode(const ChangeRow& row) {
  Encoder out;
  put_time(out, row.at);
  out.varint(row.mailboxes.size());
  for (const auto& section : row.mailboxes) {
    out.varint(section.mailbox);
    out.u8(static_cast<std::uint8_t>((section.made ? 1 : 0) | (section.attributes ? 2 : 0) |
                                     (section.gone ? 4 : 0)));
    section.created.encode(out);
    section.updated.encode(out);
    section.destroyed.encode(out);
  }
  row.emails_created.encode(out);
  row.emails_updated.encode(out);
  row.emails_destroyed.encode(out);
  row.threads_created.encode(out);
  row.threads_updated.encode(out);
  row.threads_destroyed.encode(out);
  return out.take();
}

bool decode(std::string_view bytes, ChangeRow& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  row.at = take_time(in);
  for (auto left = take_count(in, 5, good); left > 0; --left) {
    ChangeRow::Mailbox section;
    section.mailbox = take_u32(in, good);
    if (!row.mailboxes.empty() && row.mailboxes.back().mailbox >= section.mailbox) return false;
    auto bits = in.u8();
    section.made = bits & 1;
    section.attributes = bits & 2;
    section.gone = bits & 4;
    if (!section.created.decode(in) || !section.updated.decode(in) || !section.destroyed.decode(in))
      return false;
    row.mailboxes.push_back(std::move(section));
  }
  return good && row.emails_created.decode(in) && row.emails_updated.decode(in) &&
         row.emails_destroyed.decode(in) && row.threads_created.decode(in) &&
         row.threads_updated.decode(in) && row.threads_destroyed.decode(in) && !in.failed();
}

std::string encode(const IntentRow& row) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(row.kind));
  out.varint(row.mailbox);
  out.text(row.path);
  out.varint(row.uid_validity);
  out.varint(row.first);
  out.varint(row.reserved);
  out.varint(row.written);
  out.varint(row.unseen);
  out.varint(row.size);
  out.varint(row.deleted);
  out.varint(row.deleted_unseen);
  out.varint(row.deleted_size);
  out.svarint(row.threads);
  return out.take();
}

bool decode(std::string_view bytes, IntentRow& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  auto kind = in.u8();
  if (kind < 1 || kind > 3) return false;
  row.kind = static_cast<IntentRow::Kind>(kind);
  row.mailbox = take_u32(in, good);
  row.path = in.text();
  row.uid_validity = take_u32(in, good);
  row.first = take_u32(in, good);
  row.reserved = take_u32(in, good);
  row.written = take_u32(in, good);
  row.unseen = take_u32(in, good);
  row.size = in.varint();
  row.deleted = take_u32(in, good);
  row.deleted_unseen = take_u32(in, good);
  row.deleted_size = in.varint();
  row.threads = in.svarint();
  return good && !in.failed();
}

std::string encode(const ExpungedRow& row) {
  Encoder out;
  out.text(row.path);
  out.varint(row.uid_validity);
  out.varint(row.system_flags);
  out.varint(row.keywords.size());
  for (const auto& keyword : row.keywords) out.text(keyword);
  out.varint(row.email);
  out.varint(row.blob);
  return out.take();
}

bool decode(std::string_view bytes, ExpungedRow& row) {
  Decoder in(bytes);
  bool good = true;
  row = {};
  row.path = in.text();
  row.uid_validity = take_u32(in, good);
  row.system_flags = in.varint();
  for (auto left = take_count(in, 1, good); left > 0; --left) row.keywords.emplace_back(in.text());
  row.email = in.varint();
  row.blob = in.varint();
  return good && !in.failed();
}

}  // namespace hikyaku::mailbox
