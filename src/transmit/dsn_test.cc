// Notices that senders ask for (RFC 3461): what goes on to other servers, what is told here.
#include <algorithm>
#include <doctest/doctest.h>

#include "dsn/parse.h"
#include "smtp/parameters.h"
#include "story/story.h"
#include "testing/mail_servers.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;
using testing::FakeServer;
using Lines = std::vector<std::string>;

struct Fixture : testing::SendingWorld {
  /// "x@beta.test NOTIFY=SUCCESS ORCPT=rfc822;y@z.test"; `mail`: RET and ENVID.
  void send(const Lines& recipients, std::string_view mail = "",
            std::string from = "anna@alpha.test") {
    smtp::Transaction transaction;
    constexpr smtp::PathRules kAny{.characters = smtp::Characters::Utf8, .limits = {}};
    if (!from.empty()) transaction.from.mailbox = smtp::parse_mailbox(from, kAny).value();
    transaction.parameters = smtp::parse_mail_parameters(mail).value();
    for (auto& to : recipients) {
      auto space = std::min(to.find(' '), to.size());
      transaction.recipients.push_back({smtp::parse_mailbox(to.substr(0, space), kAny).value(),
                                        smtp::parse_rcpt_parameters(to.substr(space)).value()});
    }
    submit(transaction, "From: anna@alpha.test\r\nSubject: hello\r\n\r\nthe body\r\n");
  }
  void send_all() {
    start();
    run_until_idle();
  }
  /// The recipients of all reports in anna's mailbox: "relayed 2.0.0 x@beta.test".
  Lines told() {
    Lines lines;
    for (auto& mail : inbox(anna.id)) {
      auto report = dsn::find_report(mime::parse_message(mail.bytes));
      if (!report) continue;
      for (auto& one : report->status.recipients)
        lines.push_back(std::string(one.action ? dsn::to_string(*one.action) : "?") + " " +
                        one.status->to_string() + " " + one.final.value);
    }
    std::ranges::sort(lines);
    return lines;
  }
  std::string report() {
    for (auto& mail : inbox(anna.id))
      if (mail.bytes.contains("multipart/report")) return mail.bytes;
    return {};
  }
  Lines said_to(const std::string& address, std::string_view verb) {
    Lines lines;
    for (auto& line : servers[address].said)
      if (line.starts_with(verb)) lines.push_back(line);
    return lines;
  }
};
constexpr auto kBeta = "192.0.2.1";

TEST_CASE("a server that offers DSN gets everything as it came, and tells the sender itself") {
  Fixture f;
  f.servers[kBeta].offers = {"PIPELINING", "DSN"};
  f.send({"a@beta.test NOTIFY=SUCCESS,DELAY ORCPT=RFC822;A+2BB@Old.test", "b@beta.test",
          "c@beta.test NOTIFY=NEVER", "d@beta.test NOTIFY=FAILURE,DELAY"},
         "RET=HDRS ENVID=QQ+20314+2B");
  f.send({"e@beta.test"});
  f.send_all();
  CHECK(f.said_to(kBeta, "MAIL") == Lines{"MAIL FROM:<anna@alpha.test> RET=HDRS ENVID=QQ+20314+2B",
                                          "MAIL FROM:<anna@alpha.test>"});
  CHECK(f.said_to(kBeta, "RCPT") ==
        Lines{"RCPT TO:<a@beta.test> NOTIFY=SUCCESS,DELAY ORCPT=RFC822;A+2BB@Old.test",
              "RCPT TO:<b@beta.test>", "RCPT TO:<c@beta.test> NOTIFY=NEVER",
              "RCPT TO:<d@beta.test> NOTIFY=FAILURE,DELAY", "RCPT TO:<e@beta.test>"});
  CHECK(f.told().empty());
  CHECK(f.queued().empty());
}

