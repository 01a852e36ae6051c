#include "app/admission.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

TEST_CASE("so many in all, so many of one network") {
  Admission admission;
  admission.set_limits(4, 2);
  CHECK(admission.enter(ip("192.0.2.1")));
  CHECK(admission.enter(ip("192.0.2.1")));
  CHECK_FALSE(admission.enter(ip("192.0.2.1")));
  CHECK(admission.enter(ip("2001:db8::1")));
  CHECK(admission.enter(ip("2001:db8::2")));  // the same /64
  CHECK_FALSE(admission.enter(ip("192.0.2.2")));
  admission.leave(ip("192.0.2.1"));
  CHECK_FALSE(admission.enter(ip("2001:db8::3")));
  CHECK(admission.enter(ip("192.0.2.2")));
}

TEST_CASE("when it is tight, few of one network, for as long as it is") {
  Admission admission;
  auto one = ip("192.0.2.1");
  CHECK_FALSE(admission.enter(one, 0));
  admission.leave(one);  // who was not let in is not counted
  CHECK(admission.enter(one, 1));
  CHECK_FALSE(admission.enter(one, 1));
  CHECK(admission.enter(ip("192.0.2.2"), 1));
  CHECK(admission.enter(one));
  CHECK_FALSE(admission.enter(one, 2));
  admission.leave(one);
  CHECK(admission.enter(one, 2));
  admission.set_limits(4, 10);
  CHECK(admission.enter(one, 10));
  CHECK_FALSE(admission.enter(one, 10));
}

TEST_CASE("the option whose limit is reached is named") {
  Admission admission;
  admission.set_limits(2, 1);
  CHECK(admission.enter(ip("192.0.2.1")));
  CHECK(admission.enter(ip("192.0.2.1")).error() == "limits.connections_per_address");
  CHECK(admission.enter(ip("192.0.2.2"), 0).error() == "limits.memory");
  CHECK(admission.enter(ip("192.0.2.2")));
  CHECK(admission.enter(ip("192.0.2.3")).error() == "limits.connections");
}

TEST_CASE("of refused connections one line a minute and network, few in all") {
  RefusalLog log;
  Time begin{std::chrono::hours(1)};
  CHECK(log.note(ip("192.0.2.1"), begin) == 0);
  for (int i = 0; i < 5; ++i) CHECK(!log.note(ip("192.0.2.1"), begin + seconds(i)));
  CHECK(log.note(ip("192.0.2.2"), begin + seconds(9)) == 5);
  CHECK(log.note(ip("2001:db8::1"), begin + seconds(9)) == 0);
  CHECK(!log.note(ip("2001:db8::2"), begin + seconds(9)));  // the same /64
  int lines = 3;
  for (int i = 10; i < 250; ++i)
    lines += log.note(ip("198.51.100." + std::to_string(i)), begin + seconds(20)).has_value();
  CHECK(lines == RefusalLog::kMostLines);
  CHECK(log.note(ip("192.0.2.1"), begin + seconds(60)) == 240 - (RefusalLog::kMostLines - 3));
}

}  // namespace
}  // namespace hikyaku::app
