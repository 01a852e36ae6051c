#include "reports/outgoing.h"

#include <fmt/core.h>

#include "base/async.h"
#include "base/codec.h"
#include "base/text.h"
#include "dmarc/gzip.h"
#include "dmarc/report_mail.h"
#include "mime/compose.h"
#include "reports/rows.h"
#include "reports/tables.h"

namespace hikyaku::reports {
namespace {

using store::Key;
using store::kInstance;

/// Rows in one read and one piece of work.
constexpr std::size_t kPiece = 500;
constexpr std::size_t kProblemLength = 300;
constexpr std::chrono::minutes kEarliest{15};
/// The reports of a day leave within so many minutes, each domain's at one of them.
constexpr std::uint64_t kSpread = 240;

std::string encode(const Outgoing& outgoing) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(outgoing.state));
  out.varint(outgoing.attempts);
  out.svarint(outgoing.when.time_since_epoch().count());
  out.svarint(outgoing.next_attempt.time_since_epoch().count());
  out.text(utf8_prefix(outgoing.problem, kProblemLength));
  out.text(outgoing.report_id);
  out.text(outgoing.recipients);
  out.varint(outgoing.rows);
  out.varint(outgoing.messages);
  out.svarint(outgoing.end);
  return out.take();
}

std::optional<Outgoing> decode(std::string_view value) {
  Decoder in(value);
  Outgoing outgoing;
  auto state = in.u8();
  if (state > static_cast<std::uint8_t>(Outgoing::State::Failed)) return std::nullopt;
  outgoing.state = static_cast<Outgoing::State>(state);
  outgoing.attempts = static_cast<std::uint32_t>(in.varint());
  outgoing.when = Time(milliseconds(in.svarint()));
  outgoing.next_attempt = Time(milliseconds(in.svarint()));
  outgoing.problem = in.text();
  outgoing.report_id = in.text();
  outgoing.recipients = in.text();
  outgoing.rows = in.varint();
  outgoing.messages = in.varint();
  outgoing.end = in.svarint();
  if (in.failed()) return std::nullopt;
  return outgoing;
}

/// A report while it is packed; a worker has it in its hands piece by piece.
class Packing {
 public:
  Packing(const dmarc::ReportMetadata& metadata, const dmarc::PublishedPolicy& policy,
          std::size_t limit)
      : limit_(limit),
        gzip_([this](std::string_view bytes) {
          if (packed_.size() <= limit_) packed_ += bytes;
        }),
        writer_([this](std::string_view xml) { gzip_.feed(xml); }) {
    writer_.begin(metadata, policy);
  }

  void add(const std::vector<dmarc::ReportRecord>& piece) {
    for (auto& row : piece) {
      writer_.record(row);
      ++rows;
      messages += row.count;
    }
  }
  void finish() {
    writer_.end();
    gzip_.finish();
  }
  bool is_too_large() const { return packed_.size() > limit_; }
  const std::string& packed() const { return packed_; }

  std::uint64_t rows = 0, messages = 0;

 private:
  std::size_t limit_;
  std::string packed_;
  dmarc::GzipWriter gzip_;
  dmarc::AggregateWriter writer_;
};

std::string text_for_people(const ReportRequest& request, const Packing& packing) {
  return fmt::format(
      "This is a DMARC aggregate report (RFC 9990) by {} about mail from {}.\n"
      "It covers {} to {} and {} messages in {} rows.\n"
      "The report is the attached file, XML packed with gzip.\n",
      request.submitter.domain, request.subject.domain,
      format_rfc3339(Time(seconds(request.begin))), format_rfc3339(Time(seconds(request.end))),
      packing.messages, packing.rows);
}

