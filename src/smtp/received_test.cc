#include "smtp/received.h"

#include <doctest/doctest.h>

#include "smtp/trace.h"

namespace hikyaku::smtp {
namespace {

ReceivedField example() {
  ReceivedField field;
  field.hello = "mail.a.test";
  field.reverse_name = "out.a.test";
  field.from = IpAddress::parse("192.0.2.1");
  field.by = "mx.b.test";
  field.with = "ESMTPS";
  field.tls = "TLSv1.3 TLS_AES_128_GCM_SHA256";
  field.id = "abc123";
  field.recipient = *parse_mailbox("bob@b.test");
  field.when = *parse_rfc3339("2026-11-21T22:44:10.123Z");
  return field;
}

TEST_CASE("Received") {
  auto field = example();
  CHECK(format_received(field) ==
        "Received: from mail.a.test (out.a.test [192.0.2.1])\r\n"
        "\tby mx.b.test with ESMTPS\r\n"
        "\t(TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n"
        "\tid abc123\r\n"
        "\tfor <bob@b.test>;\r\n"
        "\tSat, 21 Nov 2026 22:44:10 +0000\r\n");
  field.from.reset();
  field.tls.clear();
  field.recipient.reset();
  CHECK(format_received(field) ==
        "Received: by mx.b.test with ESMTPS\r\n"
        "\tid abc123;\r\n"
        "\tSat, 21 Nov 2026 22:44:10 +0000\r\n");
}

TEST_CASE("nobody writes into Received but we") {
  auto field = example();
  field.hello = "a)\r\nX: y (\xC3\xBC";
  field.reverse_name.clear();
  CHECK(format_received(field).starts_with("Received: from a???X:?y????\x20([192.0.2.1])\r\n"));
  field.utf8 = true;
  CHECK(format_received(field).find("\xC3\xBC") != std::string::npos);
  field.recipient = parse_mailbox("\xC3\xBC@b.test", {Characters::Utf8, {}}).value();
  CHECK(format_received(field).find("for <\xC3\xBC@b.test>") != std::string::npos);
  field.utf8 = false;
  CHECK(format_received(field).find("for <") == std::string::npos);
}

TEST_CASE("the fields of final delivery") {
  CHECK(format_return_path({}) == "Return-Path: <>\r\n");
  CHECK(format_return_path({*parse_mailbox("\"a b\"@x.test")}) ==
        "Return-Path: <\"a b\"@x.test>\r\n");
  CHECK(format_delivered_to("bob@b.test") == "Delivered-To: bob@b.test\r\n");
}

TEST_CASE("dates") {
  auto date = [](std::string_view text) { return format_message_date(*parse_rfc3339(text)); };
  CHECK(date("2026-01-01T00:00:00Z") == "Thu, 1 Jan 2026 00:00:00 +0000");
  CHECK(date("2024-02-29T23:59:59+09:00") == "Thu, 29 Feb 2024 14:59:59 +0000");
  CHECK(date("1969-12-31T23:59:59.500Z") == "Wed, 31 Dec 1969 23:59:59 +0000");
}

TEST_CASE("loops") {
  CHECK(count_received("Received: a\r\n\tb\r\nreceived : c\r\nX-Received: d\r\nReceived-SPF: e\r\n"
                       "\r\nReceived: body\r\n") == 2);
  CHECK(count_received("Received: a\nReceived: b\n\nReceived: c\n") == 2);
  CHECK(count_received("") == 0);
  CHECK(count_received("\r\nReceived: a\r\n") == 0);
}

}  // namespace
}  // namespace hikyaku::smtp
