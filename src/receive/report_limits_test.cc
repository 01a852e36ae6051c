#include "receive/report_limits.h"

#include <doctest/doctest.h>

namespace hikyaku::receive {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Time kTen = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + hours(10);

TEST_CASE("so many for each host, so many in all, and again in the next hour") {
  ReportLimits limits(2, 3);
  auto report = [&](const char* host, Time now) {
    return limits.may_try(host, now) && limits.may_leave(now);
  };
  CHECK(report("a.test", kTen));
  CHECK(report("a.test", kTen + minutes(59)));
  CHECK_FALSE(report("a.test", kTen + minutes(59)));
  CHECK(report("b.test", kTen + minutes(59)));
  CHECK_FALSE(report("b.test", kTen + minutes(59)));  // the fourth
  CHECK_FALSE(report("c.test", kTen + minutes(59)));
  CHECK(report("a.test", kTen + minutes(60)));
  CHECK(report("c.test", kTen + minutes(60)));
}

TEST_CASE("an hour that is over does not come again") {
  ReportLimits limits(1, 100);
  CHECK(limits.may_try("a.test", kTen - minutes(1)));
  CHECK(limits.may_try("a.test", kTen));
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(limits.may_try("a.test", kTen - minutes(1)));
    CHECK_FALSE(limits.may_try("a.test", kTen));
  }
}

TEST_CASE("a host that no report went to was tried all the same") {
  ReportLimits limits(2, 1);
  CHECK(limits.may_try("a.test", kTen));
  CHECK(limits.may_try("a.test", kTen));
  CHECK_FALSE(limits.may_try("a.test", kTen));
  CHECK(limits.may_leave(kTen));
}

TEST_CASE("what did not leave does not count, but only in its hour") {
  ReportLimits limits(1, 1);
  auto report = [&](Time now) { return limits.may_try("a.test", now) && limits.may_leave(now); };
  CHECK(report(kTen));
  CHECK_FALSE(report(kTen));
  limits.did_not_leave({"a.test"}, kTen);
  CHECK(report(kTen));
  CHECK(report(kTen + hours(1)));
  limits.did_not_leave({"a.test", "never.test"}, kTen);  // of the hour before
  CHECK_FALSE(report(kTen + hours(1)));
}

TEST_CASE("strangers' names are not kept without end") {
  ReportLimits limits(1, 1'000'000);
  int tried = 0;
  for (int i = 0; i < 20'000; ++i)
    if (limits.may_try(std::to_string(i) + ".test", kTen)) ++tried;
  CHECK(tried == 10'000);
  for (int i = 0; i < 20'000; ++i) limits.withhold(std::to_string(i) + ".test", 1, kTen);
  CHECK(limits.take_withheld("9999.test", kTen) == 1);
  CHECK(limits.take_withheld("10000.test", kTen) == 0);
  // There is room again the day after the next, at the latest.
  limits.withhold("late.test", 1, kTen + hours(24));
  CHECK(limits.take_withheld("late.test", kTen + hours(24)) == 1);
}

TEST_CASE("what was not told waits for the next report, a day or two") {
  ReportLimits limits(1, 1);
  limits.withhold("a.test", 2, kTen);
  limits.withhold("a.test", 1, kTen);
  limits.withhold("a.test", 0, kTen);
  limits.withhold("b.test", 1, kTen);
  CHECK(limits.take_withheld("a.test", kTen) == 3);
  CHECK(limits.take_withheld("a.test", kTen) == 0);
  CHECK(limits.take_withheld("b.test", kTen + hours(24)) == 1);
  limits.withhold("c.test", 1, kTen + hours(24));
  limits.withhold("c.test", 1, kTen + hours(47));
  CHECK(limits.take_withheld("c.test", kTen + hours(48)) == 2);
  limits.withhold("d.test", 1, kTen + hours(48));
  CHECK(limits.take_withheld("d.test", kTen + hours(96)) == 0);
  limits.withhold("e.test", 1, kTen + hours(96));
  CHECK(limits.take_withheld("e.test", kTen + hours(24 * 365)) == 0);
}

}  // namespace
}  // namespace hikyaku::receive
