#include "transmit/transmitter.h"

#include <doctest/doctest.h>
#include <set>

#include "dsn/parse.h"
#include "mime/text.h"
#include "queue/rows.h"
#include "story/story.h"
#include "testing/mail_servers.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;
using testing::FakeServer;
using Fixture = testing::SendingWorld;

/// The delivery report in a mail: "failed 5.1.1 x@beta.test" for each recipient.
std::vector<std::string> report_in(const testing::World::Mail& mail) {
  auto message = mime::parse_message(mail.bytes);
  auto report = dsn::find_report(message);
  std::vector<std::string> lines;
  if (!report) return lines;
  for (auto& recipient : report->status.recipients)
    lines.push_back(std::string(recipient.action ? dsn::to_string(*recipient.action) : "?") + " " +
                    (recipient.status ? recipient.status->to_string() : "?") + " " +
                    recipient.final.value);
  return lines;
}
using Lines = std::vector<std::string>;

/// Answers nothing for half a minute.
struct SilentResolver final : dns::Resolver {
  template <class Record>
  static Task<dns::Answer<Record>> later() {
    co_await sleep_for(30s);
    co_return dns::Answer<Record>{};
  }
  Task<dns::Answer<dns::Mx>> mx(std::string) override { return later<dns::Mx>(); }
  Task<dns::Answer<IpAddress>> a(std::string) override { return later<IpAddress>(); }
  Task<dns::Answer<IpAddress>> aaaa(std::string) override { return later<IpAddress>(); }
  Task<dns::Answer<std::string>> txt(std::string) override { return later<std::string>(); }
  Task<dns::Answer<std::string>> ptr(IpAddress) override { return later<std::string>(); }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { return later<dns::Tlsa>(); }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { return later<dns::Srv>(); }
  Task<dns::Answer<std::string>> cname(std::string) override { return later<std::string>(); }
};

Task<Result<std::unique_ptr<net::Stream>>> no_answer(milliseconds timeout) {
  co_await sleep_for(timeout);
  co_return fail(ErrorCode::Unavailable, "no answer");
}

std::size_t count(const FakeServer& server, std::string_view verb) {
  return static_cast<std::size_t>(
      std::ranges::count_if(server.said, [&](auto& line) { return line.starts_with(verb); }));
}

TEST_CASE("messages go out over one connection, and nothing is left") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.submit({"x@beta.test", "y@beta.test"}, "anna@alpha.test", "Subject: 1\r\n\r\n.dot\r\n");
  f.submit({"z@beta.test"});
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(beta.connections == 1);
  REQUIRE(beta.messages.size() == 2);
  CHECK(beta.messages[0].starts_with("Received: "));
  CHECK(beta.messages[0].ends_with("\r\n\r\n..dot\r\n"));
  CHECK(count(beta, "RCPT") == 3);
  CHECK(count(beta, "QUIT") == 1);
  CHECK(count(beta, "MAIL FROM:<anna@alpha.test>") == 2);
  for (auto& [id, body] : f.store.keys().bodies()) CHECK(body.owners.empty());
}

TEST_CASE("each recipient has an outcome of its own; the sender is told of failures at once") {
  for (bool pipelining : {true, false}) {
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    if (!pipelining) beta.offers.clear();
    beta.answers["RCPT TO:<later@"] = "450 4.2.1 greylisted";
    beta.answers["RCPT TO:<never@"] = "550 5.1.1 nobody of that name";
    f.submit({"now@beta.test", "later@beta.test", "never@beta.test"});
    f.start();
    f.run_until_idle();
    CHECK(beta.messages.size() == 1);
    auto left = f.queued();
    REQUIRE(left.size() == 1);
    CHECK(left[0].recipient == "later@beta.test");
    CHECK(left[0].last_reply == "450 4.2.1 greylisted");
    auto mails = f.inbox(f.anna.id);
    REQUIRE(mails.size() == 1);
    CHECK(report_in(mails[0]) == Lines{"failed 5.1.1 never@beta.test"});
    CHECK(mails[0].bytes.starts_with("Return-Path: <>\r\nDelivered-To: anna@alpha.test\r\n"));
    CHECK(mails[0].bytes.find("nobody of that name") != std::string::npos);
    CHECK(mails[0].bytes.find("Subject: hello") != std::string::npos);
  }
}

