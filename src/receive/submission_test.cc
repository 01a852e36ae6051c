// Our users' mail: what it gets and loses, and as whom they may send.
#include <algorithm>
#include <doctest/doctest.h>

#include "mime/address.h"
#include "mime/header.h"
#include "receive/receiver.h"
#include "receive/receiving_world_test.h"
#include "receive/submission_header.h"

namespace hikyaku::receive {
namespace {

using Fixture = ReceivingWorld;

const Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

TEST_CASE("what our users' mail gets and loses") {
  struct Case {
    std::string_view before, after;
  };
  constexpr std::string_view kDate = "Date: Sat, 21 Nov 2026 00:00:00 +0000\r\n";
  constexpr std::string_view kFrom = "From: <anna@alpha.test>\r\n";
  constexpr std::string_view kId = "Message-ID: <id@alpha.test>\r\n";
  for (auto& c : {
           Case{"", "DFI\r\n"},
           Case{"\r\n", "DFI\r\n"},
           Case{"Subject: x\r\n", "DFISubject: x\r\n"},
           Case{"Subject: x\r\n\r\n", "DFISubject: x\r\n\r\n"},
           Case{"from: <b@c>\r\ndate: now\r\nmessage-id: <x@y>\r\n\r\n",
                "from: <b@c>\r\ndate: now\r\nmessage-id: <x@y>\r\n\r\n"},
           Case{"Bcc: a@b,\r\n c@d\r\n\te@f\r\nTo: x@y\r\nBCC:z@z\r\n\r\n", "DFITo: x@y\r\n\r\n"},
           Case{"Resent-Bcc: a@b\r\nReturn-Path: <x@y>\r\nTo: x@y\r\n\r\n", "DFITo: x@y\r\n\r\n"},
           Case{"Bcc: a@b\r\n", "DFI\r\n"},
           Case{"Bcc: a@b\r\n\r\n", "DFI\r\n"},
           Case{"just words\r\nand more\r\n", "DFI\r\njust words\r\nand more\r\n"},  // no header
           Case{"just words\r\n\r\nmore\r\n", "DFI\r\njust words\r\n\r\nmore\r\n"},
           Case{"Subject: x\r\nwords without an empty line\r\n",
                "DFISubject: x\r\n\r\nwords without an empty line\r\n"},
       }) {
    CAPTURE(c.before);
    std::string expected(c.after);
    if (expected.starts_with("DFI"))
      expected = std::string(kDate) + std::string(kFrom) + std::string(kId) + expected.substr(3);
    CHECK(complete_header(c.before, {"anna@alpha.test", kNow, "id@alpha.test"}) == expected);
  }
}

TEST_CASE("users' mail: fields are added, Bcc goes, where they are is nobody's business") {
  Fixture f;
  auto reply =
      f.send(f.user(), Fixture::envelope("sales@alpha.test", {"bob@alpha.test"}),
             "Subject: hi\r\nBcc: secret@beta.test,\r\n other@beta.test\r\n\r\nBcc: x\r\n");
  REQUIRE(reply.positive());
  auto bytes = f.inbox(f.bob.id)[0].bytes;
  mime::HeaderView header(bytes);
  CHECK(header.value("From") == "<sales@alpha.test>");
  CHECK(!header.value("Date").empty());
  CHECK(header.value("Message-ID").ends_with("@mx.alpha.test>"));
  CHECK(bytes.find("secret") == std::string::npos);
  CHECK(bytes.find("198.51.100.7") == std::string::npos);
  CHECK(bytes.ends_with("\r\n\r\nBcc: x\r\n"));
  // What others send is never changed.
  f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), "Bcc: a@b\r\n\r\nx");
  CHECK(f.inbox(f.bob.id)[1].bytes.ends_with("\r\nBcc: a@b\r\n\r\nx"));
}

