#include <doctest/doctest.h>

#include "mailbox/digest.h"
#include "receive/receiver.h"
#include "receive/receiving_world_test.h"
#include "reports/received.h"
#include "story/story.h"

namespace hikyaku::receive {
namespace {

using Fixture = ReceivingWorld;

TEST_CASE("a full queue puts off what would be queued, and nothing else") {
  Fixture f;
  f.settings.max_queued = 2;
  f.make_receiver();
  auto at_rcpt = [&](const Peer& peer, std::string_view to, std::uint64_t size = 0) {
    auto refusal = f.loop.run(f.receiver->check_recipient(peer, Fixture::mailbox(to), size));
    return refusal ? refusal->code : 250;
  };
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"x@beta.test", "y@beta.test"}),
               kFromAnna)
            .positive());
  REQUIRE(f.queued().size() == 2);
  CHECK(at_rcpt(f.user(), "z@beta.test") == 452);
  CHECK(at_rcpt(f.server(), "away@alpha.test") == 452);
  CHECK(at_rcpt(f.server(), "z@beta.test") == 550);
  CHECK(at_rcpt(f.server(), "bob@alpha.test") == 250);

  // They were told yes before the queue was full.
  auto late = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"z@beta.test"}), kFromAnna);
  CHECK(late.to_string().starts_with("452 4.3.1"));
  late = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test", "z@beta.test"}),
                kFromAnna);
  CHECK(late.to_string().starts_with("452 4.3.1"));
  CHECK(f.inbox(f.bob.id).empty());
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), kMessage)
            .positive());
  CHECK(f.inbox(f.bob.id).size() == 1);

  // What is told to the sender of something that was accepted goes on.
  queue::Injection bounce{"", {"x@beta.test"}, std::string(kMessage), "BOUNCE"};
  CHECK(f.loop.run(f.receiver->inject(bounce, {})));
  CHECK(f.queued().size() == 3);

  // A notice of success, which a stranger has asked for, does not.
  auto confirmed = Fixture::envelope("x@beta.test", {"bob@alpha.test"});
  confirmed.recipients[0].parameters.notify = smtp::Notify{.success = true};
  for (int i = 0; i < 3; ++i) CHECK(f.send(f.server(), confirmed, kMessage).positive());
  CHECK(f.inbox(f.bob.id).size() == 4);
  CHECK(f.queued().size() == 3);
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story);
  CHECK(story->arrival->findings.back().result == "left out");

  f.settings.max_queued = 10;
  f.settings.max_queued_bytes = 100'000;
  f.make_receiver();
  CHECK(f.send(f.server(), confirmed, kMessage).positive());
  CHECK(f.queued().size() == 4);
  CHECK(at_rcpt(f.user(), "z@beta.test", 90'000) == 250);
  CHECK(at_rcpt(f.user(), "z@beta.test", 100'000) == 452);
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"z@beta.test"}),
               std::string(kFromAnna) + std::string(100'000, 'x'))
            .code == 452);
}

TEST_CASE("a report too many is to come again; what others get is theirs") {
  Fixture f;
  auto report = Fixture::envelope("x@beta.test", {"dmarc-reports@alpha.test"});
  CHECK(f.send(f.server(), report, kMessage).positive());
  auto sender = reports::list_taken(f.store.keys(), 1).at(0).sender;
  for (std::uint64_t i = 1; i < reports::kMostUnprovedADay; ++i)
    REQUIRE(reports::take_in(f.store.keys(), {1000 + i, 0, f.loop.now(), "", sender},
                             store::MemoryTransaction::stage("mail")));
  CHECK(f.send(f.server(), report, kMessage).to_string().starts_with("452 4.3.2"));
  auto both = Fixture::envelope("x@beta.test", {"dmarc-reports@alpha.test", "bob@alpha.test"});
  CHECK(f.send(f.server(), both, kMessage).positive());
  CHECK(f.inbox(f.bob.id).size() == 1);
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story);
  CHECK(story->recipients.at(0).kind == story::RecipientOutcome::Kind::Refused);
  CHECK(story->recipients.at(0).detail.starts_with("452 4.3.2"));
}

