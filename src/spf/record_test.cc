#include "spf/record.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku::spf {
namespace {

/// What was understood: "pass a foo.example.org /24 //128; redirect=…".
std::string understood(const Record& record) {
  std::string text;
  for (auto& directive : record.directives) {
    text += fmt::format("{} {}", to_string(directive.result), to_string(directive.mechanism));
    if (!directive.domain_spec.empty()) text += fmt::format(" {}", directive.domain_spec);
    auto bytes = std::string(directive.network.begin(), directive.network.end());
    if (directive.mechanism == Mechanism::Ip4) text += " " + to_hex(bytes.substr(0, 4));
    if (directive.mechanism == Mechanism::Ip6) text += " " + to_hex(bytes);
    if (directive.v4_prefix != 32) text += fmt::format(" /{}", directive.v4_prefix);
    if (directive.v6_prefix != 128) text += fmt::format(" //{}", directive.v6_prefix);
    text += "; ";
  }
  if (!record.redirect.empty()) text += fmt::format("redirect {}; ", record.redirect);
  if (!record.explanation.empty()) text += fmt::format("exp {}; ", record.explanation);
  for (auto modifier : record.unknown_modifiers) text += fmt::format("unknown {}; ", modifier);
  return text;
}

void good(std::string_view text, std::string_view expected) {
  CAPTURE(text);
  auto record = parse_record(text);
  REQUIRE_MESSAGE(record, record.error().text);
  CHECK(understood(*record) == expected);
}

void bad(std::string_view text, std::string_view problem) {
  CAPTURE(text);
  auto record = parse_record(text);
  REQUIRE(!record);
  CAPTURE(record.error().text);
  CHECK(record.error().text.contains(problem));
}

}  // namespace

TEST_CASE("which TXT records are SPF records") {
  CHECK(is_record("v=spf1"));
  CHECK(is_record("v=spf1 -all"));
  CHECK(is_record("V=SPF1 -all"));  // ABNF strings know no case
  CHECK_FALSE(is_record(""));
  CHECK_FALSE(is_record("v=spf10"));
  CHECK_FALSE(is_record("v=spf1\t-all"));
  CHECK_FALSE(is_record(" v=spf1 -all"));
  CHECK_FALSE(is_record("v=spf2.0/pra -all"));
  CHECK_FALSE(is_record("\"v=spf1 -all\""));
}

TEST_CASE("what records mean") {
  good("v=spf1", "");
  good("v=spf1   ", "");
  good("v=spf1 -all", "fail all; ");
  good("v=spf1  ?ALL ", "neutral all; ");
  good("v=spf1 a +mx ~ptr", "pass a; pass mx; softfail ptr; ");
  good("v=spf1 A:Foo.Example.ORG", "pass a Foo.Example.ORG; ");
  good("v=spf1 a/24 mx//64 a:x.org/8//16", "pass a /24; pass mx //64; pass a x.org /8 //16; ");
  good("v=spf1 a/0//0 mx/32//128", "pass a /0 //0; pass mx; ");
  good("v=spf1 a:foo/bar.org/7", "pass a foo/bar.org /7; ");  // a slash may be in a name
  good("v=spf1 a:foo:bar.org", "pass a foo:bar.org; ");       // and a colon
  good("v=spf1 a:%{d/}", "pass a %{d/}; ");                   // the slash is a delimiter
  good("v=spf1 a:%{d}/24", "pass a %{d} /24; ");
  good("v=spf1 include:x.org. exists:%{ir}.x.org",
       "pass include x.org.; pass exists %{ir}.x.org; ");
  good("v=spf1 exists:a%%", "pass exists a%%; ");  // ends with a macro-expand
  good("v=spf1 a:1.2.3.4a", "pass a 1.2.3.4a; ");  // the last label is no number
  good("v=spf1 a:x.1-1", "pass a x.1-1; ");
  good("v=spf1 a:x.xn--zckzah", "pass a x.xn--zckzah; ");
  good("v=spf1 ip4:192.0.2.1 IP4:10.0.0.0/8", "pass ip4 c0000201; pass ip4 0a000000 /8; ");
  good("v=spf1 ip6:2001:DB8::/32", "pass ip6 20010db8000000000000000000000000 //32; ");
  good("v=spf1 ip6:::ffff:192.0.2.1/96", "pass ip6 00000000000000000000ffffc0000201 //96; ");
  good("v=spf1 redirect=_spf.x.org", "redirect _spf.x.org; ");
  good("v=spf1 Exp=e.%{d} -all REDIRECT=r.org", "fail all; redirect r.org; exp e.%{d}; ");
  good("v=spf1 moo.cow-far_out=man:dog/cat a=%{t}",
       "unknown moo.cow-far_out=man:dog/cat; unknown a=%{t}; ");
  good("v=spf1 x=", "unknown x=; ");
}