TEST_CASE("a message that nobody there takes does not spoil the next one on that connection") {
  for (std::string spoiled : {"RCPT TO:<bad@", "DATA"}) {
    for (bool pipelining : {true, false}) {
      CAPTURE(spoiled);
      Fixture f;
      auto& beta = f.servers["192.0.2.1"];
      if (!pipelining) beta.offers.clear();
      beta.answers[spoiled] = spoiled == "DATA" ? "451 4.3.0 not now" : "550 5.1.1 no";
      f.submit({"bad@beta.test"});
      f.run_for(10ms);  // messages go out in the order in which they came
      f.submit({"good@beta.test"});
      f.start();
      f.run_until_idle();
      REQUIRE(count(beta, "MAIL") == 2);
      // Between two MAILs there is a RSET, or the second would be nested.
      auto mail = [](auto& line) { return line.starts_with("MAIL"); };
      auto first = std::ranges::find_if(beta.said, mail);
      auto second = std::find_if(first + 1, beta.said.end(), mail);
      CHECK(std::find(first, second, "RSET") != second);
      CHECK(beta.connections == 1);
    }
  }
}

TEST_CASE("answers to the data decide for everybody who was accepted") {
  struct Case {
    std::string at, answer;
    std::size_t queued, bounced;
  };
  for (auto& c : {Case{"DATA", "450 4.2.0 later", 2, 0}, Case{"DATA", "554 5.7.1 no", 0, 2},
                  Case{".", "452 4.3.1 full", 2, 0}, Case{".", "554 5.6.0 no", 0, 2},
                  Case{".", "CLOSE", 2, 0}, Case{"DATA", "CLOSE", 2, 0},
                  Case{"MAIL", "421 4.3.2 closing", 2, 0}, Case{"MAIL", "CLOSE", 2, 0},
                  Case{"RCPT TO:<y", "421 4.3.2 closing", 2, 0}, Case{"MAIL", "550 5.7.1 no", 0, 2},
                  Case{".", "421 4.3.2 closing", 2, 0}, Case{"MAIL", "SILENCE", 2, 0},
                  Case{"DATA", "250 2.0.0 what?", 2, 0}, Case{".", "nonsense", 2, 0}}) {
    CAPTURE(c.at);
    CAPTURE(c.answer);
    Fixture f;
    f.servers["192.0.2.1"].answers[c.at] = c.answer;
    f.submit({"x@beta.test", "y@beta.test"});
    f.start();
    f.run_until_idle();
    CHECK(f.queued().size() == c.queued);
    auto mails = f.inbox(f.anna.id);
    CHECK(mails.size() == (c.bounced ? 1 : 0));
    if (!mails.empty()) CHECK(report_in(mails[0]).size() == c.bounced);
    // What a failure leaves behind is tried again.
    f.servers["192.0.2.1"].answers.clear();
    f.run_for(30min);
    f.run_until_idle();
    CHECK(f.queued().empty());
  }
}

TEST_CASE("retries by the schedule, a delay notice, and the end after five days") {
  Fixture f;
  auto begin = f.loop.now();
  f.submit({"x@beta.test"});
  f.start();
  f.run_for(7h);
  std::vector<milliseconds> waits;
  for (auto at : f.tried_at) waits.push_back(at - begin);
  REQUIRE(waits.size() == 6);
  std::vector<milliseconds> expected{0min, 5min, 20min, 50min, 110min, 230min};
  for (std::size_t i = 0; i < 6; ++i) CHECK(abs(waits[i] - expected[i]) < 10s);
  CHECK(f.inbox(f.anna.id).empty());
  f.run_for(24h);
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 1);
  CHECK(report_in(mails[0])[0].starts_with("delayed 4.4.1 x@beta.test"));
  f.run_until([&] { return f.queued().empty(); });
  CHECK(f.loop.now() - begin >= 120h);
  CHECK(f.loop.now() - begin < 120h + 5min);
  mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 2);
  CHECK(report_in(mails[1])[0].starts_with("failed 5.4.1 x@beta.test"));
}

