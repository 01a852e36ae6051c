#include "story/story.h"

#include <algorithm>
#include <array>

#include "base/codec.h"
#include "base/hash.h"
#include "base/text.h"
#include "story/tables.h"

namespace hikyaku::story {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

constexpr std::uint8_t kArrival = 0;
constexpr std::uint8_t kAttempt = 1;
constexpr std::uint8_t kNote = 2;

/// Texts from strangers are cut to these: a story is one small row.
constexpr std::size_t kNameLength = 128;
constexpr std::size_t kAddressLength = 254;
constexpr std::size_t kSubjectLength = 80;
constexpr std::size_t kReasonLength = 300;
constexpr std::size_t kReplyLength = 500;
/// Recipients and findings that one row keeps; the rest is left out.
constexpr std::size_t kMaxOutcomes = 1'000;
constexpr std::size_t kMaxFindings = 40;

/// Kinds of outcomes as they are stored, and shown in JSON.
constexpr std::array<std::string_view, 4> kKinds{"delivered", "queued", "refused", "lost"};

constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

std::uint32_t day_of(Time time) {
  return static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

Key story_key(MessageId id) {
  return Key(kInstance, kTableStory).u32(day_of(time_of(id))).u64(id);
}

std::string index_form(std::string_view text) {
  return to_lower(utf8_prefix(hikyaku::trim(text), kAddressLength));
}

/// `form`: as index_form gives it.
Key index_key(store::Table table, std::uint32_t day, std::string_view form) {
  return Key(kInstance, table).u32(day).u64(fnv1a64(form));
}

void index(Transaction& tx, store::Table table, std::string_view text, MessageId id) {
  if (text.empty()) return;
  auto form = index_form(text);
  tx.put(index_key(table, day_of(time_of(id)), form).u64(id), form);
}

void put_text(Encoder& out, std::string_view text, std::size_t limit) {
  out.text(utf8_prefix(text, limit));
}

void put_findings(Encoder& out, const std::vector<Finding>& findings) {
  auto count = std::min(findings.size(), kMaxFindings);
  out.varint(count);
  for (std::size_t i = 0; i < count; ++i) {
    put_text(out, findings[i].check, kNameLength);
    put_text(out, findings[i].result, kNameLength);
    put_text(out, findings[i].reason, kReasonLength);
  }
}

std::vector<Finding> get_findings(Decoder& in) {
  std::vector<Finding> findings;
  for (auto left = in.varint(); left > 0 && !in.failed(); --left) {
    Finding finding;
    finding.check = in.text();
    finding.result = in.text();
    finding.reason = in.text();
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::string encode(const Arrival& arrival, const std::vector<RecipientOutcome>& recipients) {
  Encoder out;
  put_text(out, arrival.protocol, kNameLength);
  put_text(out, arrival.peer, kNameLength);
  put_text(out, arrival.peer_name, kNameLength);
  put_text(out, arrival.helo, kNameLength);
  put_text(out, arrival.tls, kNameLength);
  put_text(out, arrival.login, kAddressLength);
  put_text(out, arrival.mail_from, kAddressLength);
  put_text(out, arrival.header_from, kAddressLength);
  put_text(out, arrival.message_id, kAddressLength);
  put_text(out, arrival.subject, kSubjectLength);
  out.varint(arrival.size);
  put_findings(out, arrival.findings);
  auto count = std::min(recipients.size(), kMaxOutcomes);
  out.varint(count);
  for (std::size_t i = 0; i < count; ++i) {
    put_text(out, recipients[i].address, kAddressLength);
    out.text(to_string(recipients[i].kind));
    put_text(out, recipients[i].detail, kReasonLength);
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto same = iequals(recipients[i].taker, recipients[i].address);
    put_text(out, same ? "" : recipients[i].taker, kAddressLength);
  }
  return out.take();
}

void decode_arrival(std::string_view value, Story& story) {
  Decoder in(value);
  Arrival arrival;
  arrival.protocol = in.text();
  arrival.peer = in.text();
  arrival.peer_name = in.text();
  arrival.helo = in.text();
  arrival.tls = in.text();
  arrival.login = in.text();
  arrival.mail_from = in.text();
  arrival.header_from = in.text();
  arrival.message_id = in.text();
  arrival.subject = in.text();
  arrival.size = in.varint();
  arrival.findings = get_findings(in);
  for (auto left = in.varint(); left > 0 && !in.failed(); --left) {
    RecipientOutcome outcome;
    outcome.address = in.text();
    auto kind = std::ranges::find(kKinds, in.text());
    if (kind != kKinds.end())
      outcome.kind = static_cast<RecipientOutcome::Kind>(kind - kKinds.begin());
    outcome.detail = in.text();
    story.recipients.push_back(std::move(outcome));
  }
  if (!in.at_end()) {  // else a row from before takers were recorded
    for (auto& outcome : story.recipients) outcome.taker = in.text();
  }
  story.arrival = std::move(arrival);
}

std::string encode(const Attempt& attempt) {
  Encoder out;
  put_text(out, attempt.recipient, kAddressLength);
  out.varint(static_cast<std::uint64_t>(std::max(0, attempt.number)));
  put_text(out, attempt.host, kAddressLength);
  put_text(out, attempt.endpoint, kNameLength);
  put_text(out, attempt.tls, kNameLength);
  put_text(out, attempt.result, kNameLength);
  put_text(out, attempt.reply, kReplyLength);
  put_text(out, attempt.next, kNameLength);
  put_findings(out, attempt.findings);
  return out.take();
}

Attempt decode_attempt(std::string_view value) {
  Decoder in(value);
  Attempt attempt;
  attempt.recipient = in.text();
  attempt.number = static_cast<int>(in.varint());
  attempt.host = in.text();
  attempt.endpoint = in.text();
  attempt.tls = in.text();
  attempt.result = in.text();
  attempt.reply = in.text();
  attempt.next = in.text();
  attempt.findings = get_findings(in);
  return attempt;
}

void put_event(Transaction& tx, MessageId id, std::uint8_t kind, Time now, std::string_view value) {
  auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  // The hash keeps apart what happened to several recipients in one millisecond.
  tx.put(story_key(id).u8(kind).u64(ms).u32(static_cast<std::uint32_t>(fnv1a64(value))), value);
}

std::vector<MessageId> find_indexed(Reader& reader, store::Table table, std::string_view text,
                                    Time since, std::size_t most) {
  std::vector<MessageId> found;
  auto form = index_form(text);
  auto whole = Key(kInstance, table).children();
  // One seek for each day that has rows at all: step from the newest day down.
  auto end = whole.end;
  while (found.size() < most) {
    std::optional<std::uint32_t> day;
    reader.scan({whole.begin, end}, Reader::Direction::Backward,
                [&](std::string_view key, std::string_view) {
                  day = store::key_fields(key).u32_be();
                  return false;
                });
    if (!day || *day < day_of(since)) break;
    reader.scan(index_key(table, *day, form).children(), Reader::Direction::Backward,
                [&](std::string_view key, std::string_view indexed) {
                  auto fields = store::key_fields(key);
                  fields.u32_be();
                  fields.u64_be();
                  auto id = fields.u64_be();
                  if (time_of(id) < since) return false;
                  // Anybody can make texts of one hash. Rows from before have no text.
                  if (indexed.empty() || indexed == form) found.push_back(id);
                  return found.size() < most;
                });
    end = Key(kInstance, table).u32(*day).bytes();
  }
  return found;
}

}  // namespace

MessageId make_message_id(Time now, std::uint32_t random) {
  return static_cast<std::uint64_t>(now.time_since_epoch().count()) << 22 | (random & 0x3FFFFF);
}

Time time_of(MessageId id) {
  return Time(milliseconds(static_cast<std::int64_t>(id >> 22)));
}

std::string to_text(MessageId id) {
  std::string text(13, '0');
  for (auto c = text.rbegin(); c != text.rend(); ++c) {
    *c = kBase32[id & 31];
    id >>= 5;
  }
  return text;
}

std::optional<MessageId> parse_message_id(std::string_view text) {
  if (text.size() != 13) return std::nullopt;
  MessageId id = 0;
  for (char c : text) {
    // Crockford: what people take for one another means the same digit.
    c = ascii_upper(c);
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    auto digit = kBase32.find(c);
    if (digit == std::string_view::npos || id >> 59 != 0) return std::nullopt;
    id = id << 5 | digit;
  }
  return id;
}

std::string_view to_string(RecipientOutcome::Kind kind) {
  auto index = static_cast<std::size_t>(kind);
  return index < kKinds.size() ? kKinds[index] : "unknown";
}

void record_arrival(Transaction& tx, MessageId id, const Arrival& arrival,
                    const std::vector<RecipientOutcome>& recipients) {
  tx.put(story_key(id).u8(kArrival), encode(arrival, recipients));
  index(tx, kTableStoryAddress, arrival.mail_from, id);
  if (!iequals(arrival.header_from, arrival.mail_from))
    index(tx, kTableStoryAddress, arrival.header_from, id);
  for (auto& recipient : recipients) {
    index(tx, kTableStoryAddress, recipient.address, id);
    // Whose mailbox it is, or where an alias leads: they are asked for, too.
    if (!iequals(recipient.taker, recipient.address))
      index(tx, kTableStoryAddress, recipient.taker, id);
  }
  index(tx, kTableStoryMessageId, arrival.message_id, id);
}

void record_refusal(Transaction& tx, MessageId id, const Arrival& arrival,
                    const std::vector<RecipientOutcome>& recipients) {
  record_arrival(tx, id, arrival, recipients);
}

void record_attempt(Transaction& tx, MessageId id, const Attempt& attempt, Time now) {
  put_event(tx, id, kAttempt, now, encode(attempt));
}

void record_note(Transaction& tx, MessageId id, std::string_view text, Time now) {
  put_event(tx, id, kNote, now, utf8_prefix(text, kReplyLength));
}

std::optional<Story> find_story(Reader& reader, MessageId id) {
  Story story;
  story.id = id;
  bool any = false;
  reader.scan(story_key(id).children(), [&](std::string_view key, std::string_view value) {
    any = true;
    auto fields = store::key_fields(key);
    fields.u32_be();
    fields.u64_be();
    auto kind = fields.u8();
    if (kind == kArrival) {
      decode_arrival(value, story);
      return true;
    }
    Story::Event event;
    event.at = Time(milliseconds(static_cast<std::int64_t>(fields.u64_be())));
    if (kind == kAttempt) event.attempt = decode_attempt(value);
    if (kind == kNote) event.note = Note{std::string(value)};
    story.events.push_back(std::move(event));
    return true;
  });
  if (!any) return std::nullopt;
  std::ranges::stable_sort(story.events, {}, &Story::Event::at);
  return story;
}

std::vector<RecipientOutcome> find_recipients(Reader& reader, MessageId id) {
  Story story;
  if (auto value = reader.get(story_key(id).u8(kArrival))) decode_arrival(*value, story);
  return std::move(story.recipients);
}

std::vector<MessageId> find_by_address(Reader& reader, std::string_view address, Time since,
                                       std::size_t most) {
  return find_indexed(reader, kTableStoryAddress, address, since, most);
}

std::vector<MessageId> find_by_message_id(Reader& reader, std::string_view message_id, Time since,
                                          std::size_t most) {
  return find_indexed(reader, kTableStoryMessageId, message_id, since, most);
}

bool trim(Transaction& tx, Time before, std::size_t most) {
  auto day = day_of(before);
  bool done = true;
  for (auto table : {kTableStory, kTableStoryAddress, kTableStoryMessageId})
    done = store::erase_some(
               tx, {Key(kInstance, table).bytes(), Key(kInstance, table).u32(day).bytes()}, most) &&
           done;
  return done;
}

}  // namespace hikyaku::story
