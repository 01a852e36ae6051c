#include "dnsbl/check.h"

#include <doctest/doctest.h>

#include "dns/fake_resolver.h"
#include "testing/test_loop.h"

namespace hikyaku::dnsbl {
namespace {

TEST_CASE("lists as they are written in the configuration") {
  struct Case {
    std::string_view text, name;
    double weight;
  };
  for (auto& c : {
           Case{"zen.example.org", "zen.example.org", 1},
           Case{"ZEN.Example.ORG.", "zen.example.org", 1},
           Case{"zen.example.org=2.5", "zen.example.org", 2.5},
           Case{"good.example.org=-100", "good.example.org", -100},
           Case{"zen.example.org=0", "zen.example.org", 0},
       }) {
    CAPTURE(c.text);
    auto zone = parse_zone(c.text);
    REQUIRE(zone);
    CHECK(zone->name == c.name);
    CHECK(zone->weight == c.weight);
  }
  for (auto text : {"", "=1", "zen.example.org=", "zen.example.org=1x", "zen.example.org=1e3",
                    "zen.example.org=101", "zen.example.org=-100.5", "zen.example.org=nan",
                    "zen.example.org=inf", "zen example.org", "a..b", "zen.example.org=1=2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_zone(text));
  }
}

TEST_CASE("the name that is asked for") {
  auto name = [](std::string_view ip) { return query_name(*IpAddress::parse(ip), "bl.test"); };
  CHECK(name("192.0.2.99") == "99.2.0.192.bl.test");
  CHECK(name("2001:db8:1:2:3:4:567:89ab") ==
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.test");
}

TEST_CASE("what lists answer") {
  dns::FakeResolver dns(
      "1.2.0.192.listed.test. A 127.0.0.2\n"
      "1.2.0.192.listed.test. A 127.0.0.10\n"
      "1.2.0.192.good.test. A 127.0.5.1\n"
      "1.2.0.192.refuses.test. A 127.255.255.254\n"  // "you ask too much"
      "1.2.0.192.parked.test. A 198.51.100.80\n"     // the domain was sold
      "1.2.0.192.wild.test. A 127.0.0.1\n");         // RFC 5782 §5: must not be
  dns.set_failed("1.2.0.192.dead.test");
  testing::TestLoop loop;
  std::vector<Zone> zones;
  for (auto text : {"listed.test=1.5", "good.test=-0.5", "refuses.test", "parked.test", "wild.test",
                    "dead.test", "clear.test"})
    zones.push_back(*parse_zone(text));
  auto verdict = loop.run(check(dns, *IpAddress::parse("192.0.2.1"), zones));
  REQUIRE(verdict.listings.size() == 2);
  CHECK(verdict.listings[0].zone.name == "listed.test");
  CHECK(verdict.listings[0].codes.size() == 2);
  CHECK(verdict.listings[1].zone.name == "good.test");
  CHECK(verdict.weight == 1.0);
  CHECK(verdict.failed ==
        std::vector<std::string>{"refuses.test", "parked.test", "wild.test", "dead.test"});
  CHECK(dns.asked().size() == zones.size());

  auto few = loop.run(check(dns, *IpAddress::parse("192.0.2.1"), zones, {.zones = 1}));
  CHECK(few.listings.size() == 1);
  CHECK(few.failed.empty());
}

TEST_CASE("no lists, no questions") {
  dns::FakeResolver dns;
  testing::TestLoop loop;
  auto verdict = loop.run(check(dns, *IpAddress::parse("192.0.2.1"), {}));
  CHECK(verdict.listings.empty());
  CHECK(verdict.weight == 0);
  CHECK(dns.asked().empty());
}

}  // namespace
}  // namespace hikyaku::dnsbl
