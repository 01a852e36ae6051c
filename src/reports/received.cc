#include "reports/received.h"

#include "base/codec.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "reports/received_form.h"
#include "reports/rows.h"
#include "reports/tables.h"

namespace hikyaku::reports {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

constexpr std::size_t kMostMailFrom = 300;

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

/// Report ids are unique for one reporter only: the one that is proved. (What came before that was
/// kept has the names that it gave itself.)
std::string known_key(const ReceivedReport& report) {
  Encoder name;
  if (report.sender.state == Sender::State::Unrecorded) {
    name.text(to_lower(report.organization));
    name.text(to_lower(report.email));
  } else {
    put_sender(name, report.sender);
  }
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

/// What stands behind the day in kTableTakenDay; nothing: all that are proved.
constexpr std::uint8_t kUnproved = 1;
constexpr std::uint8_t kOfADomain = 2;  // in front of its name

/// False: it is `most` already.
bool count_one(Transaction& tx, const Key& key, std::uint64_t most) {
  auto stored = tx.get(key);
  auto count = stored ? Decoder(*stored).varint() : 0;
  if (count >= most) return false;
  Encoder counted;
  counted.varint(count + 1);
  tx.put(key, counted.bytes());
  return true;
}

/// Whoever has a domain has all the names below it.
std::string_view last_labels(std::string_view domain) {
  auto dot = domain.rfind('.');
  if (dot == domain.npos || dot == 0) return domain;
  dot = domain.rfind('.', dot - 1);
  return dot == domain.npos ? domain : domain.substr(dot + 1);
}

/// The row of a table whose keys are a day and the mail's id.
template <class Row>
std::optional<Row> with_key(std::string_view key, std::optional<Row> row) {
  auto fields = store::key_fields(key);
  auto day = fields.u32_be();
  auto id = fields.u64_be();
  if (!row || fields.failed()) return std::nullopt;
  row->day = day;
  row->id = id;
  return row;
}

std::optional<ReceivedReport> decode_report_row(std::string_view key, std::string_view value) {
  return with_key(key, decode_received(value));
}

std::optional<ReceivedFailure> decode_failure_row(std::string_view key, std::string_view value) {
  return with_key(key, decode_failure(value));
}

std::optional<UnreadReport> decode_unread_row(std::string_view key, std::string_view value) {
  return with_key(key, decode_unread(value));
}

/// The newest first, of days from `since` on, that are `wanted`.
template <class Row>
std::vector<Row> list_newest(Reader& reader, store::Table table, Day since, std::size_t limit,
                             std::optional<Row> (*decode)(std::string_view, std::string_view),
                             const std::function<bool(const Row&)>& wanted = nullptr) {
  std::vector<Row> found;
  if (limit == 0) return found;
  store::KeyRange range{Key(kInstance, table).u32(since).bytes(),
                        Key(kInstance, table).children().end};
  reader.scan(range, Reader::Direction::Backward,
              [&](std::string_view key, std::string_view value) {
                auto row = decode(key, value);
                if (row && (!wanted || wanted(*row))) found.push_back(std::move(*row));
                return found.size() < limit;
              });
  return found;
}

}  // namespace

bool take_in(Transaction& tx, const Taken& taken, const store::StagedBlob& body) {
  auto day = Key(kInstance, kTableTakenDay).u32(day_of(taken.when));
  if (!taken.sender.counts()) {
    if (!count_one(tx, Key(day).u8(kUnproved), kMostUnprovedADay)) return false;
  } else if (!count_one(tx, Key(day).u8(kOfADomain).raw(last_labels(taken.sender.domain)),
                        kMostOfADomainADay) ||
             !count_one(tx, day, kMostTakenADay)) {
    return false;
  }

  auto key = taken_key(taken.id);
  Encoder out;
  out.varint(tx.own(body, key));
  put_time(out, taken.when);
  out.text(utf8_prefix(taken.mail_from, kMostMailFrom));
  put_sender(out, taken.sender);
  tx.put(key, out.bytes());
  tx.notify(kInstance, kTopicTaken);
  return true;
}

std::vector<Taken> list_taken(Reader& reader, std::size_t limit, story::MessageId after) {
  std::vector<Taken> found;
  if (limit == 0 || after == UINT64_MAX) return found;
  store::KeyRange range{taken_key(after == 0 ? 0 : after + 1).bytes(),
                        Key(kInstance, kTableTaken).children().end};
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    Decoder in(value);
    Taken taken;
    taken.id = store::key_fields(key).u64_be();
    taken.body = in.varint();
    taken.when = get_time(in);
    taken.mail_from = in.text();
    taken.sender = get_sender(in);
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

bool is_known(Reader& reader, const ReceivedReport& report) {
  return reader.get(known_key(report)).has_value();
}

void put_received_rows(Transaction& tx, const ReceivedReport& report, std::uint32_t first,
                       std::span<const dmarc::ReportRecord> rows) {
  for (auto& row : rows)
    tx.put(received_rows_key(report).u32(first++), encode_row(row.count, encode_identity(row)));
}

bool erase_received_rows(Transaction& tx, const ReceivedReport& report, std::size_t most) {
  return store::erase_some(tx, received_rows_key(report).children(), most);
}

void put_received(Transaction& tx, const ReceivedReport& report) {
  tx.put(received_key(report.day, report.id), encode_received(report));
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
    if (auto report = decode_report_row(key, value)) piece.reports.push_back(std::move(*report));
    return true;
  });
  return piece;
}

RowPiece read_received_rows(Reader& reader, const ReceivedReport& report, std::string_view from,
                            std::size_t limit) {
  return read_row_piece(reader, received_rows_key(report).children(), from, limit);
}

void put_failure(Transaction& tx, const ReceivedFailure& failure) {
  tx.put(Key(kInstance, kTableReceivedFailure).u32(failure.day).u64(failure.id),
         encode_failure(failure));
}

std::vector<ReceivedFailure> list_failures(
    Reader& reader, Day since, std::size_t limit,
    const std::function<bool(const ReceivedFailure&)>& wanted) {
  return list_newest(reader, kTableReceivedFailure, since, limit, decode_failure_row, wanted);
}

void put_unproved(Transaction& tx, const ReceivedReport& report) {
  tx.put(Key(kInstance, kTableUnprovedReport).u32(day_of(report.when)).u64(report.id),
         encode_received(report));
}

std::vector<ReceivedReport> list_unproved(
    Reader& reader, Day since, std::size_t limit,
    const std::function<bool(const ReceivedReport&)>& wanted) {
  return list_newest(reader, kTableUnprovedReport, since, limit, decode_report_row, wanted);
}

void put_unread(Transaction& tx, const UnreadReport& unread) {
  tx.put(Key(kInstance, kTableUnreadReport).u32(unread.day).u64(unread.id), encode_unread(unread));
}

std::vector<UnreadReport> list_unread(Reader& reader, Day since, std::size_t limit) {
  return list_newest(reader, kTableUnreadReport, since, limit, decode_unread_row);
}

bool trim_received(Transaction& tx, Day day, std::size_t most) {
  bool done = true;
  for (auto table : {kTableReceived, kTableReceivedRow, kTableKnownReport, kTableReceivedFailure,
                     kTableTakenDay, kTableUnreadReport, kTableUnprovedReport})
    done = erase_days_before(tx, table, day, most) && done;
  return done;
}

}  // namespace hikyaku::reports
