#include "transmit/route.h"

#include <doctest/doctest.h>
#include <set>

#include "base/text.h"
#include "dns/fake_resolver.h"
#include "testing/test_loop.h"

namespace hikyaku::transmit {
namespace {

struct Case {
  std::string_view zone, domain, expected;
};

/// "mx1 [192.0.2.1 192.0.2.2], mx2 [...]", or "permanent 5.1.2", "temporary 4.4.3".
std::string described(const Route& route) {
  if (route.kind == Route::Kind::Permanent) return "permanent " + route.status.to_string();
  if (route.kind == Route::Kind::Temporary) return "temporary " + route.status.to_string();
  std::string all;
  for (auto& host : route.hosts) {
    all += (all.empty() ? "" : ", ") + host.name + " [";
    for (auto& address : host.addresses)
      all += (all.ends_with('[') ? "" : " ") + address.to_string();
    all += "]";
  }
  return all;
}

std::string route_of(dns::FakeResolver& dns, std::string domain, std::uint64_t seed = 1) {
  testing::TestLoop loop;
  crypto::SeededRandom random(seed);
  Self self{"mx.alpha.test", {*IpAddress::parse("192.0.2.100")}};
  auto route = loop.run(find_route(dns, std::move(domain), self, random));
  if (route.kind != Route::Kind::Hosts) CHECK(!route.problem.empty());
  return described(route);
}

TEST_CASE("routes") {
  constexpr std::string_view kHosts =
      "a.test. A 192.0.2.1\nb.test. A 192.0.2.2\nb.test. AAAA 2001:db8::2\n"
      "mx.alpha.test. A 192.0.2.100\nother-name.test. A 192.0.2.100\n";
  for (auto& c : {
           Case{"d.test. MX 10 a.test.\n", "d.test", "a.test [192.0.2.1]"},
           Case{"d.test. MX 20 a.test.\nd.test. MX 10 b.test.\n", "d.test",
                "b.test [192.0.2.2 2001:db8::2], a.test [192.0.2.1]"},
           Case{"d.test. A 192.0.2.9\n", "d.test", "d.test [192.0.2.9]"},  // RFC 5321 §5.1
           Case{"d.test. TXT \"x\"\n", "d.test", "permanent 5.4.4"},
           Case{"", "d.test", "permanent 5.1.2"},
           Case{"d.test. MX 0 .\n", "d.test", "permanent 5.1.10"},  // RFC 7505
           Case{"d.test. MX 0 .\nd.test. MX 10 a.test.\n", "d.test", "a.test [192.0.2.1]"},
           Case{";!SERVFAIL d.test. MX\n", "d.test", "temporary 4.4.3"},
           Case{"d.test. MX 10 gone.test.\n", "d.test", "permanent 5.4.4"},
           Case{"d.test. MX 10 gone.test.\nd.test. MX 20 a.test.\n", "d.test",
                "a.test [192.0.2.1]"},
           Case{";!SERVFAIL f.test.\nd.test. MX 10 f.test.\n", "d.test", "temporary 4.4.3"},
           Case{";!SERVFAIL f.test.\nd.test. MX 10 f.test.\nd.test. MX 20 a.test.\n", "d.test",
                "a.test [192.0.2.1]"},
           // We are one of the hosts.
           Case{"d.test. MX 10 mx.alpha.test.\n", "d.test", "permanent 5.4.6"},
           Case{"d.test. MX 10 other-name.test.\n", "d.test", "permanent 5.4.6"},
           Case{"d.test. MX 10 a.test.\nd.test. MX 20 mx.alpha.test.\nd.test. MX 30 b.test.\n",
                "d.test", "a.test [192.0.2.1]"},
           Case{"d.test. MX 20 a.test.\nd.test. MX 20 mx.alpha.test.\n", "d.test",
                "permanent 5.4.6"},
           Case{";!SERVFAIL f.test.\nd.test. MX 10 f.test.\nd.test. MX 20 mx.alpha.test.\n",
                "d.test", "temporary 4.4.3"},
           Case{"d.test. A 192.0.2.100\n", "d.test", "permanent 5.4.6"},
           // Literals.
           Case{"", "[192.0.2.7]", "[192.0.2.7] [192.0.2.7]"},
           Case{"", "[IPv6:2001:db8::7]", "[IPv6:2001:db8::7] [2001:db8::7]"},
           Case{"", "[192.0.2.100]", "permanent 5.4.6"},
           Case{"", "[nonsense]", "permanent 5.1.2"},
       }) {
    CAPTURE(c.zone);
    CAPTURE(c.domain);
    dns::FakeResolver dns(std::string(kHosts) + std::string(c.zone));
    CHECK(route_of(dns, std::string(c.domain)) == c.expected);
  }
}

TEST_CASE("our own name counts even when it has no address inside") {
  dns::FakeResolver dns(
      "d.test. MX 10 a.test.\nd.test. MX 20 mx.alpha.test.\nd.test. MX 30 b.test.\n"
      "a.test. A 192.0.2.1\nb.test. A 192.0.2.2\n");
  CHECK(route_of(dns, "d.test") == "a.test [192.0.2.1]");
}

TEST_CASE("hosts of one preference share the mail") {
  dns::FakeResolver dns(
      "d.test. MX 10 a.test.\nd.test. MX 10 b.test.\na.test. A 192.0.2.1\nb.test. A 192.0.2.2\n");
  std::set<std::string> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) orders.insert(route_of(dns, "d.test", seed));
  CHECK(orders.size() == 2);
}

}  // namespace
}  // namespace hikyaku::transmit
