#include "reports/received.h"

#include <algorithm>

#include "base/codec.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "mime/address.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "reports/rows.h"
#include "reports/tables.h"

namespace hikyaku::reports {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

constexpr std::size_t kTextLength = 300;

void put_text(Encoder& out, std::string_view text) {
  out.text(utf8_prefix(text, kTextLength));
}
void put_time(Encoder& out, Time time) {
  out.svarint(time.time_since_epoch().count());
}
Time get_time(Decoder& in) {
  return Time(milliseconds(in.svarint()));
}

Key taken_key(story::MessageId id) {
  return Key(kInstance, kTableTaken).u64(id);
}
Key received_key(Day day, story::MessageId id) {
  return Key(kInstance, kTableReceived).u32(day).u64(id);
}
Key received_rows_key(const ReceivedReport& report) {
  return Key(kInstance, kTableReceivedRow).u32(report.day).u64(report.id);
}

/// Who reports is the organization and its address: report ids are unique for one reporter only.
std::string known_key(const ReceivedReport& report) {
  Encoder name;
  name.text(to_lower(report.organization));
  name.text(to_lower(report.email));
  name.text(report.domain);
  name.text(report.report_id);
  // Some reporters have no ids worth the name.
  name.svarint(report.begin);
  name.svarint(report.end);
  auto hash = crypto::digest(crypto::Hash::Sha256, name.bytes());
  return Key(kInstance, kTableKnownReport)
      .u32(report.day)
      .raw(std::string_view(hash).substr(0, 16))
      .bytes();
}

std::string encode(const ReceivedReport& report) {
  Encoder out;
  out.text(report.domain);
  put_text(out, report.organization);
  put_text(out, report.email);
  put_text(out, report.report_id);
  put_time(out, report.when);
  out.svarint(report.begin);
  out.svarint(report.end);
  out.u8(report.policy ? static_cast<std::uint8_t>(static_cast<int>(*report.policy) + 1) : 0);
  out.varint(report.rows);
  out.varint(report.messages);
  out.varint(report.passed);
  return out.take();
}

std::optional<ReceivedReport> decode_report(std::string_view key, std::string_view value) {
  ReceivedReport report;
  auto fields = store::key_fields(key);
  report.day = fields.u32_be();
  report.id = fields.u64_be();
  Decoder in(value);
  report.domain = in.text();
  report.organization = in.text();
  report.email = in.text();
  report.report_id = in.text();
  report.when = get_time(in);
  report.begin = in.svarint();
  report.end = in.svarint();
  if (auto policy = in.u8(); policy >= 1 && policy <= 3)
    report.policy = static_cast<dmarc::Policy>(policy - 1);
  report.rows = in.varint();
  report.messages = in.varint();
  report.passed = in.varint();
  if (in.failed()) return std::nullopt;
  return report;
}

std::string encode(const ReceivedFailure& failure) {
  Encoder out;
  put_time(out, failure.when);
  put_text(out, failure.domain);
  put_text(out, failure.source ? failure.source->to_string() : "");
  for (auto* text :
       {&failure.auth_failure, &failure.delivery_result, &failure.mail_from, &failure.header_from,
        &failure.rcpt_to, &failure.subject, &failure.reporter, &failure.results})
    put_text(out, *text);
  out.varint(failure.incidents);
  put_time(out, failure.arrival);
  return out.take();
}

std::optional<ReceivedFailure> decode_failure(std::string_view key, std::string_view value) {
  ReceivedFailure failure;
  auto fields = store::key_fields(key);
  failure.day = fields.u32_be();
  failure.id = fields.u64_be();
  Decoder in(value);
  failure.when = get_time(in);
  failure.domain = in.text();
  failure.source = IpAddress::parse(in.text());
  for (auto* text :
       {&failure.auth_failure, &failure.delivery_result, &failure.mail_from, &failure.header_from,
        &failure.rcpt_to, &failure.subject, &failure.reporter, &failure.results})
    *text = in.text();
  failure.incidents = in.varint();
  failure.arrival = get_time(in);
  if (in.failed()) return std::nullopt;
  return failure;
}

}  // namespace

bool take_in(Transaction& tx, const Taken& taken, const store::StagedBlob& body) {
  auto day = Key(kInstance, kTableTakenDay).u32(day_of(taken.when));
  auto stored = tx.get(day);
  auto count = stored ? Decoder(*stored).varint() : 0;
  if (count >= kMostTakenADay) return false;
  Encoder counted;
  counted.varint(count + 1);
  tx.put(day, counted.bytes());

  auto key = taken_key(taken.id);
  Encoder out;
  out.varint(tx.own(body, key));
  put_time(out, taken.when);
  put_text(out, taken.mail_from);
  tx.put(key, out.bytes());
  tx.notify(kInstance, kTopicTaken);
  return true;
}

std::vector<Taken> list_taken(Reader& reader, std::size_t limit) {
  std::vector<Taken> found;
  if (limit == 0) return found;
  reader.scan(Key(kInstance, kTableTaken).children(),
              [&](std::string_view key, std::string_view value) {
                Decoder in(value);
                Taken taken;
                taken.id = store::key_fields(key).u64_be();
                taken.body = in.varint();
                taken.when = get_time(in);
                taken.mail_from = in.text();
                found.push_back(std::move(taken));
                return found.size() < limit;
              });
  return found;
}

