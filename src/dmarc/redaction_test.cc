#include "dmarc/redaction.h"

#include <ctime>
#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::string_view kDigest = "DIGEST";

Redactor bobs() {
  Redactor redactor("key");
  redactor.hide("bob.secret@beta.test");
  return redactor;
}

/// Digests are all the same length: each becomes "DIGEST".
std::string shown(std::string_view field) {
  auto out = bobs().header(field, HeaderShown::Redacted);
  for (auto at = out.find("\r\n "); at != out.npos; at = out.find("\r\n ")) out.erase(at, 2);
  for (auto at = out.find('@'); at != out.npos; at = out.find('@', at + 1)) {
    auto begin = out.find_last_of(" <=", at) + 1;
    if (at - begin != 16) continue;
    out.replace(begin, 16, kDigest);
    at = begin + kDigest.size();
  }
  return std::string(trim(out));
}

TEST_CASE("what of each field is shown") {
  struct Case {
    std::string_view field, shown;
  };
  for (auto& [field, expected] : std::initializer_list<Case>{
           // Whose it claims to be, without the names.
           {"From: \"Bob Secret\" <anna@a.test>", "From: DIGEST@a.test"},
           {"Sender: x@bob.secret.test", "Sender: DIGEST@redacted.invalid"},
           {"From: x@bob.secret.test", "From: DIGEST@bob.secret.test"},  // whom the report is for
           {"From: x@bob.secret.beta.test.a.test", "From: DIGEST@redacted.invalid"},
           {"Reply-To: a@a.test (bob), b@a.test", "Reply-To: DIGEST@a.test, DIGEST@a.test"},
           // Free text is not.
           {"Subject: for bob@beta.test", ""},
           {"To: bob.secret@beta.test", ""},
           {"Return-Path: <b+bob.secret=beta.test@a.test>", ""},
           {"References: <bob.secret@beta.test>", ""},
           {"In-Reply-To: <bob.secret@beta.test>", ""},
           {"List-Unsubscribe: <https://a.test/?u=bob.secret%40beta.test>", ""},
           {"X-Other: yes", ""},
           // The number, unless it names the recipient.
           {"Message-ID: <1.2.3@a.test>", "Message-ID: <1.2.3@a.test>"},
           {"Message-ID: <1@a.test> (for Bob)", "Message-ID: <1@a.test>"},
           {"Message-ID: <bob.secret=beta.test.1@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <1.bob-secret.2@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <1-BobSecretBeta@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <1.bob%2Esecret@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <b%256Fb.secret@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <b=6Fb=2Esecret@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <=?utf-8?B?Ym9iLnNlY3JldA==?=@a.test>",
            "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <carl%40c.test@a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: <1@bob.secret.pc.a.test>", "Message-ID: <DIGEST@redacted.invalid>"},
           {"Message-ID: words without form", ""},
           {"Date: Sat, 21 Nov 2026 12:00:00 +0900 (for bob)",
            "Date: Sat, 21 Nov 2026 12:00:00 +0900"},
           {"Date: for bob.secret", ""},
           // The structure, not the names in it.
           {"Content-Type: multipart/mixed; boundary=\"--=_1\"; name=\"Offer to Bob.pdf\"",
            "Content-Type: multipart/mixed; boundary=\"--=_1\""},
           {"Content-Type: application/pdf; filename=secret.pdf; name*=utf-8''x; charset=x",
            "Content-Type: application/pdf; charset=x"},
           {"Content-Type: multipart/mixed; boundary=\"=_bob.secret_1\"",
            "Content-Type: multipart/mixed"},
           {"Content-Type: multipart/mixed; boundary=\"carl@c.test\"",
            "Content-Type: multipart/mixed"},
           {"MIME-Version: 1.0 (for bob.secret)", "MIME-Version: 1.0"},
           {"Precedence: bulk", "Precedence: bulk"},
           {"Precedence: to_bob@beta.test", ""},
           {"List-Id: Friends of Bob <list.a.test>", "List-Id: <list.a.test>"},
           {"List-Id: <bob.secret.beta.test.a.test>", ""},
           {"List-Id: Friends of Bob", ""},
           {"X-Mailer: Mailer 1.2 (for carl@c.test)", "X-Mailer: Mailer 1.2 (for redacted"},
           {"X-Mailer: M bob.secret 1", "X-Mailer: M redacted 1"},
           {"X-Mailer: M bob secret 1", ""},
           {"User-Agent: M =?utf-8?Q?bob=40beta?= =?utf-8?Q?x?=",
            "User-Agent: M redacted redacted"},
           {"User-Agent: carl%40c.test", "User-Agent: redacted"},
           // The signature, without copies of fields.
           {"DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=s1; i=anna@a.test;\r\n"
            " z=To:bob.secret@beta.test|Subject:private=20words; h=from:to; bh=YQ==; b=YWJj\r\n "
            "YQ==",
            "DKIM-Signature: v=1; a=rsa-sha256; d=a.test; s=s1; i=DIGEST@a.test; h=from:to; "
            "bh=YQ==; "
            "b=YWJjYQ=="},
           {"DKIM-Signature: d=a.test; i=@a.test; s=bob.secret; x-note=hello; b=bob@beta.test",
            "DKIM-Signature: d=a.test; i=@a.test; s=redacted"},
           {"DKIM-Signature: d=bob.secret.beta.test; b=YQ==", ""},
       }) {
    auto header = std::string(field) + "\r\n\r\n";
    CAPTURE(header);
    CHECK(shown(header) == expected);
  }
}

