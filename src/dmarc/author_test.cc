#include "dmarc/author.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::dmarc {
namespace {

/// "a.test b.test", or the first finding and what else may be read: "!group: a.test".
std::string read(std::string_view header) {
  auto author = find_author(header);
  if (author.is_plain()) return join(author.domains, " ");
  return "!" + std::string(to_string(author.findings.front().problem)) + ": " +
         join(author.other_domains, " ");
}

using namespace std::string_view_literals;

TEST_CASE("From fields that everybody reads alike") {
  struct Row {
    std::string_view value, domains;
  };
  for (auto& [value, domains] : std::initializer_list<Row>{
           {"joe@a.test", "a.test"},
           {" <joe@a.test>", "a.test"},
           {"Joe <joe@A.Test>", "a.test"},
           {"Joe Q. Public <joe@a.test>", "a.test"},
           {"\"Public, Joe\" <joe@a.test>", "a.test"},
           {"\"Joe \\\"JJ\\\" Public\" <joe@a.test>", "a.test"},
           {"joe@a.test (Joe)", "a.test"},
           {"Joe (Sales) <joe@a.test>", "a.test"},
           {"joe@a.test (Public, Joe)", "a.test"},
           {"=?utf-8?q?J=C3=B6?= <joe@a.test>", "a.test"},
           {"=?iso-2022-jp?B?GyRCOzNFRBsoQg==?=\r\n =?iso-2022-jp?B?GyRCQkBPOhsoQg==?= <y@a.test>",
            "a.test"},
           {"\xE5\xB1\xB1\xE7\x94\xB0 <y@a.test>", "a.test"},
           {"\"joe@a.test\" <joe@a.test>", "a.test"},
           {"\"joe@b.test via list\" <list@a.test>", "a.test"},
           {"Joe\r\n <joe@a.test>\r\n", "a.test"},
           {"a@a.test, b@A.TEST", "a.test"},
           {"a@a.test, B <b@b.test>", "a.test b.test"},
           {"\xC3\xBC@b\xC3\xBC"
            "cher.example",
            "xn--bcher-kva.example"},
           {"\"joe public\"@a.test", "a.test"},
           {"foo..bar.@a.test", "a.test"},  // some phones had such addresses
           {"\"\" <joe@a.test>", "a.test"},
       }) {
    CAPTURE(value);
    CHECK(read("Subject: x\r\nFrom:" + std::string(value) + "\r\nTo: y@c.test\r\n\r\n") == domains);
  }
}

TEST_CASE("From fields that programs read differently") {
  struct Row {
    std::string_view value, expected;
  };
  for (auto& [value, expected] : std::initializer_list<Row>{
           {"", "!no-address: "},
           {"nobody", "!no-address: "},
           {"joe@", "!syntax: "},
           {"undisclosed:;", "!group: "},
           {"friends: joe@a.test, jim@b.test;", "!group: a.test b.test"},
           {"<@evil.test:joe@bank.test>", "!source-route: evil.test bank.test"},
           {"joe@bank.test <joe@evil.test>", "!text-around-address: bank.test evil.test"},
           {"<joe@bank.test> <joe@evil.test>", "!text-around-address: bank.test evil.test"},
           {"<joe@evil.test> joe@bank.test", "!text-around-address: evil.test bank.test"},
           {"<joe@evil.test>@bank.test", "!text-around-address: evil.test bank.test"},
           {"joe@bank.test joe@evil.test", "!text-around-address: bank.test evil.test"},
           {"joe@bank.test@evil.test", "!text-around-address: bank.test evil.test"},
           {"<joe@bank.test@evil.test>", "!syntax: bank.test evil.test"},
           {"joe@evil.test (joe@bank.test)", "!comment: evil.test bank.test"},
           {"joe@evil.test(.bank.test)", "!comment: evil.test"},
           {"joe@(x)evil.test", "!comment: evil.test"},
           {"<joe(x)@evil.test>", "!comment: evil.test"},
           {"(<joe@bank.test>) joe@evil.test", "!comment: bank.test evil.test"},
           {"joe@evil.test (unclosed", "!comment: evil.test"},
           {"\"joe@bank.test\"@evil.test", "!quoting: bank.test evil.test"},
           {"\"a\\\"b\"@evil.test", "!quoting: evil.test"},
           {"\"Joe <joe@bank.test>\" <joe@evil.test>", "!quoting: bank.test evil.test"},
           {"\"joe@bank.test\\\"\" <joe@evil.test>", "!quoting: bank.test evil.test"},
           {"\"unclosed <joe@evil.test>", "!quoting: evil.test"},
           {"=?utf-8?q?joe=40bank=2Etest?= <joe@evil.test>",
            "!encoded-address: evil.test bank.test"},
           {"=?utf-8?b?PGpvZUBiYW5rLnRlc3Q+?= <joe@evil.test>",
            "!encoded-address: evil.test bank.test"},
           {"=?utf-8?b?am9lQGJhbmsudGVzdAA=?= <joe@evil.test>",
            "!encoded-address: evil.test bank.test"},
           {"=?utf-8?q?joe?=@evil.test", "!encoded-address: evil.test"},
           {"<=?utf-8?q?joe=40bank=2Etest?=@evil.test>", "!encoded-address: evil.test bank.test"},
           {"joe@=?utf-8?q?bank=2Etest?=", "!encoded-address: bank.test"},
           {"joe@[192.0.2.1]", "!address-literal: "},
           {"joe@a..test", "!bad-domain: "},
           {"joe@-a.test", "!bad-domain: "},
           {"joe@a.test.", "!bad-domain: a.test"},
           {"joe @a.test", "!text-around-address: a.test"},
           {"joe@ a.test", "!syntax: a.test"},
           {"<joe@a.test", "!syntax: a.test"},
           {"joe@a.test,", "!syntax: a.test"},
           {",joe@a.test", "!no-address: a.test"},
           {"joe@a.test; jim@b.test", "!text-around-address: a.test b.test"},
           {"joe@bank.test\0@evil.test"sv, "!control-characters: bank.test evil.test"},
           {"Joe\x01 <joe@a.test>", "!control-characters: a.test"},
           {"joe@a.test\rFrom: joe@b.test", "!control-characters: a.test b.test"},
       }) {
    CAPTURE(value);
    CHECK(read("Subject: x\r\nFrom:" + std::string(value) + "\r\n\r\n") == expected);
  }
}

TEST_CASE("headers in which programs find different From fields") {
  struct Row {
    std::string_view header, expected;
  };
  for (auto& [header, expected] : std::initializer_list<Row>{
           {"From: a@a.test\r\nfrom: b@b.test\r\n\r\n", "!several-from-fields: a.test b.test"},
           {"From: a@a.test\r\nFrom : b@b.test\r\n\r\n", "!several-from-fields: a.test b.test"},
           {"From : a@a.test\r\n\r\n", "!from-field-name: a.test"},
           {"From\r\n : b@b.test\r\nFrom: a@a.test\r\n\r\n", "!from-field-name: a.test"},
           {"\0From: b@b.test\r\nFrom: a@a.test\r\n\r\n"sv, "!from-field-name: a.test"},
           {"\xEF\xBB\xBF"
            "From: b@b.test\r\nFrom: a@a.test\r\n\r\n",
            "!from-field-name: a.test"},
           {"Subject: x\rFrom: b@b.test\r\nFrom: a@a.test\r\n\r\n", "!control-characters: a.test"},
           {"no field\r\nFrom: a@a.test\r\n\r\n", "!junk-before-from: a.test"},
           {"Sender: a@a.test\r\nResent-From: a@a.test\r\nReply-To: a@a.test\r\n\r\n",
            "!no-from: "},
           {"\r\nFrom: a@a.test\r\n", "!no-from: "},
           {"", "!no-from: "},
           // An mbox separator is none of these.
           {"From joe@b.test Sat Nov 21 12:00:00 2026\r\nFrom: a@a.test\r\n\r\n", "a.test"},
           {"From: a@a.test\nSender: b@b.test\n\n", "a.test"},
       }) {
    CAPTURE(header);
    CHECK(read(header) == expected);
  }
  CHECK(read_author("\"ceo@bank.test\" <x@evil.test>").name_like_address == "ceo@bank.test");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "a@d" + std::to_string(i) + ".test,";
  auto author = read_author(many);
  CHECK(author.findings.front().problem == AuthorProblem::TooMany);
  CHECK(author.domains.size() == 8);
  CHECK(author.other_domains.size() == 8);
}

}  // namespace
}  // namespace hikyaku::dmarc