TEST_CASE("a server without DSN gets no parameters, and the sender a relayed notice") {
  Fixture f;
  f.servers[kBeta].answers["RCPT TO:<bad"] = "550 5.1.1 nobody";
  f.send({"a@beta.test NOTIFY=SUCCESS ORCPT=rfc822;old@alpha.test", "b@beta.test",
          "c@beta.test NOTIFY=FAILURE,DELAY", "d@beta.test NOTIFY=NEVER",
          "bad1@beta.test NOTIFY=SUCCESS", "bad2@beta.test NOTIFY=NEVER", "bad3@beta.test",
          "bad4@beta.test NOTIFY=FAILURE"},
         "RET=FULL ENVID=my+20id");
  auto id = f.queued()[0].message;
  f.send_all();
  CHECK(f.said_to(kBeta, "MAIL") == Lines{"MAIL FROM:<anna@alpha.test>"});
  for (auto& line : f.said_to(kBeta, "RCPT")) CHECK(line.ends_with("@beta.test>"));
  CHECK(f.told() == Lines{"failed 5.1.1 bad3@beta.test", "failed 5.1.1 bad4@beta.test",
                          "relayed 2.0.0 a@beta.test"});
  CHECK(f.queued().empty());
  CHECK(f.servers[kBeta].messages.size() == 1);
  for (auto& mail : f.inbox(f.anna.id)) {
    CHECK(mail.bytes.contains("\r\nOriginal-Envelope-Id: my id\r\n"));
    auto relayed = mail.bytes.contains("Action: relayed");
    CHECK(mail.bytes.contains("\r\nOriginal-Recipient: rfc822; old@alpha.test\r\n") == relayed);
    CHECK(mail.bytes.contains("Remote-MTA: dns; mx.beta.test"));
    CHECK(mail.bytes.contains("the body") == !relayed);  // RET is about failures
    CHECK(mail.bytes.contains("Subject: hello"));
  }
  auto story = story::tell(*story::find_story(f.store.keys(), id), Language::English);
  CHECK(
      story.contains("dsn: asked for: RET=FULL ENVID=my+20id <a@beta.test> NOTIFY=SUCCESS ORCPT="));
  CHECK(story.contains("the sender was told of the success for a@beta.test"));
  CHECK(story.contains("dsn: not sent: the sender wants none (NOTIFY)"));
  CHECK(story.contains("dsn: sent to: anna@alpha.test"));
}

TEST_CASE("RET decides how much of a message comes back") {
  for (std::string ret : {"", "RET=HDRS", "RET=FULL"}) {
    Fixture f;
    f.servers[kBeta].answers["RCPT"] = "550 5.1.1 nobody";
    f.send({"x@beta.test"}, ret);
    f.send_all();
    CHECK(f.report().contains("the body") == (ret == "RET=FULL"));
    CHECK(f.report().contains("message/rfc822") == (ret == "RET=FULL"));
  }
}

TEST_CASE("deliveries here are confirmed to who asks for it, aliases as they expand") {
  struct Case {
    std::string recipient;
    Lines told;
  };
  for (auto& c : {Case{"bob@alpha.test", {}}, Case{"bob@alpha.test NOTIFY=FAILURE,DELAY", {}},
                  Case{"bob@alpha.test NOTIFY=NEVER", {}},
                  Case{"bob@alpha.test NOTIFY=SUCCESS", {"delivered 2.0.0 bob@alpha.test"}},
                  Case{"bob+x@alpha.test NOTIFY=SUCCESS", {"delivered 2.0.0 bob+x@alpha.test"}},
                  Case{"sales@alpha.test NOTIFY=SUCCESS", {"delivered 2.0.0 sales@alpha.test"}},
                  Case{"team@alpha.test NOTIFY=SUCCESS", {"expanded 2.0.0 team@alpha.test"}},
                  Case{"team@alpha.test NOTIFY=FAILURE", {}},
                  Case{"away@alpha.test NOTIFY=SUCCESS", {"relayed 2.0.0 ext@beta.test"}}}) {
    CAPTURE(c.recipient);
    Fixture f;
    f.servers[kBeta];
    f.send({c.recipient});
    f.send_all();
    CHECK(f.told() == c.told);
    CHECK(f.queued().empty());
  }
}

TEST_CASE("everything that is to be told about one message here is one notice") {
  Fixture f;
  f.change([&](store::Transaction& tx) {
    f.bob.quota = 10;
    return auth::update_account(tx, f.bob);
  });
  f.servers[kBeta];
  f.send({"anna@alpha.test NOTIFY=SUCCESS", "sales@alpha.test NOTIFY=SUCCESS",
          "bob@alpha.test NOTIFY=SUCCESS,FAILURE", "team@alpha.test NOTIFY=SUCCESS"});
  f.send_all();
  // bob is full: nobody is told of a success that was none. team is still at bob's door.
  CHECK(f.told() == Lines{"delivered 2.0.0 anna@alpha.test", "delivered 2.0.0 sales@alpha.test",
                          "expanded 2.0.0 team@alpha.test", "failed 5.2.2 bob@alpha.test"});
  CHECK(f.inbox(f.anna.id).size() == 2);
}

