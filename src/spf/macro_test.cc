#include "spf/macro.h"

#include <doctest/doctest.h>

namespace hikyaku::spf {
namespace {

MacroValues rfc_values(std::string_view ip) {
  return {.local_part = "strong-bad",
          .sender_domain = "email.example.com",
          .domain = "email.example.com",
          .helo = "Mail.Example.ORG",
          .validated = "mx.example.org",
          .receiver = "",
          .ip = IpAddress::parse(ip).value(),
          .now = Time(std::chrono::seconds(1'700'000'000))};
}

std::string text(std::string_view explanation, std::string_view ip = "192.0.2.3") {
  return expand_explanation(explanation, rfc_values(ip), 1000).value_or("(mistake)");
}

std::string name(std::string_view spec, std::string_view ip = "192.0.2.3") {
  return expand_name(spec, rfc_values(ip)).value_or("(no name)");
}

std::string many(std::string_view piece, int count) {
  std::string all;
  while (count-- > 0) all += piece;
  return all;
}

}  // namespace

TEST_CASE("the examples of RFC 7208 §7.4") {
  CHECK(text("%{s}") == "strong-bad@email.example.com");
  CHECK(text("%{o}") == "email.example.com");
  CHECK(text("%{d}") == "email.example.com");
  CHECK(text("%{d4}") == "email.example.com");
  CHECK(text("%{d3}") == "email.example.com");
  CHECK(text("%{d2}") == "example.com");
  CHECK(text("%{d1}") == "com");
  CHECK(text("%{dr}") == "com.example.email");
  CHECK(text("%{d2r}") == "example.email");
  CHECK(text("%{l}") == "strong-bad");
  CHECK(text("%{l-}") == "strong.bad");
  CHECK(text("%{lr}") == "strong-bad");
  CHECK(text("%{lr-}") == "bad.strong");
  CHECK(text("%{l1r-}") == "strong");
  CHECK(name("%{ir}.%{v}._spf.%{d2}") == "3.2.0.192.in-addr._spf.example.com");
  CHECK(name("%{lr-}.lp._spf.%{d2}") == "bad.strong.lp._spf.example.com");
  CHECK(name("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}") ==
        "bad.strong.lp.3.2.0.192.in-addr._spf.example.com");
  CHECK(name("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}") == "3.2.0.192.in-addr.strong.lp._spf.example.com");
  CHECK(name("%{d2}.trusted-domains.example.net") == "example.com.trusted-domains.example.net");
  CHECK(name("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01") ==
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com");
}

TEST_CASE("the other macros") {
  CHECK(text("%{c}", "2001:db8::cb01") == "2001:db8::cb01");
  CHECK(text("%{i2}", "2001:db8::cb01") == "0.1");
  CHECK(text("%{h} %{H}") == "Mail.Example.ORG Mail.Example.ORG");
  CHECK(text("%{p} %{r} %{t}") == "mx.example.org unknown 1700000000");
  CHECK(text("%{S}") == "strong-bad%40email.example.com");
  CHECK(text("100%% sure%_and%-so on") == "100% sure and%20so on");
  CHECK(text("%{d127} %{d99999999999999999999R}") == "email.example.com com.example.email");
  CHECK(text("%{s1@}") == "(mistake)");  // @ is no delimiter
  CHECK(text("%{l2-b.}") == "(mistake)");
  CHECK(text("%{o.-+,/_=}") == "email.example.com");
}

TEST_CASE("delimiters that follow each other leave empty parts") {
  auto values = rfc_values("192.0.2.3");
  values.local_part = "a--b+";
  CHECK(expand_explanation("%{l-}", values, 100) == "a..b+");
  CHECK(expand_explanation("%{lr-+}", values, 100) == ".b..a");
  CHECK_FALSE(expand_name("%{l-}.example.org", values));  // an empty label
}

TEST_CASE("explanations are short and printable, whatever the client said") {
  auto values = rfc_values("192.0.2.3");
  values.local_part = "x\r\n250 ok\xC3\xA9";
  CHECK(expand_explanation("%{l}!", values, 100) == "x?\?250 ok?\?!");
  CHECK(expand_explanation(many("%{s}", 1000), values, 400)->size() == 400);
  CHECK_FALSE(expand_explanation("caf\xC3\xA9", values, 100));
  CHECK_FALSE(expand_explanation("two\nlines", values, 100));
  CHECK_FALSE(expand_explanation(many("x", 500) + "%", values, 100));  // also behind the limit
}

TEST_CASE("names to look up") {
  CHECK(name("Foo.Example.ORG.") == "foo.example.org");
  CHECK(name("foo bar.example.org") == "foo\\032bar.example.org");
  CHECK(name("a%%b%_c%-d\\e.example.org") == "a%b\\032c%20d\\\\e.example.org");
  CHECK(name("a..example.org") == "(no name)");
  CHECK(name(".example.org") == "(no name)");
  CHECK(name(".") == "(no name)");
  CHECK(name(many("x", 63) + ".example.org") == many("x", 63) + ".example.org");
  CHECK(name(many("x", 64) + ".example.org") == "(no name)");
}

TEST_CASE("names that are too long lose labels on the left (RFC 7208 §7.3)") {
  // 25 times 10 bytes and example.org: 261; the first label goes.
  CHECK(name(many("123456789.", 25) + "example.org") == many("123456789.", 24) + "example.org");
  CHECK(name(many("1.", 121) + "example.org") == many("1.", 121) + "example.org");  // 253 bytes
  CHECK(name("x" + many("1.", 121) + "example.org") == many("1.", 120) + "example.org");
  CHECK(name(many("x", 300)) == "(no name)");
  CHECK(name(many("%{d}.", 5000) + "%{d}").size() <= 253);
  CHECK(name(many("%{d}.", 5000) + "%{d}").ends_with("email.example.com.email.example.com"));
}

TEST_CASE("a local-part that is not ASCII is in no name (RFC 8616 §4)") {
  auto values = rfc_values("192.0.2.3");
  values.local_part = "\xE3\x81\x82";
  CHECK_FALSE(expand_name("%{l}.example.org", values));
  CHECK_FALSE(expand_name("%{S}.example.org", values));
  CHECK(expand_name("%{o}", values) == "email.example.com");
}

TEST_CASE("which macros are used") {
  CHECK(uses_macro("x.%{P2r}.org", "p"));
  CHECK_FALSE(uses_macro("x.%%{p}.org", "p"));
  CHECK_FALSE(uses_macro("x.%{d}.p.org", "p"));
}

}  // namespace hikyaku::spf
