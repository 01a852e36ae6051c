// Flags, dates and strings: the small values of the grammar.
#include <doctest/doctest.h>

#include "base/time.h"
#include "imap/date.h"
#include "imap/flags.h"
#include "imap/quote.h"
#include "imap/reply.h"

namespace hikyaku::imap {
namespace {

TEST_CASE("flags by name") {
  Flags flags;
  for (std::string_view name :
       {"\\Seen", "\\DELETED", "$Forwarded", "$forwarded", "work", "\\Recent"})
    CHECK_MESSAGE(add_flag(flags, name).has_value(), name);
  CHECK(flags.system == (bit(Flag::Seen) | bit(Flag::Deleted)));
  CHECK(flags.keywords == std::vector<std::string>{"$Forwarded", "work"});
  CHECK(flags.has_keyword("WORK"));
  std::string out;
  append_flags(out, flags.system, flags.keywords);
  CHECK(out == "(\\Deleted \\Seen $Forwarded work)");

  for (std::string_view name : {"", "\\", "\\Foo", "a b", "a]", "a\\", "(", "\xc3\xa9", "a\r"})
    CHECK_MESSAGE(!add_flag(flags, name).has_value(), name);
  CHECK(add_flag(flags, std::string(255, 'k')).has_value());
  CHECK(add_flag(flags, std::string(256, 'k')).error().code == ErrorCode::TooLarge);
}

void date_time(std::string_view text, std::string_view utc) {
  CAPTURE(text);
  auto time = parse_date_time(text);
  REQUIRE(time.has_value());
  CHECK(format_rfc3339(*time) == utc);
}

TEST_CASE("dates with time") {
  date_time("17-Jul-1996 02:44:25 -0700", "1996-07-17T09:44:25.000Z");
  date_time(" 1-jul-1996 02:44:25 +0000", "1996-07-01T02:44:25.000Z");
  date_time("1-Jul-1996 02:44:25 +0000", "1996-07-01T02:44:25.000Z");  // imapflow
  date_time("01-JUL-1996 00:00:00 +0900", "1996-06-30T15:00:00.000Z");
  date_time("31-Dec-1969 23:59:59 +0000", "1969-12-31T23:59:59.000Z");
  date_time("29-Feb-2024 23:59:60 +0000", "2024-03-01T00:00:00.000Z");  // a leap second
  for (std::string_view text :
       {"-Jul-1996 02:44:25 -0700", "  1-Jul-1996 02:44:25 -0700", "32-Jul-1996 02:44:25 -0700",
        "17-Jux-1996 02:44:25 -0700", "17-Jul-96 02:44:25 -0700", "17-Jul-1996 24:44:25 -0700",
        "17-Jul-1996 02:44:25 0700", "17-Jul-1996 02:44:25 -07000", "17-Jul-1996 02:44:25 -0760",
        "29-Feb-2023 00:00:00 +0000", "17-Jul-1996 02:44:25", "", "17-Jul-1996 02:44:25 -0700 "})
    CHECK_MESSAGE(!parse_date_time(text).has_value(), text);
  CHECK(format_date_time(*parse_date_time("17-Jul-1996 02:44:25 -0700")) ==
        "17-Jul-1996 09:44:25 +0000");
  CHECK(format_date_time(Time(milliseconds(-1))) == "31-Dec-1969 23:59:59 +0000");
}

TEST_CASE("search dates") {
  for (std::string_view text : {"1-Feb-1994", "01-feb-1994"})
    CHECK_MESSAGE(format_date(parse_date(text).value()) == "1-Feb-1994", text);
  for (std::string_view text : {"", "1-Feb-94", "31-Feb-1994", "001-Feb-1994", "-Feb-1994",
                                "1-Feb-1994 ", "1 Feb 1994", "1-February-1994"})
    CHECK_MESSAGE(!parse_date(text).has_value(), text);
}

std::string written(std::string_view text, Wire wire = Wire::Ascii) {
  std::string out;
  append_string(out, text, wire);
  return out;
}

TEST_CASE("strings cannot break out of their quotes") {
  CHECK(written("") == "\"\"");
  CHECK(written("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(written("a\r\nb") == "{4}\r\na\r\nb");
  CHECK(written("é") == "{2}\r\né");
  CHECK(written("é", Wire::Utf8) == "\"é\"");
  CHECK(written("\xff", Wire::Utf8) == "{1}\r\n\xff");
  CHECK(written(std::string_view("a\0b", 3)) == "{2}\r\nab");
  CHECK(written(std::string(1001, 'x')).starts_with("{1001}\r\n"));
  auto astring = [](std::string_view text) {
    std::string out;
    append_astring(out, text);
    return out;
  };
  CHECK(astring("INBOX") == "INBOX");
  CHECK(astring("a b") == "\"a b\"");
  CHECK(astring("nil") == "\"nil\"");
  CHECK(astring("") == "\"\"");
  CHECK(astring("a{3}") == "\"a{3}\"");
  std::string out;
  append_nstring(out, std::nullopt);
  CHECK(out == "NIL");
}

TEST_CASE("replies are one line whatever is in them") {
  auto reply = [](std::string_view tag, const Reply& what, Wire wire = Wire::Ascii) {
    std::string out;
    append_reply(out, tag, what, wire);
    return out;
  };
  CHECK(reply("a1", ok("done")) == "a1 OK done\r\n");
  CHECK(reply("", bye("gone", "UNAVAILABLE")) == "* BYE [UNAVAILABLE] gone\r\n");
  CHECK(reply("a1", no("x\r\n* OK [ALERT] pay", "TRY\r\nCREATE")) ==
        "a1 NO [TRY??CREATE] x  * OK [ALERT] pay\r\n");
  CHECK(reply("a1", no("[ALERT] x")) == "a1 NO (ALERT] x\r\n");
  CHECK(reply("a1", no("\n [ALERT] x")) == "a1 NO   (ALERT] x\r\n");
  CHECK(reply("a1", no("é")) == "a1 NO ??\r\n");
  CHECK(reply("a1", no("é"), Wire::Utf8) == "a1 NO é\r\n");
  CHECK(reply("a1", ok("")) == "a1 OK -\r\n");
  CHECK(append_uid_code(7, SequenceSet::parse("3:5")->resolve(0)) == "APPENDUID 7 3:5");
  CHECK(reply_for(Error{ErrorCode::NotFound, "no such mailbox", nullptr}) ==
        no("no such mailbox", "NONEXISTENT"));
}

}  // namespace
}  // namespace hikyaku::imap
