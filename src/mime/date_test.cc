#include "mime/date.h"

#include <doctest/doctest.h>

namespace hikyaku::mime {
namespace {

std::string show(std::string_view value) {
  auto date = parse_date(value);
  if (!date) return "-";
  return format_date(date->time, date->offset) + (date->zone_known ? "" : " ?");
}

TEST_CASE("dates as they are met") {
  struct Row {
    std::string_view value, shown;
  };
  for (auto& row : std::initializer_list<Row>{
           {"Fri, 21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600"},
           {"21 Nov 97 09:55:06 GMT", "Fri, 21 Nov 1997 09:55:06 +0000"},
           {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "-"},
           {"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
            "Thu, 13 Feb 1969 23:32:00 -0330"},
           {"Wed, 11 Feb 98 11:51 CST", "Wed, 11 Feb 1998 11:51:00 -0600"},
           {"1 Jan 03 00:00:00 EST", "Wed, 1 Jan 2003 00:00:00 -0500"},
           {"1 Jan 103 00:00:00 +0000", "Wed, 1 Jan 2003 00:00:00 +0000"},
           {"1 Jan 0103 00:00:00 +0000", "Wed, 1 Jan 2003 00:00:00 +0000"},
           {"Sat, 1 Jan 2000 12:00:00 -0000", "Sat, 1 Jan 2000 12:00:00 +0000 ?"},
           {"Sat, 1 Jan 2000 12:00:00 A", "Sat, 1 Jan 2000 12:00:00 +0000 ?"},
           {"Sat, 1 Jan 2000 12:00:00", "Sat, 1 Jan 2000 12:00:00 +0000 ?"},
           {"Sat, 1 Jan 2000 12:00:00 +09:00", "Sat, 1 Jan 2000 12:00:00 +0900"},
           {"Sat, 1 Jan 2000 12:00:00+0900", "Sat, 1 Jan 2000 12:00:00 +0900"},
           {"Sat, 1 Jan 2000 12:00:00 GMT+0900 (JST)", "Sat, 1 Jan 2000 12:00:00 +0900"},
           {"Sat, 1 Jan 2000 12:00:00 JST", "Sat, 1 Jan 2000 12:00:00 +0900"},
           {"Sat, 01-Jan-2000 12:00:00 GMT", "Sat, 1 Jan 2000 12:00:00 +0000"},
           {"Sat Jan  1 12:00:00 2000", "Sat, 1 Jan 2000 12:00:00 +0000 ?"},
           {"Sat Jan  1 12:00:00 EST 2000", "Sat, 1 Jan 2000 12:00:00 -0500"},
           {"Sat, 1 January 2000 12:00 PM +0000", "Sat, 1 Jan 2000 12:00:00 +0000"},
           {"Sat, 1 Jan 2000 1:05 pm +0000", "Sat, 1 Jan 2000 13:05:00 +0000"},
           {"Sat, 1 Jan 2000 12:05 am +0000", "Sat, 1 Jan 2000 00:05:00 +0000"},
           {"SAT, 1 JAN 2000 12.30.15 +0000", "Sat, 1 Jan 2000 12:30:15 +0000"},
           {"2000-01-01 12:00:00 +0100", "Sat, 1 Jan 2000 12:00:00 +0100"},
           {"(c) Sat, 1 Jan 2000 (d (e)) 12:00:00 +0100 junk", "Sat, 1 Jan 2000 12:00:00 +0100"},
           {"Sat, 1 Jan 2000 23:59:60 +0000", "Sat, 1 Jan 2000 23:59:59 +0000"},
           {"Sat, 1 Jan 2000 24:00:00 +0000", "Sun, 2 Jan 2000 00:00:00 +0000"},
           {"Mon, 29 Feb 2100 00:00:00 +0000", "-"},
           {"Mon, 32 Jan 2100 00:00:00 +0000", "-"},
           {"Mon, 1 Jan 2100 25:00:00 +0000", "-"},
           {"Mon, 1 Foo 2100 00:00:00 +0000", "-"},
           {"Mon, 1 Jan 00:00:00 +0000", "-"},
           {"", "-"},
           {"yesterday", "-"},
           {"Mon, 1 Jan 99999 00:00:00 +0000", "-"},
           {"Sat, 1 Jan 2000 12:00:00 +9999", "Sat, 1 Jan 2000 12:00:00 +0000"},
       }) {
    CAPTURE(row.value);
    CHECK(show(row.value) == row.shown);
  }
}

TEST_CASE("the writer's calendar decides the day") {
  auto date = parse_date("Sat, 1 Jan 2000 01:00:00 +0900");
  REQUIRE(date);
  CHECK(date->local_day() == std::chrono::year_month_day(std::chrono::year(2000),
                                                         std::chrono::January,
                                                         std::chrono::day(1)));
}

}  // namespace
}  // namespace hikyaku::mime
