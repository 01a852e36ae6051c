#include "transmit/transmitter.h"

#include <doctest/doctest.h>

#include "mime/text.h"
#include "story/story.h"
#include "transmit/sending_test.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;
using testing::FakeServer;

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

TEST_CASE("a bounce is in the language of whoever has the address here, else in the server's") {
  constexpr std::string_view kJapanese = "配送";  // in every notice in that language
  for (auto server : {Language::English, Language::Japanese}) {
    Fixture f;
    f.settings_of_transmitter.language = [&] { return server; };
    f.servers["192.0.2.1"].answers["RCPT"] = "550 5.1.1 no";
    auto& gamma = f.servers["192.0.2.11"];
    f.change([&](store::Transaction& tx) {
      f.bob.language = Language::Japanese;
      return auth::update_account(tx, f.bob);
    });
    for (auto from : {"anna@alpha.test", "bob@alpha.test", "someone@gamma.test"})
      f.submit({"x@beta.test"}, from);
    f.start();
    f.run_until_idle();
    auto text_of = [](const std::string& bytes) {
      auto message = mime::parse_message(bytes);
      return mime::body_text(message, message.parts.at(1));
    };
    CHECK_FALSE(text_of(f.inbox(f.anna.id).at(0).bytes).contains(kJapanese));
    CHECK(text_of(f.inbox(f.bob.id).at(0).bytes).contains(kJapanese));
    auto stranger = text_of(gamma.messages.at(0));
    CHECK(stranger.contains(kJapanese) == (server == Language::Japanese));
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
