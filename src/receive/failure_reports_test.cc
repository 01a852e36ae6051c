#include "receive/failure_reports.h"

#include <doctest/doctest.h>
#include <functional>

#include "base/metrics.h"
#include "dns/fake_resolver.h"
#include "mime/message.h"
#include "queue/queue.h"
#include "receive/receiver.h"
#include "story/story.h"
#include "testing/world.h"

namespace hikyaku::receive {
namespace {

using dmarc::ReportOutcome;
using std::chrono::minutes;

constexpr std::string_view kZone =
    "many.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.many.test. TXT \"v=DMARC1; p=none; ruf=mailto:ruf@many.test\"\n"
    "strict.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.strict.test. TXT \"v=DMARC1; p=reject; ruf=mailto:ruf@strict.test\"\n"
    "mixed.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.mixed.test. TXT \"v=DMARC1; p=none; ruf=mailto:x@helper.test,mailto:ruf@mixed.test\"\n"
    "_dmarc.below.mixed.test. TXT \"v=DMARC1; p=none; ruf=mailto:ruf@mixed.test\"\n"
    "agreed.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.agreed.test. TXT \"v=DMARC1; p=none; ruf=mailto:x@helper.test\"\n"
    "agreed.test._report._dmarc.helper.test. TXT \"v=DMARC1\"\n"
    "four.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.four.test. TXT \"v=DMARC1; p=none; ruf=mailto:ruf@four.test,mailto:a@four.test,"
    "mailto:b@four.test,mailto:c@four.test,mailto:d@four.test\"\n"
    "evil.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.evil.test. TXT \"v=DMARC1; p=none; ruf=mailto:x@helper.test\"\n"
    "vile.test. TXT \"v=spf1 -all\"\n"
    "_dmarc.vile.test. TXT \"v=DMARC1; p=none; ruf=mailto:x@helper.test\"\n";

/// Calls something back when it is asked whether reports are welcome.
class Watched final : public dns::Resolver {
 public:
  explicit Watched(dns::Resolver& below) : below_(below) {}
  std::function<void()> asked_for_consent;

  Task<dns::Answer<std::string>> txt(std::string name) override {
    if (asked_for_consent && name.contains("_report")) asked_for_consent();
    return below_.txt(std::move(name));
  }
  Task<dns::Answer<dns::Mx>> mx(std::string name) override { return below_.mx(std::move(name)); }
  Task<dns::Answer<IpAddress>> a(std::string name) override { return below_.a(std::move(name)); }
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override {
    return below_.aaaa(std::move(name));
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
  dns::Resolver& below_;
};

/// A World that sends reports.
struct Fixture : testing::World {
  dns::FakeResolver zone{kZone};
  Watched dns{zone};
  metrics::Registry registry;
  Metrics counted{registry};

  explicit Fixture(std::uint32_t per_domain, std::uint32_t total = 100) : World(Passwords::None) {
    settings.authentication.host_name = settings.host_name;
    auto& rules = settings.failure_reports.emplace();
    rules.per_domain = per_domain;
    rules.total = total;
    rules.redaction_key = "key";
    receiver = receive::make_receiver(
        settings, {store, pool, loop, random, large_messages, &dns, nullptr, counted}, {});
  }

