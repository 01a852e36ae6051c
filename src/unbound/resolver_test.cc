// libunbound against a DNS server of our own on the loopback interface.
#include "unbound/resolver.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <functional>

#include "base/async.h"
#include "dns/zone_resolver.h"
#include "net/cores.h"
#include "unbound/dns_server.h"

namespace hikyaku::unbound {
namespace {

using namespace std::chrono_literals;
using dns::Status;

constexpr const char* kZone = R"($ORIGIN example.org.
$TTL 120
@       SOA ns hostmaster 1 2h 15m 4w 77
        MX 10 mx1
        MX 20 mx2
        TXT "v=spf1 " "-all"
mx1     A 192.0.2.1
        A 192.0.2.2
        AAAA 2001:db8::1
www     30 CNAME mx1
null    MX 0 .
_25._tcp.mx1 TLSA 3 1 1 00112233
broken  TXT x
;!SERVFAIL broken
;!TIMEOUT slow
1.2.0.127.in-addr.arpa. PTR mta.alpha.test.
mta.alpha.test. A 127.0.1.1
signed.test. SOA ns.signed.test. h.signed.test. 1 2h 15m 4w 60
signed.test. MX 10 mx.signed.test.
mx.signed.test. A 192.0.2.9
out.signed.test. CNAME mx1.example.org.
)";

/// A resolver that asks the test's server, on two loops.
class Asking {
 public:
  explicit Asking(Settings settings = {.dnssec = false}, std::string apex = "")
      : server_(zone(), apex) {
    if (!apex.empty()) settings.trust_anchors = {server_.trust_anchor()};
    settings.forwarders = {server_.endpoint()};
    cores_.start();
    auto made = Resolver::create(cores_, std::move(settings));
    REQUIRE_MESSAGE(made.has_value(), made.error().text);
    resolver_ = std::move(*made);
  }
  ~Asking() {
    resolver_ = nullptr;
    cores_.stop();
    cores_.join();
  }

  DnsServer& server() { return server_; }
  Resolver& resolver() { return *resolver_; }
  net::Cores& cores() { return cores_; }
  void drop_resolver() { resolver_ = nullptr; }

  template <class Question>
  auto operator()(Question question) {
    return cores_.run(1, [&] { return question(*resolver_); });
  }
  auto a(std::string name) {
    return (*this)([&](Resolver& dns) { return dns.a(name); });
  }
  auto mx(std::string name) {
    return (*this)([&](Resolver& dns) { return dns.mx(name); });
  }

 private:
  static dns::Zone zone() {
    auto text = std::string(kZone);
    for (int i = 0; i < 100; ++i) text += "big A 192.0.2." + std::to_string(i) + "\n";
    return dns::Zone::parse("$ORIGIN example.org.\n" + text).value();
  }

