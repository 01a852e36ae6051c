// What is read behind the wall, and said to those before it.
#include "reports/digest.h"

#include <doctest/doctest.h>

#include "reports/read_report.h"
#include "reports/received.h"
#include "reports/received_form.h"
#include "reports/report_mails_test.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

TEST_CASE("a digest says the same behind the wall as before it") {
  auto digest = digest_of(read_report(mail_with("text/xml", xml("1", 300), "a.xml")));
  auto bytes = encode_digest(digest);
  auto read = decode_digest(bytes);
  REQUIRE(read);
  CHECK(read->kind == ReadReport::Kind::Aggregate);
  CHECK(read->rows.size() == 300);
  CHECK(read->rows[7].source.to_string() == "192.0.2.7");
  Taken taken{7, 0, kNoon, "d@big.test"};
  auto report = received_report(taken, *read);
  CHECK(report.domain == "alpha.test");
  CHECK(report.report_id == "1");
  CHECK(report.messages == 600);
  CHECK(report.day == received_report(taken, digest).day);
  CHECK(report.policy == dmarc::Policy::Quarantine);

  auto failure = decode_digest(encode_digest(digest_of(read_report(kFailureMail))));
  REQUIRE(failure);
  REQUIRE(failure->kind == ReadReport::Kind::Failure);
  auto received = received_failure(taken, *failure);
  CHECK(received.domain == "alpha.test");
  CHECK(received.subject == "päckchen");
  CHECK(received.reporter == "d@big.test");
  CHECK(received.source->to_string() == "192.0.2.9");

  auto other = decode_digest(encode_digest(digest_of(read_report("Subject: x\r\n\r\nx\r\n"))));
  REQUIRE(other);
  CHECK(other->kind == ReadReport::Kind::Other);
  CHECK(other->problem == "there is no report in the mail");
}

TEST_CASE("a digest that a stranger has written stays within the limits") {
  ReadLimits limits;
  limits.rows = 3;
  auto many = encode_digest(digest_of(read_report(mail_with("text/xml", xml("1", 30), "a.xml"))));
  CHECK_FALSE(decode_digest(many, limits));
  CHECK(decode_digest(many));
  CHECK_FALSE(decode_digest(many + "x"));
  for (std::size_t size = 0; size < many.size(); ++size)
    REQUIRE_FALSE(decode_digest(std::string_view(many).substr(0, size)));
  CHECK_FALSE(decode_digest("\x09"));

  dmarc::ReportRecord record;
  record.count = 1;
  auto row = encode_row(1, encode_identity(record));
  CHECK(decode_row(row));
  // The number of reasons stands behind the source, the disposition and what is aligned.
  auto reasons = std::string("\x01\x04").size() + 4 + 2;
  row[reasons] = 5;
  row.append(1000, '\0');
  CHECK_FALSE(decode_row(row));

  ReceivedReport report;
  report.organization = std::string(100'000, 'x');
  CHECK(decode_received(encode_received(report))->organization.size() == 300);
}

}  // namespace
}  // namespace hikyaku::reports
