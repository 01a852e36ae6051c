// Who gets a message, who does not, and what is said about it.
#include <doctest/doctest.h>

#include "dns/fake_resolver.h"
#include "queue/injector.h"
#include "receive/receiver.h"
#include "receive/receiving_world_test.h"
#include "story/story.h"

namespace hikyaku::receive {
namespace {

using Fixture = ReceivingWorld;

TEST_CASE("what was here before for an address does not go round again") {
  Fixture f;
  auto server = f.server();
  REQUIRE(
      f.send(server, Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage).positive());
  auto again = f.inbox(f.anna.id)[0].bytes;
  REQUIRE(
      f.send(server, Fixture::envelope("x@beta.test", {"away@alpha.test"}), kMessage).positive());
  auto number = story::to_text(f.last);
  auto sent_on =
      "Delivered-To: away@alpha.test\r\nReceived: by MX.alpha.test (a \\) with b) with "
      "ESMTP\r\n\tid " +
      number + "; now\r\n" + std::string(kMessage);
  auto hop = std::string("Received: from mx.alpha.test by mx.beta.test with SMTP id 1; now\r\n");
  auto replaced = [](std::string text, std::string_view from, std::string_view to) {
    return text.replace(text.find(from), from.size(), to);
  };
  struct Case {
    std::string message, to;
    bool refused;
  };
  for (auto& c : {
           Case{hop + again, "anna@alpha.test", true}, Case{hop + again, "Anna+x@alpha.test", true},
           Case{hop + again, "sales@alpha.test", true},  // leads to anna
           Case{hop + again, "bob@alpha.test", false}, Case{hop + sent_on, "away@alpha.test", true},
           Case{hop + sent_on, "AWAY@alpha.test", true},
           Case{hop + sent_on, "anna@alpha.test", false},
           Case{replaced(hop + again, "Received", "Authentication-Results: x; none\r\nReceived"),
                "anna@alpha.test", true},
           // What a sender has written itself.
           Case{"Delivered-To: anna@alpha.test\r\n" + std::string(kMessage), "anna@alpha.test",
                false},
           Case{"Delivered-To: anna@alpha.test\r\n" + hop + std::string(kMessage),
                "anna@alpha.test", false},
           Case{replaced(sent_on, number, "0000000000001"), "away@alpha.test", false},
           Case{replaced(sent_on, number, "nothing"), "away@alpha.test", false},
           Case{replaced(sent_on, "MX.alpha.test", "mx.beta.test"), "away@alpha.test", false},
           Case{replaced(sent_on, "away", "bob"), "bob@alpha.test", false},  // not that one's
           Case{std::string(kMessage) + sent_on, "away@alpha.test", false},  // in the body
       }) {
    CAPTURE(c.message);
    CAPTURE(c.to);
    auto reply = f.send(server, Fixture::envelope("x@beta.test", {c.to}), c.message);
    CHECK(reply.positive() == !c.refused);
    if (c.refused) CHECK(reply.to_string().starts_with("554 5.4.6 Mail forwarding loop"));
  }
  // One who has it does not keep it from others, and the sender is told.
  CHECK(f.send(server, Fixture::envelope("x@beta.test", {"anna@alpha.test", "bob@alpha.test"}),
               hop + again)
            .positive());
  auto bounces = f.queued();
  std::erase_if(bounces, [](auto& entry) { return entry.destination != queue::kNotice; });
  REQUIRE(bounces.size() == 1);
  CHECK(bounces[0].recipient == "anna@alpha.test");
  CHECK(bounces[0].last_reply.starts_with("554 5.4.6"));
  // People may send again what they have got, to themselves, too.
  auto own = replaced(again, "x@beta.test>\r\nTo", "anna@alpha.test>\r\nTo");
  CHECK(
      f.send(f.user(), Fixture::envelope("anna@alpha.test", {"anna@alpha.test"}), own).positive());
}

TEST_CASE("aliases, details, the catch-all, doubles, and other people's servers") {
  Fixture f;
  auto reply = f.send(f.server(),
                      Fixture::envelope("x@beta.test", {"team@alpha.test", "sales@alpha.test",
                                                        "Anna@ALPHA.test", "away@alpha.test"}),
                      kMessage);
  CHECK(reply.positive());
  CHECK(f.inbox(f.anna.id).size() == 1);  // once, however many ways lead there
  CHECK(f.inbox(f.bob.id).size() == 1);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].recipient == "ext@beta.test");
  CHECK(f.queued()[0].original == "team@alpha.test");
  CHECK(f.queued()[0].destination == "beta.test");
  auto bob = f.inbox(f.bob.id)[0].bytes;
  CHECK(bob.find("Delivered-To: bob@alpha.test") != std::string::npos);
  CHECK(bob.find("anna+") == std::string::npos);
  CHECK(mime::HeaderView(bob).value("Received").find(" for ") == std::string::npos);
  f.change([&](store::Transaction& tx) {
    return auth::set_catch_all(tx, "alpha.test", "bob@alpha.test");
  });
  CHECK(f.send(f.server(), Fixture::envelope("", {"whoever@alpha.test"}), kMessage).positive());
  CHECK(f.inbox(f.bob.id).size() == 2);
  CHECK(f.inbox(f.bob.id)[1].bytes.starts_with("Return-Path: <>\r\n"));
}

