#include "dmarc/author.h"

#include <algorithm>
#include <doctest/doctest.h>

#include "base/base64.h"
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
           // Names whose decoding shows nobody else, also to programs that parse afterwards.
           {"=?utf-8?q?Doe,_Jane?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?Doe=2C_Jane?= <jane@a.test>", "a.test"},
           {"=?utf-8?b?RG9lLCBKYW5l?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?Jane=3B_Doe=3A_=28Sales=29?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?Re=3A_=22News=22?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?Jane_=40_Acme?= <jane@a.test>", "a.test"},  // no dot: no domain
           {"=?utf-8?q?=40jane?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?Yoga_=40_18.30?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?Jane_=40_St_Mary's?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?jane=40A.test?= <jane@a.test>", "a.test"},  // herself
           {"=?utf-8?q?info=40a.test=2C_Jane?= <jane@a.test>", "a.test"},
           {"=?utf-8?q?=27jane=40b.test=27_via_Gruppe?= <jane@b.test>", "b.test"},
           {"\"=?utf-8?q?J=C3=B6?=\" <joe@a.test>", "a.test"},  // quoted as well: common
           {"joe@a.test (=?utf-8?q?J=C3=B6=2C_Sales?=)", "a.test"},
           {"=?utf-8?Q?Jane Doe?= <jane@a.test>", "a.test"},  // blanks inside: common
           {"=?utf-8?Q?Jane <jane@a.test>", "a.test"},        // cut off
           {"=?x-unknown?q?J=F6rg?= <joe@a.test>", "a.test"},
           {"=?utf-8?b?YWI=?= =?utf-8?b?Y2Q=?= <joe@a.test>", "a.test"},
           {"=?shift_jis?b?g0CDQQ==?= <y@a.test>", "a.test"},  // bytes that are "@" elsewhere
           {"=?iso-2022-jp?B?GyRCJUAbKEI=?= <y@a.test>", "a.test"},
           {"\"joe@b.test via list\" <list@a.test>, =?utf-8?q?J=C3=B6?= <joe@a.test>", "a.test"},
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
           {"=?utf-8?q?ceo=40bank.test,=?utf-8?q?x?= <x@evil.test>",
            "!no-address: evil.test bank.test"},
           {"joe@[192.0.2.1]", "!address-literal: "},
           {"joe@a..test", "!bad-domain: "},
           {"joe@-a.test", "!bad-domain: "},
           {"joe@a.test.", "!bad-domain: a.test"},
           {"Jo\xE9 <joe@\u00FC.test>", "!bad-domain: xn--tda.test"},  // no UTF-8 as a whole
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