TEST_CASE("a message has our fields in front, and its digest speaks of all of it") {
  Fixture f;
  auto reply =
      f.send(f.server(), Fixture::envelope("x@beta.test", {"anna+list@alpha.test"}), kMessage);
  CHECK(reply.to_string() == "250 2.0.0 Accepted as " + story::to_text(f.last));
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 1);
  auto& bytes = mails[0].bytes;
  CHECK(
      bytes.starts_with("Return-Path: <x@beta.test>\r\nDelivered-To: anna@alpha.test\r\n"
                        "Received: from mx.beta.test ([198.51.100.7])\r\n"));
  CHECK(bytes.ends_with(kMessage));
  auto received = mime::HeaderView(bytes).value("Received");
  for (auto part : {"by mx.alpha.test", "with ESMTPS", "TLSv1.3", "for <anna+list@alpha.test>"})
    CHECK(received.find(part) != std::string::npos);
  CHECK(received.find(story::to_text(f.last)) != std::string::npos);
  CHECK(mails[0].record.size == bytes.size());
  auto digest = mailbox::make_digest(mails[0].record.prefix, kMessage);
  CHECK(mails[0].record.digest.envelope == digest.envelope);
  CHECK(mails[0].record.digest.header_fields == digest.header_fields);
  CHECK(digest.header_fields.find("Delivered-To: anna@alpha.test") != std::string::npos);
}

TEST_CASE("errors of the store") {
  for (auto [code, reply] : {std::pair{ErrorCode::NoSpace, 452}, std::pair{ErrorCode::Io, 451},
                             std::pair{ErrorCode::Shutdown, 421}}) {
    Fixture f;
    f.store.fail_with(code);
    CHECK(
        f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage).code ==
        reply);
    f.store.fail_with({});
    CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage)
              .positive());
    CHECK(f.inbox(f.anna.id).size() == 1);
  }
}

TEST_CASE("UTF-8 is asked of the next server only where the header needs it") {
  Fixture f;
  for (bool needed : {true, false}) {
    auto envelope = Fixture::envelope("anna@alpha.test", {"x@beta.test"});
    envelope.parameters.smtputf8 = true;
    f.send(f.user(), envelope,
           needed ? "Subject: \xC3\xA4\r\n\r\nx" : "Subject: a\r\n\r\n\xC3\xA4");
    CHECK(queue::get_message(f.store.keys(), f.last)->smtputf8 == needed);
  }
}

TEST_CASE("a dictionary attack does not fill the story; users' refusals are all told") {
  Fixture f;
  for (int i = 0; i < 200; ++i) {
    auto from = "guess" + std::to_string(i) + "@beta.test";
    f.loop.run(f.receiver->refused(f.server(), from, {{"nobody@alpha.test", {550, {}, "no"}}}));
  }
  auto told = [&](std::string_view address) {
    return story::find_by_address(f.store.keys(), address, Time{}, 1000).size();
  };
  CHECK(told("nobody@alpha.test") == 120);
  f.loop.run(f.receiver->refused(f.user(), "anna@alpha.test", {{"a@b.test", {550, {}, "no"}}}));
  CHECK(told("a@b.test") == 1);
  f.loop.advance(std::chrono::minutes(1));
  f.loop.run(
      f.receiver->refused(f.server(), "x@beta.test", {{"nobody@alpha.test", {550, {}, "no"}}}));
  CHECK(told("nobody@alpha.test") == 121);
}

TEST_CASE("the story knows how it came and where it went") {
  Fixture f;
  f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test", "away@alpha.test"}),
         kMessage);
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story);
  REQUIRE(story->arrival);
  CHECK(story->arrival->peer == "198.51.100.7:40000");
  CHECK(story->arrival->header_from == "x@beta.test");
  CHECK(story->arrival->subject == "hello");
  REQUIRE(story->recipients.size() == 2);
  using Kind = story::RecipientOutcome::Kind;
  CHECK(story->recipients[1].taker == "ext@beta.test");
  CHECK(story->recipients[0].kind == Kind::Delivered);
  CHECK(story->recipients[0].detail == "mailbox INBOX of anna@alpha.test, UID 1");
  CHECK(story->recipients[1].kind == Kind::Queued);
}

}  // namespace
}  // namespace hikyaku::receive
