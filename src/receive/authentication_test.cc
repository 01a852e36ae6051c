#include "receive/authentication.h"

#include <doctest/doctest.h>

#include "base/async.h"
#include "base/cancellation.h"
#include "dns/fake_resolver.h"
#include "mime/authentication_results.h"
#include "mime/header.h"
#include "receive/sender_findings.h"
#include "testing/world.h"

namespace hikyaku::receive {
namespace {

constexpr std::string_view kZone =
    "1.2.0.192.in-addr.arpa. PTR out.honest.test.\n"
    "out.honest.test. A 192.0.2.1\n"
    "out.honest.test. TXT \"v=spf1 a -all\"\n"
    "honest.test. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
    "_dmarc.honest.test. TXT \"v=DMARC1; p=reject\"\n"
    "quarantine.test. TXT \"v=spf1 ip4:192.0.2.1 ?all\"\n"
    "_dmarc.quarantine.test. TXT \"v=DMARC1; p=quarantine\"\n"
    "_dmarc.none.test. TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.testing.test. TXT \"v=DMARC1; p=reject; t=y\"\n"
    "_dmarc.above.test. TXT \"v=DMARC1; p=none; sp=reject; np=quarantine\"\n"
    "shop.above.test. A 192.0.2.80\n"
    "_dmarc.broken.test. TXT \"v=DMARC1; p=quaratine; rua=mailto:a@broken.test\"\n";

/// A resolver whose answers about some names never come, and that counts what waits for them.
class SlowResolver final : public dns::Resolver {
 public:
  explicit SlowResolver(dns::Resolver& below) : below_(below) {}
  std::string slow;      ///< names that end so
  std::size_t open = 0;  ///< questions about them that still wait

  Task<dns::Answer<dns::Mx>> mx(std::string name) override { return below_.mx(std::move(name)); }
  Task<dns::Answer<IpAddress>> a(std::string name) override { return below_.a(std::move(name)); }
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override {
    return below_.aaaa(std::move(name));
  }
  Task<dns::Answer<std::string>> txt(std::string name) override {
    if (!slow.empty() && name.ends_with(slow)) {
      Waiting waiting(open);
      co_await sleep_for(std::chrono::hours(1));
    }
    co_return co_await below_.txt(std::move(name));
  }
  Task<dns::Answer<std::string>> ptr(IpAddress address) override { return below_.ptr(address); }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string name) override {
    return below_.tlsa(std::move(name));
  }
  Task<dns::Answer<dns::Srv>> srv(std::string name) override { return below_.srv(std::move(name)); }
  Task<dns::Answer<std::string>> cname(std::string name) override {
    return below_.cname(std::move(name));
  }

 private:
  /// Counts as long as it lives, however its coroutine ends.
  struct Waiting {
    explicit Waiting(std::size_t& counted) : count(counted) { ++count; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { --count; }
    std::size_t& count;
  };

  dns::Resolver& below_;
};

struct Bench {
  Bench() : zone(kZone), dns(zone) {
    loop.grace = milliseconds(0);
    settings.host_name = "mx.alpha.test";
  }

  AuthenticationServices services() { return {dns, loop, pool, &keys}; }

  SenderFindings check(std::string_view mail_from, std::string_view header,
                       std::string_view ip = "192.0.2.1", bool complete = true) {
    return loop.run([&]() -> Task<SenderFindings> {
      auto client = std::make_shared<Client>(settings, services(), IpAddress::parse(ip).value());
      client->begins_mail("out.honest.test", std::string(mail_from));
      Authentication authentication(settings, services(), client);
      authentication.header(header, complete);
      co_await authentication.body("How are you?\r\n");
      co_return co_await authentication.finish();
    }());
  }