TEST_CASE("From fields that show somebody else to programs that decode before they parse") {
  for (std::string_view value : {
           "=?utf-8?q?ceo=40bank=2Etest=2C?= <x@evil.test>",
           "=?utf-8?b?Y2VvQGJhbmsudGVzdCw=?= <x@evil.test>",
           "=?utf-8?b?Y2VvQGJhbmsudGVzdCw?= <x@evil.test>",  // without its padding
           "=?utf-8?q?ceo=40bank.test=2C=?= <x@evil.test>",
           "=?utf-8?q?ceo=40bank=2Etest=3B?= <x@evil.test>",
           "=?utf-8?q?ceo=40bank=2Etest_=28CEO=29?= <x@evil.test>",
           "=?utf-8?q?CEO_ceo=40bank=2Etest=2C?= <x@evil.test>",
           "=?utf-8?q?CEO_ceo=40bank=2Etest?= <x@evil.test>",
           "=?utf-8?q?x=3Aceo=40bank=2Etest=3B?= <x@evil.test>",
           "=?utf-8?q?ceo=40bank=2Etest=5C?= <x@evil.test>",
           "=?utf-8?q?ceo=40bank=2Etest=2C=0A?= <x@evil.test>",
           "=?utf-8?q?=22CEO=22_ceo=40bank=2Etest=2C?= <x@evil.test>",
           "=?utf-8?q?=22ceo=22=40=22bank.test=22=2C?= <x@evil.test>",
           "=?utf-8?q?ceo=40=28=29bank=28=29.test=2C?= <x@evil.test>",
           // Only a part of the address is encoded.
           "=?utf-8?q?ceo=40?=bank.test <x@evil.test>",
           "=?utf-8?q?ceo=40?= bank.test <x@evil.test>",
           "=?utf-8?q?ceo=40bank?= .test <x@evil.test>",
           "ceo=?utf-8?q?=40bank=2Etest?= <x@evil.test>",
           "ceo =?utf-8?q?=40?= bank.test <x@evil.test>",
           "=?utf-8?q?ceo=40?=\r\n =?utf-8?q?bank=2Etest=2C?= <x@evil.test>",
           "=?utf-8?b?Y2VvQGJh?= =?utf-8?b?bmsudGVzdCw=?= <x@evil.test>",
           "=?utf-8?b?Y2VvQGJhb?= =?utf-8?b?msudGVzdCw=?= <x@evil.test>",  // joined, it is one
           // In comments and quotes.
           "(=?utf-8?q?=29_ceo=40bank=2Etest=2C_=28?=) x@evil.test",
           "(=?utf-8?q?=29_ceo=40bank=2Etest=2C_=28?=) Joe <x@evil.test>",
           "x@evil.test (=?utf-8?q?=29=2C_ceo=40bank=2Etest=2C_=28?=)",
           "\"=?utf-8?q?=22ceo=40bank=2Etest=22?=\" <x@evil.test>",
           "\"=?utf-8?q?=22?= ceo@bank.test, =?utf-8?q?=22?=\" <x@evil.test>",  // uncovered by them
           // What is a word to some only.
           "=?utf-8?q?ceo=40bank.test, ?= <x@evil.test>",
           "=?utf-8?q?ceo=40bank.test=2C=?utf-8?q?x?= <x@evil.test>",
           "=?utf-8*en?q?ceo=40bank.test=2C?= <x@evil.test>",
           "=?utf-8?q?=3D=3Futf-8=3Fq=3Fceo=3D40bank.test=3D2C=3F=3D?= <x@evil.test>",  // twice
           // Charsets in which ASCII does not look like it.
           "=?utf-16?b?//5jAGUAbwBAAGIAYQBuAGsALgB0AGUAcwB0ACwA?= <x@evil.test>",
           "=?utf-7?q?ceo+AEA-bank.test,?= <x@evil.test>",
           "=?iso-2022-jp?b?Y2VvQGJhbmsudGVzdCw=?= <x@evil.test>",
           "=?unknown-8bit?q?ceo=40bank.test=2C?= <x@evil.test>",
       }) {
    CAPTURE(value);
    auto author = read_author(value);
    REQUIRE_FALSE(author.is_plain());
    CHECK(author.findings.front().problem == AuthorProblem::EncodedAddress);
    CHECK(std::ranges::count(author.other_domains, "bank.test") == 1);
  }
  auto first = [](std::string_view value) { return read_author(value).findings.at(0).problem; };
  // Nobody here reads EBCDIC, in which "|" is "@"; others do.
  CHECK(first("=?cp037?b?g4WWfIKBlZJLo4Wio2s=?= <x@evil.test>") == AuthorProblem::EncodedAddress);
  CHECK(first("\"=?utf-8?q?joe?=\"@a.test") == AuthorProblem::EncodedAddress);
  // More of them than anybody looks at.
  std::string many;
  for (int i = 0; i < 300; ++i) many += "=40";
  CHECK(first("=?utf-8?q?" + many + "_ceo=40bank.test?= <x@evil.test>") ==
        AuthorProblem::EncodedAddress);
  auto words = [](int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += "=?utf-8?q?a?= ";
    return read_author(all + "<x@a.test>");
  };
  CHECK(words(100).is_plain());
  CHECK(words(101).findings.back().problem == AuthorProblem::TooMany);
  // Words within words are followed two rounds; nobody can say what is shown of deeper ones.
  auto nested = [](int depth) {
    std::string word = "a";
    for (int i = 0; i < depth; ++i) word = "=?utf-8?b?" + base64_encode(word) + "?=";
    return read_author(word + " <x@a.test>");
  };
  CHECK(nested(1).is_plain());
  CHECK(nested(2).is_plain());
  CHECK_FALSE(nested(3).is_plain());
  CHECK_FALSE(nested(4).is_plain());
  // Quotes that a line end closes, once they are decoded.
  CHECK_FALSE(read_author("\"=?utf-8?q?a=0D=0A?=\" \"b@c.test\" <x@a.test>").is_plain());
  CHECK_FALSE(read_author("\"=?utf-8?b?YQ0K?= b\" \"@\" \"c.test\" <x@a.test>").is_plain());
  CHECK(read_author("\"=?utf-8?q?a=0D=0A?=\" \"b\" <x@a.test>").is_plain());
  // Within the domain that is verified anybody may be shown; whoever must know who, is told.
  CHECK(read_author("=?utf-8?q?ceo=40A.test=2C?= <x@a.test>").decoded_addresses ==
        std::vector<std::string>{"ceo@a.test", "x@a.test"});
}