TEST_CASE("mail leaves at once after the clock was set back") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.loop.run(f.store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
    queue::set_low_water(tx, f.loop.now() + 9000h);  // by a clock that was ahead
    return {};
  }));
  f.submit({"x@beta.test"});
  CHECK(f.nothing_due());
  f.start();
  f.run_for(1s);
  CHECK(beta.messages.size() == 1);
  f.submit({"y@beta.test"});
  f.run_for(1s);
  CHECK(beta.messages.size() == 2);
}

TEST_CASE("that the clock was set back is told once for each time, also while the store refuses") {
  struct Lines final : LogSink {
    int told = 0;
    void write(LogLevel, std::string_view line) override {
      told += line.starts_with("event=queue.clock");
    }
  } lines;
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.log = Log(lines, LogLevel::Warn);
  auto ahead = [&] {
    f.loop.run(f.store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
      queue::set_low_water(tx, f.loop.now() + 9000h);
      return {};
    }));
  };
  ahead();
  f.start();
  f.run_for(2min);
  CHECK(lines.told == 1);
  ahead();
  f.store.fail_with(ErrorCode::Io);
  f.run_for(10min);
  CHECK(lines.told == 3);  // and why it cannot be mended
  f.store.fail_with({});
  f.submit({"x@beta.test"});
  f.run_for(10s);
  CHECK(lines.told == 3);
  CHECK(beta.messages.size() == 1);
}

TEST_CASE("what arrived by a clock that was ahead is given up after its time, too") {
  Fixture f;
  auto begin = f.loop.now();
  f.submit({"x@beta.test"});
  auto id = f.queued().at(0).message;
  f.loop.run(f.store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
    auto message = queue::get_message(tx, id).value();
    message.arrived = begin + 9000h;
    tx.put(queue::message_key(id), queue::encode(message));
    return {};
  }));
  f.start();
  f.run_until([&] { return f.queued().empty(); });
  CHECK(f.loop.now() - begin >= 115h);
  CHECK(f.loop.now() - begin < 125h);
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 2);
  CHECK(report_in(mails[0])[0].starts_with("delayed"));
  CHECK(report_in(mails[1])[0].starts_with("failed"));
}

TEST_CASE("a clock that leaps ahead delays nothing; what waits that long is told of") {
  struct Stopped final : Clock {
    Time time{};
    Time now() const override { return time; }
  } ages;
  Fixture f;
  ages.time = f.loop.now();
  f.ages = &ages;
  f.submit({"x@beta.test"});
  f.start();
  f.run_for(48h);
  CHECK(f.tried_at.size() > 5);
  CHECK(f.inbox(f.anna.id).empty());
  ages.time += 48h;
  f.run_for(12h);
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 1);
  CHECK(report_in(mails[0])[0].starts_with("delayed"));
}

TEST_CASE("nobody is told about what had no sender") {
  Fixture f;
  f.servers["192.0.2.1"].answers["RCPT"] = "550 5.1.1 no";
  f.submit({"x@beta.test"}, "");
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.anna.id).empty());
}

TEST_CASE("a bounce to another server is queued, and a bounce of it is not") {
  Fixture f;
  f.servers["192.0.2.1"].answers["RCPT"] = "550 5.1.1 no";
  f.servers["192.0.2.11"].answers["RCPT"] = "550 5.1.1 no";
  f.submit({"x@beta.test"}, "someone@gamma.test");
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(count(f.servers["192.0.2.11"], "MAIL FROM:<>") == 1);
}

