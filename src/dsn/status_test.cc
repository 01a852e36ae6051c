#include "dsn/status.h"

#include <doctest/doctest.h>

namespace hikyaku::dsn {
namespace {

TEST_CASE("typed values") {
  CHECK(parse_typed("rfc822; a@b.test") == Typed{"rfc822", "a@b.test"});
  CHECK(parse_typed("RFC822;<a@b.test>") == Typed{"rfc822", "a@b.test"});
  CHECK(parse_typed("smtp; 550 <a@b.test> no; never") == Typed{"smtp", "550 <a@b.test> no; never"});
  CHECK(parse_typed("550 no; never") == Typed{"", "550 no; never"});
  CHECK(parse_typed("utf-8; \\x{676F}@b.test") == Typed{"utf-8", "\xE6\x9D\xAF@b.test"});
  CHECK(parse_typed("") == Typed{});
}

TEST_CASE("a delivery status as it should be") {
  auto status = parse_delivery_status(
      "Reporting-MTA: dns; mx.test\r\nArrival-Date: Sat, 21 Nov 2026 22:00:00 +0000\r\n"
      "Original-Envelope-Id: X1\r\n\r\n"
      "Original-Recipient: rfc822; A@b.test\r\nFinal-Recipient: rfc822; a@b.test\r\n"
      "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.b.test\r\n"
      "Diagnostic-Code: smtp; 550 5.1.1\r\n No such user\r\n\r\n"
      "Final-Recipient: rfc822; c@d.test\r\nAction: delayed\r\nStatus: 4.4.1\r\n"
      "Will-Retry-Until: Sun, 22 Nov 2026 22:00:00 +0000\r\n");
  CHECK(status.reporting_mta == "mx.test");
  CHECK(status.envelope_id == "X1");
  REQUIRE(status.recipients.size() == 2);
  const auto& a = status.recipients[0];
  CHECK(a.original == Typed{"rfc822", "A@b.test"});
  CHECK(a.final == Typed{"rfc822", "a@b.test"});
  CHECK(a.action == Action::Failed);
  CHECK(a.status == smtp::EnhancedStatus{5, 1, 1});
  CHECK(a.remote_mta == "mx.b.test");
  CHECK(a.diagnostic == Typed{"smtp", "550 5.1.1 No such user"});
  CHECK(status.recipients[1].action == Action::Delayed);
  CHECK(status.recipients[1].will_retry_until == "Sun, 22 Nov 2026 22:00:00 +0000");
}

TEST_CASE("delivery status as the wild writes it") {
  auto one = [](std::string_view body) {
    auto status = parse_delivery_status(body);
    REQUIRE(status.recipients.size() == 1);
    return status.recipients.front();
  };
  // Everything in one group, LF.
  CHECK(one("Reporting-MTA: dns; m\nFinal-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.0.0\n")
            .final.value == "a@b");
  // An empty line inside the recipient's group.
  auto torn = one("Reporting-MTA: dns; m\n\nFinal-Recipient: rfc822; a@b\n\nStatus: 5.2.2\n");
  CHECK(torn.status == smtp::EnhancedStatus{5, 2, 2});
  CHECK(!torn.action);
  // Words around action and status.
  CHECK(one("Action: Failed (bad)\nStatus: 5.1.1 (no user)\n").action == Action::Failed);
  CHECK(one("Action: failed\nStatus: 5.1.1 (no user)\n").status == smtp::EnhancedStatus{5, 1, 1});
  // The status stands in the diagnostic alone; the address in another field.
  auto poor = one("X-Actual-Recipient: rfc822; a@b\nDiagnostic-Code: smtp; 550 (#5.7.1) no\n");
  CHECK(poor.status == smtp::EnhancedStatus{5, 7, 1});
  CHECK(poor.final.value == "a@b");
  CHECK(parse_delivery_status("").recipients.empty());
  CHECK(parse_delivery_status("\r\n\r\nrubbish\r\n: x\r\n").recipients.empty());
  std::string many;
  for (int i = 0; i < 50; ++i) many += "\r\nFinal-Recipient: rfc822; a@b\r\n";
  CHECK(parse_delivery_status(many, 10).recipients.size() == 10);
}

}  // namespace
}  // namespace hikyaku::dsn
