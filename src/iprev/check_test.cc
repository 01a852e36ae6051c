#include "iprev/check.h"

#include <doctest/doctest.h>

#include "dns/fake_resolver.h"
#include "iprev/problem.h"
#include "testing/test_loop.h"

namespace hikyaku::iprev {
namespace {

/// 192.0.2.N by what its names are like.
constexpr std::string_view kZone =
    "1.2.0.192.in-addr.arpa. PTR Mail.Example.ORG.\n"
    "mail.example.org. A 192.0.2.1\n"
    "2.2.0.192.in-addr.arpa. PTR other.example.org.\n"
    "other.example.org. A 192.0.2.99\n"
    "3.2.0.192.in-addr.arpa. PTR dead.example.org.\n"
    "5.2.0.192.in-addr.arpa. PTR dead.example.org.\n"
    "5.2.0.192.in-addr.arpa. PTR five.example.org.\n"
    "five.example.org. A 192.0.2.5\n"
    "6.2.0.192.in-addr.arpa. PTR not\\032a\\032name.\n"
    "7.2.0.192.in-addr.arpa. PTR nowhere.example.org.\n"
    "8.2.0.192.in-addr.arpa. PTR six.example.org.\n"
    "six.example.org. AAAA 2001:db8::1\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR "
    "six.example.org.\n";

struct Bench {
  Bench() : dns(kZone) {
    dns.set_failed("dead.example.org");
    dns.set_failed("4.2.0.192.in-addr.arpa");
  }
  Verdict ask(std::string_view ip, Limits limits = {}) {
    return loop.run(check(dns, IpAddress::parse(ip).value(), limits));
  }
  dns::FakeResolver dns;
  testing::TestLoop loop;
};

TEST_CASE("a name is confirmed when it leads back to the address") {
  Bench bench;
  struct Case {
    std::string_view ip, result, name;
  };
  for (auto& c : {
           Case{"192.0.2.1", "pass", "mail.example.org"},
           Case{"192.0.2.2", "fail", ""},       // somebody else's name
           Case{"192.0.2.3", "temperror", ""},  // its name cannot be asked for
           Case{"192.0.2.4", "temperror", ""},  // nor its address
           Case{"192.0.2.5", "pass", "five.example.org"},
           Case{"192.0.2.6", "permerror", ""},  // what is no host name is none
           Case{"192.0.2.7", "fail", ""},
           Case{"192.0.2.8", "fail", ""},  // the name has another family's address only
           Case{"192.0.2.9", "permerror", ""},
           Case{"2001:db8::1", "pass", "six.example.org"},
           Case{"2001:db8::2", "permerror", ""},
       }) {
    CAPTURE(c.ip);
    auto verdict = bench.ask(c.ip);
    CHECK(to_string(verdict.result) == c.result);
    CHECK(verdict.name == c.name);
    CHECK(verdict.problem.empty() == verdict.passed());
    CHECK(problem_in(verdict.problem, Language::English) == verdict.problem);
    if (!verdict.passed())
      CHECK(problem_in(verdict.problem, Language::Japanese) != verdict.problem);
  }
}

TEST_CASE("an address with a thousand names costs a handful of questions") {
  Bench bench;
  std::string zone;
  for (int i = 0; i < 1000; ++i)
    zone += "10.2.0.192.in-addr.arpa. PTR host" + std::to_string(i) + ".example.net.\n";
  bench.dns.add(zone);
  auto verdict = bench.ask("192.0.2.10");
  CHECK(verdict.result == Result::Fail);
  CHECK(bench.dns.asked().size() == 5);
  CHECK(verdict.names.size() == 4);
  CHECK(problem_in(verdict.problem, Language::Japanese).ends_with(" host3.example.net"));
  CHECK(problem_in(verdict.problem, Language::Japanese).find("its names") == std::string::npos);
  bench.dns.forget_asked();
  CHECK(bench.ask("192.0.2.10", {.names = 1}).result == Result::Fail);
  CHECK(bench.dns.asked().size() == 2);
}

}  // namespace
}  // namespace hikyaku::iprev