void finish_taken(Transaction& tx, const Taken& taken) {
  auto key = taken_key(taken.id);
  if (!tx.get(key)) return;
  tx.disown(taken.body, key);
  tx.erase(key);
}

ReceivedReport received_report(const Taken& taken, const ReadReport& read) {
  ReceivedReport report;
  auto& metadata = read.aggregate.metadata;
  auto today = day_of(taken.when);
  report.begin = metadata.begin;
  report.end = metadata.end;
  // A period is a claim of strangers: what lies in the future is about today.
  auto last = static_cast<std::int64_t>(today) * 86'400;
  report.day = metadata.begin < 0 || metadata.begin > last
                   ? today
                   : static_cast<Day>(metadata.begin / 86'400);
  report.id = taken.id;
  report.when = taken.when;
  report.domain = to_lower(read.aggregate.policy.domain);
  if (report.domain.ends_with('.')) report.domain.pop_back();
  report.organization = metadata.org_name;
  report.email = metadata.email;
  report.report_id = metadata.report_id;
  report.policy = read.aggregate.policy.p;
  report.rows = read.rows.size();
  for (auto& row : read.rows) {
    report.messages += row.count;
    if (row.dkim_aligned || row.spf_aligned) report.passed += row.count;
  }
  return report;
}

bool is_known(Reader& reader, const ReceivedReport& report) {
  return reader.get(known_key(report)).has_value();
}

void put_received_rows(Transaction& tx, const ReceivedReport& report, std::uint32_t first,
                       std::span<const dmarc::ReportRecord> rows) {
  for (auto& row : rows)
    tx.put(received_rows_key(report).u32(first++), encode_row(row.count, encode_identity(row)));
}

void put_received(Transaction& tx, const ReceivedReport& report) {
  tx.put(received_key(report.day, report.id), encode(report));
  tx.put(known_key(report), {});
}

ReceivedPiece list_received(Reader& reader, Day since, std::string_view from, std::size_t limit) {
  store::KeyRange range{Key(kInstance, kTableReceived).u32(since).bytes(),
                        Key(kInstance, kTableReceived).children().end};
  if (!from.empty()) range.begin = from;
  ReceivedPiece piece;
  std::size_t seen = 0;
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    if (seen++ == limit) {
      piece.next = key;
      return false;
    }
    if (auto report = decode_report(key, value)) piece.reports.push_back(std::move(*report));
    return true;
  });
  return piece;
}

RowPiece read_received_rows(Reader& reader, const ReceivedReport& report, std::string_view from,
                            std::size_t limit) {
  return read_row_piece(reader, received_rows_key(report).children(), from, limit);
}

ReceivedFailure received_failure(const Taken& taken, const ReadReport& read) {
  auto& from = read.failure;
  ReceivedFailure failure;
  failure.day = day_of(taken.when);
  failure.id = taken.id;
  failure.when = taken.when;
  failure.source = from.source_ip;
  failure.auth_failure = from.auth_failure == dmarc::AuthFailure::Unstated
                             ? to_string(from.type)
                             : to_string(from.auth_failure);
  if (from.delivery_result != dmarc::DeliveryResult::Unstated)
    failure.delivery_result = to_string(from.delivery_result);
  mime::HeaderView header(from.original_header);
  failure.header_from = mime::first_mailbox(header.value("From")).addr_spec();
  failure.subject = mime::decode_words(header.value("Subject"));
  failure.mail_from = from.original_mail_from;
  failure.rcpt_to = from.original_rcpt_to;
  failure.reporter = from.reporting_mta.empty() ? taken.mail_from : from.reporting_mta;
  if (!from.authentication_results.empty()) failure.results = from.authentication_results.front();
  failure.incidents = from.incidents;
  failure.arrival = from.arrival.value_or(Time{});
  auto& author = failure.header_from;
  failure.domain = !from.reported_domains.empty()          ? from.reported_domains.front()
                   : author.find('@') != std::string::npos ? author.substr(author.rfind('@') + 1)
                                                           : from.dkim_domain;
  failure.domain = to_lower(failure.domain);
  return failure;
}

void put_failure(Transaction& tx, const ReceivedFailure& failure) {
  tx.put(Key(kInstance, kTableReceivedFailure).u32(failure.day).u64(failure.id), encode(failure));
}

std::vector<ReceivedFailure> list_failures(Reader& reader, Day since, std::size_t limit) {
  std::vector<ReceivedFailure> found;
  if (limit == 0) return found;
  store::KeyRange range{Key(kInstance, kTableReceivedFailure).u32(since).bytes(),
                        Key(kInstance, kTableReceivedFailure).children().end};
  reader.scan(range, Reader::Direction::Backward,
              [&](std::string_view key, std::string_view value) {
                if (auto failure = decode_failure(key, value)) found.push_back(std::move(*failure));
                return found.size() < limit;
              });
  return found;
}

void trim_received(Transaction& tx, Day day) {
  for (auto table : {kTableReceived, kTableReceivedRow, kTableKnownReport, kTableReceivedFailure,
                     kTableTakenDay})
    tx.erase_range({Key(kInstance, table).u32(0).bytes(), Key(kInstance, table).u32(day).bytes()});
}

}  // namespace hikyaku::reports