  /// A forged message of this domain, all but its end.
  std::unique_ptr<Incoming> begin(const std::string& domain) {
    Peer peer;
    peer.endpoint = {*IpAddress::parse("198.51.100.7"), 40000};
    peer.hello = "mx.forger.test";
    peer.with = "ESMTP";
    peer.client = receiver->meet(peer.endpoint.address);
    smtp::Transaction envelope;
    envelope.from.mailbox = smtp::parse_mailbox("anna@" + domain).value();
    envelope.recipients.push_back({smtp::parse_mailbox("bob@alpha.test").value(), {}});
    loop.run(receiver->check_sender(peer, envelope.from));
    auto incoming = receiver->begin(peer, envelope);
    loop.run(incoming->append("From: <anna@" + domain + ">\r\nSubject: x\r\n\r\nx\r\n"));
    return incoming;
  }
  /// What its story says of the report, one word for each address.
  std::string finish(std::unique_ptr<Incoming> incoming, int code = 250) {
    loop.advance(milliseconds(1));  // the queue is in the order of arrival
    auto reply = loop.run(incoming->finish());
    CHECK(reply.code == code);
    std::string results;
    auto story = story::find_story(store.keys(), incoming->id());
    if (!story || !story->arrival) return "no story";
    for (auto& finding : story->arrival->findings)
      if (finding.check == "failure-report")
        results += (results.empty() ? "" : " ") + finding.result;
    return results;
  }
  std::string send(const std::string& domain, int code = 250) {
    return finish(begin(domain), code);
  }