TEST_CASE("users send only as themselves, in every From and in Sender") {
  Fixture f;
  struct Case {
    std::string_view header;
    bool taken;
  };
  for (auto& c : {
           Case{"From: anna@alpha.test\r\n", true},
           Case{"From: Sales <SALES+x@alpha.test>\r\n", true},
           Case{"From: bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test, bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test\r\nFrom: bob@alpha.test\r\n", false},
           Case{"From : bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test\r\nSender: bob@alpha.test\r\n", false},
           Case{"From:\r\n bob@alpha.test\r\n", false},
           Case{"From: \"anna@alpha.test\" <bob@alpha.test>\r\n", false},
           Case{"From: \"bob@alpha.test\" <anna@alpha.test>\r\n", true},
           Case{"From: us: bob@alpha.test;\r\n", false},
           Case{"From:\r\n", false},
           Case{"Reply-To: bob@alpha.test\r\n", true},
           // What other programs, or our own IMAP server, show may stand anywhere.
           Case{"From: anna@alpha.test <anna@alpha.test>\r\n", true},
           Case{"From: anna@alpha.test,\r\n", true},
           Case{"From: <anna@alpha.test> bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test (bob@alpha.test)\r\n", false},
           Case{"From\r\n : bob@alpha.test\r\nSubject: x\r\n", false},
           Case{"From: anna@alpha.test\r\nSender: anna@alpha.test bob@alpha.test\r\n", false},
           Case{"From: =?utf-8?q?Anna=2C_Sales?= <anna@alpha.test>\r\n", true},
           Case{"From: =?utf-8?q?anna=40alpha.test?= <anna@alpha.test>\r\n", true},
           Case{"From: =?utf-8?q?bob=40alpha.test=2C?= <anna@alpha.test>\r\n", false},
           Case{"From: =?utf-8?q?bob=40?=alpha.test <anna@alpha.test>\r\n", false},
           Case{"From: =?cp037?b?g4WWfIKBlZJLo4Wio2s=?= <anna@alpha.test>\r\n", false},
           Case{"From: anna@alpha.test (=?utf-8?q?=29=2C_bob=40alpha.test=2C_=28?=)\r\n", false},
       }) {
    CAPTURE(c.header);
    auto reply = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}),
                        std::string(c.header) + "\r\n");
    CHECK(reply.positive() == c.taken);
    if (!c.taken) CHECK(reply.code == 550);
  }
  // Whoever stands behind many others is read too, and too many are nobody's authors.
  auto repeated = [](int count, std::string_view text) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  auto author = [&](const std::string& value) {
    return f
        .send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}),
              "From: " + value + "\r\n\r\n")
        .to_string();
  };
  for (auto& value : {"anna@alpha.test," + repeated(60, "g:;") + " Bob <bob@alpha.test>",
                      repeated(60, "g:;") + "bob@alpha.test, anna@alpha.test",
                      repeated(300, ",") + "anna@alpha.test,bob@alpha.test",
                      repeated(90, "anna@alpha.test,") + "bob@alpha.test"}) {
    CAPTURE(value);
    CHECK(author(value).starts_with("550 5.7.1 You are anna@alpha.test and may not send as bob@"));
  }
  for (auto& value : {repeated(100, "anna@alpha.test,\r\n ") + "bob@alpha.test",
                      repeated(2000, "g:;") + "anna@alpha.test"}) {
    auto reply = author(value);
    CHECK(reply.starts_with("550 5.6.0 "));
    CHECK(reply.find("too many addresses") != std::string::npos);
  }
}

TEST_CASE("every author that IMAP shows is one that was asked about") {
  for (auto& value :
       {std::string("Anna <anna@alpha.test>, us: bob@alpha.test, g:;;, x@y z@w <a@b>"),
        std::string("\"q@r\" <anna@alpha.test> c@d, =?utf-8?q?e=40f.test?= g@h, (i@j) k@l"),
        std::string("a@b;c@d;;e@f, \"unclosed <g@h>, i@j"), std::string("<@a,@b:c@d>, e@f@g")}) {
    CAPTURE(value);
    auto claimed = claimed_authors("From: " + value + "\r\n\r\n");
    for (auto& shown : mime::parse_address_list(value))
      if (shown.kind == mime::Address::Kind::Mailbox)
        CHECK(std::ranges::count(claimed.addresses, shown.addr_spec()) == 1);
  }
}

}  // namespace
}  // namespace hikyaku::receive
