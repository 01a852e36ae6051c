#include "queue/rows.h"

#include <algorithm>

#include "base/codec.h"
#include "queue/tables.h"

namespace hikyaku::queue {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

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

void put_totals(Transaction& tx, const Totals& totals) {
  if (totals.entries == 0) return tx.erase(totals_key());
  Encoder out;
  out.varint(totals.entries);
  out.varint(totals.bytes);
  tx.put(totals_key(), out.bytes());
}

namespace {

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

}  // namespace

Totals totals(Reader& reader) {
  auto value = reader.get(totals_key());
  if (!value) return count(reader);
  Decoder in(*value);
  Totals held;
  held.entries = in.varint();
  held.bytes = in.varint();
  return held;
}

}  // namespace hikyaku::queue