TEST_CASE("a list's dead member is told in the story and the log, and not to the sender") {
  Fixture f;
  f.change([](store::Transaction& tx) -> Result<void> {
    return auth::add_alias(
        tx, "list@alpha.test",
        {"anna@alpha.test", "bob@alpha.test", "nobody@alpha.test", "carl@alpha.test"});
  });
  struct Lines final : LogSink {
    std::vector<std::string> texts;
    void write(LogLevel, std::string_view line) override { texts.emplace_back(line); }
  } lines;
  auto peer = f.server();
  peer.log = Log(lines, LogLevel::Warn);
  auto to_list = Fixture::envelope("x@beta.test", {"list@alpha.test", "list+1@alpha.test"});
  REQUIRE(f.send(peer, to_list, kMessage).positive());
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(f.inbox(f.bob.id).size() == 1);
  CHECK(f.queued().empty());  // no bounce
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story->recipients.size() == 4);
  auto& nobody = story->recipients[2];
  CHECK(nobody.kind == story::RecipientOutcome::Kind::Lost);
  CHECK(nobody.address == "list@alpha.test");
  CHECK(nobody.detail == "alias list@alpha.test: nobody@alpha.test: nobody has this address");
  CHECK(story->recipients[3].detail ==
        "alias list@alpha.test: carl@alpha.test: the account is switched off");
  CHECK(story::tell(*story, Language::English).contains("nobody@alpha.test: nobody has"));
  CHECK(story::tell(*story, Language::Japanese).contains("nobody@alpha.test: この"));
  REQUIRE(lines.texts.size() == 2);
  CHECK(lines.texts[0].contains("event=recipient.lost"));
  CHECK(lines.texts[0].contains("nobody@alpha.test: nobody has"));
}

TEST_CASE("the only live member of a list is full: nobody is left, whoever else it names") {
  Fixture f;
  f.change([&](store::Transaction& tx) -> Result<void> {
    f.bob.quota = 1;
    TRY_DO(auth::update_account(tx, f.bob));
    return auth::add_alias(tx, "list@alpha.test", {"bob@alpha.test", "nobody@alpha.test"});
  });
  auto reply = f.send(f.server(), Fixture::envelope("x@beta.test", {"list@alpha.test"}), kMessage);
  CHECK(reply.code == 452);
}

TEST_CASE("the directory changes between RCPT and the end of data") {
  Fixture f;
  auto remove_bob = [&](store::Transaction& tx) {
    return auth::remove_account(tx, "bob@alpha.test", Time{});
  };
  SUBCASE("the only recipient has gone") {
    f.change(remove_bob);
    auto reply = f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), kMessage);
    CHECK(reply.to_string() == "550 5.1.1 No such mailbox: <bob@alpha.test>");
    CHECK(f.queued().empty());
  }
  SUBCASE("one of two has gone: the other gets it, the sender gets a bounce") {
    f.change(remove_bob);
    auto reply =
        f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test", "anna@alpha.test"}),
               kMessage);
    CHECK(reply.positive());
    CHECK(f.inbox(f.anna.id).size() == 1);
    REQUIRE(f.queued().size() == 1);
    CHECK(f.queued()[0].destination == queue::kNotice);
    CHECK(f.queued()[0].last_reply == "550 5.1.1 No such mailbox: <bob@alpha.test>");
  }
  SUBCASE("between plan and commit: the plan is made anew") {
    int steps = 0;
    f.store.before_step = [&] {
      if (++steps == 1) f.change(remove_bob);
    };
    auto reply =
        f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test", "anna@alpha.test"}),
               kMessage);
    CHECK(reply.positive());
    CHECK(steps == 2);
    CHECK(f.inbox(f.anna.id).size() == 1);
    CHECK(f.queued().size() == 1);
  }
  SUBCASE("again and again: later, and nothing is left behind") {
    int steps = 0;
    f.store.before_step = [&] {
      f.change([&](store::Transaction& tx) {
        return auth::add_alias(tx, "a" + std::to_string(++steps) + "@alpha.test",
                               {"anna@alpha.test"});
      });
    };
    auto reply =
        f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage);
    CHECK(reply.code == 451);
    f.store.before_step = {};
    CHECK(f.inbox(f.anna.id).empty());
  }
}

