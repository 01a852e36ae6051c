#include "imap/response_parser.h"

#include <doctest/doctest.h>

#include "imap/date.h"
#include "imap/mailbox_name.h"
#include "imap/response_data.h"
#include "testing/every_split.h"

namespace hikyaku::imap {
namespace {

std::string picture(const std::vector<Value>& values) {
  std::string text;
  for (auto& value : values) {
    if (!text.empty()) text += ' ';
    switch (value.kind) {
      case Value::Kind::Nil:
        text += "NIL";
        break;
      case Value::Kind::Atom:
        text += value.text;
        break;
      case Value::Kind::String:
        text += "'" + value.text + "'";
        break;
      case Value::Kind::List:
        text += "(" + picture(value.items) + ")";
        break;
      case Value::Kind::Streamed:
        text += "<" + std::to_string(value.size) + ">";
        break;
    }
  }
  return text;
}

std::string picture(const Response& response) {
  if (response.kind == Response::Kind::Continuation) return "+" + response.text;
  std::string text = response.tag.empty() ? "*" : response.tag;
  if (response.number) text += " " + std::to_string(*response.number);
  text += " " + response.name;
  if (response.is_status()) {
    if (!response.code.empty()) {
      text += " [" + response.code;
      if (!response.code_values.empty()) text += " " + picture(response.code_values);
      text += "]";
    }
    return text + " " + response.text;
  }
  for (auto number : response.numbers) text += " " + std::to_string(number);
  if (!response.values.empty()) text += " " + picture(response.values);
  return text;
}

std::string read(std::string_view first, std::string_view second, ResponseLimits limits = {}) {
  ResponseParser parser(limits);
  std::string text, data;
  for (auto piece : {first, second}) {
    while (true) {
      auto event = parser.next(piece);
      if (event == ResponseParser::Event::NeedMore) break;
      if (event == ResponseParser::Event::Fatal) return text + "FATAL";
      if (event == ResponseParser::Event::ContentBegin)
        text += "{" + picture(parser.response()) + ": " + std::string(parser.label()) + "=";
      if (event == ResponseParser::Event::ContentData) text += parser.data();
      if (event == ResponseParser::Event::ContentEnd) text += "}|";
      if (event == ResponseParser::Event::Response) text += picture(parser.response()) + "|";
    }
  }
  return text;
}

void good(std::string_view input, std::string_view expected, ResponseLimits limits = {}) {
  CAPTURE(input);
  testing::every_split(
      input, [&](auto first, auto second) { REQUIRE(read(first, second, limits) == expected); });
}

TEST_CASE("status responses") {
  good("* OK ready\r\n", "* OK ready|");
  good("a1 OK done\r\n", "a1 OK done|");
  good("a1 ok done\r\n", "a1 OK done|");
  good("a1 OK\r\n", "a1 OK |");
  good("* OK [UIDVALIDITY 3857529045] UIDs valid\r\n", "* OK [UIDVALIDITY 3857529045] UIDs valid|");
  good("* OK [PERMANENTFLAGS (\\Deleted \\* $x])] Limited\r\n",
       "* OK [PERMANENTFLAGS (\\Deleted \\* $x])] Limited|");
  good("a NO [trycreate] no\r\n", "a NO [TRYCREATE] no|");
  good("a OK [COPYUID 38505 304,319:320 3956:3958] ok\r\n",
       "a OK [COPYUID 38505 304,319:320 3956:3958] ok|");
  good("* BYE [X (\"a]b\")] z\r\n", "* BYE [X ('a]b')] z|");
  good("* OK [broken\r\n", "* OK [broken|");
  good("* NO text {5}\r\n* OK x\r\n", "* NO text {5}|* OK x|");  // a text, no literal
  good("+ idling\r\n+\r\n+ \r\n+OK\r\n", "+idling|+|+|+OK|");
  good("\r\n* OK x\n", "* OK x|");
}

TEST_CASE("untagged data") {
  good("* 23 EXISTS\r\n* 5 recent\r\n* 3 EXPUNGE\r\n", "* 23 EXISTS|* 5 RECENT|* 3 EXPUNGE|");
  good("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN|");
  good("* FLAGS (\\Answered \\Seen $Forwarded)\r\n", "* FLAGS (\\Answered \\Seen $Forwarded)|");
  good("* LIST (\\HasNoChildren \\Sent) \"/\" \"[Gmail]/Sent Mail\"\r\n",
       "* LIST (\\HasNoChildren \\Sent) '/' '[Gmail]/Sent Mail'|");
  good("* LIST () NIL a[b\r\n", "* LIST () NIL a[b|");
  good("* LIST () \"\\\\\" {3}\r\na b\r\n", "* LIST () '\\' 'a b'|");
  good("* SEARCH\r\n* SEARCH 2 84 882 \r\n* SEARCH 2 (MODSEQ 9)\r\n",
       "* SEARCH|* SEARCH 2 84 882|* SEARCH 2|");
  good("* ESEARCH (TAG \"a\") UID ALL 4:19,21 COUNT 17\r\n",
       "* ESEARCH (TAG 'a') UID ALL 4:19,21 COUNT 17|");
  good("* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 )\r\n",
       "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)|");
  good("* VANISHED (EARLIER) 41,43:116\r\n", "* VANISHED (EARLIER) 41,43:116|");
  good("* ID (\"name\" \"x\" \"v\" nil)\r\n", "* ID ('name' 'x' 'v' NIL)|");
}

TEST_CASE("FETCH with envelopes, and with content streamed") {
  good("* 12 FETCH (FLAGS (\\Seen) UID 5 RFC822.SIZE 44827)\r\n",
       "* 12 FETCH (FLAGS (\\Seen) UID 5 RFC822.SIZE 44827)|");
  good("* 1 FETCH (ENVELOPE (\"date\" {3}\r\na]b ((NIL NIL \"a\" \"b\")) NIL) UID 9)\r\n",
       "* 1 FETCH (ENVELOPE ('date' 'a]b' ((NIL NIL 'a' 'b')) NIL) UID 9)|");
  good("* 2 FETCH (UID 7 BODY[] {5}\r\nab\r\nc FLAGS ())\r\na OK x\r\n",
       "{* 2 FETCH (UID 7 BODY[]): BODY[]=ab\r\nc}|* 2 FETCH (UID 7 BODY[] <5> FLAGS ())|a OK x|");
  good("* 2 FETCH (BODY[HEADER.FIELDS (From \"To x\")]<0> {2}\r\nab BODY[1] {0}\r\n)\r\n",
       "{* 2 FETCH (BODY[HEADER.FIELDS (From \"To x\")]<0>): BODY[HEADER.FIELDS (From \"To "
       "x\")]<0>=ab}|"
       "{* 2 FETCH (BODY[HEADER.FIELDS (From \"To x\")]<0> <2> BODY[1]): BODY[1]=}|"
       "* 2 FETCH (BODY[HEADER.FIELDS (From \"To x\")]<0> <2> BODY[1] <0>)|");
  good("* 2 FETCH (RFC822 {1}\r\nx)\r\n", "{* 2 FETCH (RFC822): RFC822=x}|* 2 FETCH (RFC822 <1>)|");
  good("* 2 FETCH (BINARY[1] ~{1}\r\nx)\r\n",
       "{* 2 FETCH (BINARY[1]): BINARY[1]=x}|* 2 FETCH (BINARY[1] <1>)|");
  good("* 2 FETCH (BODY[] \"small\" BODY[1] NIL)\r\n", "* 2 FETCH (BODY[] 'small' BODY[1] NIL)|");
  // A literal inside an envelope that follows something that looks like a label is no content.
  good("* 2 FETCH (ENVELOPE ({6}\r\nBODY[] {1}\r\nx))\r\n", "* 2 FETCH (ENVELOPE ('BODY[]' 'x'))|");
  good("* 2 FETCH (X-GM-LABELS (\\Inbox \"a b\") X-GM-MSGID 1278455344230334865)\r\n",
       "* 2 FETCH (X-GM-LABELS (\\Inbox 'a b') X-GM-MSGID 1278455344230334865)|");
}

TEST_CASE("what is no IMAP, and what is too much") {
  good("HTTP/1.1 200 OK\r\n", "FATAL");
  good("* \r\n", "FATAL");
  good("a1 FETCH x\r\n", "FATAL");
  good("* LIST (\"\r\n", "FATAL");
  good("* LIST ( x\r\n", "FATAL");
  good("* LIST ) x\r\n", "FATAL");
  ResponseLimits limits;
  limits.literal = 3;
  limits.response = 40;
  limits.content = 10;
  limits.depth = 3;
  limits.values = 5;
  good("* LIST () \"/\" {4}\r\nabcd\r\n", "FATAL", limits);
  good("* 1 FETCH (BODY[] {11}\r\n", "FATAL", limits);
  good("* LIST 123456789012345678901234567890123456789\r\n", "FATAL", limits);
  good("* X (((a)))\r\n", "* X (((a)))|", limits);
  good("* X ((((a))))\r\n", "FATAL", limits);
  good("* X 1 2 3 4 5\r\n", "* X 1 2 3 4 5|", limits);
  good("* X 1 2 3 4 5 6\r\n", "FATAL", limits);
}

TEST_CASE("the data in responses") {
  auto response = [](std::string_view text) { return parse_response(text).value(); };
  auto fetch = read_fetch(
      response("* 12 FETCH (FLAGS (\\Seen $x \\Odd) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" "
               "RFC822.SIZE 44827 UID 5 MODSEQ (77))"));
  REQUIRE(fetch.has_value());
  CHECK(fetch->number == 12);
  CHECK(fetch->uid == 5);
  CHECK(fetch->size == 44827);
  CHECK(fetch->modseq == 77);
  CHECK(fetch->flags->system == bit(Flag::Seen));
  CHECK(fetch->flags->keywords == std::vector<std::string>{"$x"});
  CHECK(format_date_time(*fetch->internal_date) == "17-Jul-1996 09:44:25 +0000");
  CHECK_FALSE(read_fetch(response("* FETCH x")).has_value());
  CHECK(find_item(response("* 1 FETCH (BODY[TEXT] \"x\")"), "body[text]")->text == "x");

  auto list = read_list_line(response("* LIST (\\Noselect \\HasChildren) \".\" nil")).value();
  CHECK(list.has("\\noselect"));
  CHECK(list.separator == '.');
  CHECK(list.name == "NIL");
  CHECK_FALSE(read_list_line(response("* LIST () NIL x")).value().separator);
  CHECK_FALSE(read_list_line(response("* LIST x")).has_value());

  auto status =
      read_status_line(
          response("* STATUS \"a b\" (MESSAGES 2 UIDNEXT 9 SIZE 5000000000 HIGHESTMODSEQ 3)"))
          .value();
  CHECK(status.mailbox == "a b");
  CHECK(status.messages == 2);
  CHECK(status.size == 5000000000);
  CHECK_FALSE(status.unseen);

  CHECK(read_search(response("* SEARCH 5 3 4")).value().found.to_string() == "3:5");
  auto esearch =
      read_search(response("* ESEARCH (TAG \"a\") UID MIN 2 MAX 9 COUNT 3 ALL 2,8:9")).value();
  CHECK(esearch.found.to_string() == "2,8:9");
  CHECK(esearch.min == 2);
  CHECK(esearch.count == 3);
  CHECK(read_search(response("* ESEARCH (TAG \"a\") COUNT 0")).value().count == 0);
  CHECK(read_capabilities(response("* OK [CAPABILITY imap4rev1 IDLE] x")) ==
        std::vector<std::string>{"IMAP4REV1", "IDLE"});
}

}  // namespace
}  // namespace hikyaku::imap
