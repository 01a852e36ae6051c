#include "dmarc/failure_report.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/text.h"
#include "testing/vectors.h"

namespace hikyaku::dmarc {
namespace {

namespace json = boost::json;
namespace vectors = testing::vectors;

/// Without the differences that folding makes, and without brackets around addresses.
std::string squeeze(std::string_view text) {
  std::string out;
  for (char c : text)
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '<' && c != '>') out += c;
  return out;
}

std::string text(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

void check_list(const std::vector<std::string>& found, const json::value& facts) {
  REQUIRE(found.size() == facts.as_array().size());
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(squeeze(found[i]) == squeeze(text(facts.as_array()[i])));
}

/// "AuthFailure" for auth-failure.
std::string word(std::string_view name) {
  if (name.empty()) return "Unspecified";
  if (name == "bodyhash") return "BodyHash";
  std::string out;
  bool first = true;
  for (char c : name) {
    if (c == '-') {
      first = true;
      continue;
    }
    out += first ? ascii_upper(c) : c;
    first = false;
  }
  return out;
}

TEST_CASE("feedback reports with their facts beside them") {
  auto folder = vectors::folder_or_skip("feedback reports");
  if (folder.empty()) return;
  int count = 0;
  for (auto& file : vectors::files(folder / "arf", ".eml")) {
    CAPTURE(file.string());
    auto facts_file = file;
    auto facts = json::parse(vectors::read(facts_file.replace_extension(".json"))).as_object();
    auto bytes = vectors::read(file);
    auto report = find_failure_report(mime::parse_message(bytes));
    REQUIRE_MESSAGE(report, report.error().text);
    CHECK(word(to_string(report->type)) == text(facts.at("feedback_type")));
    CHECK(word(to_string(report->auth_failure)) == text(facts.at("auth_failure")));
    CHECK(word(to_string(report->delivery_result)) == text(facts.at("delivery_result")));
    CHECK(report->user_agent == text(facts.at("user_agent")));
    CHECK(report->version == std::to_string(facts.at("version").as_int64()));
    CHECK(report->incidents == facts.at("incidents").to_number<std::uint64_t>());
    CHECK(report->source_port == facts.at("source_port").as_int64());
    CHECK(report->arrival.has_value() == facts.at("arrival_date").is_int64());
    if (report->arrival)
      CHECK(report->arrival->time_since_epoch() == seconds(facts.at("arrival_date").as_int64()));
    CHECK((report->source_ip ? report->source_ip->to_string() : "") == text(facts.at("source_ip")));
    CHECK(report->original_envelope_id == text(facts.at("original_envelope_id")));
    CHECK(report->original_mail_from == squeeze(text(facts.at("original_mail_from"))));
    CHECK(report->original_rcpt_to == squeeze(text(facts.at("original_rcpt_to"))));
    CHECK(report->reporting_mta == text(facts.at("reporting_mta")));
    CHECK(report->dkim_domain == text(facts.at("dkim_domain")));
    CHECK(report->dkim_identity == text(facts.at("dkim_identity")));
    CHECK(report->dkim_selector == text(facts.at("dkim_selector")));
    CHECK(squeeze(report->dkim_canonicalized_body) ==
          squeeze(text(facts.at("dkim_canonicalized_body"))));
    CHECK(squeeze(report->spf_dns) == squeeze(text(facts.at("spf_dns"))));
    check_list(report->authentication_results, facts.at("authentication_results"));
    check_list(report->reported_domains, facts.at("reported_domain"));
    check_list(report->reported_uris, facts.at("reported_uri"));
    CHECK(!report->original_header.empty());
    if (auto headers = text(facts.at("headers")); !headers.empty())
      CHECK(squeeze(report->original_header) == squeeze(headers));
    ++count;
  }
  CHECK(count >= 5);
}

TEST_CASE("failure reports from the wild") {
  auto folder = vectors::folder_or_skip("failure reports from the wild");
  if (folder.empty()) return;
  auto read = [&](std::string_view name) {
    auto bytes = vectors::read(folder / "dmarc-reports/parsedmarc/failure" / name);
    return find_failure_report(mime::parse_message(bytes));
  };
  auto netease = read("Netease_DMARC_Failure_Report_Rent_Reminder.eml");
  REQUIRE(netease);
  CHECK(netease->type == FeedbackType::AuthFailure);
  CHECK(netease->source_ip == IpAddress::parse("167.89.69.24"));
  CHECK(netease->reported_domains == std::vector<std::string>{"cardinal.com"});
  CHECK(netease->identity_alignment == IdentityAlignment{true, true});
  CHECK(netease->delivery_result == DeliveryResult::Delivered);
  CHECK(netease->original_header.find("info@cardinal.com") != std::string::npos);
  auto linkedin = read("dmarc_ruf_report_linkedin.eml");
  REQUIRE(linkedin);
  CHECK(linkedin->auth_failure == AuthFailure::Dmarc);
  CHECK(linkedin->original_mail_from.empty());
  CHECK(linkedin->reported_domains == std::vector<std::string>{"example.com"});
}

FailureReport some_report() {
  FailureReport report;
  report.type = FeedbackType::AuthFailure;
  report.user_agent = "hikyaku/1.0";
  report.auth_failure = AuthFailure::Dmarc;
  report.delivery_result = DeliveryResult::Spam;
  report.identity_alignment = IdentityAlignment{true, false};
  report.incidents = 12;
  report.arrival = parse_rfc3339("2026-11-21T12:00:00Z");
  report.source_ip = IpAddress::parse("192.0.2.7");
  report.source_port = 40'000;
  report.original_mail_from = "secret.person@a.test";
  report.reporting_mta = "mx.b.test";
  report.authentication_results = {"mx.b.test; dmarc=fail header.from=a.test"};
  report.reported_domains = {"a.test"};
  report.dkim_domain = "a.test";
  report.dkim_identity = "secret.person@a.test";
  report.dkim_selector = "s1";
  report.spf_dns = "txt : a.test : \"v=spf1 -all\"";
  report.original_header =
      "Received: from x (x [192.0.2.7]) by mx for <other.person@b.test>; now\r\n"
      "DKIM-Signature: v=1; d=a.test; i=secret.person@a.test; b=abc\r\n"
      "From: \"Secret Person\" <secret.person@a.test>\r\nTo: other.person@b.test\r\n"
      "Subject: see http://evil.test/ and HTTPS://evil.test/\r\n"
      "Message-ID: <envelope.only=b.test@a.test>\r\nX-Secret: yes\r\nDate: Sat, 21 Nov 2026 "
      "12:00:00 +0000\r\n\r\nbody secret\r\n";
  return report;
}

TEST_CASE("what is written is read again, and names nobody") {
  FailureReportMail mail{.from = "dmarc@b.test",
                         .to = {"ruf@a.test"},
                         .message_id = "1@b.test",
                         .unique = "0123456789abcdefghij",
                         .now = *parse_rfc3339("2026-11-21T12:30:00Z"),
                         .redaction_key = "key",
                         .recipients = {"envelope.only@b.test"}};
  auto bytes = compose_failure_report(some_report(), mail);
  for (auto secret : {"secret.person", "Secret Person", "other.person", "X-Secret", "body secret",
                      "evil.test", "envelope", "Subject: see"})
    CHECK_MESSAGE(bytes.find(secret) == std::string::npos, secret);
  auto report = find_failure_report(mime::parse_message(bytes));
  REQUIRE(report);
  auto expected = some_report();
  CHECK(report->type == expected.type);
  CHECK(report->auth_failure == expected.auth_failure);
  CHECK(report->delivery_result == expected.delivery_result);
  CHECK(report->identity_alignment == expected.identity_alignment);
  CHECK(report->incidents == 12);
  CHECK(report->arrival == expected.arrival);
  CHECK(report->source_ip == expected.source_ip);
  CHECK(report->source_port == 40'000);
  CHECK(report->reporting_mta == "mx.b.test");
  CHECK(report->spf_dns == expected.spf_dns);
  CHECK(report->reported_domains == expected.reported_domains);
  auto redacted = Redactor("key").address("Secret.Person@a.test");
  CHECK(report->original_mail_from == redacted);
  CHECK(redacted == Redactor("key").address("secret.person@a.test"));
  CHECK(redacted != Redactor("other key").address("secret.person@a.test"));
  CHECK(report->original_header.find("From: " + redacted) != std::string::npos);
  CHECK(report->original_header.find("i=" + redacted) != std::string::npos);

  // As little as can be: no subject, no lists, no programs.
  mail.shown = HeaderShown::Minimal;
  auto minimal = find_failure_report(mime::parse_message(compose_failure_report(expected, mail)));
  REQUIRE(minimal);
  auto id = minimal->original_header.find("Message-ID: <") + 13;
  minimal->original_header.replace(id, 16, "Z");
  CHECK(minimal->original_header == "From: " + redacted +
                                        "\r\nMessage-ID: <Z@redacted.invalid>\r\n"
                                        "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n");
  CHECK(minimal->reported_domains == expected.reported_domains);
  mail.shown = HeaderShown::Redacted;

  // Nothing of the original can begin a field or a part of its own.
  auto hostile = some_report();
  hostile.reported_domains = {"a.test\r\nBcc: x@y.test"};
  hostile.dkim_selector = "s\r\n\r\n--0123456789abcdefghij\r\n";
  auto message = mime::parse_message(bytes = compose_failure_report(hostile, mail));
  CHECK(message.parts.size() == 4);
  CHECK(!message.fields().find("Bcc"));
}

TEST_CASE("when a report is wanted") {
  auto wants = [](std::string record, bool spf_aligned, bool dkim_aligned, dkim::Result signature) {
    Outcome outcome;
    outcome.discovery.state = Discovery::State::Found;
    outcome.discovery.record = std::make_shared<const Record>(*parse_record(std::move(record)));
    outcome.spf_aligned = spf_aligned;
    outcome.dkim_aligned = dkim_aligned;
    outcome.result = spf_aligned || dkim_aligned ? Result::Pass : Result::Fail;
    spf::Verdict spf;
    std::vector<dkim::Verdict> signatures(1);
    signatures[0].result = signature;
    return wants_failure_report(outcome, {&spf, &signatures});
  };
  using enum dkim::Result;
  CHECK(wants("v=DMARC1; p=none; ruf=mailto:a@b.test", false, false, Fail));
  CHECK(!wants("v=DMARC1; p=none", false, false, Fail));
  CHECK(!wants("v=DMARC1; p=none; psd=y; ruf=mailto:a@b.test", false, false, Fail));
  CHECK(!wants("v=DMARC1; p=none; ruf=mailto:a@b.test", true, false, Fail));
  CHECK(wants("v=DMARC1; p=none; fo=1; ruf=mailto:a@b.test", true, false, Fail));
  CHECK(!wants("v=DMARC1; p=none; fo=1; ruf=mailto:a@b.test", true, true, Pass));
  CHECK(wants("v=DMARC1; p=none; fo=d; ruf=mailto:a@b.test", true, true, Fail));
  CHECK(!wants("v=DMARC1; p=none; fo=d; ruf=mailto:a@b.test", false, false, Pass));
  CHECK(wants("v=DMARC1; p=none; fo=0:d; ruf=mailto:a@b.test", false, false, Pass));
}

TEST_CASE("what a report says of an evaluation") {
  Outcome outcome;
  outcome.discovery.author_domain = "a.test";
  outcome.spf_aligned = true;
  spf::Verdict spf;
  spf.policies = {std::make_shared<const spf::Policy>(spf::Policy{"b.test", "v=spf1 \"-all"})};
  std::vector<dkim::Verdict> signatures(2);
  signatures[0].result = dkim::Result::Pass;
  signatures[0].domain = "list.test";
  signatures[1].result = dkim::Result::Fail;
  signatures[1].domain = "a.test";
  signatures[1].selector = "s1";
  auto report = failure_report_of(outcome, {&spf, &signatures});
  CHECK(report.identity_alignment == IdentityAlignment{true, false});
  CHECK(report.dkim_domain == "a.test");
  CHECK(report.dkim_selector == "s1");
  CHECK(report.spf_dns.empty());
  outcome.spf_aligned = false;
  report = failure_report_of(outcome, {&spf, &signatures});
  CHECK(report.spf_dns == "txt : b.test : \"v=spf1 \\\"-all\"");
}

TEST_CASE("what is no feedback report") {
  auto code = [](std::string_view bytes) {
    auto report = find_failure_report(mime::parse_message(bytes));
    return report ? std::string("report") : std::string(to_string(report.error().code));
  };
  CHECK(code("Subject: x\r\n\r\nhello") == "not-found");
  CHECK(code("Content-Type: message/feedback-report\r\n\r\nUser-Agent: x\r\n") == "invalid");
  CHECK(code("Content-Type: message/feedback-report\r\n\r\nFeedback-Type: new\r\n") == "report");
}

}  // namespace
}  // namespace hikyaku::dmarc
