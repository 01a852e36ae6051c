#include "app/ended_sessions.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

using Sums = std::map<std::string, EndedSessions::Sum>;

TEST_CASE("commands of sessions that have ended count, and lately for a while") {
  EndedSessions ended;
  EndedSessions::Moment now{EndedSessions::kRecent * 1'000};
  for (int i = 0; i < 5; ++i) ended.add("192.0.2.1", 3, 100, now);
  ended.add("192.0.2.2", 1, 10, now);
  ended.add("", 7, 7, now);
  auto at = [&](EndedSessions::Moment when) {
    Sums sums;
    ended.add_to(sums, when);
    return sums;
  };
  CHECK(at(now).size() == 2);
  CHECK(at(now)["192.0.2.1"].commands == 15);
  CHECK(at(now)["192.0.2.1"].bytes == 500);
  CHECK(at(now)["192.0.2.1"].recent == 15);
  now += EndedSessions::kRecent;
  CHECK(at(now)["192.0.2.1"].recent == 15);
  ended.add("192.0.2.1", 2, 0, now);
  CHECK(at(now)["192.0.2.1"].recent == 17);
  now += EndedSessions::kRecent;
  CHECK(at(now)["192.0.2.1"].recent == 2);
  CHECK(at(now)["192.0.2.1"].commands == 17);
  CHECK(at(now)["192.0.2.2"].recent == 0);
  CHECK(at(now + 100 * EndedSessions::kRecent)["192.0.2.1"].recent == 0);
}

TEST_CASE("whoever keeps coming is kept, however many others come") {
  EndedSessions ended(10);
  EndedSessions::Moment now{};
  for (int i = 0; i < 1'000; ++i) {
    ended.add("the flood", 1, 0, now);
    ended.add("one of many " + std::to_string(i), 1, 0, now);
  }
  Sums sums;
  ended.add_to(sums, now);
  CHECK(sums.size() == 10);
  CHECK(sums["the flood"].commands == 1'000);
}

}  // namespace
}  // namespace hikyaku::app