TEST_CASE("what is wrong with records, and where") {
  bad("v=spf10", "begin with v=spf1");
  bad("v=spf1 moo", "at character 8 of the record: there is no such mechanism");
  bad("v=spf1 includ:x.org", "(is \"include\" meant?)");
  bad("v=spf1 ipv4:192.0.2.1", "(is \"ip4\" meant?)");
  bad("v=spf1 -all.", "no such mechanism");
  bad("v=spf1 -all:x.org", "nothing may follow");
  bad("v=spf1 all/8", "nothing may follow");
  bad("v=spf1 -", "no such mechanism");
  bad("v=spf1 --all", "no such mechanism");
  bad("v=spf1 redirect:x.org", "takes an =");
  bad("v=spf1 -redirect=x.org", "takes an =");
  bad("v=spf1 =all", "begins with a letter");
  bad("v=spf1 1up=x", "begins with a letter");
  bad("v=spf1 redirect=x.org redirect=x.org", "only once");
  bad("v=spf1 exp=x.org -all exp=y.org", "only once");
  bad("v=spf1 redirect=", "missing");
  bad("v=spf1 exp=-all", "needs a dot");
  bad("v=spf1 x=%a", "% must be followed");
  bad("v=spf1 include", "missing");
  bad("v=spf1 include:", "missing");
  bad("v=spf1 include/24", "missing");
  bad("v=spf1 include:x.org/24", "last label");
  bad("v=spf1 exists", "missing");
  bad("v=spf1 ptr/24", "only a colon");
  bad("v=spf1 ptr:", "missing");
  bad("v=spf1 a:", "missing");
  bad("v=spf1 a:museum", "needs a dot");
  bad("v=spf1 a:museum.", "needs a dot");
  bad("v=spf1 a:192.0.2.1", "an address is written ip4:");
  bad("v=spf1 a:x.-org", "last label");
  bad("v=spf1 a:x.org-", "last label");
  bad("v=spf1 a:x.org:8080", "last label");
  bad("v=spf1 a:x..", "last label");
  bad("v=spf1 a/33", "at most 32");
  bad("v=spf1 a//129", "at most 128");
  bad("v=spf1 a/024", "no leading zeros");
  bad("v=spf1 a/24/64", "IPv6 has two slashes");
  bad("v=spf1 a/24/16", "only a colon");
  bad("v=spf1 a///64", "only a colon");
  bad("v=spf1 a/", "only a colon");
  bad("v=spf1 a/99999999999999999999", "at most 32");
  bad("v=spf1 ip4", "address is missing");
  bad("v=spf1 ip4:", "no IPv4 address");
  bad("v=spf1 ip4:192.0.2", "no IPv4 address");
  bad("v=spf1 ip4:192.0.2.256", "no IPv4 address");
  bad("v=spf1 ip4:192.0.2.01", "no IPv4 address");
  bad("v=spf1 ip4:192.0.2.1:25", "no IPv4 address");
  bad("v=spf1 ip4:192.0.2.1//32", "no IPv4 address");
  bad("v=spf1 ip4:2001:db8::1", "no IPv4 address");
  bad("v=spf1 ip4:192.0.2.1/-1", "no IPv4 address");
  bad("v=spf1 ip6:192.0.2.1", "no IPv6 address");
  bad("v=spf1 ip6::1::2", "no IPv6 address");
  bad("v=spf1 ip6:[::1]", "no IPv6 address");
  bad("v=spf1 a:%{x}", "no macro of this letter");
  bad("v=spf1 a:%{r}.org", "for explanation texts only");
  bad("v=spf1 a:%{d0}", "cannot keep 0 parts");
  bad("v=spf1 a:%{dx}", "not closed");
  bad("v=spf1 a:%{d", "not closed");
  bad("v=spf1 a:x%.org", "% must be followed");
  bad("v=spf1 a:\x80.org", "visible ASCII");
  bad("v=spf1 a:x.org\tmx", "visible ASCII");
  bad("v=spf1 a:x.org\r\n", "visible ASCII");
  bad(std::string_view("v=spf1 a:x.org\0", 15), "visible ASCII");
  bad("v=spf1 ip4:192.0.2.1\nmx", "no IPv4 address");
}

TEST_CASE("a mistake is told on one printable line") {
  auto record = parse_record("v=spf1 a:\r\n\x1b[31m" + std::string(3000, 'x'));
  REQUIRE(!record);
  CHECK(record.error().text.size() < 300);
  CHECK(printable(record.error().text, 1000) == record.error().text);
}

TEST_CASE("networks") {
  auto contains = [](std::string_view term, std::string_view address) {
    auto text = fmt::format("v=spf1 {}", term);
    auto record = parse_record(text);
    return record->directives.front().contains(IpAddress::parse(address).value());
  };
  CHECK(contains("ip4:192.0.2.1", "192.0.2.1"));
  CHECK_FALSE(contains("ip4:192.0.2.1", "192.0.2.2"));
  CHECK(contains("ip4:192.0.2.0/31", "192.0.2.1"));
  CHECK_FALSE(contains("ip4:192.0.2.0/31", "192.0.2.2"));
  CHECK(contains("ip4:192.0.2.255/24", "192.0.2.0"));
  CHECK(contains("ip4:1.1.1.1/0", "255.255.255.255"));
  CHECK(contains("ip4:192.0.2.1", "::ffff:192.0.2.1"));
  CHECK_FALSE(contains("ip4:0.0.0.0/0", "2001:db8::1"));
  CHECK(contains("ip6:2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(contains("ip6:2001:db8::/33", "2001:db8:8000::1"));
  CHECK(contains("ip6:::/0", "2001:db8::1"));
  CHECK(contains("ip6:::ffff:0:0/0", "2001:db8::1"));
  CHECK_FALSE(contains("ip6:::/0", "192.0.2.1"));
  CHECK_FALSE(contains("ip6:::ffff:192.0.2.1", "::ffff:192.0.2.1"));  // that client is IPv4
}

}  // namespace hikyaku::spf
