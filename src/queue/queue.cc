#include "queue/queue.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"
#include "queue/tables.h"

namespace hikyaku::queue {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

/// An entry whose attempts were cut off so often is held: it may be what brings the server down.
constexpr int kMaxInterrupted = 3;

Key message_key(MessageId id) {
  return Key(kInstance, kTableMessage).u64(id);
}
Key entry_key(MessageId id, std::uint32_t number) {
  return Key(kInstance, kTableEntry).u64(id).u32(number);
}
Key attempting_key(MessageId id, std::uint32_t number) {
  return Key(kInstance, kTableAttempting).u64(id).u32(number);
}
std::uint64_t millis(Time time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
}
Key due_key(const Entry& entry) {
  return Key(kInstance, kTableDue)
      .u64(millis(entry.next_attempt))
      .u64(entry.message)
      .u32(entry.number);
}
Key low_water_key() {
  return Key(kInstance, kTableLowWater);
}
Key totals_key() {
  return Key(kInstance, kTableTotals);
}

Time time_from(std::uint64_t ms) {
  return Time(milliseconds(static_cast<std::int64_t>(ms)));
}

std::string encode(const Message& message) {
  Encoder out;
  out.varint(message.blob);
  out.text(message.prefix);
  out.varint(message.size);
  out.text(message.mail_from);
  out.text(message.envelope_id);
  out.u8(static_cast<std::uint8_t>((message.ret == smtp::Return::Full ? 1 : 0) |
                                   (message.eight_bit ? 2 : 0) | (message.smtputf8 ? 4 : 0) |
                                   (message.ret == smtp::Return::Headers ? 8 : 0)));
  out.varint(millis(message.arrived));
  out.varint(message.account);
  return out.take();
}

Message decode_message(MessageId id, std::string_view value) {
  Decoder in(value);
  Message message;
  message.id = id;
  message.blob = in.varint();
  message.prefix = in.text();
  message.size = in.varint();
  message.mail_from = in.text();
  message.envelope_id = in.text();
  auto bits = in.u8();
  if (bits & 1) message.ret = smtp::Return::Full;
  if (bits & 8) message.ret = smtp::Return::Headers;
  message.eight_bit = bits & 2;
  message.smtputf8 = bits & 4;
  message.arrived = time_from(in.varint());
  message.account = static_cast<store::AccountId>(in.varint());
  return message;
}

std::string encode(const Entry& entry) {
  Encoder out;
  out.text(entry.recipient);
  out.text(entry.original);
  out.u8(entry.notify);
  out.text(entry.destination);
  out.u8(static_cast<std::uint8_t>(entry.state));
  out.varint(millis(entry.next_attempt));
  out.varint(static_cast<std::uint64_t>(entry.attempts));
  out.varint(static_cast<std::uint64_t>(entry.interrupted));
  out.u8(static_cast<std::uint8_t>((entry.attempting ? 1 : 0) | (entry.delay_told ? 2 : 0) |
                                   (entry.hold_untold ? 4 : 0)));
  out.varint(entry.lease_node);
  out.varint(millis(entry.lease_until));
  out.text(entry.last_host);
  out.text(entry.last_reply);
  out.text(entry.hold_reason);
  out.text(entry.original_type);
  out.u8(static_cast<std::uint8_t>(entry.notice));
  out.text(entry.delivered_to);
  return out.take();
}

Entry decode_entry(MessageId id, std::uint32_t number, std::string_view value) {
  Decoder in(value);
  Entry entry;
  entry.message = id;
  entry.number = number;
  entry.recipient = in.text();
  entry.original = in.text();
  entry.notify = in.u8();
  entry.destination = in.text();
  entry.state = static_cast<State>(in.u8());
  entry.next_attempt = time_from(in.varint());
  entry.attempts = static_cast<int>(in.varint());
  entry.interrupted = static_cast<int>(in.varint());
  auto bits = in.u8();
  entry.attempting = bits & 1;
  entry.delay_told = bits & 2;
  entry.hold_untold = bits & 4;
  entry.lease_node = static_cast<std::uint32_t>(in.varint());
  entry.lease_until = time_from(in.varint());
  entry.last_host = in.text();
  entry.last_reply = in.text();
  entry.hold_reason = in.text();
  if (in.at_end()) return entry;  // as rows were before confirmations
  entry.original_type = in.text();
  entry.notice = static_cast<Notice>(in.u8());
  if (in.at_end()) return entry;  // as rows were before aliases were noted
  entry.delivered_to = in.text();
  return entry;
}

Time low_water(Reader& reader) {
  auto value = reader.get(low_water_key());
  return value ? time_from(Decoder(*value).u64_be()) : Time{};
}

/// An empty queue has no rows at all.
void write(Transaction& tx, const Totals& totals) {
  if (totals.entries == 0) return tx.erase(totals_key());
  Encoder out;
  out.varint(totals.entries);
  out.varint(totals.bytes);
  tx.put(totals_key(), out.bytes());
}

/// Row by row, for a store whose rows are older than their counting.
Totals count(Reader& reader) {
  Totals counted;
  reader.scan(Key(kInstance, kTableEntry).children(), [&](std::string_view, std::string_view) {
    ++counted.entries;
    return true;
  });
  reader.scan(Key(kInstance, kTableMessage).children(),
              [&](std::string_view, std::string_view value) {
                counted.bytes += decode_message(0, value).size;
                return true;
              });
  return counted;
}

/// True for entries that stand in the schedule.
bool scheduled(const Entry& entry) {
  return entry.state == State::Waiting && !entry.attempting;
}

/// True for entries that the next start must look at.
bool watched(const Entry& entry) {
  return entry.attempting || entry.hold_untold;
}

/// Writes the entry and keeps the schedule and the list of attempts in step with it. `before`: as
/// it was stored.
void write(Transaction& tx, const Entry* before, Entry& entry) {
  if (before && scheduled(*before)) tx.erase(due_key(*before));
  if (before && watched(*before) && !watched(entry))
    tx.erase(attempting_key(entry.message, entry.number));
  if (scheduled(entry)) {
    // Never before the low-water mark, where nobody would look.
    entry.next_attempt = std::max(entry.next_attempt, low_water(tx));
    tx.put(due_key(entry), {});
    tx.notify(kInstance, kTopicQueue);
  }
  if (watched(entry) && !(before && watched(*before)))
    tx.put(attempting_key(entry.message, entry.number), {});
  tx.put(entry_key(entry.message, entry.number), encode(entry));
}

/// Changes one stored entry.
template <class Change>
Result<void> change(Transaction& tx, MessageId id, std::uint32_t number, Change apply) {
  auto before = get_entry(tx, id, number);
  if (!before)
    return fail(ErrorCode::NotFound, "no entry {}.{} in the queue", story::to_text(id), number);
  Entry entry = *before;
  apply(entry);
  write(tx, &*before, entry);
  return {};
}

void end_attempt(Entry& entry) {
  entry.attempting = false;
  entry.lease_node = 0;
  entry.lease_until = {};
}

void add_entries(Transaction& tx, const Message& message, std::vector<Entry>& entries) {
  auto held = totals(tx);
  held.entries += entries.size();
  held.bytes += message.size;
  write(tx, held);
  tx.put(message_key(message.id), encode(message));
  std::uint32_t number = 0;
  for (auto& entry : entries) {
    entry.message = message.id;
    entry.number = number++;
    write(tx, nullptr, entry);
  }
}

}  // namespace

