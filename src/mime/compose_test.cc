#include "mime/compose.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "mime/address.h"
#include "mime/message.h"
#include "mime/text.h"

namespace hikyaku::mime {
namespace {

Time moment() {
  return *parse_rfc3339("2026-11-21T23:02:57Z");
}

void check_wire(const std::string& message) {
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (message[i] == '\n') CHECK((i > 0 && message[i - 1] == '\r'));
    if (message[i] == '\r') CHECK((i + 1 < message.size() && message[i + 1] == '\n'));
  }
  for (auto line : split(message, '\n')) CHECK(line.size() <= 999);
}

TEST_CASE("a whole report reads back as it was meant") {
  auto fields =
      HeaderWriter()
          .date("Date", moment(), std::chrono::minutes(540))
          .addresses("From", {{"\u914D\u9054\u4FC2", "postmaster@example.org"}})
          .addresses("To", {{"", "a@b.example"}, {"Doe, John", "j@d.example"}})
          .text("Subject", "\u914D\u9001\u3067\u304D\u307E\u305B\u3093\u3067\u3057\u305F: hello")
          .message_ids("Message-ID", {make_message_id(moment(), "abc123", "mx.example.org")})
          .message_ids("References", {"a@b", "c@d"})
          .structured("Auto-Submitted", "auto-replied")
          .take();
  auto report = compose_multipart(
      "report", "report-type=delivery-status",
      {compose_text("\u914D\u9001\u3067\u304D\u307E\u305B\u3093\n"),
       compose_verbatim("message/delivery-status",
                        "Reporting-MTA: dns; mx.example.org\r\n\r\nAction: failed\r\n"),
       compose_verbatim("message/rfc822", "Subject: caf\xC3\xA9\r\n\r\nbody =_u1 here\r\n")},
      "u1");
  auto bytes = compose_message(fields, report);
  CAPTURE(bytes);
  check_wire(bytes);

  auto message = parse_message(bytes);
  CHECK(message.fields().value("Date") == "Sun, 22 Nov 2026 08:02:57 +0900");
  CHECK(message.fields().value("Message-ID") == "<20261121230257.abc123@mx.example.org>");
  CHECK(message.fields().value("References") == "<a@b> <c@d>");
  auto from = first_mailbox(message.fields().value("From"));
  CHECK(from.display_name() == "\u914D\u9054\u4FC2");
  CHECK(from.addr_spec() == "postmaster@example.org");
  auto to = parse_address_list(message.fields().value("To"));
  REQUIRE(to.size() == 2);
  CHECK(to[1].display_name() == "Doe, John");
  CHECK(field_text(*message.fields().find("Subject")) ==
        "\u914D\u9001\u3067\u304D\u307E\u305B\u3093\u3067\u3057\u305F: hello");
  REQUIRE(message.parts.size() == 5);
  for (auto& part : message.parts) CHECK(part.defects == 0);
  CHECK(message.root().parameter("report-type") == "delivery-status");
  CHECK(body_text(message, message.parts[1]) == "\u914D\u9001\u3067\u304D\u307E\u305B\u3093\r\n");
  CHECK(message.body(message.parts[2]) ==
        "Reporting-MTA: dns; mx.example.org\r\n\r\nAction: failed\r\n");
  CHECK(message.body(message.parts[3]) == "Subject: caf\xC3\xA9\r\n\r\nbody =_u1 here\r\n");
  CHECK(message.parts[3].encoding == Encoding::EightBit);
}

TEST_CASE("texts get the encoding that suits them") {
  auto encoding = [](const ComposedPart& part) {
    auto bytes = compose_message("", part);
    auto message = parse_message(bytes);
    return std::string(to_string(message.root().encoding)) + ' ' +
           std::string(message.root().parameter("charset"));
  };
  CHECK(encoding(compose_text("hello\n")) == "7bit us-ascii");
  CHECK(encoding(compose_text(std::string(2000, 'x'))) == "quoted-printable us-ascii");
  CHECK(encoding(compose_text("caf\u00E9")) == "quoted-printable utf-8");
  CHECK(encoding(compose_text("\u3042\u3044\u3046")) == "base64 utf-8");
  CHECK(encoding(compose_japanese_text("\u3042\u3044\u3046")) == "7bit iso-2022-jp");
  CHECK(encoding(compose_japanese_text("\u3042\U0001F600")) == "base64 utf-8");
  CHECK(encoding(compose_japanese_text("abc")) == "7bit us-ascii");
  CHECK(compose_text("a\nb\rc\r\n").body == "a\r\nb\r\nc\r\n");
}

TEST_CASE("attachments keep their bytes and names") {
  std::string data = std::string("\0\1\2\r\n.\r\n", 8) + std::string(300, '\xFF');
  auto bytes =
      compose_message("", compose_attachment("application/zip", data, "\u8ACB\u6C42\u66F8.zip"));
  check_wire(bytes);
  auto message = parse_message(bytes);
  CHECK(decoded_body(message, message.root()) == data);
  CHECK(file_name(message.root()) == "\u8ACB\u6C42\u66F8.zip");
}

TEST_CASE("no value can begin a field of its own") {
  auto fields = HeaderWriter()
                    .text("Subject", "a\r\nBcc: x@y")
                    .addresses("To", {{"n\r\nBcc: x", "a@b\r\nBcc: x"}})
                    .message_ids("References", {"a\r\nBcc: x"})
                    .structured("X", "a\r\nBcc: x")
                    .take();
  std::size_t count = 0;
  for (auto& field : HeaderView(fields)) {
    CHECK_FALSE(field.is("Bcc"));
    ++count;
  }
  CHECK(count == 4);
}

TEST_CASE("long fields are folded") {
  std::vector<NamedAddress> list;
  for (int i = 0; i < 50; ++i) list.push_back({"Some Body", "somebody@example.org"});
  std::string words;
  for (int i = 0; i < 100; ++i) words += "word" + std::to_string(i) + ' ';
  auto fields = HeaderWriter().addresses("To", list).structured("X-Long", words).take();
  for (auto line : split(fields, '\n')) CHECK(line.size() <= 79);
  CHECK(parse_address_list(HeaderView(fields).value("To")).size() == 50);
  CHECK(HeaderView(fields).value("X-Long") == trim(words));
}

}  // namespace
}  // namespace hikyaku::mime
