// What was in a mail is kept with the mail's end, in one step or not at all.
#include "reports/keep.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "dmarc/report_mail.h"
#include "reports/digest.h"
#include "reports/read_report.h"
#include "reports/received.h"
#include "reports/report_mails_test.h"
#include "reports/summary.h"
#include "story/story.h"

namespace hikyaku::reports {
namespace {

TEST_CASE("a mail goes when what was in it is kept, and not before") {
  struct Case {
    std::string mail;
    int steps;  ///< transactions that it takes
  };
  for (auto& c :
       {Case{mail_with("text/xml", xml("1", 300), "a.xml"), 2},
        Case{mail_with("text/xml", xml("1", 0), "a.xml"), 1}, Case{std::string(kFailureMail), 1}}) {
    for (int good = 0; good < c.steps; ++good) {
      CAPTURE(good);
      World world;
      auto& keys = world.store.keys();
      REQUIRE(take_in(keys, {7, 0, kNoon, "d@big.test", kBig},
                      store::MemoryTransaction::stage("mail")));
      auto taken = list_taken(keys, 10).at(0);
      auto digest = digest_of(read_report(c.mail));
      auto try_it = [&] {
        return world.loop.run(
            keep(world.store, taken, digest,
                 [](store::Reader&, std::string_view domain) { return domain == "alpha.test"; }));
      };
      int left = good;
      world.store.before_step = [&] {
        if (left-- == 0) world.store.fail_with(ErrorCode::NoSpace);
      };
      CHECK_FALSE(try_it());
      CHECK(list_taken(keys, 10).size() == 1);
      CHECK(list_received(keys, 0, {}, 10).reports.empty());
      CHECK(list_failures(keys, 0, 10).empty());
      world.store.fail_with({});
      auto kept = try_it();
      REQUIRE(kept);
      auto is_failure = digest.kind == ReadReport::Kind::Failure;
      CHECK(kept->what == (is_failure ? Kept::What::Failure : Kept::What::Report));
      CHECK(list_taken(keys, 10).empty());
      CHECK(keys.bodies().at(taken.body).owners.empty());
      CHECK(list_failures(keys, 0, 10).size() == (is_failure ? 1 : 0));
      auto reports = list_received(keys, 0, {}, 10).reports;
      REQUIRE(reports.size() == (is_failure ? 0 : 1));
      if (!is_failure)
        CHECK(read_received_rows(keys, reports[0], {}, 1000).rows.size() == digest.rows.size());
    }
  }
}

TEST_CASE("the newest failures of a domain, however many others are newer") {
  store::MemoryTransaction tx;
  tx.begin();
  for (std::uint64_t id = 1; id <= 20; ++id) {
    ReceivedFailure failure;
    failure.day = day_of(kNoon);
    failure.id = id;
    failure.domain = id <= 2 ? "quiet.test" : "loud.test";
    put_failure(tx, failure);
  }
  auto of_quiet = [](auto& one) { return one.domain == "quiet.test"; };
  auto found = list_failures(tx, 0, 1, of_quiet);
  REQUIRE(found.size() == 1);
  CHECK(found[0].id == 2);
  CHECK(list_failures(tx, 0, 10, of_quiet).size() == 2);
  CHECK(list_failures(tx, 0, 10).size() == 10);
}

TEST_CASE("of two mails with the same report, kept at the same time, one is kept") {
  auto ours = [](store::Reader&, std::string_view) { return true; };
  for (int rows : {3, 600}) {
    CAPTURE(rows);
    World world;
    auto& keys = world.store.keys();
    for (story::MessageId id : {7, 8})
      REQUIRE(take_in(keys, {id, 0, kNoon, "d@big.test", kBig},
                      store::MemoryTransaction::stage("mail")));
    auto mails = list_taken(keys, 10);
    auto digest = digest_of(read_report(mail_with("text/xml", xml("1", rows), "a.xml")));
    int steps = rows / 250;  // those before the last
    world.store.before_step = [&] {
      if (steps-- != 0) return;
      put_received(keys, received_report(mails[1], digest));
      finish_taken(keys, mails[1]);
    };
    auto kept = world.loop.run(keep(world.store, mails[0], digest, ours));
    REQUIRE(kept);
    CHECK(kept->what == Kept::What::Known);
    CHECK(list_taken(keys, 10).empty());
    auto listed = list_received(keys, 0, {}, 10).reports;
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].id == 8);
    CHECK(read_received_rows(keys, kept->report, {}, 1000).rows.empty());
  }
}