TEST_CASE("aliases: one target inherits the wishes, several never confirm") {
  Fixture f;
  f.servers[kBeta].offers = {"PIPELINING", "DSN"};
  f.send({"away@alpha.test NOTIFY=SUCCESS ORCPT=rfc822;x@y.test"});
  f.send({"away@alpha.test"});
  f.send({"team@alpha.test NOTIFY=SUCCESS,FAILURE"}, "RET=FULL ENVID=1");
  f.send({"team@alpha.test NOTIFY=SUCCESS"});
  f.send({"team@alpha.test NOTIFY=SUCCESS", "ext@beta.test NOTIFY=SUCCESS"});
  f.send_all();
  CHECK(f.said_to(kBeta, "RCPT") ==
        Lines{"RCPT TO:<ext@beta.test> NOTIFY=SUCCESS ORCPT=rfc822;x@y.test",
              "RCPT TO:<ext@beta.test> ORCPT=rfc822;away@alpha.test",
              "RCPT TO:<ext@beta.test> NOTIFY=FAILURE ORCPT=rfc822;team@alpha.test",
              "RCPT TO:<ext@beta.test> NOTIFY=NEVER ORCPT=rfc822;team@alpha.test",
              "RCPT TO:<ext@beta.test> NOTIFY=SUCCESS ORCPT=rfc822;team@alpha.test"});
  CHECK(f.said_to(kBeta, "MAIL")[2] == "MAIL FROM:<anna@alpha.test> RET=FULL ENVID=1");
  CHECK(f.told() == Lines(3, "expanded 2.0.0 team@alpha.test"));
}

TEST_CASE("a report that returns 8-bit text says so to the next server") {
  Fixture f;
  f.servers["192.0.2.11"].offers = {"8BITMIME"};
  f.servers[kBeta].answers["RCPT"] = "550 5.1.1 nobody";
  smtp::Transaction transaction;
  constexpr smtp::PathRules kAny{.characters = smtp::Characters::AsciiOnly, .limits = {}};
  transaction.from.mailbox = smtp::parse_mailbox("someone@gamma.test", kAny).value();
  transaction.parameters.ret = smtp::Return::Full;
  transaction.parameters.body = smtp::Body::EightBitMime;
  transaction.recipients.push_back({smtp::parse_mailbox("x@beta.test", kAny).value(), {}});
  f.submit(transaction,
           "Subject: hello\r\n\r\nGr\xC3\xBC\xC3\x9F"
           "e\r\n");
  f.send_all();
  REQUIRE(f.said_to("192.0.2.11", "MAIL").size() == 1);
  CHECK(f.said_to("192.0.2.11", "MAIL")[0].ends_with(" BODY=8BITMIME"));
}

TEST_CASE("a null sender hears nothing") {
  Fixture f;
  f.servers[kBeta];
  f.send({"bob@alpha.test NOTIFY=SUCCESS", "x@beta.test NOTIFY=SUCCESS,FAILURE"}, "", "");
  CHECK(f.queued().size() == 1);
  f.send_all();
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.anna.id).empty());
}

TEST_CASE("delays are told to who asks, or says nothing") {
  struct Case {
    std::string notify;
    bool told;
  };
  for (auto& c : {Case{"", true}, Case{" NOTIFY=DELAY", true}, Case{" NOTIFY=FAILURE", false},
                  Case{" NOTIFY=NEVER", false}, Case{" NOTIFY=SUCCESS,FAILURE", false}}) {
    CAPTURE(c.notify);
    Fixture f;
    f.send({"x@beta.test" + c.notify});
    f.start();
    f.run_for(24h);
    CHECK(f.told().size() == (c.told ? 1 : 0));
  }
}

TEST_CASE("a full disk keeps a confirmation back, and nothing is sent twice") {
  Fixture f;
  f.servers[kBeta];
  f.send({"x@beta.test NOTIFY=SUCCESS"});
  f.store.fail_with(ErrorCode::NoSpace);
  f.start();
  f.run_for(1h);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].destination == queue::kNotice);
  CHECK(f.told().empty());
  f.store.fail_with({});
  f.run_for(1h);
  CHECK(f.told() == Lines{"relayed 2.0.0 x@beta.test"});
  CHECK(f.queued().empty());
  CHECK(f.servers[kBeta].messages.size() == 1);
}

}  // namespace
}  // namespace hikyaku::transmit
