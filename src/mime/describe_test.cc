#include "mime/describe.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "testing/vectors.h"

namespace hikyaku::mime {
namespace {

namespace vectors = testing::vectors;

constexpr std::string_view kMessage =
    "Subject: =?utf-8?B?44GC?= \"x\"\r\nFrom: A <a@b>\r\nTo: g: c@d;\r\nMessage-ID: <i@d>\r\n"
    "Date: Sat, 21 Nov 2026 23:02:57 +0900\r\nX: \x1B[31mred\x7F\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xE9 \x1B[0m\r\n"
    "--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"a\x07.png\"\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\niVBO\r\n";

TEST_CASE("a message is described for people without harm to their terminal") {
  auto text = describe_text(parse_message(kMessage));
  CAPTURE(text);
  CHECK(text.find("1 text/plain iso-8859-1 7bit") != text.npos);
  CHECK(text.find("2 image/png base64 6 bytes, 1 lines, attachment") != text.npos);
  CHECK(text.find("missing end boundary") != text.npos);
  CHECK(text.find("Subject: \u3042 \"x\"") != text.npos);
  CHECK(text.find("caf\u00E9") != text.npos);
  for (char c : text) CHECK((static_cast<unsigned char>(c) >= 32 || c == '\n'));
}

TEST_CASE("a message is described in JSON") {
  auto value = boost::json::parse(describe_json(parse_message(kMessage)));
  CHECK(value.at("subject").as_string() == "\u3042 \"x\"");
  CHECK(value.at("date").as_string() == "2026-11-21T14:02:57.000Z");
  CHECK(value.at("from").at(0).at("address").as_string() == "a@b");
  CHECK(value.at("to").at(0).at("group").as_string() == "g");
  CHECK(value.at("message-id").at(0).as_string() == "i@d");
  auto& parts = value.at("parts").as_array();
  REQUIRE(parts.size() == 3);
  CHECK(parts[1].at("number").as_string() == "1");
  CHECK(parts[1].at("text").as_string() == "caf\u00E9 \x1B[0m");
  CHECK(parts[2].at("type").as_string() == "image/png");
  CHECK(parts[0].at("defects").at(0).as_string() == "missing end boundary");
}

TEST_CASE("whatever the message, the JSON is well-formed") {
  auto folder = vectors::folder_or_skip("descriptions of all messages");
  if (folder.empty()) return;
  for (auto& path : vectors::files(folder / "mime")) {
    CAPTURE(path.string());
    auto bytes = vectors::read(path);
    auto message = parse_message(bytes);
    boost::system::error_code error;
    boost::json::parse(describe_json(message, 1000), error);
    CHECK_FALSE(error);
    CHECK_FALSE(describe_text(message).empty());
  }
}

}  // namespace
}  // namespace hikyaku::mime
