// Reading the report in a mail.
#include "reports/read_report.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "reports/report_mails_test.h"

namespace hikyaku::reports {
namespace {

TEST_CASE("a notice that something is late is no failure; a report about a bounce is a report") {
  auto late = fmt::format(fmt::runtime(kBounceMail), "x");
  late.replace(late.find("failed"), 6, "delayed");
  CHECK(read_report(late).kind == ReadReport::Kind::Other);
  CHECK(read_report(kFailureMail).kind == ReadReport::Kind::Failure);
}

TEST_CASE("rows beyond the limit are summed") {
  ReadLimits limits;
  limits.rows = 10;
  auto read = read_report(mail_with("text/xml", xml("1", 100), "a.xml"), limits);
  CHECK(read.rows.size() == 11);
  CHECK(read.rows.back().count == 180);
  CHECK(read.rows.back().dkim_aligned);
}

TEST_CASE("what is no report is none, and says why") {
  for (const std::string& mail :
       {std::string("Subject: hello\r\n\r\nhello\r\n"), std::string(),
        mail_with("application/gzip", "\x1f\x8b broken", "a.xml.gz"),
        mail_with(
            "text/xml",
            "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><feedback>&b;</feedback>",
            "a.xml")}) {
    auto read = read_report(mail);
    CHECK(read.kind == ReadReport::Kind::Other);
    CHECK_FALSE(read.problem.empty());
  }
}

}  // namespace
}  // namespace hikyaku::reports