std::uint8_t notify_bits(const std::optional<smtp::Notify>& notify) {
  if (!notify) return kNotifyDefault;
  std::uint8_t bits = 0;
  if (notify->success) bits |= kNotifySuccess;
  if (notify->failure) bits |= kNotifyFailure;
  if (notify->delay) bits |= kNotifyDelay;
  return bits == 0 ? kNotifyNever : bits | kNotifyGiven;
}

std::optional<smtp::Notify> notify_of(const Entry& entry) {
  if (entry.notify == kNotifyDefault) return std::nullopt;
  return smtp::Notify{.success = (entry.notify & kNotifySuccess) != 0,
                      .failure = (entry.notify & kNotifyFailure) != 0,
                      .delay = (entry.notify & kNotifyDelay) != 0};
}

std::optional<smtp::OriginalRecipient> original_recipient(const Entry& entry) {
  if (!entry.original_type.empty())
    return smtp::OriginalRecipient{entry.original_type, entry.original};
  if (entry.original.empty() || entry.original == entry.recipient) return std::nullopt;
  return smtp::OriginalRecipient{is_ascii(entry.original) ? "rfc822" : "utf-8", entry.original};
}

void add(Transaction& tx, Message message, const store::StagedBlob& body,
         std::vector<Entry> entries) {
  message.blob = tx.own(body, message_key(message.id));
  add_entries(tx, message, entries);
}

void add(Transaction& tx, Message message, std::vector<Entry> entries) {
  tx.own(message.blob, message_key(message.id));
  add_entries(tx, message, entries);
}