TEST_CASE("hosts by preference; what one of them says counts only when it is all") {
  struct Case {
    std::string first, second;  ///< greeting; "" refuses the connection
    std::size_t queued, bounced;
    std::string delivered_by;
  };
  for (auto& c :
       {Case{"220 hi", "220 hi", 0, 0, "192.0.2.11"}, Case{"", "220 hi", 0, 0, "192.0.2.12"},
        Case{"421 4.3.2 busy", "220 hi", 0, 0, "192.0.2.12"},
        Case{"554 5.7.1 go away", "220 hi", 0, 0, "192.0.2.12"},
        Case{"554 5.7.1 go away", "554 5.7.1 go away", 0, 1, ""},
        Case{"554 5.7.1 go away", "", 1, 0, ""},
        Case{"554 5.7.1 go away", "421 4.3.2 busy", 1, 0, ""},
        Case{"CLOSE", "SILENCE", 1, 0, ""}}) {
    CAPTURE(c.first);
    CAPTURE(c.second);
    Fixture f;
    if (!c.first.empty()) f.servers["192.0.2.11"].answers[""] = c.first;
    if (!c.second.empty()) f.servers["192.0.2.12"].answers[""] = c.second;
    f.submit({"x@gamma.test"});
    f.start();
    f.run_until_idle();
    CHECK(f.queued().size() == c.queued);
    CHECK(f.inbox(f.anna.id).size() == c.bounced);
    for (auto& [address, server] : f.servers)
      CHECK(server.messages.size() == (address == c.delivered_by ? 1 : 0));
  }
}

TEST_CASE("TLS where it is offered, in clear where it fails, HELO where EHLO is unknown") {
  struct Case {
    std::string starttls, handshake, ehlo;
    int connections;
    std::string tls;
  };
  for (auto& c :
       {Case{"220 go", "", "", 1, "TLSv1.3 TLS_AES_128_GCM_SHA256"},
        Case{"454 4.7.0 not now", "", "", 2, ""}, Case{"220 go", "wrong version number", "", 2, ""},
        Case{"", "", "502 5.5.1 what?", 1, ""}}) {
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    if (!c.starttls.empty()) beta.answers["STARTTLS"] = c.starttls;
    if (!c.ehlo.empty()) beta.answers["EHLO"] = c.ehlo;
    beta.tls_refusal = c.handshake;
    f.submit({"x@beta.test"});
    auto id = f.queued()[0].message;
    f.start();
    f.run_until_idle();
    CHECK(f.queued().empty());
    CHECK(beta.connections == c.connections);
    CHECK(beta.messages.size() == 1);
    auto story = story::find_story(f.store.keys(), id);
    REQUIRE(story);
    REQUIRE(story->events.back().attempt);
    CHECK(story->events.back().attempt->tls == c.tls);
    CHECK(story->events.back().attempt->result == "delivered");
  }
}

TEST_CASE("shutdown: what is on the wire may end, the rest waits as if it had not been tried") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["."] = "SILENCE";
  f.settings_of_transmitter.connections_per_destination = 1;
  for (int i = 0; i < 3; ++i) f.submit({"x@beta.test"});
  f.submit({"x@gamma.test"});
  f.servers["192.0.2.11"].answers[""] = "SILENCE";
  f.start();
  f.run_for(10s);
  auto begin = f.loop.now();
  f.stop(5s);
  CHECK(f.loop.now() - begin < 10s);
  auto left = f.queued();
  REQUIRE(left.size() == 4);
  for (auto& entry : left) {
    CHECK(!entry.attempting);
    CHECK(entry.attempts == 0);
    CHECK(entry.interrupted == 0);
  }
  beta.answers.clear();
  f.servers["192.0.2.11"].answers.clear();
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
}