TEST_CASE("a line that ends inside of quotes") {
  // Some programs end the quotes there, and read what follows as an address.
  for (std::string_view value : {
           "\"ceo\r\n @bank.test\" <x@evil.test>",
           "\"ceo\n @bank.test\" <x@evil.test>",
           "\"a\r\n ,ceo@bank.test,b\" <x@evil.test>",
           "\"ceo@bank.test,\r\n b\" <x@evil.test>",
           "\"a\\\r\n @bank.test\" <x@evil.test>",
           // Their quotes are those between ours.
           "\"a\r\n b\" <x@evil.test>, \"ceo@bank.test\" <y@evil.test>",
           "\"ceo@bank.test\" <y@evil.test>, \"a\r\n b\" <x@evil.test>",
           // Decoded.
           "\"=?utf-8?q?a=40b.test?=\r\n c\" <x@evil.test>",
           "\"a=?utf-8?b?DQo=?=b =?utf-8?q?=40?=bank.test\" <x@evil.test>",
           // What stands before it is taken for the address, then.
           "\"ceo@bank.test\r\n b\" <x@evil.test>",
           "\"ceo @ bank.test;\r\n b\" <x@evil.test>",
           "\"ceo@bank.test\" \"\r\n \" <x@evil.test>",
           "\"a\r\n @bank\" \".test\" <x@evil.test>",
           // A local part.
           "\"a\r\n b\"@evil.test",
           "Joe <\"a\r\n b\"@evil.test>",
       }) {
    CAPTURE(value);
    auto author = read_author(value);
    REQUIRE_FALSE(author.is_plain());
    CHECK(author.findings.front().problem == AuthorProblem::Quoting);
  }
  for (std::string_view value : {
           "\"Office of the Vice Chancellor for Research and\r\n International Affairs\" "
           "<x@a.test>",
           "\"Doe, Jane (Research and International Affairs),\r\n Dr.\" <x@a.test>",
           "\"=?utf-8?q?J=C3=B6rg?=\r\n =?utf-8?q?_M=C3=BCller?=\" <x@a.test>",
           "\"boss@b.test via list\"\r\n <x@a.test>",
           // As usual libraries fold them.
           "\"boss@b.test via The Long Name of a Mailing List for All\r\n Members\" <x@a.test>",
           "\"'boss@b.test' via Sales Department\r\n Group\" <x@a.test>",
           "\"Jane Doe @ Example Company International Holdings,\r\n Incorporated\" <x@a.test>",
           "\"Incorporated,\r\n Jane Doe @ Example Company\" <x@a.test>",
       }) {
    CAPTURE(value);
    CHECK(read_author(value).is_plain());
  }
}

