#include "reports/received_form.h"

#include "base/codec.h"
#include "base/text.h"

namespace hikyaku::reports {
namespace {

constexpr std::size_t kTextLength = 300;

void put_text(Encoder& out, std::string_view text) {
  out.text(utf8_prefix(text, kTextLength));
}
/// What was not cut when it was written is cut now: not every writer is this file.
std::string get_text(Decoder& in) {
  return std::string(utf8_prefix(in.text(), kTextLength));
}
void put_time(Encoder& out, Time time) {
  out.svarint(time.time_since_epoch().count());
}
Time get_time(Decoder& in) {
  return Time(milliseconds(in.svarint()));
}

}  // namespace

std::string encode_received(const ReceivedReport& report) {
  Encoder out;
  put_text(out, report.domain);
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
  put_sender(out, report.sender);
  out.varint(report.left_out);
  return out.take();
}

std::optional<ReceivedReport> decode_received(std::string_view value) {
  ReceivedReport report;
  Decoder in(value);
  report.domain = get_text(in);
  report.organization = get_text(in);
  report.email = get_text(in);
  report.report_id = get_text(in);
  report.when = get_time(in);
  report.begin = in.svarint();
  report.end = in.svarint();
  if (auto policy = in.u8(); policy >= 1 && policy <= 3)
    report.policy = static_cast<dmarc::Policy>(policy - 1);
  report.rows = in.varint();
  report.messages = in.varint();
  report.passed = in.varint();
  report.sender = get_sender(in);
  report.left_out = in.at_end() ? 0 : in.varint();
  if (in.failed()) return std::nullopt;
  return report;
}

std::string encode_failure(const ReceivedFailure& failure) {
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
  put_sender(out, failure.sender);
  return out.take();
}

std::optional<ReceivedFailure> decode_failure(std::string_view value) {
  ReceivedFailure failure;
  Decoder in(value);
  failure.when = get_time(in);
  failure.domain = get_text(in);
  failure.source = IpAddress::parse(get_text(in));
  for (auto* text :
       {&failure.auth_failure, &failure.delivery_result, &failure.mail_from, &failure.header_from,
        &failure.rcpt_to, &failure.subject, &failure.reporter, &failure.results})
    *text = get_text(in);
  failure.incidents = in.varint();
  failure.arrival = get_time(in);
  failure.sender = get_sender(in);
  if (in.failed()) return std::nullopt;
  return failure;
}

std::string encode_unread(const UnreadReport& unread) {
  Encoder out;
  put_time(out, unread.when);
  put_text(out, unread.mail_from);
  put_text(out, unread.problem);
  if (unread.bounced) {
    put_text(out, unread.bounced->to);
    put_text(out, unread.bounced->about);
  }
  return out.take();
}

std::optional<UnreadReport> decode_unread(std::string_view value) {
  UnreadReport unread;
  Decoder in(value);
  unread.when = get_time(in);
  unread.mail_from = get_text(in);
  unread.problem = get_text(in);
  if (!in.at_end()) {
    auto to = get_text(in);
    unread.bounced = Bounced{std::move(to), get_text(in)};
  }
  if (in.failed()) return std::nullopt;
  return unread;
}

}  // namespace hikyaku::reports
