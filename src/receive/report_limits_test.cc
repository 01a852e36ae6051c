#include "receive/report_limits.h"

#include <doctest/doctest.h>

namespace hikyaku::receive {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const Time kTen = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + hours(10);

using Leaving = ReportLimits::Leaving;

TEST_CASE("so many for each host, so many in all, and again in the next hour") {
  ReportLimits limits(2, 3);
  auto leaves = [&](const char* host, Time now) {
    auto room = limits.has_room({host, host}, now);
    CHECK(limits.may_leave({host, host}, now) == room);
    return room;
  };
  CHECK(leaves("a.test", kTen));
  CHECK(leaves("a.test", kTen + minutes(59)));
  CHECK_FALSE(leaves("a.test", kTen + minutes(59)));
  CHECK(leaves("b.test", kTen + minutes(59)));
  CHECK_FALSE(leaves("b.test", kTen + minutes(59)));  // the fourth
  CHECK_FALSE(leaves("c.test", kTen + minutes(59)));
  CHECK(leaves("a.test", kTen + minutes(60)));
  CHECK(leaves("c.test", kTen + minutes(60)));
}

TEST_CASE("one domain that invents hosts does not use up everything") {
  ReportLimits limits(2, 100);
  int left = 0;
  for (int i = 0; i < 50; ++i)
    if (limits.may_leave({"evil.test", std::to_string(i) + ".evil.test"}, kTen)) ++left;
  CHECK(left == 8);
  CHECK(limits.may_leave({"good.test", "good.test"}, kTen));
}

TEST_CASE("an hour that is over does not come again") {
  ReportLimits limits(1, 100);
  const Leaving one{"a.test", "a.test"};
  CHECK(limits.may_leave(one, kTen - minutes(1)));
  CHECK(limits.may_leave(one, kTen));
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(limits.may_leave(one, kTen - minutes(1)));
    CHECK_FALSE(limits.may_leave(one, kTen));
  }
}

TEST_CASE("a clock that was years ahead for a moment does not hold the hour until then") {
  ReportLimits limits(1, 100);
  const Leaving one{"a.test", "a.test"};
  CHECK(limits.may_leave(one, kTen + hours(24 * 3650)));
  CHECK(limits.may_leave(one, kTen));
  CHECK_FALSE(limits.may_leave(one, kTen));
  CHECK(limits.may_leave(one, kTen + hours(1)));
}

TEST_CASE("what did not leave does not count, but only in its hour") {
  ReportLimits limits(1, 2);
  const Leaving a{"a.test", "a.test"}, b{"a.test", "b.test"};
  auto both = [&](Time now) { return limits.may_leave(a, now) && limits.may_leave(b, now); };
  CHECK(both(kTen));
  CHECK_FALSE(limits.may_leave({"c.test", "c.test"}, kTen));
  limits.did_not_leave({a, b}, kTen);
  CHECK(both(kTen));
  CHECK(both(kTen + hours(1)));
  limits.did_not_leave({a, {"never.test", "never.test"}}, kTen);  // of the hour before
  CHECK_FALSE(limits.may_leave(a, kTen + hours(1)));
}

TEST_CASE(
    "questions count for the domain that a message claims to be from, apart from what leaves") {
  ReportLimits limits(1, 1);
  for (int i = 0; i < 4; ++i) CHECK(limits.may_ask("evil.test", kTen));
  CHECK_FALSE(limits.may_ask("evil.test", kTen));
  CHECK(limits.may_ask("good.test", kTen));
  CHECK(limits.may_leave({"evil.test", "evil.test"}, kTen));
  CHECK(limits.may_ask("evil.test", kTen + hours(1)));
}

TEST_CASE("strangers' names are not kept without end") {
  ReportLimits limits(1, 1'000'000);
  int asked = 0;
  for (int i = 0; i < 20'000; ++i)
    if (limits.may_ask(std::to_string(i) + ".test", kTen)) ++asked;
  CHECK(asked == 10'000);
  // They close it for nobody whose own servers take the reports.
  CHECK(limits.may_leave({"good.test", "good.test"}, kTen));
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