TEST_CASE("shutdown does not wait for a server that does not answer, nor for the DNS") {
  for (bool dns_is_silent : {false, true}) {
    Fixture f;
    SilentResolver silent;
    f.settings_of_transmitter.connect.open =
        [](Endpoint, std::optional<IpAddress>,
           milliseconds timeout) -> Task<Result<std::unique_ptr<net::Stream>>> {
      return no_answer(timeout);
    };
    auto& resolver = dns_is_silent ? static_cast<dns::Resolver&>(silent) : f.dns;
    f.submit({"x@beta.test"});
    f.submit({"x@gamma.test"});
    f.transmitter = make_transmitter(
        f.settings_of_transmitter,
        {f.store, *f.receiver, resolver, net::testing::client_tls(), f.loop, f.random}, {});
    f.transmitter->start();
    f.run_for(5s);
    REQUIRE(f.transmitter->attempting() == 2);
    auto begin = f.loop.now();
    f.stop(10s);
    CHECK(f.loop.now() - begin < 2s);
    REQUIRE(f.queued().size() == 2);
    for (auto& entry : f.queued()) {
      CHECK(!entry.attempting);
      CHECK(entry.attempts == 0);
    }
  }
}

TEST_CASE("shutdown waits for the message that is being sent") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["."] = "SLOW 250 2.0.0 ok";
  f.settings_of_transmitter.connections_per_destination = 1;
  f.submit({"x@beta.test"});
  f.submit({"y@beta.test"});
  f.start();
  f.run_for(5s);
  f.stop(30s);
  CHECK(beta.messages.size() == 1);
  REQUIRE(f.queued().size() == 1);
  CHECK(!f.queued()[0].attempting);
}

TEST_CASE("shutdown with a store that refuses takes no longer for many messages than for one") {
  // What was sent and could not be settled, and what is given back.
  for (bool sent : {true, false}) {
    CAPTURE(sent);
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    if (!sent) beta.answers["."] = "SILENCE";
    f.settings_of_transmitter.connections_per_destination = 1;
    for (int i = 0; i < 30; ++i) f.submit({"x@beta.test"});
    bool refusing = false;
    f.store.before_step = [&] {
      auto refuses = refusing || (sent && !beta.messages.empty());
      f.store.fail_with(refuses ? std::optional(ErrorCode::Io) : std::nullopt);
    };
    f.start();
    f.run_for(10s);
    REQUIRE(f.transmitter->attempting() == 30);
    refusing = true;
    auto begin = f.loop.now();
    f.stop(1s);
    CHECK(f.loop.now() - begin < 10s);
    f.store.before_step = {};
    f.store.fail_with({});
    CHECK(f.queued().size() == 30);
  }
}

TEST_CASE("shutdown settles what the store takes at the second try") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  for (int i = 0; i < 30; ++i) f.submit({"x@beta.test"});
  std::optional<Time> stopped;
  f.store.before_step = [&] {
    auto refuses = !beta.messages.empty() && (!stopped || f.loop.now() < *stopped + 500ms);
    f.store.fail_with(refuses ? std::optional(ErrorCode::Io) : std::nullopt);
  };
  f.start();
  f.run_for(10s);
  REQUIRE(f.transmitter->attempting() == 30);
  stopped = f.loop.now();
  f.stop(1s);
  CHECK(f.queued().size() < 30);
  for (auto& entry : f.queued()) CHECK(!entry.attempting);
}

TEST_CASE("what a crash cut off is tried again, and held at the third time") {
  Fixture f;
  f.submit({"x@beta.test"});
  auto entry = f.queued()[0];
  for (int i = 0; i < 2; ++i) {
    f.change([&](store::Transaction& tx) -> Result<void> {
      TRY_DO(queue::begin_attempt(tx, entry.message, 0, f.loop.now()));
      queue::recover_interrupted(tx, f.loop.now());
      return {};
    });
  }
  f.change([&](store::Transaction& tx) {
    return queue::begin_attempt(tx, entry.message, 0, f.loop.now());
  });
  f.start();
  f.run_for(1h);
  CHECK(f.queued()[0].state == queue::State::Held);
  CHECK(f.tried.empty());
}