  net::Cores cores_{2};
  DnsServer server_;
  std::unique_ptr<Resolver> resolver_;
};

std::vector<std::string> sorted(std::vector<IpAddress> addresses) {
  std::vector<std::string> texts;
  for (auto& address : addresses) texts.push_back(address.to_string());
  std::ranges::sort(texts);
  return texts;
}

TEST_CASE("every kind of question, and every kind of no") {
  Asking ask;
  auto mx = ask.mx("Example.ORG.");
  CHECK(mx.ok());
  std::ranges::sort(mx.records);
  CHECK(mx.records == std::vector<dns::Mx>{{10, "mx1.example.org"}, {20, "mx2.example.org"}});
  CHECK(mx.ttl == 120s);
  CHECK(mx.name == "example.org");
  CHECK_FALSE(mx.secure);
  CHECK(sorted(ask.a("mx1.example.org").records) ==
        std::vector<std::string>{"192.0.2.1", "192.0.2.2"});
  auto alias = ask.a("www.example.org");
  CHECK(alias.records.size() == 2);
  CHECK(alias.name == "mx1.example.org");
  CHECK(alias.ttl == 30s);
  CHECK(ask.mx("null.example.org").records == std::vector<dns::Mx>{{0, ""}});
  CHECK(ask([](Resolver& dns) { return dns.aaaa("mx1.example.org"); }).records[0].to_string() ==
        "2001:db8::1");
  CHECK(ask([](Resolver& dns) { return dns.txt("example.org"); }).records[0] == "v=spf1 -all");
  CHECK(ask([](Resolver& dns) { return dns.tlsa("_25._tcp.mx1.example.org"); }).records[0] ==
        dns::Tlsa{3, 1, 1, std::string("\x00\x11\x22\x33", 4)});
  CHECK(ask([](Resolver& dns) { return dns.cname("www.example.org"); }).records[0] ==
        "mx1.example.org");
  // Names that libunbound would answer itself if left alone.
  CHECK(ask([](Resolver& dns) { return dns.ptr(*IpAddress::parse("127.0.2.1")); }).records[0] ==
        "mta.alpha.test");
  CHECK(ask.a("mta.alpha.test").records[0].to_string() == "127.0.1.1");

  auto missing = ask.a("missing.example.org");
  CHECK(missing.status == Status::NoName);
  CHECK(missing.ttl == 77s);
  CHECK(ask.mx("mx1.example.org").status == Status::NoRecord);
  auto broken = ask.a("broken.example.org");
  CHECK(broken.status == Status::Failed);
  CHECK(broken.problem == "DNS lookup of broken.example.org: no server could answer (SERVFAIL)");
  CHECK(ask.a("no..name").status == Status::NoName);
}

TEST_CASE("answers are cached, and come by TCP when they are large") {
  Asking ask;
  CHECK(ask.a("big.example.org").records.size() == 100);
  CHECK(ask.server().tcp_questions() == 1);
  int before = ask.server().questions();
  for (int i = 0; i < 50; ++i) CHECK(ask.a("big.example.org").ok());
  CHECK(ask.server().questions() == before);
}

TEST_CASE("a question ends by its time limit, and too many are refused") {
  Asking ask({.dnssec = false, .timeout = 100ms, .max_pending = 3});
  auto slow = ask.a("slow.example.org");
  CHECK(slow.status == Status::Failed);
  CHECK(slow.problem == "DNS lookup of slow.example.org: no answer within 100ms");
  CHECK(ask.resolver().counters().timed_out == 1);
  CHECK(ask.resolver().counters().pending == 1);  // the search goes on
  for (int i = 0; i < 2; ++i) ask.a(fmt::format("{}.slow.example.org", i));
  ask.cores().run(0, [&]() -> Task<void> {
    std::vector<dns::Answer<IpAddress>> answers(4);
    Gate gate{end_process};
    Completion<bool> ended;
    for (auto& answer : answers)
      gate.spawn([](Resolver& dns, dns::Answer<IpAddress>& into) -> Task<void> {
        into = co_await dns.a("slow.example.org");
      }(ask.resolver(), answer));
    gate.close([give = ended.giver()]() mutable { give(true); });
    co_await ended;
    CHECK(std::ranges::count(answers, "too many DNS lookups are under way",
                             &dns::Answer<IpAddress>::problem) >= 2);
  });
}

/// What somebody is told who waits for an answer that does not come, when `happens`.
std::string told_while_waiting(Asking& ask, const std::function<void()>& happens) {
  std::string problem;
  ask.cores().run(0, [&]() -> Task<void> {
    Gate gate{end_process};
    Completion<bool> ended;
    gate.spawn([](Resolver& dns, std::string& into) -> Task<void> {
      into = (co_await dns.a("slow.example.org")).problem;
    }(ask.resolver(), problem));
    gate.close([give = ended.giver()]() mutable { give(true); });
    happens();
    co_await ended;
  });
  return problem;
}

TEST_CASE("who waits when the resolver goes gets an answer") {
  Asking ask;
  CHECK(told_while_waiting(ask, [&] { ask.drop_resolver(); }) == "the resolver was shut down");
}

TEST_CASE("when the program ends nobody waits for an answer any more, nor who asks then") {
  Asking ask;
  auto problem = told_while_waiting(ask, [&] { ask.resolver().give_up(); });
  CHECK(problem == "no DNS lookups any more: the server is ending");
  CHECK(ask.a("mx1.example.org").problem == problem);
}

TEST_CASE("DNSSEC: signed answers are secure, unsigned are not, forged and stripped are bogus") {
  using Signing = DnsServer::Signing;
  using Outcome = SelfTest::Result;
  auto self_test = [](Resolver& dns) { return dns.self_test(); };
  SUBCASE("good") {
    Asking ask({}, "signed.test");
    auto mx = ask.mx("signed.test");
    CHECK_MESSAGE(mx.ok(), mx.problem);
    CHECK(mx.secure);
    CHECK(ask.a("mx.signed.test").secure);
    auto none = ask([](Resolver& dns) { return dns.tlsa("_25._tcp.mx.signed.test"); });
    CHECK(none.absent());
    CHECK(none.secure);  // proven not to exist: what DANE needs to know (RFC 7672 §2.1)
    auto out = ask.a("out.signed.test");
    CHECK(out.ok());
    CHECK_FALSE(out.secure);
    CHECK_FALSE(ask.mx("example.org").secure);
    auto test = ask(self_test);
    CHECK_MESSAGE(test.result == Outcome::Works, test.problem);
  }
  for (auto signing : {Signing::Wrong, Signing::Stripped}) {
    Asking ask({}, "signed.test");
    ask.server().set_signing(signing);
    auto mx = ask.mx("signed.test");
    CHECK(mx.status == Status::Bogus);
    CHECK(mx.records.empty());
    CHECK(mx.problem.starts_with("DNSSEC for signed.test: "));
    CHECK(ask.mx("example.org").ok());
    auto test = ask(self_test);
    CHECK(test.result == Outcome::Breaks);
    CHECK_FALSE(test.problem.empty());
  }
  SUBCASE("off") {
    Asking ask;
    CHECK(ask(self_test).result == Outcome::Off);
  }
}

TEST_CASE("a zone laid over it is asked first") {
  Asking ask;
  auto zone = dns::Zone::parse("mx1.example.org. A 192.0.2.99\n").value();
  dns::ZoneResolver over(std::make_shared<const dns::Zone>(zone), &ask.resolver());
  auto ours = ask.cores().run(1, [&] { return over.a("mx1.example.org"); });
  CHECK(sorted(ours.records) == std::vector<std::string>{"192.0.2.99"});
  CHECK(ask.server().questions() == 0);
  CHECK(ask.cores().run(1, [&] { return over.mx("example.org"); }).ok());
}

TEST_CASE("a malformed setting is refused in words") {
  net::Cores cores(1);
  auto made = Resolver::create(cores, {.trust_anchors = {"not an anchor"}});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ErrorCode::Invalid);
  CHECK(made.error().text.find("trust anchor") != std::string::npos);
}

}  // namespace
}  // namespace hikyaku::unbound