TEST_CASE("recipients that only the header names") {
  Redactor redactor("key");
  redactor.hide_recipients("Cc: \"Carl Hidden\" <c.x@c.test>, Friends: d+tag@c.test;\r\n\r\n");
  CHECK(redactor.names_hidden("1.c.x.2"));
  CHECK(redactor.names_hidden("Hidden-Mailer for carl.hidden"));
  CHECK(redactor.names_hidden("x-d-y"));
  CHECK_FALSE(redactor.names_hidden("cx"));  // too short to be meant
  CHECK_FALSE(redactor.names_hidden("deed"));
  CHECK(redactor.names_hidden("cxctest"));
}

TEST_CASE("properties of results") {
  auto redactor = bobs();
  CHECK(redactor.property("from", "a.test") == "a.test");
  CHECK(redactor.property("d", "bob.secret.beta.test") == "redacted");
  CHECK(redactor.property("helo", "bob.secret.test") == "redacted");
  CHECK(redactor.property("helo", "mx.a.test") == "mx.a.test");
  CHECK(redactor.property("i", "@a.test") == "@a.test");
  CHECK(redactor.property("mailfrom", "x@bob.secret.at.beta.test").ends_with("@redacted.invalid"));
  CHECK(redactor.address("nobody").empty());
}

TEST_CASE("names that begin alike, and short ones") {
  Redactor redactor("key");
  for (auto name : {"annabella", "annabel", "annabelle", "a.b", "abc", "annab"})
    redactor.hide(name);
  for (auto text : {"xannabelx", "annabelle", "x-annab-x", "1.a-b.2", "a=b=c", "x.abc"})
    CHECK_MESSAGE(redactor.names_hidden(text), text);
  for (auto text : {"annabe1", "xannab", "b.a", "ab", "x-abcd", "a", ""})
    CHECK_MESSAGE(!redactor.names_hidden(text), text);
}

TEST_CASE("what cannot be looked through is not shown") {
  auto redactor = bobs();
  std::string filler(1200, 'x');
  CHECK(redactor.names_hidden(filler));
  CHECK(redactor.property("helo", filler + ".bob.secret") == "redacted");
  CHECK(shown("DKIM-Signature: d=a.test; s=" + filler + ".bob.secret; b=YQ==") ==
        "DKIM-Signature: d=a.test; s=redacted; b=YQ==");
  CHECK(shown("DKIM-Signature: d=a.test; b=YQ+Bob/Secret+YQ") == "DKIM-Signature: d=a.test");
  CHECK(shown("DKIM-Signature: d=a.test; s=a; s=b; s=c") == "DKIM-Signature: d=a.test; s=a");
  CHECK(shown("Message-ID: <x%2525252525252562ob.secret@a.test>") ==
        "Message-ID: <DIGEST@redacted.invalid>");
  // More are hidden than can be looked for.
  for (int i = 0; i < 20'000; ++i) redactor.hide("person" + std::to_string(i) + "@beta.test");
  CHECK(redactor.names_hidden("x-person17-y"));
  CHECK(redactor.names_hidden("nobody"));
  CHECK_FALSE(redactor.names_hidden(""));
}

/// Of this thread, whatever else the machine does.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

TEST_CASE("a message that is made to cost much costs little") {
  // Many names that are nearly found everywhere, in texts that can be read in many ways.
  auto as = [](std::size_t count) { return std::string(count, 'a'); };
  auto address = [&](int i) {
    return as(20 + static_cast<std::size_t>(i % 40)) + "b" + std::to_string(i) + "+x@" + as(60) +
           ".test";
  };
  std::string header = "To: x@a.test";
  for (int i = 0; i < 50; ++i) header += ", " + address(i);
  header += "\r\n";
  auto text = "%2525252541" + as(980);
  for (int i = 0; i < 8; ++i) {
    header += "DKIM-Signature: ";
    for (auto tag : {"d", "s", "h", "t", "x", "l", "b", "bh"}) {
      header += tag;
      header += "=" + text + ";";
    }
    header += "\r\n";
  }
  for (int i = 0; i < 51; ++i) header += "Message-ID: <" + text + "@a.test>\r\n";
  while (header.size() < 256 * 1024) header += "X-Mailer: " + text + "\r\n";
  auto began = cpu_seconds();
  Redactor redactor("key");
  for (int i = 0; i < 1000; ++i) redactor.hide(address(i));
  redactor.hide_recipients(header);
  auto out = redactor.header(header, HeaderShown::Redacted);
  // 20 ms, and ten times that with sanitizers. Looking for each name by itself takes seconds.
  CHECK(cpu_seconds() - began < 0.6);
  CHECK(out.contains("Message-ID: <"));
  CHECK(out.size() < 20'000);
}

}  // namespace
}  // namespace hikyaku::dmarc