TEST_CASE("characters that turn the direction of the text") {
  for (std::string_view value : {
           "<\xE2\x80\xAEtset.knab@evil.test>",
           "x\xE2\x81\xA6y@evil.test",
           "\"x\xE2\x80\xACy\"@evil.test",
           // Open when the address comes, or behind it, in what is shown as its name.
           "\xE2\x80\xAE <tset.knab@evil.test>",
           "\"Joe \xE2\x80\xAE\" <tset.knab@evil.test>",
           "Joe (\xE2\x80\xAB) <x@evil.test>",
           "x@evil.test (\xE2\x81\xA7)",
           "=?utf-8?b?4oCu?= <tset.knab@evil.test>",
           "\"=?utf-8?b?4oCu?=\" <tset.knab@evil.test>",
           "x@evil.test (=?utf-8?b?4oCu?=)",
           "=?utf-16be?b?IC4=?= <tset.knab@evil.test>",
           "=?utf-8?b?4o?= =?utf-8?b?Cu?= <tset.knab@evil.test>",
           "=?utf-8?b?PT91dGYtOD9iPzRvQ3U/PQ==?= <tset.knab@evil.test>",  // encoded twice
           "=?utf-8?q?=E2=80?= =?UTF8?q?=AE?= <tset.knab@evil.test>",
           "\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\xAC\xE2\x81\xA9 <tset.knab@evil.test>",
           "a@evil.test (\xE2\x80\xAE), <tset.knab@evil.test>",
       }) {
    CAPTURE(value);
    auto author = read_author(value);
    REQUIRE_FALSE(author.is_plain());
    CHECK(author.findings.front().problem == AuthorProblem::Direction);
  }
  for (std::string_view value : {
           "\xD7\x93\xD7\xA0\xD7\x94 <dana@a.test>",
           "\"\xD8\xA3\xD8\xAD\xD9\x85\xD8\xAF\" <ahmad@a.test>",
           "=?utf-8?b?2KPYrdmF2K8=?= <ahmad@a.test>",
           "\xE2\x80\x8F\xD7\x93\xD7\xA0\xD7\x94\xE2\x80\x8E <dana@a.test>",  // marks turn nothing
           "\xE2\x80\xAB\xD7\x93\xD7\xA0\xD7\x94\xE2\x80\xAC <dana@a.test>",
           "\"\xE2\x81\xA8\xD7\x93\xD7\xA0\xD7\x94\xE2\x81\xA9\" <dana@a.test>",
           "\xE2\x81\xA8\xE2\x80\xAE"
           "ba\xE2\x81\xA9 <x@a.test>",  // the isolate ends both
           "=?utf-8?b?4oCr15PXoNeU4oCs?= <dana@a.test>",
           "\xE2\x80\xAC\xE2\x81\xA9 Joe <x@a.test>",  // ends of nothing
           "\xE2\x80\xAAJoe <x@a.test>",               // from left to right, as the address
       }) {
    CAPTURE(value);
    CHECK(read_author(value).is_plain());
  }
  CHECK(parse_author_problem("text-direction") == AuthorProblem::Direction);
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
           {">From joe@b.test Sat Nov 21 12:00:00 2026\r\nFrom: a@a.test\r\n\r\n", "a.test"},
           {"From joe@b.test\r\n>From x\r\n more\r\nFrom: a@a.test\r\n\r\n", "a.test"},
           {"Date: x\r\nFrom joe@b.test\r\nFrom: a@a.test\r\n\r\n", "!from-field-name: a.test"},
           {"From: a@a.test\nSender: b@b.test\n\n", "a.test"},
       }) {
    CAPTURE(header);
    CHECK(read(header) == expected);
  }
  CHECK(parse_author_problem("encoded-address") == AuthorProblem::EncodedAddress);
  CHECK(parse_author_problem("header-too-long") == AuthorProblem::HeaderTooLong);
  CHECK_FALSE(parse_author_problem("plain"));
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