TEST_CASE("whoever owns a message that is held after three crashes is told once") {
  struct Case {
    std::string from, notify;
    bool anna;  ///< else postmaster, which is anna too: the words differ
  };
  for (auto& c : {Case{"anna@alpha.test", "", true}, Case{"", "", false},
                  Case{"anna@alpha.test", "NEVER", false}}) {
    CAPTURE(c.from);
    Fixture f;
    f.change([&](store::Transaction& tx) {
      f.anna.language = Language::Japanese;
      return auth::update_account(tx, f.anna);
    });
    f.submit({"x@beta.test"}, c.from);
    auto entry = f.queued()[0];
    auto crash = [&] {
      f.change([&](store::Transaction& tx) -> Result<void> {
        return queue::begin_attempt(tx, entry.message, 0, f.loop.now());
      });
    };
    if (c.notify == "NEVER") {
      f.change([&](store::Transaction& tx) -> Result<void> {
        auto message = *queue::get_message(tx, entry.message);
        entry.notify = queue::kNotifyNever;
        TRY_DO(queue::finish(tx, entry.message, 0));
        queue::add(tx, message, {entry});
        return {};
      });
    }
    for (int i = 0; i < 2; ++i) {
      crash();
      f.change([&](store::Transaction& tx) -> Result<void> {
        queue::recover_interrupted(tx, f.loop.now());
        return {};
      });
    }
    crash();
    f.store.fail_with(ErrorCode::NoSpace);
    f.start();
    f.run_for(1h);
    CHECK(f.inbox(f.anna.id).empty());
    f.store.fail_with({});
    f.run_for(1h);
    f.stop(0s);
    f.start();
    f.run_for(1h);
    auto mails = f.inbox(f.anna.id);
    REQUIRE(mails.size() == 1);
    auto mail = mime::parse_message(mails[0].bytes);
    auto text = mime::body_text(mail, mail.root());
    CHECK(mails[0].bytes.starts_with("Return-Path: <>\r\n"));
    CHECK(text.contains("hikyaku queue release " + story::to_text(entry.message)));
    CHECK(text.contains("<x@beta.test>"));
    CHECK(text.contains("Subject: hello"));
    CHECK(text.contains("三度"));
    CHECK(text.contains("of yours") == c.anna);
    CHECK(f.queued()[0].state == queue::State::Held);
    CHECK(f.tried.empty());
  }
}

TEST_CASE("what an alias sends on says so, to nobody else, and does not go round") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.submit({"away@alpha.test", "x@beta.test"}, "someone@gamma.test");
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  REQUIRE(beta.messages.size() == 2);
  std::ranges::sort(beta.messages);
  CHECK(beta.messages[0].starts_with("Delivered-To: away@alpha.test\r\nReceived: "));
  CHECK(beta.messages[1].starts_with("Received: "));
  CHECK(!beta.messages[1].contains("away@"));
  for (auto& message : beta.messages) {
    smtp::Transaction transaction;
    transaction.recipients.push_back({smtp::parse_mailbox("away@alpha.test").value(), {}});
    receive::Peer peer;
    peer.kind = receive::Peer::Kind::Server;
    auto incoming = f.receiver->begin(peer, transaction);
    f.loop.run(incoming->append(message));
    auto reply = f.loop.run(incoming->finish());
    CHECK(reply.positive() == message.starts_with("Received"));
  }
}

TEST_CASE("an entry that is dropped while it is sent takes nobody else's outcome with it") {
  Fixture f;
  f.submit({"x@beta.test", "y@beta.test"});
  auto& beta = f.servers["192.0.2.1"];
  auto id = f.queued()[0].message;
  beta.answers["."] = "SLOW 250 2.0.0 ok";
  f.start();
  f.run_for(5s);
  REQUIRE(f.transmitter->attempting() == 2);
  f.change([&](store::Transaction& tx) { return queue::finish(tx, id, 0); });
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(beta.messages.size() == 1);
}