std::string compose_mail(const ReportRequest& request, const Packing& packing,
                         const std::string& report_id) {
  auto& submitter = request.submitter;
  std::vector<mime::NamedAddress> to;
  for (auto& recipient : request.recipients) to.push_back({{}, recipient});
  mime::HeaderWriter header;
  header.date("Date", request.now)
      .addresses("From", {{{}, submitter.address}})
      .addresses("To", to)
      .structured("Subject", dmarc::format_report_subject({.domain = request.subject.domain,
                                                           .submitter = submitter.domain,
                                                           .report_id = report_id}))
      .message_ids("Message-ID",
                   {mime::make_message_id(request.now, request.unique, submitter.domain)})
      .structured("Auto-Submitted", "auto-generated");
  auto file = dmarc::format_report_file_name({.receiver = submitter.domain,
                                              .policy_domain = request.subject.domain,
                                              .begin = request.begin,
                                              .end = request.end,
                                              .unique = request.unique},
                                             dmarc::ReportFile::Gzip);
  auto body = mime::compose_multipart(
      "mixed", {},
      {mime::compose_text(text_for_people(request, packing)),
       mime::compose_attachment("application/gzip", packing.packed(), file)},
      request.unique);
  return mime::compose_message(header.fields(), body);
}

Key outgoing_key(const Subject& subject) {
  return Key(kInstance, kTableOutgoing)
      .u32(subject.day)
      .text(subject.domain)
      .u64(subject.configuration);
}

}  // namespace

Time leaves_at(const crypto::MasterKey& master, const Subject& subject) {
  auto hash = crypto::keyed_hash(master, "dmarc-report-minute",
                                 fmt::format("{} {}", subject.day, subject.domain));
  std::uint64_t minute = 0;
  for (auto c : std::string_view(hash).substr(0, 6))
    minute = minute * 256 + static_cast<unsigned char>(c);
  return start_of(subject.day + 1) + kEarliest + std::chrono::minutes(minute % kSpread);
}

std::optional<Outgoing> find_outgoing(store::Reader& reader, const Subject& subject) {
  auto value = reader.get(outgoing_key(subject));
  if (!value) return std::nullopt;
  return decode(*value);
}

void put_outgoing(store::Transaction& tx, const Subject& subject, const Outgoing& outgoing) {
  tx.put(outgoing_key(subject), encode(outgoing));
}

bool trim_outgoing(store::Transaction& tx, Day day, std::size_t most) {
  return erase_days_before(tx, kTableOutgoing, day, most);
}

Task<Result<ComposedReport>> compose_report(store::Store& store, WorkerPool& workers,
                                            ReportRequest request) {
  auto& subject = request.subject;
  auto domain =
      co_await store.read([&](store::Reader& reader) { return find_evaluated(reader, subject); });
  if (!domain) co_return fail(ErrorCode::NotFound, "there is nothing to report");
  auto report_id = fmt::format("{}.{}.{}", request.end, request.unique, subject.domain);
  dmarc::ReportMetadata metadata;
  metadata.org_name = request.submitter.domain;
  metadata.email = request.submitter.address;
  metadata.report_id = report_id;
  metadata.begin = request.begin;
  metadata.end = request.end;
  metadata.generator = request.submitter.generator;
  auto packing = std::make_shared<Packing>(metadata, domain->policy, request.packed_limit);
  std::string next;
  do {
    auto piece = co_await store.read(
        [&](store::Reader& reader) { return read_rows(reader, subject, next, kPiece); });
    next = std::move(piece.next);
    co_await run_on(workers, [packing, rows = std::move(piece.rows)] { packing->add(rows); });
    if (packing->is_too_large())
      co_return fail(ErrorCode::TooLarge, "the report has more than {} bytes",
                     request.packed_limit);
  } while (!next.empty());
  if (packing->rows == 0) co_return fail(ErrorCode::NotFound, "there is nothing to report");
  ComposedReport composed{{}, report_id, packing->rows, packing->messages};
  composed.message = co_await run_on(workers, [packing, request, report_id] {
    packing->finish();
    return packing->is_too_large() ? std::string() : compose_mail(request, *packing, report_id);
  });
  if (composed.message.empty())
    co_return fail(ErrorCode::TooLarge, "the report has more than {} bytes", request.packed_limit);
  co_return composed;
}

Result<void> settle_sent(store::Transaction& tx, const Subject& subject, const Outgoing& outgoing) {
  if (count_messages(tx, subject) != outgoing.messages)
    return fail(ErrorCode::Conflict, "the rows of the report have changed meanwhile");
  erase_rows(tx, subject);
  put_outgoing(tx, subject, outgoing);
  return {};
}

}  // namespace hikyaku::reports