  /// The Incidents of all reports in the queue, in their order.
  std::vector<std::uint64_t> incidents() {
    std::vector<std::uint64_t> all;
    for (auto& entry : queued()) {
      auto message = queue::get_message(store.keys(), entry.message).value();
      auto mail = message.prefix + *store.keys().bodies().at(message.blob).bytes;
      auto report = dmarc::find_failure_report(mime::parse_message(mail));
      if (report) all.push_back(report->incidents);
    }
    return all;
  }
  std::uint64_t count(ReportOutcome outcome) { return counted.reports(outcome).value(); }
};

using Incidents = std::vector<std::uint64_t>;

TEST_CASE("a flood is told of by the next report") {
  Fixture f(2);
  std::string results;
  for (int i = 0; i < 5; ++i) results += f.send("many.test") + " ";
  CHECK(results == "sent sent limited limited limited ");
  CHECK(f.incidents() == Incidents{1, 1});
  CHECK(f.count(ReportOutcome::Sent) == 2);
  CHECK(f.count(ReportOutcome::Limited) == 3);
  f.loop.advance(minutes(60));
  CHECK(f.send("many.test") == "sent");
  CHECK(f.send("many.test") == "sent");
  CHECK(f.incidents() == Incidents{1, 1, 4, 1});
}

TEST_CASE("the limit in all") {
  Fixture f(10, 1);
  CHECK(f.send("many.test") == "sent");
  CHECK(f.send("strict.test", 550) == "limited");
  CHECK(f.send("many.test") == "limited");
  f.loop.advance(minutes(60));
  CHECK(f.send("strict.test", 550) == "sent");
  CHECK(f.incidents() == Incidents{1, 2});
}

TEST_CASE("every mail counts, also those about one message") {
  Fixture f(100, 6);
  CHECK(f.send("four.test") == "sent sent sent sent");
  CHECK(f.send("four.test") == "limited limited sent sent");
  CHECK(f.send("four.test") == "limited limited limited limited");
  CHECK(f.queued().size() == 6);
  CHECK(f.count(ReportOutcome::Sent) == 6);
  f.loop.advance(minutes(60));
  CHECK(f.send("four.test") == "sent sent sent sent");
  Fixture few(3);
  CHECK(few.send("four.test") == "limited sent sent sent");
  CHECK(few.queued().size() == 3);
}

TEST_CASE(
    "strangers who name somebody's address use up nothing of his, and ask in vain not for long") {
  Fixture f(2, 100);
  for (auto stranger : {"evil.test", "vile.test"}) {
    std::string results;
    for (int i = 0; i < 9; ++i) results += f.send(stranger).substr(0, 1);
    CHECK(results == "rrrrrrrrl");  // refused, then not asked any more
  }
  CHECK(f.send("agreed.test") == "sent");
  CHECK(f.send("agreed.test") == "sent");
  CHECK(f.send("agreed.test") == "limited");
}

TEST_CASE("messages that were begun in another hour do not begin that hour again") {
  Fixture f(1);
  f.loop.advance(minutes(59));
  std::vector<std::unique_ptr<Incoming>> old;
  for (int i = 0; i < 3; ++i) old.push_back(f.begin("many.test"));
  f.loop.advance(minutes(2));
  CHECK(f.send("many.test") == "sent");
  for (auto& one : old) {
    CHECK(f.finish(std::move(one)) == "limited");
    CHECK(f.send("many.test") == "limited");
  }
}

TEST_CASE("the hour is that in which a message is decided on") {
  Fixture f(1);
  f.loop.advance(minutes(59));
  CHECK(f.send("many.test") == "sent");
  auto old = f.begin("many.test");
  f.loop.advance(minutes(2));
  CHECK(f.finish(std::move(old)) == "sent");
  CHECK(f.send("many.test") == "limited");
}

TEST_CASE("one address that refuses does not hide that another was over its limit") {
  Fixture f(2);
  CHECK(f.send("mixed.test") == "refused sent");
  CHECK(f.send("below.mixed.test") == "sent");
  CHECK(f.send("mixed.test") == "refused limited");
  f.loop.advance(minutes(60));
  CHECK(f.send("mixed.test") == "refused sent");
  CHECK(f.incidents() == Incidents{1, 1, 2});
}

TEST_CASE("a report that cannot be written is not told as sent, and its message comes in") {
  Fixture f(1);
  f.dns.asked_for_consent = [&] { f.store.fail_with(ErrorCode::Io); };
  f.store.before_step = [&] { f.store.fail_with({}); };
  CHECK(f.send("agreed.test") == "dropped");
  CHECK(f.inbox(f.bob.id).size() == 1);
  CHECK(f.incidents().empty());
  CHECK(f.count(ReportOutcome::Sent) == 0);
  CHECK(f.count(ReportOutcome::Dropped) == 1);
  // The next one stands for both, and the limit is as it was.
  f.dns.asked_for_consent = {};
  CHECK(f.send("agreed.test") == "sent");
  CHECK(f.incidents() == Incidents{2});
}

TEST_CASE("a message that came to nothing has not counted") {
  Fixture f(1);
  CHECK(f.send("many.test") == "sent");
  CHECK(f.send("many.test") == "limited");
  f.loop.advance(minutes(60));
  for (int i = 0; i < 3; ++i) {
    f.store.before_step = [&] { f.store.fail_with(ErrorCode::Io); };
    CHECK(f.send("many.test", 451) == "no story");
    f.store.fail_with({});
    f.store.before_step = {};
  }
  CHECK(f.count(ReportOutcome::Sent) == 1);
  CHECK(f.count(ReportOutcome::Limited) == 1);
  CHECK(f.send("many.test") == "sent");
  CHECK(f.incidents() == Incidents{1, 2});
}

TEST_CASE("what is refused while nothing can be written is summed in the next report") {
  Fixture f(1);
  f.store.before_step = [&] { f.store.fail_with(ErrorCode::NoSpace); };
  CHECK(f.send("strict.test", 550) == "no story");
  CHECK(f.count(ReportOutcome::Dropped) == 1);
  f.store.fail_with({});
  f.store.before_step = {};
  CHECK(f.send("strict.test", 550) == "sent");
  CHECK(f.incidents() == Incidents{2});
}

TEST_CASE("a refusal is told however the directory changes, and its report when it comes to rest") {
  for (int changes : {1, 100}) {
    Fixture f(1);
    int left = changes;
    f.store.before_step = [&] {
      if (left-- > 0)
        f.change([&](store::Transaction& tx) {
          return auth::add_alias(tx, "a" + std::to_string(left) + "@alpha.test",
                                 {"anna@alpha.test"});
        });
    };
    CHECK(f.send("strict.test", 550) == (changes == 1 ? "sent" : "dropped"));
    CHECK(f.incidents().size() == (changes == 1 ? 1 : 0));
  }
}

}  // namespace
}  // namespace hikyaku::receive