TEST_CASE("a full mailbox") {
  Fixture f;
  f.change([&](store::Transaction& tx) {
    f.bob.quota = 1000;
    return auth::update_account(tx, f.bob);
  });
  auto big = std::string(kMessage) + std::string(1000, 'x');
  auto ask = [&](std::string_view address, std::uint64_t size) {
    auto refusal =
        f.loop.run(f.receiver->check_recipient(f.server(), Fixture::mailbox(address), size));
    return refusal ? refusal->code : 250;
  };
  CHECK(ask("bob@alpha.test", 0) == 250);
  CHECK(ask("bob@alpha.test", 1000) == 250);
  CHECK(ask("bob@alpha.test", 1001) == 452);
  CHECK(ask("team@alpha.test", 1001) == 250);  // the others get theirs
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), big).code == 452);
  CHECK(f.queued().empty());
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"team@alpha.test"}), big).positive());
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(f.inbox(f.bob.id).empty());
  CHECK(f.queued().size() == 2);  // ext@beta.test, and the bounce about bob
  // What has no sender, nobody could be told about: it is to be sent again, without bob.
  CHECK(
      f.send(f.server(), Fixture::envelope("", {"bob@alpha.test", "anna@alpha.test"}), big).code ==
      452);
  CHECK(f.queued().size() == 2);
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(f.send(f.server(), Fixture::envelope("", {"anna@alpha.test"}), big).positive());
}

TEST_CASE("nobody is left out for a sender who may be forged, for no bounce can tell of it") {
  Fixture f;
  dns::FakeResolver dns("forged.test. TXT \"v=spf1 -all\"\n");
  f.settings.authentication.host_name = f.settings.host_name;
  f.receiver =
      make_receiver(f.settings, {f.store, f.pool, f.loop, f.random, f.large_messages, &dns}, {});
  f.change([&](store::Transaction& tx) {
    f.bob.quota = 1000;
    return auth::update_account(tx, f.bob);
  });
  auto big = std::string(kMessage) + std::string(1000, 'x');
  auto give = [&](std::string_view from, const std::vector<std::string>& recipients) {
    auto envelope = Fixture::envelope(from, recipients);
    auto peer = f.server();
    peer.client = f.receiver->meet(peer.endpoint.address);
    f.loop.run(f.receiver->check_sender(peer, envelope.from));
    return f.send(peer, envelope, big).code;
  };
  CHECK(give("x@forged.test", {"bob@alpha.test", "anna@alpha.test"}) == 452);
  CHECK(f.queued().empty());
  CHECK(!story::find_story(f.store.keys(), f.last));
  CHECK(give("x@forged.test", {"anna@alpha.test"}) == 250);
  // One of several behind an alias: it has come to the others.
  CHECK(give("x@forged.test", {"team@alpha.test"}) == 250);
  CHECK(f.queued().size() == 1);  // ext@beta.test, and no bounce
  CHECK(give("x@honest.test", {"bob@alpha.test", "anna@alpha.test"}) == 250);
  CHECK(f.queued().size() == 2);  // the bounce about bob
}

TEST_CASE("messages of our own: recipients that are unknown are dropped, what goes along happens") {
  Fixture f;
  auto inject = [&](std::vector<std::string> recipients) {
    bool also = false;
    auto injected = f.loop.run(f.receiver->inject({.mail_from = "",
                                                   .recipients = std::move(recipients),
                                                   .message = std::string(kMessage),
                                                   .protocol = "BOUNCE"},
                                                  [&](store::Transaction&) -> Result<void> {
                                                    also = true;
                                                    return {};
                                                  }));
    CHECK(injected);
    CHECK(also);
  };
  inject({"anna@alpha.test"});
  CHECK(f.inbox(f.anna.id).size() == 1);
  inject({"nobody@alpha.test"});
  CHECK(f.queued().empty());
  inject({"x@beta.test"});
  CHECK(f.queued().size() == 1);
}

}  // namespace
}  // namespace hikyaku::receive