TEST_CASE("a full disk keeps a bounce back, and nothing is sent twice") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["RCPT TO:<never@"] = "550 5.1.1 no";
  f.submit({"now@beta.test", "never@beta.test"});
  f.store.fail_with(ErrorCode::NoSpace);
  f.start();
  f.run_for(1h);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].recipient == "never@beta.test");
  CHECK(!f.queued()[0].attempting);
  CHECK(beta.messages.size() == 1);
  f.store.fail_with({});
  f.run_for(1h);
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.anna.id).size() == 1);
}

TEST_CASE("an outcome that cannot be stored is kept until it can be, and nothing is sent twice") {
  struct Case {
    ErrorCode code;
    std::string rcpt;  ///< how the server answers RCPT
    std::size_t queued, bounced, sent;
  };
  for (auto& c :
       {Case{ErrorCode::Io, "250 2.1.5 ok", 0, 0, 1}, Case{ErrorCode::Conflict, "250 ok", 0, 0, 1},
        Case{ErrorCode::Unavailable, "250 ok", 0, 0, 1},
        Case{ErrorCode::Io, "550 5.1.1 no", 0, 1, 0},
        Case{ErrorCode::Io, "450 4.2.1 later", 1, 0, 0}}) {
    CAPTURE(c.rcpt);
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    beta.answers["RCPT"] = c.rcpt;
    f.submit({"x@beta.test"});
    auto refusing = true;
    f.store.before_step = [&] {
      auto asked = count(beta, "RCPT") > 0;
      f.store.fail_with(asked && refusing ? std::optional(c.code) : std::nullopt);
    };
    f.start();
    f.run_for(3h);
    REQUIRE(f.queued().size() == 1);
    CHECK(f.queued()[0].attempting);
    CHECK(f.transmitter->attempting() == 1);
    refusing = false;
    f.run_for(5min);  // the longest wait, and less than a retry
    auto left = f.queued();
    REQUIRE(left.size() == c.queued);
    if (c.queued) CHECK(!left[0].attempting);
    CHECK(f.inbox(f.anna.id).size() == c.bounced);
    CHECK(f.transmitter->attempting() == 0);
    CHECK(beta.messages.size() == c.sent);
    CHECK(count(beta, "RCPT") == 1);
  }
}

TEST_CASE("a bounce whose rows cannot be written is not forgotten, nor told twice") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["RCPT TO:<never@"] = "550 5.1.1 no";
  f.submit({"now@beta.test", "never@beta.test"});
  auto id = f.queued()[0].message;
  int steps = 0;
  auto refusing = true;
  f.store.before_step = [&] {
    // The first step after the message is taken ends the delivery; the notice and what would put
    // it off fail.
    auto fails = refusing && !beta.messages.empty() && ++steps > 1;
    f.store.fail_with(fails ? std::optional(ErrorCode::Io) : std::nullopt);
  };
  f.start();
  f.run_for(1h);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].attempting);
  refusing = false;
  f.run_for(5min);
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(beta.messages.size() == 1);
  auto told = 0;
  auto story = story::find_story(f.store.keys(), id);
  for (auto& event : story->events) told += event.attempt && event.attempt->result == "bounced";
  CHECK(told == 1);
}

TEST_CASE("an attempt that nobody makes is taken up when its lease has run out") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.submit({"x@beta.test"});
  f.settings_of_transmitter.window = 0;
  f.start();  // takes nothing up by itself
  auto entry = f.queued()[0];
  f.change([&](store::Transaction& tx) {
    return queue::begin_attempt(tx, entry.message, 0, f.loop.now() + 1h);
  });
  f.run_for(50min);
  CHECK(f.queued()[0].attempting);
  f.run_for(30min);
  CHECK(!f.queued()[0].attempting);
  CHECK(f.queued()[0].interrupted == 1);
  f.stop(0s);
  f.settings_of_transmitter.window = 100;
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(beta.messages.size() == 1);
}

