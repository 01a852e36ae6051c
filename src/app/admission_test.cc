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

}  // namespace
}  // namespace hikyaku::app
