#include "dsn/report.h"

#include <doctest/doctest.h>

#include "base/base64.h"
#include "base/text.h"
#include "dsn/fields.h"
#include "dsn/status.h"

namespace hikyaku::dsn {
namespace {

bool contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

constexpr std::string_view kOriginal =
    "From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nSubject: The plan\r\n"
    "Message-ID: <1@a.test>\r\n\r\n";

Report example() {
  Report report;
  report.reporting_mta = "mx.a.test";
  report.envelope_id = "QQ314159";
  report.arrival = *parse_rfc3339("2026-11-21T22:00:00Z");
  Recipient bob;
  bob.original = smtp::OriginalRecipient{"rfc822", "team@b.test"};
  bob.final = *smtp::parse_mailbox("bob@b.test");
  bob.status = {5, 1, 1};
  bob.remote_mta = "mx.b.test";
  bob.diagnostic = "550 5.1.1 No such mailbox: <bob@b.test>";
  bob.last_attempt = *parse_rfc3339("2026-11-21T22:01:00Z");
  report.recipients.push_back(bob);
  report.to = *smtp::parse_mailbox("ann@a.test");
  report.message_id = "2@mx.a.test";
  report.boundary = "0123456789abcdefghij";
  report.now = *parse_rfc3339("2026-11-21T22:02:00Z");
  report.original_header = kOriginal;
  return report;
}

std::string whole(const Report& report, std::string_view message = "") {
  auto composed = compose(report);
  return composed.front + (composed.with_message ? std::string(message) : "") + composed.back;
}

TEST_CASE("a bounce, whole") {
  CHECK(whole(example()) ==
        "From: Mail Delivery <MAILER-DAEMON@mx.a.test>\r\n"
        "To: <ann@a.test>\r\n"
        "Subject: Not delivered: your message to bob@b.test\r\n"
        "Date: Sat, 21 Nov 2026 22:02:00 +0000\r\n"
        "Message-ID: <2@mx.a.test>\r\n"
        "In-Reply-To: <1@a.test>\r\n"
        "References: <1@a.test>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        " boundary=\"0123456789abcdefghij\"\r\n"
        "\r\n"
        "--0123456789abcdefghij\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "\r\n"
        "This is the mail system at mx.a.test, with news about a message of yours.\r\n"
        "\r\n"
        "  Subject: The plan\r\n"
        "  Message-ID: <1@a.test>\r\n"
        "\r\n"
        "Your message could not be delivered to:\r\n"
        "\r\n"
        "  <bob@b.test>\r\n"
        "    (It was on its way from team@b.test.)\r\n"
        "    There is no such mailbox. Check the address for a typing mistake.\r\n"
        "    The server mx.b.test answered:\r\n"
        "      550 5.1.1 No such mailbox: <bob@b.test>\r\n"
        "\r\n"
        "Details for your postmaster, and the message, are attached.\r\n"
        "\r\n"
        "--0123456789abcdefghij\r\n"
        "Content-Type: message/delivery-status\r\n"
        "\r\n"
        "Original-Envelope-Id: QQ314159\r\n"
        "Reporting-MTA: dns; mx.a.test\r\n"
        "Arrival-Date: Sat, 21 Nov 2026 22:00:00 +0000\r\n"
        "\r\n"
        "Original-Recipient: rfc822; team@b.test\r\n"
        "Final-Recipient: rfc822; bob@b.test\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        "Remote-MTA: dns; mx.b.test\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such mailbox: <bob@b.test>\r\n"
        "Last-Attempt-Date: Sat, 21 Nov 2026 22:01:00 +0000\r\n"
        "\r\n"
        "--0123456789abcdefghij\r\n"
        "Content-Type: text/rfc822-headers\r\n"
        "\r\n" +
            std::string(kOriginal) + "\r\n--0123456789abcdefghij--\r\n");
}

TEST_CASE("the whole message comes back when asked for") {
  auto report = example();
  report.returned = smtp::Return::Full;
  auto text = whole(report, std::string(kOriginal) + "Hello\r\n");
  CHECK(contains(text, "Content-Type: message/rfc822\r\n\r\nFrom: Ann"));
  CHECK(text.ends_with("Hello\r\n\r\n--0123456789abcdefghij--\r\n"));
  CHECK(!contains(text, "8bit"));
  report.original_has_8bit = true;
  text = whole(report);
  CHECK(contains(text, "Content-Transfer-Encoding: 8bit\r\nContent-Type: multipart/report"));
  CHECK(contains(text, "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"));
  CHECK(compose(report).has_8bit);
  CHECK(!compose(report).has_utf8_header);
}

TEST_CASE("delays") {
  auto report = example();
  auto& bob = report.recipients.front();
  bob.action = Action::Delayed;
  bob.status = {4, 4, 1};
  bob.remote_mta.clear();
  bob.diagnostic = "connection to 192.0.2.1 timed out";
  bob.will_retry_until = *parse_rfc3339("2026-11-26T22:00:00Z");
  auto text = whole(report);
  CHECK(contains(text, "Subject: Delayed: your message to bob@b.test\r\n"));
  CHECK(contains(text, "Action: delayed\r\nStatus: 4.4.1\r\n"));
  CHECK(contains(text, "Diagnostic-Code: x-hikyaku; connection to 192.0.2.1 timed out\r\n"));
  CHECK(!contains(text, "Remote-MTA"));
  CHECK(contains(text, "Will-Retry-Until: Thu, 26 Nov 2026 22:00:00 +0000\r\n"));
  CHECK(contains(text, "We try until Thu, 26 Nov 2026"));
  CHECK(contains(text, "need not send it again"));
}

TEST_CASE("several recipients are grouped by what became of them") {
  auto report = example();
  auto carl = report.recipients.front();
  carl.final = *smtp::parse_mailbox("carl@c.test");
  carl.original.reset();
  carl.action = Action::Delivered;
  carl.status = {2, 1, 5};
  carl.diagnostic.clear();
  report.recipients.insert(report.recipients.begin(), carl);
  auto text = whole(report);
  CHECK(contains(text, "Subject: Not delivered: your message to carl@c.test and 1 more\r\n"));
  CHECK(text.find("could not be delivered to:") < text.find("was delivered to:"));
  auto status = parse_delivery_status(text.substr(text.find("Original-Envelope-Id")));
  REQUIRE(status.recipients.size() == 2);
  CHECK(status.recipients[0].final == Typed{"rfc822", "carl@c.test"});
  CHECK(status.recipients[0].action == Action::Delivered);
  CHECK(status.recipients[1].status == smtp::EnhancedStatus{5, 1, 1});
}

TEST_CASE("Japanese beside English") {
  auto report = example();
  report.language = Language::Japanese;
  auto text = whole(report);
  CHECK(is_ascii(text));
  auto begin = text.find("base64\r\n\r\n") + 10;
  auto body = text.substr(begin, text.find("\r\n--", begin) - begin);
  std::erase_if(body, [](char c) { return c == '\r' || c == '\n'; });
  auto words = base64_decode(body);
  REQUIRE(words);
  CHECK(contains(*words, "メールボックスはありません"));
  CHECK(contains(*words, "There is no such mailbox."));
  CHECK(words->find("メール") < words->find("There is"));
}

TEST_CASE("the subject is told in words") {
  auto report = example();
  report.original_header = "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\n";
  auto composed = compose(report);
  auto begin = composed.front.find("base64\r\n\r\n") + 10;
  auto body = composed.front.substr(begin, composed.front.find("\r\n--", begin) - begin);
  std::erase_if(body, [](char c) { return c == '\r' || c == '\n'; });
  CHECK(contains(base64_decode(body).value_or(""),
                 "Subject: Gr\xC3\xBC\xC3\x9F"
                 "e\r\n"));
}

TEST_CASE("UTF-8 addresses") {
  auto report = example();
  auto& bob = report.recipients.front();
  bob.final = *smtp::parse_mailbox("\xE6\x9D\x89@b.test", {smtp::Characters::Utf8, {}});
  bob.original = smtp::OriginalRecipient{"utf-8", "\xE6\x9D\x89@b.test"};
  auto composed = compose(report);
  CHECK(composed.has_utf8_header);
  CHECK(contains(composed.front, "report-type=global-delivery-status;"));
  CHECK(contains(composed.front,
                 "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit"));
  CHECK(contains(composed.front, "Final-Recipient: utf-8; \xE6\x9D\x89@b.test\r\n"));
  report.original_has_utf8_header = true;
  CHECK(contains(compose(report).front, "Content-Type: message/global-headers\r\n"));
  report.returned = smtp::Return::Full;
  CHECK(contains(compose(report).front, "Content-Type: message/global\r\n"));
}

TEST_CASE("the other side's words cannot leave their field") {
  auto report = example();
  report.recipients.front().diagnostic =
      "550 no\r\nStatus: 2.0.0\r\n\r\n--0123456789abcdefghij\x1b";
  report.recipients.front().remote_mta = "mx\r\nX: y";
  auto text = whole(report);
  CHECK(contains(text, "Diagnostic-Code: smtp; 550 no Status: 2.0.0 --0123456789abcdefghij?\r\n"));
  CHECK(!contains(text, "\r\nStatus: 2.0.0"));
  CHECK(!contains(text, "\r\nX: y"));
  CHECK(!contains(text, "\x1b"));
  std::size_t delimiters = 0;
  for (std::size_t at = 0; (at = text.find("\r\n--0123456789abcdefghij", at)) != std::string::npos;
       ++at)
    ++delimiters;
  CHECK(delimiters == 4);
  report.recipients.front().diagnostic = std::string(5000, 'x');
  std::string_view left = text = whole(report);
  while (!left.empty()) {
    auto end = left.find("\r\n");
    CHECK(end <= 998);
    left.remove_prefix(end + 2);
  }
}

TEST_CASE("who is told of what") {
  smtp::ReversePath ann{*smtp::parse_mailbox("ann@a.test")};
  using smtp::Notify;
  struct Row {
    Action action;
    std::optional<Notify> notify;
    bool wanted;
  };
  for (const auto& row : {
           Row{Action::Failed, std::nullopt, true},
           Row{Action::Delayed, std::nullopt, true},
           Row{Action::Delivered, std::nullopt, false},
           Row{Action::Relayed, std::nullopt, false},
           Row{Action::Failed, Notify{}, false},  // NEVER
           Row{Action::Failed, Notify{.failure = true}, true},
           Row{Action::Delayed, Notify{.failure = true}, false},
           Row{Action::Delayed, Notify{.delay = true}, true},
           Row{Action::Failed, Notify{.success = true}, false},
           Row{Action::Delivered, Notify{.success = true}, true},
           Row{Action::Relayed, Notify{.success = true}, true},
       }) {
    CAPTURE(to_string(row.action));
    CHECK(is_wanted(row.action, row.notify, ann) == row.wanted);
    CHECK(!is_wanted(row.action, row.notify, smtp::ReversePath{}));
  }
}

TEST_CASE("folding") {
  CHECK(format_field("A", "b c", false) == "A: b c\r\n");
  auto folded = format_field("A", std::string(70, 'b') + " " + std::string(70, 'c'), false);
  CHECK(folded == "A: " + std::string(70, 'b') + "\r\n " + std::string(70, 'c') + "\r\n");
}

TEST_CASE("every status has words in both languages") {
  for (std::uint16_t subject = 0; subject < 9; ++subject)
    for (std::uint16_t detail = 0; detail < 30; ++detail) {
      const auto& phrase = explain({5, subject, detail});
      CHECK(is_ascii(phrase.en));
      CHECK(!phrase.ja.empty());
    }
  CHECK(explain({5, 1, 1}).en.find("no such mailbox") != std::string_view::npos);
  CHECK(explain({4, 4, 1}).en == explain({5, 4, 1}).en);
}

}  // namespace
}  // namespace hikyaku::dsn