TEST_CASE("what nobody is shown to have sent is not counted, and keeps nothing out") {
  using State = Sender::State;
  const Sender evil{State::Proved, "evil.test"};
  auto ours = [](store::Reader&, std::string_view domain) { return domain == "alpha.test"; };
  for (auto& forger : {Sender{State::Failed, "big.test"}, Sender{State::NoPolicy, "big.test"},
                       Sender{State::CannotAsk, "big.test"}, Sender{State::NoAuthor, ""},
                       Sender{State::Unchecked, ""}, evil}) {
    CAPTURE(to_string(forger.state));
    auto proved = forger == evil;
    World world;
    auto& keys = world.store.keys();
    story::MessageId id = 6;
    auto bring = [&](const Sender& sender, std::string_view mail) {
      REQUIRE(take_in(keys, {++id, 0, kNoon, "x@evil.test", sender},
                      store::MemoryTransaction::stage("mail")));
      auto kept = world.loop.run(
          keep(world.store, list_taken(keys, 1).at(0), digest_of(read_report(mail)), ours));
      REQUIRE(kept);
      CHECK(list_taken(keys, 1).empty());
      return kept->what;
    };
    auto mail = mail_with("text/xml", xml("1", 3), "a.xml");
    CHECK(bring(forger, mail) == (proved ? Kept::What::Report : Kept::What::Unproved));
    CHECK(bring(kBig, mail) == Kept::What::Report);
    CHECK(bring(kBig, mail) == Kept::What::Known);
    CHECK(bring(forger, mail) == (proved ? Kept::What::Known : Kept::What::Unproved));
    CHECK(bring(forger, kFailureMail) == Kept::What::Failure);
    CHECK(list_failures(keys, 0, 10).at(0).sender == forger);
    CHECK(list_received(keys, 0, {}, 10).reports.size() == (proved ? 2 : 1));
    auto unproved = list_unproved(keys, day_of(kNoon), 10);
    CHECK(unproved.size() == (proved ? 0 : 2));
    if (proved) continue;
    CHECK(unproved[0].id == 10);
    CHECK(unproved[0].messages == 6);
    CHECK(unproved[0].sender == forger);
    auto noted = [&](story::MessageId of) {
      return story::find_story(keys, of).value().events.at(0).note.value().text;
    };
    CHECK(noted(7) ==
          "not counted: a report about alpha.test (messages: 6, passed: 6): " + reason(forger));
    CHECK(noted(11) == "read, unproved: a failure report about alpha.test: " + reason(forger));
    trim_received(keys, day_of(kNoon) + 1);
    CHECK(list_unproved(keys, 0, 10).empty());
  }
}

TEST_CASE("what is of no use goes, also on a full disk; what could not be read is noted") {
  World world;
  auto& keys = world.store.keys();
  for (story::MessageId id : {7, 8, 9})
    REQUIRE(
        take_in(keys, {id, 0, kNoon, "d@big.test", kBig}, store::MemoryTransaction::stage("mail")));
  CHECK(list_taken(keys, 10, 7).size() == 2);
  CHECK(list_taken(keys, 10, 9).empty());
  world.store.fail_with(ErrorCode::NoSpace);
  auto kept = [&](story::MessageId before, std::string_view mail) {
    auto taken = list_taken(keys, 1, before).at(0);
    return world.loop
        .run(keep(world.store, taken, digest_of(read_report(mail)),
                  [](store::Reader&, std::string_view) { return false; }))
        .value()
        .what;
  };
  CHECK(kept(0, mail_with("text/xml", xml("1", 3), "a.xml")) == Kept::What::NotOurs);
  CHECK(kept(7, kFailureMail) == Kept::What::NotOurs);
  CHECK(list_unread(keys, 0, 10).empty());
  CHECK(kept(8, "Subject: x\r\n\r\nx\r\n") == Kept::What::Unreadable);
  CHECK(list_taken(keys, 10).empty());
  auto unread = list_unread(keys, day_of(kNoon), 10);
  REQUIRE(unread.size() == 1);
  CHECK(unread[0].id == 9);
  CHECK(unread[0].when == kNoon);
  CHECK(unread[0].mail_from == "d@big.test");
  CHECK(unread[0].problem == "there is no report in the mail");
  CHECK_FALSE(unread[0].bounced);
  auto noted = [&](story::MessageId id) {
    auto story = story::find_story(keys, id);
    return story && story->events.size() == 1 ? story->events[0].note.value().text : "";
  };
  CHECK(noted(7) == "ignored: a report about alpha.test (not our domain)");
  CHECK(noted(9) == "could not be read: there is no report in the mail");
  trim_received(keys, day_of(kNoon) + 1);
  CHECK(list_unread(keys, 0, 10).empty());
}

