#include "queue/queue.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"
#include "queue/rows.h"
#include "queue/tables.h"
#include "store/index_error.h"

namespace hikyaku::queue {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

namespace {

/// An entry whose attempts were cut off so often is held: it may be what brings the server down.
constexpr int kMaxInterrupted = 3;

Time low_water(Reader& reader) {
  auto value = reader.get(low_water_key());
  return value ? time_from(Decoder(*value).u64_be()) : Time{};
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
  put_totals(tx, held);
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

Due due(Reader& reader, Time now, std::size_t most, const std::set<EntryId>& known) {
  Due result;
  auto range = Key(kInstance, kTableDue).children();
  range.begin = Key(kInstance, kTableDue).u64(millis(low_water(reader))).bytes();
  std::vector<EntryId> found;
  reader.scan(range, [&](std::string_view key, std::string_view) {
    auto fields = store::key_fields(key);
    auto at = time_from(fields.u64_be());
    if (at > now || found.size() >= most) {
      result.next = at;
      return false;
    }
    auto message = fields.u64_be();
    EntryId id{message, fields.u32_be()};
    if (!known.contains(id)) found.push_back(id);
    return true;
  });
  result.low_water = low_water(reader);
  reader.scan(range, Reader::Direction::Backward, [&](std::string_view key, std::string_view) {
    result.last = time_from(store::key_fields(key).u64_be());
    return false;
  });
  for (auto& id : found) {
    try {
      auto entry = get_entry(reader, id.first, id.second);
      if (entry) result.entries.push_back(std::move(*entry));
    } catch (const store::IndexError&) {
      result.unreadable.insert(id);
      if (result.unreadable.size() >= kUnreadableAtOnce) break;
    }
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

bool draw_back(Transaction& tx, Time now, Time latest, std::size_t most) {
  // First: nothing is due before it.
  if (low_water(tx) > now) {
    Encoder out;
    out.u64_be(millis(now));
    tx.put(low_water_key(), out.bytes());
  }
  auto range = Key(kInstance, kTableDue).children();
  range.begin = Key(kInstance, kTableDue).u64(millis(latest) + 1).bytes();
  struct Row {
    std::string key;
    MessageId id = 0;
    std::uint32_t number = 0;
  };
  std::vector<Row> found;
  tx.scan(range, [&](std::string_view key, std::string_view) {
    auto fields = store::key_fields(key);
    fields.u64_be();
    auto id = fields.u64_be();
    found.push_back({std::string(key), id, fields.u32_be()});
    return found.size() < most;
  });
  for (auto& [key, id, number] : found) {
    // Whatever it is, it would be found again for ever.
    tx.erase(key);
    (void)change(tx, id, number, [&](Entry& e) { e.next_attempt = now; });
  }
  return found.size() < most;
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

Result<void> hold_attempted(Transaction& tx, MessageId id, std::uint32_t number,
                            std::string_view reason) {
  return change(tx, id, number, [&](Entry& e) {
    end_attempt(e);
    e.state = State::Held;
    e.hold_reason = reason;
    e.hold_untold = true;
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
  put_totals(tx, held);
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

namespace {
/// For whoever has others to look at: nothing when the row cannot be read, which the store tells.
std::optional<Entry> get_readable(Reader& reader, MessageId id, std::uint32_t number) {
  try {
    return get_entry(reader, id, number);
  } catch (const store::IndexError&) {
    return std::nullopt;
  }
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
    auto before = get_readable(tx, id, number);
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
    auto entry = get_readable(reader, id, number);
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
