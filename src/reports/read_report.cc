#include "reports/read_report.h"

#include <map>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "dmarc/report_mail.h"
#include "dmarc/unpack.h"
#include "dsn/parse.h"
#include "mime/encoded_word.h"
#include "mime/message.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

/// Keeps rows up to a limit, then sums.
class Rows {
 public:
  Rows(std::vector<dmarc::ReportRecord>& rows, std::size_t limit) : rows_(rows), limit_(limit) {}

  void add(dmarc::ReportRecord record) {
    if (rows_.size() < limit_) {
      rows_.push_back(std::move(record));
      return;
    }
    auto& sum = sums_[{record.disposition, record.dkim_aligned, record.spf_aligned}];
    if (sum.reasons.empty()) sum = without_source(record);
    add_messages(sum.count, record.count);
  }
  void finish() {
    for (auto& [outcome, sum] : sums_) rows_.push_back(std::move(sum));
  }

 private:
  std::vector<dmarc::ReportRecord>& rows_;
  std::size_t limit_;
  std::map<std::tuple<dmarc::Applied, bool, bool>, dmarc::ReportRecord> sums_;
};

ReadReport other(std::string problem) {
  ReadReport read;
  read.problem = std::move(problem);
  return read;
}

Result<ReadReport> read_aggregate(const mime::Message& message, const ReadLimits& limits) {
  TRY(auto packed, dmarc::find_aggregate_report(message, limits.packed_bytes));
  TRY(auto xml,
      dmarc::unpack(packed, {.packed_bytes = limits.packed_bytes, .bytes = limits.bytes}));
  ReadReport read;
  read.kind = ReadReport::Kind::Aggregate;
  Rows rows(read.rows, limits.rows);
  TRY(read.aggregate, dmarc::parse_aggregate_report(
                          xml, [&](dmarc::ReportRecord record) { rows.add(std::move(record)); },
                          {.bytes = limits.bytes}));
  rows.finish();
  if (read.rows.empty() && read.aggregate.left_out > 0)
    return fail(ErrorCode::Invalid, "none of the {} records of the report can be read",
                read.aggregate.left_out);
  return read;
}

/// The domain that a report of ours is about, by the subject that we gave it.
std::string subject_of_ours(std::string_view header) {
  auto subject = mime::decode_words(mime::HeaderView(header).value("Subject"));
  if (auto aggregate = dmarc::parse_report_subject(subject)) return aggregate->domain;
  return dmarc::parse_failure_subject(subject).value_or("");
}

/// A notice of failure (RFC 3464).
std::optional<ReadReport> read_bounce(const mime::Message& message) {
  auto notice = dsn::find_report(message);
  if (!notice) return std::nullopt;
  for (auto& recipient : notice->status.recipients) {
    if (recipient.action && *recipient.action != dsn::Action::Failed) continue;
    ReadReport read;
    read.kind = ReadReport::Kind::Bounce;
    auto& address = recipient.original.value.empty() ? recipient.final : recipient.original;
    read.bounced = {address.value, subject_of_ours(notice->original_header)};
    read.problem = recipient.diagnostic.value;
    if (read.problem.empty() && recipient.status) read.problem = recipient.status->to_string();
    return read;
  }
  return other("a notice about one of our reports that names no failure");
}

/// Whether the mail as a whole calls itself a notice: what came back may hold our own report.
bool is_notice(const mime::Message& message) {
  auto& root = message.root();
  return root.media_type.subtype == "report" &&
         iequals(root.parameter("report-type"), "delivery-status");
}

}  // namespace

ReadReport read_report(std::string_view bytes, const ReadLimits& limits) {
  if (bytes.size() > limits.message_bytes) return other("the mail is too large for a report");
  mime::Limits structure;
  structure.parts = 100;
  auto message = mime::parse_message(bytes, structure);
  if (is_notice(message))
    if (auto bounce = read_bounce(message)) return std::move(*bounce);
  auto failure = dmarc::find_failure_report(message);
  if (failure) {
    ReadReport read;
    read.kind = ReadReport::Kind::Failure;
    read.failure = std::move(*failure);
    return read;
  }
  auto aggregate = read_aggregate(message, limits);
  if (aggregate) return std::move(*aggregate);
  if (aggregate.error().code != ErrorCode::NotFound) return other(aggregate.error().text);
  return other(failure.error().code == ErrorCode::NotFound ? "there is no report in the mail"
                                                           : failure.error().text);
}

}  // namespace hikyaku::reports