TEST_CASE("a report of ours that came back is told as such, with the domain that asked for it") {
  struct Case {
    std::string subject, about;
  };
  for (auto& c :
       {Case{dmarc::format_report_subject({"other.test", "alpha.test", "1"}), "other.test"},
        Case{dmarc::format_failure_subject("Other.test"), "other.test"},
        Case{dmarc::format_failure_subject("unknown domain"), ""}, Case{"Lunch?", ""}}) {
    CAPTURE(c.subject);
    World world;
    auto& keys = world.store.keys();
    REQUIRE(take_in(keys, {7, 0, kNoon, ""}, store::MemoryTransaction::stage("mail")));
    auto digest = decode_digest(
        encode_digest(digest_of(read_report(fmt::format(fmt::runtime(kBounceMail), c.subject)))));
    REQUIRE(digest);
    auto kept = world.loop.run(keep(world.store, list_taken(keys, 1).at(0), std::move(*digest),
                                    [](store::Reader&, std::string_view) { return false; }));
    REQUIRE(kept);
    CHECK(kept->what == Kept::What::Bounce);
    CHECK(kept->domain == c.about);
    auto unread = list_unread(keys, 0, 10);
    REQUIRE(unread.size() == 1);
    CHECK(unread[0].bounced == Bounced{"r@other.test", c.about});
    CHECK(unread[0].problem == "550 5.1.1 no such user");
    CHECK(list_taken(keys, 10).empty());
    auto story = story::find_story(keys, 7);
    REQUIRE((story && story->events.size() == 1 && story->events[0].note));
    CHECK(story->events[0].note->text ==
          "a report of ours did not reach r@other.test: 550 5.1.1 no such user");
  }
}

TEST_CASE("a record whose count is no number is left out, and told") {
  auto with = [](std::string_view first, std::string_view second) {
    auto text = xml("1", 2);
    for (auto count : {first, second})
      text.replace(text.find("<count>2<"), 9, "<count>" + std::string(count) + "<");
    return read_report(mail_with("text/xml", text, "a.xml"));
  };
  for (auto bad : {"1e9", "-5", "100000000000000000000000", "18446744073709551615", "", "x"}) {
    CAPTURE(bad);
    auto read = with("7", bad);
    REQUIRE(read.kind == ReadReport::Kind::Aggregate);
    CHECK(read.rows.size() == 1);
    auto digest = decode_digest(encode_digest(digest_of(read)));
    REQUIRE(digest);
    World world;
    auto& keys = world.store.keys();
    REQUIRE(
        take_in(keys, {7, 0, kNoon, "d@big.test", kBig}, store::MemoryTransaction::stage("mail")));
    REQUIRE(world.loop.run(keep(world.store, list_taken(keys, 1).at(0), std::move(*digest),
                                [](store::Reader&, std::string_view) { return true; })));
    CHECK(story::find_story(keys, 7).value().events.at(0).note.value().text ==
          "read: a report about alpha.test (messages: 7, passed: 7, records left out as "
          "unreadable: 1)");
    auto kept = list_received(keys, 0, {}, 10).reports;
    REQUIRE(kept.size() == 1);
    Summary summary;
    summary.add(kept[0]);
    CHECK(summary.take().at(0).left_out == 1);

    auto none = with(bad, bad);
    CHECK(none.kind == ReadReport::Kind::Other);
    CHECK(none.problem == "none of the 2 records of the report can be read");
  }
  CHECK(with("7", "3.0").rows.size() == 2);
}

}  // namespace
}  // namespace hikyaku::reports