TEST_CASE("what a crash cut off is taken up though the store refuses at first") {
  Fixture f;
  f.servers["192.0.2.1"];
  f.submit({"x@beta.test"});
  auto entry = f.queued()[0];
  f.change([&](store::Transaction& tx) {
    return queue::begin_attempt(tx, entry.message, 0, f.loop.now() + 2h);
  });
  f.store.fail_with(ErrorCode::Io);
  f.start();
  f.run_for(1min);
  f.store.fail_with({});
  f.run_for(1min);
  CHECK(f.queued().empty());
}

TEST_CASE("a slow destination neither fills the window nor keeps every worker") {
  Fixture f;
  f.settings_of_transmitter.window = 40;
  f.settings_of_transmitter.window_per_destination = 20;
  f.settings_of_transmitter.connections = 2;
  f.servers["192.0.2.1"].answers["MAIL"] = "SILENCE";
  f.servers["192.0.2.11"];
  f.settings_of_transmitter.connections_per_destination = 1;
  for (int i = 0; i < 200; ++i) f.submit({"x@beta.test"});
  f.start();
  f.run_for(10s);
  auto begin = f.loop.now();
  f.submit({"x@gamma.test"});
  f.run_until([&] { return !f.servers["192.0.2.11"].messages.empty(); });
  CHECK(f.loop.now() - begin < 1min);
  CHECK(f.transmitter->attempting() <= 20);
}

TEST_CASE("more busy destinations than workers: each gets its turn") {
  Fixture f;
  f.settings_of_transmitter.connections = 1;
  f.settings_of_transmitter.messages_per_connection = 2;
  f.servers["192.0.2.1"];
  f.servers["192.0.2.11"];
  for (int i = 0; i < 20; ++i) f.submit({"x@beta.test"});
  f.submit({"x@gamma.test"});
  f.start();
  f.run_until([&] { return !f.servers["192.0.2.11"].messages.empty(); });
  REQUIRE(f.tried.size() > 1);
  CHECK(f.tried[1] == "192.0.2.11");
  f.run_until_idle();
  CHECK(f.queued().empty());
}

TEST_CASE("limits that a server tells are kept") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.offers = {"PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=2"};
  f.submit({"a@beta.test", "b@beta.test", "c@beta.test", "d@beta.test", "e@beta.test"});
  f.start();
  f.run_until_idle();
  CHECK(beta.messages.size() == 3);
  CHECK(beta.connections == 2);
  CHECK(f.queued().empty());
}

TEST_CASE("recipients of no destination only bounce, with the words they came with") {
  Fixture f;
  f.change([&](store::Transaction& tx) {
    f.bob.quota = 500;
    return auth::update_account(tx, f.bob);
  });
  f.submit({"bob@alpha.test", "sales@alpha.test"}, "anna@alpha.test",
           "Subject: big\r\n\r\n" + std::string(900, 'x') + "\r\n");
  CHECK(f.inbox(f.anna.id).size() == 1);
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.bob.id).empty());
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 2);
  CHECK(report_in(mails[1]) == Lines{"failed 5.2.2 bob@alpha.test"});
  CHECK(f.tried.empty());
}

TEST_CASE("a body that cannot be sent without harm is not sent") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.settings_of_transmitter.connections_per_destination = 1;
  // Binary content from a BDAT, or a body of old: a bare LF must not go out.
  f.submit({"x@beta.test"}, "anna@alpha.test", "Subject: x\r\n\r\nbare\nlf\r\n");
  f.submit({"y@beta.test"});
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(beta.messages.size() == 1);
  REQUIRE(f.inbox(f.anna.id).size() == 1);
  CHECK(report_in(f.inbox(f.anna.id)[0]) == Lines{"failed 5.6.0 x@beta.test"});
}

}  // namespace
}  // namespace hikyaku::transmit