std::optional<Message> get_message(Reader& reader, MessageId id) {
  auto value = reader.get(message_key(id));
  if (!value) return std::nullopt;
  return decode_message(id, *value);
}

std::optional<Entry> get_entry(Reader& reader, MessageId id, std::uint32_t number) {
  auto value = reader.get(entry_key(id, number));
  if (!value) return std::nullopt;
  return decode_entry(id, number, *value);
}

Totals totals(Reader& reader) {
  auto value = reader.get(totals_key());
  if (!value) return count(reader);
  Decoder in(*value);
  Totals held;
  held.entries = in.varint();
  held.bytes = in.varint();
  return held;
}

std::vector<Entry> list(Reader& reader, MessageId after, std::size_t most) {
  std::vector<Entry> entries;
  auto range = Key(kInstance, kTableEntry).children();
  range.begin = Key(kInstance, kTableEntry).u64(after + 1).bytes();
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    auto fields = store::key_fields(key);
    auto id = fields.u64_be();
    // Whole messages only, so that the caller can go on behind the last one.
    if (entries.size() >= most && entries.back().message != id) return false;
    entries.push_back(decode_entry(id, fields.u32_be(), value));
    return true;
  });
  return entries;
}

Due due(Reader& reader, Time now, std::size_t most) {
  Due result;
  auto range = Key(kInstance, kTableDue).children();
  range.begin = Key(kInstance, kTableDue).u64(millis(low_water(reader))).bytes();
  std::vector<std::pair<MessageId, std::uint32_t>> found;
  reader.scan(range, [&](std::string_view key, std::string_view) {
    auto fields = store::key_fields(key);
    auto at = time_from(fields.u64_be());
    if (at > now || found.size() >= most) {
      result.next = at;
      return false;
    }
    auto id = fields.u64_be();
    found.emplace_back(id, fields.u32_be());
    return true;
  });
  for (auto& [id, number] : found) {
    if (auto entry = get_entry(reader, id, number)) result.entries.push_back(std::move(*entry));
  }
  return result;
}

void set_low_water(Transaction& tx, Time time) {
  // A message that was accepted since the caller looked may be due earlier.
  auto range = Key(kInstance, kTableDue).children();
  range.begin = Key(kInstance, kTableDue).u64(millis(low_water(tx))).bytes();
  tx.scan(range, [&](std::string_view key, std::string_view) {
    time = std::min(time, time_from(store::key_fields(key).u64_be()));
    return false;
  });
  if (time <= low_water(tx)) return;
  Encoder out;
  out.u64_be(millis(time));
  tx.put(low_water_key(), out.bytes());
}

Result<void> begin_attempt(Transaction& tx, MessageId id, std::uint32_t number, Time lease_until) {
  auto entry = get_entry(tx, id, number);
  if (entry && !scheduled(*entry)) {
    return fail(ErrorCode::Conflict, "entry {}.{} is held or being attempted", story::to_text(id),
                number);
  }
  return change(tx, id, number, [&](Entry& e) {
    e.attempting = true;
    e.lease_until = lease_until;
    ++e.attempts;
  });
}

Result<void> abandon_attempt(Transaction& tx, MessageId id, std::uint32_t number, Time next) {
  return change(tx, id, number, [&](Entry& e) {
    if (e.attempting) --e.attempts;
    end_attempt(e);
    e.next_attempt = next;
  });
}

Result<void> postpone(Transaction& tx, MessageId id, std::uint32_t number, Time next) {
  return change(tx, id, number, [&](Entry& e) {
    if (scheduled(e)) e.next_attempt = next;
  });
}

Result<void> defer(Transaction& tx, MessageId id, std::uint32_t number, Time next,
                   std::string_view host, std::string_view reply) {
  return change(tx, id, number, [&](Entry& e) {
    end_attempt(e);
    e.interrupted = 0;
    e.next_attempt = next;
    e.last_host = host;
    e.last_reply = reply;
  });
}

Result<void> turn_into_notice(Transaction& tx, MessageId id, std::uint32_t number, Notice notice,
                              std::string_view host, std::string_view reply, Time now) {
  return change(tx, id, number, [&](Entry& e) {
    end_attempt(e);
    e.interrupted = 0;
    e.destination = kNotice;
    e.notice = notice;
    e.next_attempt = now;
    e.last_host = host;
    e.last_reply = reply;
  });
}

Result<void> mark_delay_told(Transaction& tx, MessageId id, std::uint32_t number) {
  return change(tx, id, number, [](Entry& e) { e.delay_told = true; });
}

