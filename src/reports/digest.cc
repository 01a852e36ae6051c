#include "reports/digest.h"

#include "base/codec.h"
#include "base/text.h"
#include "mime/address.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "reports/received_form.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

constexpr std::size_t kProblemLength = 500;
constexpr std::size_t kAddressLength = 320;
/// Rows that sum those beyond ReadLimits::rows: one for each outcome.
constexpr std::size_t kMostSums = 16;

ReceivedReport report_of(const dmarc::AggregateReport& read) {
  ReceivedReport report;
  report.begin = read.metadata.begin;
  report.end = read.metadata.end;
  report.domain = to_lower(read.policy.domain);
  if (report.domain.ends_with('.')) report.domain.pop_back();
  report.organization = read.metadata.org_name;
  report.email = read.metadata.email;
  report.report_id = read.metadata.report_id;
  report.policy = read.policy.p;
  report.left_out = read.left_out;
  return report;
}

ReceivedFailure failure_of(const dmarc::FailureReport& read) {
  ReceivedFailure failure;
  failure.source = read.source_ip;
  failure.auth_failure = read.auth_failure == dmarc::AuthFailure::Unstated
                             ? to_string(read.type)
                             : to_string(read.auth_failure);
  if (read.delivery_result != dmarc::DeliveryResult::Unstated)
    failure.delivery_result = to_string(read.delivery_result);
  mime::HeaderView header(read.original_header);
  failure.header_from = mime::first_mailbox(header.value("From")).addr_spec();
  failure.subject = mime::decode_words(header.value("Subject"));
  // Reporters who keep the subject to themselves: what else finds the message.
  if (failure.subject.empty()) failure.subject = header.value("Message-ID");
  failure.mail_from = read.original_mail_from;
  failure.rcpt_to = read.original_rcpt_to;
  failure.reporter = read.reporting_mta;
  if (!read.authentication_results.empty()) failure.results = read.authentication_results.front();
  failure.incidents = read.incidents;
  failure.arrival = read.arrival.value_or(Time{});
  auto& author = failure.header_from;
  failure.domain = !read.reported_domains.empty()          ? read.reported_domains.front()
                   : author.find('@') != std::string::npos ? author.substr(author.rfind('@') + 1)
                                                           : read.dkim_domain;
  failure.domain = to_lower(failure.domain);
  return failure;
}

Result<void> decode_rows(Decoder& in, std::size_t most, std::vector<dmarc::ReportRecord>& rows) {
  auto count = in.varint();
  if (count > most) return fail(ErrorCode::Invalid, "the digest of a report has {} rows", count);
  for (; count > 0; --count) {
    auto row = decode_row(in.text());
    if (!row) return fail(ErrorCode::Invalid, "a row in the digest of a report is damaged");
    rows.push_back(std::move(*row));
  }
  return {};
}

}  // namespace

Digest digest_of(ReadReport read) {
  Digest digest;
  digest.kind = read.kind;
  digest.problem = std::move(read.problem);
  if (read.kind == ReadReport::Kind::Aggregate) digest.report = report_of(read.aggregate);
  if (read.kind == ReadReport::Kind::Failure) digest.failure = failure_of(read.failure);
  digest.rows = std::move(read.rows);
  digest.bounced = std::move(read.bounced);
  return digest;
}

std::string encode_digest(const Digest& digest) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(digest.kind));
  switch (digest.kind) {
    case ReadReport::Kind::Other:
      out.text(utf8_prefix(digest.problem, kProblemLength));
      break;
    case ReadReport::Kind::Aggregate:
      out.text(encode_received(digest.report));
      out.varint(digest.rows.size());
      for (auto& row : digest.rows) out.text(encode_row(row.count, encode_identity(row)));
      break;
    case ReadReport::Kind::Failure:
      out.text(encode_failure(digest.failure));
      break;
    case ReadReport::Kind::Bounce:
      out.text(utf8_prefix(digest.problem, kProblemLength));
      out.text(utf8_prefix(digest.bounced.to, kAddressLength));
      out.text(utf8_prefix(digest.bounced.about, kAddressLength));
      break;
  }
  return out.take();
}

Result<Digest> decode_digest(std::string_view bytes, const ReadLimits& limits) {
  Decoder in(bytes);
  Digest digest;
  switch (auto kind = in.u8(); static_cast<ReadReport::Kind>(kind)) {
    case ReadReport::Kind::Other:
      digest.problem = utf8_prefix(in.text(), kProblemLength);
      break;
    case ReadReport::Kind::Aggregate: {
      digest.kind = ReadReport::Kind::Aggregate;
      auto report = decode_received(in.text());
      if (!report) return fail(ErrorCode::Invalid, "the digest of a report is damaged");
      digest.report = std::move(*report);
      TRY_DO(decode_rows(in, limits.rows + kMostSums, digest.rows));
      break;
    }
    case ReadReport::Kind::Failure: {
      digest.kind = ReadReport::Kind::Failure;
      auto failure = decode_failure(in.text());
      if (!failure) return fail(ErrorCode::Invalid, "the digest of a report is damaged");
      digest.failure = std::move(*failure);
      break;
    }
    case ReadReport::Kind::Bounce:
      digest.kind = ReadReport::Kind::Bounce;
      digest.problem = utf8_prefix(in.text(), kProblemLength);
      digest.bounced.to = utf8_prefix(in.text(), kAddressLength);
      digest.bounced.about = utf8_prefix(in.text(), kAddressLength);
      break;
    default:
      return fail(ErrorCode::Invalid, "the digest of a report is of kind {}", kind);
  }
  if (in.failed() || !in.at_end())
    return fail(ErrorCode::Invalid, "the digest of a report has not the length that it says");
  return digest;
}

ReceivedReport received_report(const Taken& taken, const Digest& digest) {
  auto report = digest.report;
  auto today = day_of(taken.when);
  // A period is a claim of strangers: what lies in the future is about today.
  auto last = static_cast<std::int64_t>(today) * 86'400;
  report.day =
      report.begin < 0 || report.begin > last ? today : static_cast<Day>(report.begin / 86'400);
  report.id = taken.id;
  report.when = taken.when;
  report.sender = taken.sender;
  report.rows = digest.rows.size();
  report.messages = report.passed = 0;
  for (auto& row : digest.rows) {
    add_messages(report.messages, row.count);
    if (row.dkim_aligned || row.spf_aligned) add_messages(report.passed, row.count);
  }
  return report;
}

ReceivedFailure received_failure(const Taken& taken, const Digest& digest) {
  auto failure = digest.failure;
  failure.day = day_of(taken.when);
  failure.id = taken.id;
  failure.when = taken.when;
  failure.sender = taken.sender;
  if (failure.reporter.empty()) failure.reporter = taken.mail_from;
  return failure;
}

}  // namespace hikyaku::reports
