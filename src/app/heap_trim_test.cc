// When free pages of the heap go back.
#include "app/heap_trim.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;

TEST_CASE(
    "free pages go back when much is in use, once a minute, and seldom where that helps little") {
  HeapTrim trim(1'000);
  HeapTrim::Moment now{1h};
  CHECK_FALSE(trim.is_due(1'000, now));
  CHECK(trim.is_due(1'001, now));
  trim.note(2'000, 1'200, now);
  CHECK_FALSE(trim.is_due(1'200, now + 59s));
  CHECK_FALSE(trim.is_due(900, now + 60s));
  CHECK(trim.is_due(1'200, now + 60s));
  now += 60s;
  trim.note(1'600, 1'501, now);  // less than a sixteenth
  CHECK_FALSE(trim.is_due(1'501, now + 29min));
  CHECK(trim.is_due(1'501, now + 30min));
  now += 30min;
  trim.note(1'600, 1'700, now);  // others took more meanwhile
  CHECK_FALSE(trim.is_due(1'700, now + 29min));
}

}  // namespace
}  // namespace hikyaku::app