Result<void> hold(Transaction& tx, MessageId id, std::uint32_t number, std::string_view reason) {
  return change(tx, id, number, [&](Entry& e) {
    e.state = State::Held;
    e.hold_reason = reason;
    e.hold_untold = false;
  });
}

Result<void> release(Transaction& tx, MessageId id, std::uint32_t number, Time now) {
  return change(tx, id, number, [&](Entry& e) {
    if (e.state != State::Held) return;
    e.state = State::Waiting;
    e.hold_reason.clear();
    e.hold_untold = false;
    e.interrupted = 0;
    e.next_attempt = now;
  });
}

Result<void> retry_now(Transaction& tx, MessageId id, std::uint32_t number, Time now) {
  return change(tx, id, number, [&](Entry& e) {
    e.state = State::Waiting;
    e.hold_reason.clear();
    e.hold_untold = false;
    if (e.attempting) return;  // it is being tried at this moment
    e.interrupted = 0;
    e.next_attempt = now;
  });
}

Result<void> finish(Transaction& tx, MessageId id, std::uint32_t number) {
  auto entry = get_entry(tx, id, number);
  if (!entry)
    return fail(ErrorCode::NotFound, "no entry {}.{} in the queue", story::to_text(id), number);
  if (scheduled(*entry)) tx.erase(due_key(*entry));
  if (watched(*entry)) tx.erase(attempting_key(id, number));
  auto held = totals(tx);
  held.entries -= std::min<std::uint64_t>(held.entries, 1);
  tx.erase(entry_key(id, number));

  bool others = false;
  tx.scan(Key(kInstance, kTableEntry).u64(id).children(), [&](std::string_view, std::string_view) {
    others = true;
    return false;
  });
  if (!others) {
    if (auto message = get_message(tx, id)) {
      held.bytes -= std::min(held.bytes, message->size);
      tx.disown(message->blob, message_key(id));
    }
    tx.erase(message_key(id));
  }
  write(tx, held);
  return {};
}

namespace {
/// What was attempted when something cut it off waits again, or is held if that was once too often.
Entry interrupt(Transaction& tx, const Entry& before, Time now) {
  Entry entry = before;
  end_attempt(entry);
  ++entry.interrupted;
  entry.next_attempt = now;
  if (entry.interrupted >= kMaxInterrupted) {
    entry.state = State::Held;
    entry.hold_reason = "three attempts to send this were cut off";
    entry.hold_untold = true;
  }
  write(tx, &before, entry);
  return entry;
}
}  // namespace

std::vector<Entry> recover_interrupted(Transaction& tx, Time now) {
  std::vector<std::pair<MessageId, std::uint32_t>> cut_off;
  tx.scan(Key(kInstance, kTableAttempting).children(), [&](std::string_view key, std::string_view) {
    auto fields = store::key_fields(key);
    auto id = fields.u64_be();
    cut_off.emplace_back(id, fields.u32_be());
    return true;
  });
  std::vector<Entry> held;
  for (auto& [id, number] : cut_off) {
    auto before = get_entry(tx, id, number);
    if (!before) continue;
    if (before->hold_untold) {
      held.push_back(std::move(*before));
      continue;
    }
    auto entry = interrupt(tx, *before, now);
    if (entry.hold_untold) held.push_back(entry);
  }
  return held;
}

std::vector<EntryId> expired_attempts(Reader& reader, Time now, const Attempts& running,
                                      std::size_t most) {
  std::vector<EntryId> expired;
  auto all = Key(kInstance, kTableAttempting).children();
  reader.scan(all, [&](std::string_view key, std::string_view) {
    auto fields = store::key_fields(key);
    auto id = fields.u64_be();
    auto number = fields.u32_be();
    if (running.contains({id, number})) return true;
    auto entry = get_entry(reader, id, number);
    if (entry && entry->attempting && entry->lease_until <= now) expired.emplace_back(id, number);
    return expired.size() < most;
  });
  return expired;
}

std::optional<Entry> end_expired_attempt(Transaction& tx, MessageId id, std::uint32_t number,
                                         Time now) {
  auto before = get_entry(tx, id, number);
  if (!before || !before->attempting || before->lease_until > now) return std::nullopt;
  auto entry = interrupt(tx, *before, now);
  return entry.hold_untold ? std::optional(std::move(entry)) : std::nullopt;
}

Result<void> mark_hold_told(Transaction& tx, MessageId id, std::uint32_t number) {
  return change(tx, id, number, [](Entry& e) { e.hold_untold = false; });
}

}  // namespace hikyaku::queue
