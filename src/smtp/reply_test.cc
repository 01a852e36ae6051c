#include "smtp/reply.h"

#include <doctest/doctest.h>

#include "smtp/replies.h"
#include "testing/every_split.h"

namespace hikyaku::smtp {
namespace {

using hikyaku::testing::every_split;

TEST_CASE("enhanced status codes") {
  CHECK(EnhancedStatus::parse("5.1.1") == EnhancedStatus{5, 1, 1});
  CHECK(EnhancedStatus::parse("2.0.0") == EnhancedStatus{2, 0, 0});
  CHECK(EnhancedStatus::parse("4.7.500")->to_string() == "4.7.500");
  for (auto text : {"", "5", "5.1", "5.1.", "5..1", "3.1.1", "5.1.1000", "5.1.1 ", "55.1.1",
                    "5.1.1.1", "5.-1.1", "5.1.x"}) {
    CAPTURE(text);
    CHECK(!EnhancedStatus::parse(text));
  }
}

TEST_CASE("replies on the wire") {
  CHECK(format(replies::ok()) == "250 2.0.0 OK\r\n");
  CHECK(format(Reply{250, std::nullopt, "a\nb\nc"}) == "250-a\r\n250-b\r\n250 c\r\n");
  CHECK(format(Reply{550, EnhancedStatus{5, 7, 1}, "no\nnever"}) ==
        "550-5.7.1 no\r\n550 5.7.1 never\r\n");
  CHECK(format(Reply{334, std::nullopt, ""}) == "334 \r\n");
  // Nothing from strangers can end a line or move a terminal's cursor.
  CHECK(format(Reply{550, std::nullopt, "a\r250 ok\x1b\x80"}) == "550 a?250 ok??\r\n");
  CHECK(format(Reply{550, std::nullopt, "\xC3\xBC"}) == "550 ??\r\n");
  CHECK(format(Reply{550, std::nullopt, "\xC3\xBC"}, true) == "550 \xC3\xBC\r\n");
  auto bytes = format(Reply{550, EnhancedStatus{5, 0, 0}, std::string(2000, 'x')});
  ReplyParser parser;
  CHECK(parser.feed(bytes) == bytes.size());
  CHECK(parser.take().lines().size() == 4);
  for (std::size_t at = 0; at < bytes.size();) {
    auto end = bytes.find("\r\n", at) + 2;
    CHECK(end - at <= 512);
    at = end;
  }
}

TEST_CASE("replies of other servers, wherever they are cut") {
  struct Row {
    std::string_view bytes;
    int code;
    std::string_view status, text;
  };
  for (const auto& row : {
           Row{"250 OK\r\n", 250, "", "OK"},
           Row{"250 2.1.0 OK\r\n", 250, "2.1.0", "OK"},
           Row{"250\r\n", 250, "", ""},
           Row{"250 \r\n", 250, "", ""},
           Row{"250 OK\n", 250, "", "OK"},  // LF alone
           Row{"250-a\r\n250-SIZE 10\r\n250 c\r\n", 250, "", "a\nSIZE 10\nc"},
           Row{"550-5.1.1 no\r\n550 5.1.1 such user\r\n", 550, "5.1.1", "no\nsuch user"},
           Row{"550-no\r\n450 later\r\n", 450, "", "no\nlater"},  // the last line speaks
           Row{"550 4.1.1 odd\r\n", 550, "", "4.1.1 odd"},        // status of another class
           Row{"250-\r\n250 x\r\n", 250, "", "\nx"},              // empty line
           Row{"554 5.7.1\r\n", 554, "5.7.1", ""},                // status alone
           Row{"571 5.7.1 x\r\n", 571, "5.7.1", "x"},             // second digit above 5
           Row{"220-x\r\n220-y\r\n220 z\r\n", 220, "", "x\ny\nz"},
       }) {
    CAPTURE(row.bytes);
    every_split(row.bytes, [&](std::string_view first, std::string_view second) {
      ReplyParser parser;
      CHECK(parser.feed(first) == first.size());
      CHECK(parser.ready() == second.empty());
      parser.feed(second);
      REQUIRE(parser.ready());
      auto reply = parser.take();
      CHECK(reply.code == row.code);
      CHECK((reply.status ? reply.status->to_string() : "") == row.status);
      CHECK(reply.text == row.text);
    });
  }
}

TEST_CASE("one reply at a time") {
  ReplyParser parser;
  std::string_view bytes = "250 a\r\n354 b\r\n";
  auto used = parser.feed(bytes);
  CHECK(used == 7);
  CHECK(parser.feed("xyz") == 0);  // until it was taken
  CHECK(parser.take().text == "a");
  CHECK(parser.feed(bytes.substr(used)) == 7);
  CHECK(parser.take().code == 354);
  CHECK(!parser.in_reply());
}

TEST_CASE("what is no reply") {
  for (std::string bytes :
       {std::string("hello\r\n"), std::string("25 x\r\n"), std::string("2500 x\r\n"),
        std::string("650 x\r\n"), std::string("150 x\r\n"), std::string("250:x\r\n"),
        std::string("\r\n"), std::string("SSH-2.0-OpenSSH\r\n"), std::string(5000, '2')}) {
    CAPTURE(bytes.substr(0, 40));
    ReplyParser parser;
    parser.feed(bytes);
    CHECK(parser.error());
    CHECK(!parser.ready());
  }
  ReplyParser endless;
  for (int i = 0; i < 300 && !endless.error(); ++i) endless.feed("250-x\r\n");
  CHECK(endless.error());
}

}  // namespace
}  // namespace hikyaku::smtp