  dns::FakeResolver zone;
  SlowResolver dns;
  testing::TestLoop loop;
  testing::InlinePool pool;
  dkim::KeyCache keys;
  AuthenticationSettings settings;
};

TEST_CASE("what is found decides, and is told") {
  struct Case {
    std::string_view mail_from, author, ip, result, action;
  };
  for (auto& c : {
           Case{"carol@honest.test", "carol@honest.test", "192.0.2.1", "pass", "deliver"},
           Case{"carol@honest.test", "carol@honest.test", "192.0.2.2", "fail", "refuse"},
           Case{"", "carol@honest.test", "192.0.2.1", "pass", "deliver"},  // by HELO
           Case{"x@quarantine.test", "x@quarantine.test", "192.0.2.2", "fail", "junk"},
           Case{"x@nothing.test", "x@nothing.test", "192.0.2.2", "none", "deliver"},
       }) {
    CAPTURE(c.mail_from);
    CAPTURE(c.ip);
    Bench bench;
    auto found = bench.check(c.mail_from, "From: " + std::string(c.author) + "\r\n\r\n", c.ip);
    CHECK(dmarc::to_string(found.dmarc.result) == c.result);
    CHECK(dmarc::to_string(found.disposition.action) == c.action);

    auto field = authentication_results_field(found, "mx.alpha.test");
    mime::HeaderView view(field);
    auto results = mime::parse_authentication_results(view.value("Authentication-Results"));
    REQUIRE(results);
    CHECK(results->authserv_id == "mx.alpha.test");
    REQUIRE(results->find("dmarc"));
    CHECK(results->find("dmarc")->result == c.result);
    CHECK(results->find("spf"));
    CHECK(results->find("iprev"));
    auto findings = story_findings(found);
    CHECK(findings.back().check == "decision");
    CHECK(findings.back().result == c.action);
  }
}

TEST_CASE("the field has the policy that applies to mail that fails") {
  struct Case {
    std::string_view author, result, policy;
  };
  for (auto& c : {
           Case{"x@nothing.test", "none", ""},
           Case{"x@none.test", "fail", "none"},
           Case{"x@quarantine.test", "fail", "quarantine"},
           Case{"x@honest.test", "fail", "reject"},
           Case{"x@testing.test", "fail", "quarantine"},      // p=reject; t=y
           Case{"x@above.test", "fail", "none"},              // p
           Case{"x@shop.above.test", "fail", "reject"},       // sp
           Case{"x@ghost.above.test", "fail", "quarantine"},  // np
           Case{"x@broken.test", "fail", "none"},
           Case{"x@honest.test, y@quarantine.test", "fail", "reject"},
       }) {
    CAPTURE(c.author);
    Bench bench;
    auto found = bench.check("x@other.test", "From: " + std::string(c.author) + "\r\n\r\n");
    auto results = authentication_results(found, "mx.alpha.test");
    auto* method = results.find("dmarc");
    REQUIRE(method);
    CHECK(method->result == c.result);
    CHECK(method->property("policy", "dmarc") == c.policy);
    CHECK(method->properties.size() == (c.policy.empty() ? 1 : 2));  // header.from, policy.dmarc
  }
}

TEST_CASE("a name that cannot be asked for says nothing of the client") {
  Bench bench;
  bench.settings.rules.speaks_for = {dmarc::For::NoReverseName};
  auto action = [&](std::string_view ip) {
    return bench.check("x@other.test", "From: carol@honest.test\r\n\r\n", ip).disposition.action;
  };
  CHECK(action("192.0.2.1") == dmarc::Action::Junk);    // its name leads back
  CHECK(action("192.0.2.2") == dmarc::Action::Refuse);  // it has none
  bench.zone.set_failed("2.2.0.192.in-addr.arpa");
  CHECK(action("192.0.2.2") == dmarc::Action::Junk);
}

TEST_CASE("whose sender is doubted, gets no bounces") {
  struct Case {
    std::string_view mail_from;
    spf::Result spf;
    dmarc::Result dmarc;
    std::string_view doubt;
  };
  using Spf = spf::Result;
  using Dmarc = dmarc::Result;
  for (auto& c : {
           Case{"carol@honest.test", Spf::Pass, Dmarc::Pass, ""},
           Case{"carol@honest.test", Spf::Fail, Dmarc::None, "spf"},
           Case{"carol@honest.test", Spf::Fail, Dmarc::Fail, "spf"},
           Case{"carol@honest.test", Spf::None, Dmarc::Fail, "dmarc"},
           Case{"list@other.test", Spf::Pass, Dmarc::Fail, ""},
           Case{"", Spf::Fail, Dmarc::Fail, ""},
           // Forwarded with its own sender: the signature shows whose it is.
           Case{"carol@honest.test", Spf::Fail, Dmarc::Pass, ""},
           Case{"b@Bounces.Honest.test", Spf::Fail, Dmarc::Pass, ""},
           Case{"x@sign.honest.test", Spf::Fail, Dmarc::Pass, ""},
           Case{"x@other.test", Spf::Fail, Dmarc::Pass, "spf"},
           Case{"x@dishonest.test", Spf::Fail, Dmarc::Pass, "spf"},
           Case{"x@failed.test", Spf::Fail, Dmarc::Pass, "spf"},
           Case{"x@organization.test", Spf::Fail, Dmarc::Pass, ""},
       }) {
    CAPTURE(c.mail_from);
    SenderFindings found;
    found.mail_from = c.mail_from;
    found.spf_mail_from.result = c.spf;
    found.dmarc.result = c.dmarc;
    dmarc::Outcome outcome;
    outcome.discovery.author_domain = "honest.test";
    outcome.organizational_domain = "organization.test";
    outcome.identifiers.resize(2);
    outcome.identifiers[0].domain = "failed.test";
    outcome.identifiers[0].aligned = false;
    outcome.identifiers[1].domain = "sign.honest.test";
    outcome.identifiers[1].aligned = true;
    found.dmarc.outcomes = {outcome};
    CHECK(doubt_about_sender(found) == c.doubt);
  }
}

TEST_CASE("the settings speak against refusing") {
  Bench bench;
  auto action = [&] {
    auto found = bench.check("carol@honest.test", "From: carol@honest.test\r\n\r\n", "192.0.2.2");
    return found.disposition.action;
  };
  CHECK(action() == dmarc::Action::Refuse);
  bench.settings.forwarders = {"192.0.2.0/24"};
  CHECK(action() == dmarc::Action::Junk);
  auto kept = story_findings(
      bench.check("carol@honest.test", "From: carol@honest.test\r\n\r\n", "192.0.2.2"));
  CHECK(kept.back().reason ==
        "why=speaks-against; for=spf-fail-mail-from,spf-fail-helo,no-reverse-name; "
        "against=known-forwarder; "
        "known-forwarder=192.0.2.0/24");
  bench.settings.forwarders = {"192.0.3.0/24", "2001:db8::/32", "192.0.2.3"};
  CHECK(action() == dmarc::Action::Refuse);
  bench.settings.exceptions = {"honest.test"};
  CHECK(action() == dmarc::Action::Deliver);
  bench.settings.exceptions = {"onest.test", "x.honest.test"};
  CHECK(action() == dmarc::Action::Refuse);
}

TEST_CASE("a header that is not whole is not relied upon") {
  Bench bench;
  auto found = bench.check("carol@honest.test", "From: carol@honest.test\r\n", "192.0.2.1", false);
  CHECK(found.dmarc.result != dmarc::Result::Pass);
  CHECK(found.disposition.action == dmarc::Action::Junk);
}

TEST_CASE("a resolver that does not answer holds a message up until the deadline") {
  for (auto slow : {"honest.test", "_dmarc.honest.test"}) {
    CAPTURE(slow);
    Bench bench;
    bench.dns.slow = slow;
    auto before = bench.loop.now();
    auto found = bench.check("carol@honest.test", "From: carol@honest.test\r\n\r\n");
    CHECK(found.dmarc.result == dmarc::Result::TempError);
    CHECK(found.disposition.action == dmarc::Action::Defer);
    CHECK(bench.loop.now() - before <= 2 * bench.settings.deadline);
  }
}

TEST_CASE("clients that leave take their questions along") {
  Bench bench;
  bench.dns.slow = "honest.test";
  bench.loop.run([&]() -> Task<void> {
    auto client =
        std::make_shared<Client>(bench.settings, bench.services(), *IpAddress::parse("192.0.2.1"));
    client->begins_mail("out.honest.test", "carol@honest.test");
    co_await yield_now();
    auto asked = bench.dns.open;
    CHECK(asked > 0);
    client->begins_mail("out.honest.test", "other@honest.test");  // the first is given up
    CHECK(client->reverse_name() == "out.honest.test");
    co_await yield_now();
    CHECK(bench.dns.open == asked);
    {
      Authentication authentication(bench.settings, bench.services(), client);
      client.reset();
      authentication.header("From: carol@honest.test\r\n\r\n", true);
      co_await yield_now();
      CHECK(bench.dns.open >= asked);
    }
    co_await yield_now();
    CHECK(bench.dns.open == 0);
  }());
}

TEST_CASE("a connection's second message is checked by its own sender") {
  Bench bench;
  bench.loop.run([&]() -> Task<void> {
    auto client =
        std::make_shared<Client>(bench.settings, bench.services(), *IpAddress::parse("192.0.2.1"));
    client->begins_mail("out.honest.test", "carol@honest.test");
    Authentication first(bench.settings, bench.services(), client);
    client->begins_mail("out.honest.test", "x@nothing.test");
    Authentication second(bench.settings, bench.services(), client);
    for (auto* one : {&first, &second}) one->header("From: carol@honest.test\r\n\r\n", true);
    auto honest = co_await first.finish();
    auto other = co_await second.finish();
    CHECK(honest.mail_from == "carol@honest.test");
    CHECK(honest.dmarc.result == dmarc::Result::Pass);
    CHECK(other.mail_from == "x@nothing.test");
    CHECK(other.dmarc.result == dmarc::Result::Fail);
  }());
}

TEST_CASE("what was found out about a client holds for its next messages, for a minute") {
  Bench bench;
  bench.loop.run([&]() -> Task<void> {
    auto client =
        std::make_shared<Client>(bench.settings, bench.services(), *IpAddress::parse("192.0.2.1"));
    auto questions = [&](std::string_view helo, std::string_view mail_from) {
      bench.zone.forget_asked();
      client->begins_mail(std::string(helo), std::string(mail_from));
      return bench.zone.asked();
    };
    using Asked = std::vector<std::string>;
    const Asked helo{"TXT out.honest.test", "A out.honest.test"};
    const Asked mail_from{"TXT honest.test"};
    auto both = mail_from;
    both.insert(both.end(), helo.begin(), helo.end());
    CHECK(questions("out.honest.test", "carol@honest.test") == both);
    CHECK(questions("out.honest.test", "carol@honest.test") == Asked{});
    CHECK(questions("out.honest.test", "dave@honest.test") == mail_from);
    CHECK(questions("honest.test", "dave@honest.test") ==
          Asked{"TXT honest.test", "TXT honest.test"});
    CHECK(questions("out.honest.test", "") == Asked{helo[0], helo[1], helo[0], helo[1]});
    bench.loop.advance(std::chrono::seconds(61));
    CHECK(questions("out.honest.test", "") == Asked{helo[0], helo[1], helo[0], helo[1]});
    // What could not be asked is asked again.
    bench.zone.set_failed("honest.test");
    CHECK(questions("out.honest.test", "carol@honest.test") == mail_from);
    CHECK(questions("out.honest.test", "carol@honest.test") == mail_from);
    co_return;
  }());
}

}  // namespace
}  // namespace hikyaku::receive
