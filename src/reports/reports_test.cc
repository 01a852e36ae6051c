// Reports out and in, on a store in memory.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <set>

#include "base/codec.h"
#include "crypto/master_key.h"
#include "dmarc/report_mail.h"
#include "dmarc/unpack.h"
#include "mime/compose.h"
#include "mime/message.h"
#include "reports/digest.h"
#include "reports/keep.h"
#include "reports/outgoing.h"
#include "reports/received.h"
#include "reports/received_form.h"
#include "reports/rows.h"
#include "reports/summary.h"
#include "store/memory_store.h"
#include "story/story.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::reports {
namespace {

const Time kNoon =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(12);

const Sender kBig{Sender::State::Proved, "big.test"};

Evaluation evaluation(std::string_view source, bool passed = true) {
  Evaluation one;
  one.when = kNoon;
  one.rua = "mailto:reports@alpha.test";
  one.policy.domain = "alpha.test";
  one.policy.p = dmarc::Policy::None;
  one.record.source = *IpAddress::parse(source);
  one.record.dkim_aligned = passed;
  one.record.disposition = passed ? dmarc::Applied::Pass : dmarc::Applied::None;
  one.record.header_from = "alpha.test";
  one.record.dkim = {{"alpha.test", "s1", passed ? dkim::Result::Pass : dkim::Result::Fail, ""}};
  return one;
}

ReportRequest request(const Subject& subject) {
  ReportRequest asked;
  asked.subject = subject;
  asked.recipients = {"reports@alpha.test"};
  asked.submitter = {"beta.test", "dmarc-reports@beta.test", "Hikyaku"};
  asked.now = kNoon;
  asked.unique = "abc123";
  asked.begin = 1;
  asked.end = 86'400;
  return asked;
}

struct World {
  testing::TestLoop loop;
  testing::TestPool pool;
  store::MemoryStore store;

  Result<ComposedReport> compose(const ReportRequest& asked) {
    return loop.run(compose_report(store, pool, asked));
  }
  Subject only() { return list_subjects(store.keys(), 100'000, {}, 2).at(0); }
};

TEST_CASE("a report goes out as mail that its reader understands") {
  World world;
  for (int i = 0; i < 1'500; ++i)
    record_evaluation(world.store.keys(), evaluation("192.0." + std::to_string(i / 250) + '.' +
                                                     std::to_string(i % 250)));
  record_evaluation(world.store.keys(), evaluation("192.0.0.1"));
  auto composed = world.compose(request(world.only()));
  REQUIRE(composed);
  CHECK(composed->rows == 1'500);
  CHECK(composed->messages == 1'501);

  auto message = mime::parse_message(composed->message);
  auto header = message.fields();
  CHECK(header.value("From") == "dmarc-reports@beta.test");
  CHECK(header.value("Auto-Submitted") == "auto-generated");
  auto subject = dmarc::parse_report_subject(header.value("Subject"));
  REQUIRE(subject);
  CHECK(subject->domain == "alpha.test");
  CHECK(subject->submitter == "beta.test");
  CHECK(subject->report_id == composed->report_id);

  auto read = read_report(composed->message);
  REQUIRE(read.kind == ReadReport::Kind::Aggregate);
  CHECK(read.rows.size() == 1'500);
  CHECK(read.aggregate.policy.domain == "alpha.test");
  CHECK(read.aggregate.metadata.report_id == composed->report_id);
  CHECK(read.aggregate.metadata.begin == 1);
  CHECK(read.aggregate.problems.empty());
}

TEST_CASE("what is sent goes, once, and only what was sent") {
  World world;
  auto& keys = world.store.keys();
  record_evaluation(keys, evaluation("192.0.2.1"));
  auto subject = world.only();
  auto composed = world.compose(request(subject));
  Outgoing outgoing;
  outgoing.state = Outgoing::State::Sent;
  outgoing.report_id = composed->report_id;
  outgoing.messages = composed->messages;
  record_evaluation(keys, evaluation("192.0.2.1"));
  CHECK(settle_sent(keys, subject, outgoing).error().code == ErrorCode::Conflict);
  CHECK_FALSE(find_outgoing(keys, subject));
  outgoing.messages = 2;
  CHECK(settle_sent(keys, subject, outgoing));
  CHECK(find_outgoing(keys, subject)->report_id == composed->report_id);
  CHECK(list_subjects(keys, 100'000, {}, 2).empty());
  CHECK(settle_sent(keys, subject, outgoing).error().code == ErrorCode::Conflict);
  CHECK(world.compose(request(subject)).error().code == ErrorCode::NotFound);
  trim_outgoing(keys, subject.day + 1);
  CHECK(keys.keys().size() == 1);  // the day's counts
}

TEST_CASE("a report that would be too large is not made") {
  World world;
  record_evaluation(world.store.keys(), evaluation("192.0.2.1"));
  auto asked = request(world.only());
  asked.packed_limit = 10;
  auto composed = world.compose(asked);
  // Compressed bytes come at the end: the limit is checked there, too.
  CHECK(composed.error().code == ErrorCode::TooLarge);
}

std::string mail_with(std::string_view type, std::string_view bytes, std::string_view name) {
  mime::HeaderWriter header;
  header.text("Subject", "report");
  return mime::compose_message(header.fields(), mime::compose_attachment(type, bytes, name));
}

constexpr std::string_view kFailureMail =
    "Subject: FW\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b;\r\n"
    " report-type=feedback-report\r\n\r\n--b\r\n\r\nfailed\r\n--b\r\n"
    "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\n"
    "User-Agent: x/1\r\nVersion: 1\r\nAuth-Failure: dmarc\r\nSource-IP: 192.0.2.9\r\n"
    "Reported-Domain: Alpha.test\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    "From: joe@alpha.test\r\nSubject: =?utf-8?q?p=C3=A4ckchen?=\r\n\r\n--b--\r\n";

std::string xml(std::string_view id, int rows) {
  std::string text =
      "<feedback><report_metadata><org_name>big.test</org_name><email>d@big.test</email>"
      "<report_id>" +
      std::string(id) +
      "</report_id><date_range><begin>1795132800</begin>"
      "<end>1795219199</end></date_range></report_metadata><policy_published>"
      "<domain>Alpha.TEST</domain><p>quarantine</p></policy_published>";
  for (int i = 0; i < rows; ++i)
    text += "<record><row><source_ip>192.0.2." + std::to_string(i % 256) +
            "</source_ip><count>2</count><policy_evaluated><disposition>none</disposition>"
            "<dkim>pass</dkim><spf>fail</spf></policy_evaluated></row><identifiers>"
            "<header_from>alpha.test</header_from></identifiers><auth_results/></record>";
  return text + "</feedback>";
}

TEST_CASE("mail to the address is taken in, read, kept once, and its body goes") {
  store::MemoryTransaction tx;
  auto read = read_report(mail_with("text/xml", xml("1", 3), "a.xml"));
  REQUIRE(read.kind == ReadReport::Kind::Aggregate);
  CHECK(take_in(tx, {7, 0, kNoon, "d@big.test", kBig}, store::MemoryTransaction::stage("mail")));
  auto taken = list_taken(tx, 10);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].mail_from == "d@big.test");
  CHECK(tx.notified().contains({store::kInstance, kTopicTaken}));

  auto report = received_report(taken[0], digest_of(read));
  CHECK(report.domain == "alpha.test");
  CHECK(report.messages == 6);
  CHECK(report.passed == 6);
  CHECK_FALSE(is_known(tx, report));
  put_received_rows(tx, report, 0, read.rows);
  put_received(tx, report);
  finish_taken(tx, taken[0]);
  CHECK(list_taken(tx, 10).empty());
  CHECK(tx.bodies().at(taken[0].body).owners.empty());

  auto again = received_report({8, 0, kNoon, {}, kBig},
                               digest_of(read_report(mail_with("text/xml", xml("1", 3), "b.xml"))));
  CHECK(is_known(tx, again));
  auto next = received_report({9, 0, kNoon, {}, kBig},
                              digest_of(read_report(mail_with("text/xml", xml("2", 3), "b.xml"))));
  CHECK_FALSE(is_known(tx, next));

  auto listed = list_received(tx, 0, {}, 10);
  REQUIRE(listed.reports.size() == 1);
  CHECK(listed.reports[0].organization == "big.test");
  CHECK(listed.reports[0].policy == dmarc::Policy::Quarantine);
  CHECK(read_received_rows(tx, listed.reports[0], {}, 10).rows.size() == 3);
  trim_received(tx, report.day + 1);
  CHECK(list_received(tx, 0, {}, 10).reports.empty());
}

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

TEST_CASE("a flood of reports keeps out no other sender's") {
  store::MemoryTransaction tx;
  auto bring = [&](story::MessageId id, const Sender& sender) {
    return take_in(tx, {id, 0, kNoon, "x@evil.test", sender},
                   store::MemoryTransaction::stage("mail"));
  };
  story::MessageId id = 1;
  for (std::uint64_t i = 0; i < kMostUnprovedADay; ++i)
    REQUIRE(bring(id++, {Sender::State::Failed, "big.test"}));
  CHECK_FALSE(bring(id, {Sender::State::Failed, "big.test"}));
  for (std::uint64_t i = 0; i < kMostOfADomainADay; ++i)
    REQUIRE(bring(id++, {Sender::State::Proved, fmt::format("{}.evil.test", i)}));
  CHECK_FALSE(bring(id, {Sender::State::Proved, "evil.test"}));
  CHECK(bring(id, kBig));
}

TEST_CASE("who is shown to have sent a report") {
  using State = Sender::State;
  using dmarc::Result;
  struct Row {
    Result result;
    std::vector<std::string> passed;  // by SPF or DKIM
    State expected;
  };
  for (auto& [result, passed, expected] : std::initializer_list<Row>{
           {Result::Pass, {"mail.big.test"}, State::Proved},
           {Result::Fail, {"evil.test"}, State::Failed},
           {Result::TempError, {"r.big.test"}, State::CannotAsk},
           {Result::PermError, {}, State::NoAuthor},
           {Result::None, {}, State::NoPolicy},
           {Result::None, {"r.big.test"}, State::Proved},
           {Result::None, {"evil.test", "big.test"}, State::Proved},  // above it
           {Result::None, {"evil.test"}, State::NoPolicy},
           {Result::None, {"mail.r.big.test"}, State::NoPolicy},  // whoever may have that name
           {Result::None, {"test"}, State::NoPolicy},
           {Result::None, {"notr.big.test", "ig.test"}, State::NoPolicy},
       }) {
    dmarc::Verdict verdict;
    verdict.result = result;
    verdict.author.domains = {"r.big.test"};
    auto& outcome = verdict.outcomes.emplace_back();
    outcome.discovery.author_domain = "r.big.test";
    for (auto& domain : passed) {
      dmarc::Identifier identifier;
      identifier.domain = domain;
      outcome.identifiers.push_back(identifier);
    }
    CAPTURE(passed.size());
    CHECK(sender_of(verdict) == Sender{expected, "r.big.test"});
    if (result != Result::None) continue;
    verdict.author.findings.push_back({dmarc::AuthorProblem::Quoting, ""});
    CHECK_FALSE(sender_of(verdict).counts());
  }
}

TEST_CASE("what was kept before senders were looked at counts as it did") {
  ReceivedReport report;
  report.organization = "big.test";
  report.sender = kBig;
  auto bytes = encode_received(report);
  CHECK(decode_received(bytes)->sender == kBig);
  Encoder sender;
  put_sender(sender, kBig);
  bytes.resize(bytes.size() - sender.bytes().size() - 1);  // and what was left out
  auto old = decode_received(bytes);
  REQUIRE(old);
  CHECK(old->sender.state == Sender::State::Unrecorded);
  CHECK(old->sender.counts());
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

constexpr std::string_view kBounceMail =
    "From: MAILER-DAEMON@mx.other.test\r\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    "--b\r\n\r\nIt could not be delivered.\r\n"
    "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    "Reporting-MTA: dns; mx.other.test\r\n\r\n"
    "Final-Recipient: rfc822; r@other.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: {}\r\n\r\n--b--\r\n";

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

TEST_CASE("a notice that something is late is no failure; a report about a bounce is a report") {
  auto late = fmt::format(fmt::runtime(kBounceMail), "x");
  late.replace(late.find("failed"), 6, "delayed");
  CHECK(read_report(late).kind == ReadReport::Kind::Other);
  CHECK(read_report(kFailureMail).kind == ReadReport::Kind::Failure);
}

TEST_CASE("what was noted before notices were told apart is still read") {
  Encoder old;
  old.svarint(kNoon.time_since_epoch().count());
  old.text("d@big.test");
  old.text("there is no report in the mail");
  auto unread = decode_unread(old.bytes());
  REQUIRE(unread);
  CHECK(unread->problem == "there is no report in the mail");
  CHECK_FALSE(unread->bounced);
}

TEST_CASE("rows beyond the limit are summed") {
  ReadLimits limits;
  limits.rows = 10;
  auto read = read_report(mail_with("text/xml", xml("1", 100), "a.xml"), limits);
  CHECK(read.rows.size() == 11);
  CHECK(read.rows.back().count == 180);
  CHECK(read.rows.back().dkim_aligned);
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

TEST_CASE("a digest says the same behind the wall as before it") {
  auto digest = digest_of(read_report(mail_with("text/xml", xml("1", 300), "a.xml")));
  auto bytes = encode_digest(digest);
  auto read = decode_digest(bytes);
  REQUIRE(read);
  CHECK(read->kind == ReadReport::Kind::Aggregate);
  CHECK(read->rows.size() == 300);
  CHECK(read->rows[7].source.to_string() == "192.0.2.7");
  Taken taken{7, 0, kNoon, "d@big.test"};
  auto report = received_report(taken, *read);
  CHECK(report.domain == "alpha.test");
  CHECK(report.report_id == "1");
  CHECK(report.messages == 600);
  CHECK(report.day == received_report(taken, digest).day);
  CHECK(report.policy == dmarc::Policy::Quarantine);

  auto failure = decode_digest(encode_digest(digest_of(read_report(kFailureMail))));
  REQUIRE(failure);
  REQUIRE(failure->kind == ReadReport::Kind::Failure);
  auto received = received_failure(taken, *failure);
  CHECK(received.domain == "alpha.test");
  CHECK(received.subject == "päckchen");
  CHECK(received.reporter == "d@big.test");
  CHECK(received.source->to_string() == "192.0.2.9");

  auto other = decode_digest(encode_digest(digest_of(read_report("Subject: x\r\n\r\nx\r\n"))));
  REQUIRE(other);
  CHECK(other->kind == ReadReport::Kind::Other);
  CHECK(other->problem == "there is no report in the mail");
}

TEST_CASE("a digest that a stranger has written stays within the limits") {
  ReadLimits limits;
  limits.rows = 3;
  auto many = encode_digest(digest_of(read_report(mail_with("text/xml", xml("1", 30), "a.xml"))));
  CHECK_FALSE(decode_digest(many, limits));
  CHECK(decode_digest(many));
  CHECK_FALSE(decode_digest(many + "x"));
  for (std::size_t size = 0; size < many.size(); ++size)
    REQUIRE_FALSE(decode_digest(std::string_view(many).substr(0, size)));
  CHECK_FALSE(decode_digest("\x09"));

  dmarc::ReportRecord record;
  record.count = 1;
  auto row = encode_row(1, encode_identity(record));
  CHECK(decode_row(row));
  // The number of reasons stands behind the source, the disposition and what is aligned.
  auto reasons = std::string("\x01\x04").size() + 4 + 2;
  row[reasons] = 5;
  row.append(1000, '\0');
  CHECK_FALSE(decode_row(row));

  ReceivedReport report;
  report.organization = std::string(100'000, 'x');
  CHECK(decode_received(encode_received(report))->organization.size() == 300);
}

TEST_CASE("what is no report is none, and says why") {
  for (std::string mail :
       {std::string("Subject: hello\r\n\r\nhello\r\n"), std::string(),
        mail_with("application/gzip", "\x1f\x8b broken", "a.xml.gz"),
        mail_with(
            "text/xml",
            "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><feedback>&b;</feedback>",
            "a.xml")}) {
    auto read = read_report(mail);
    CHECK(read.kind == ReadReport::Kind::Other);
    CHECK_FALSE(read.problem.empty());
  }
}

ReceivedReport about(Day day, dmarc::Policy policy) {
  ReceivedReport report;
  report.day = day;
  report.domain = "alpha.test";
  report.organization = "big.test";
  report.policy = policy;
  return report;
}

dmarc::ReportRecord row(std::string_view source, std::uint64_t count, bool dkim, bool spf) {
  dmarc::ReportRecord one;
  one.source = *IpAddress::parse(source);
  one.count = count;
  one.dkim_aligned = dkim;
  one.spf_aligned = spf;
  return one;
}

std::vector<Advice> advice_for(dmarc::Policy policy, Day days,
                               const std::vector<dmarc::ReportRecord>& rows) {
  Summary summary;
  summary.add(about(100, policy));
  summary.add(about(100 + days - 1, policy));
  for (auto& one : rows) summary.add(about(100, policy), one);
  auto all = summary.take();
  REQUIRE(all.size() == 1);
  return advise(all[0], {*IpAddress::parse("198.51.100.5")});
}

TEST_CASE("a report leaves at a minute of its own, once its day is over") {
  using std::chrono::minutes;
  crypto::SeededRandom random(1);
  auto one = crypto::MasterKey::generate(random);
  auto other = crypto::MasterKey::generate(random);
  std::set<Time> seen;
  std::size_t differ = 0;
  for (int i = 0; i < 1'000; ++i) {
    Subject subject{.day = 20'000, .domain = fmt::format("d{}.test", i)};
    auto when = leaves_at(one, subject);
    auto midnight = start_of(20'001);
    CHECK(when >= midnight + minutes(15));
    CHECK(when < midnight + minutes(15 + 240));
    CHECK((when - midnight) % minutes(1) == Time::duration::zero());
    CHECK(leaves_at(one, subject) == when);
    differ += leaves_at(other, subject) != when ? 1 : 0;
    seen.insert(when);
    subject.day = 20'001;
    CHECK(leaves_at(one, subject) >= midnight + std::chrono::hours(24));
  }
  CHECK(seen.size() > 200);  // not all at once
  CHECK(differ > 900);       // and nobody can work them out
}

TEST_CASE("sources are summed by network, the largest first") {
  Summary summary(2);
  auto report = about(100, dmarc::Policy::None);
  summary.add(report);
  summary.add(report, row("192.0.2.1", 5, true, false));
  summary.add(report, row("192.0.2.9", 7, false, false));
  summary.add(report, row("2001:db8::1", 20, true, true));
  summary.add(report, row("203.0.113.1", 3, false, false));
  auto all = summary.take();
  REQUIRE(all.at(0).sources.size() == 2);
  CHECK(all[0].sources[0].network.to_string() == "2001:db8::");
  CHECK(all[0].sources[1].messages == 12);
  CHECK(all[0].sources[1].passed == 5);
  CHECK(all[0].sources[1].address.to_string() == "192.0.2.9");
  CHECK(all[0].uncounted == 3);
  CHECK(all[0].messages == 35);
}

TEST_CASE("who reports is named in one way") {
  Summary summary;
  auto report = about(100, dmarc::Policy::None);
  for (auto name : {"big.test", "\"small.test", " big.test ", "\"\"", ""}) {
    report.organization = name;
    summary.add(report);
  }
  report.email = "d@other.test";
  summary.add(report);
  auto all = summary.take();
  CHECK(all.at(0).reporters == std::set<std::string>{"big.test", "small.test", "other.test"});
  CHECK(all[0].reports == 6);
  report.sender = {Sender::State::Proved, "evil.test"};
  summary.add(report);
  CHECK(summary.take().at(0).reporters == std::set<std::string>{"evil.test"});
}

TEST_CASE("counts of strangers do not wrap") {
  Summary summary;
  auto report = about(100, dmarc::Policy::None);
  summary.add(report);
  Digest digest;
  for (int i = 0; i < 3; ++i) {
    digest.rows.push_back(row("192.0.2.1", UINT64_MAX / 2 + 1, false, false));
    digest.rows.push_back(row("192.0.2.1", 2, true, false));
  }
  for (auto& one : digest.rows) summary.add(report, one);
  auto received = received_report({7, 0, kNoon, {}}, digest);
  CHECK(received.messages == kMostMessages);
  CHECK(received.passed == 6);
  auto all = summary.take();
  CHECK(all.at(0).messages == kMostMessages);
  CHECK(all[0].passed == 6);
  CHECK(all[0].sources.at(0).messages == kMostMessages);
  CHECK(all[0].sources[0].dkim == 6);
}

TEST_CASE("what to do next") {
  using Kind = Advice::Kind;
  auto kinds = [](const std::vector<Advice>& advice) {
    std::vector<Kind> found;
    for (auto& one : advice) found.push_back(one.kind);
    return found;
  };
  auto good = row("192.0.2.1", 100, true, true);
  auto unsigned_one = row("203.0.113.1", 10, false, true);
  auto broken = row("198.51.100.5", 10, false, false);  // this server itself
  auto forged = row("233.252.0.1", 10, false, false);
  auto forwarded = row("233.252.1.1", 20, true, false);  // by our signature alone
  auto changed = row("233.252.1.1", 10, false, false);   // and a list's footer
  using dmarc::Policy;
  CHECK(kinds(advice_for(Policy::None, 28, {good})) == std::vector{Kind::SafeToQuarantine});
  CHECK(kinds(advice_for(Policy::None, 27, {good})) == std::vector{Kind::MoreReports});
  CHECK(kinds(advice_for(Policy::Quarantine, 27, {good})) == std::vector{Kind::MoreReports});
  CHECK(kinds(advice_for(Policy::Quarantine, 28, {good})) == std::vector{Kind::SafeToReject});
  CHECK(kinds(advice_for(Policy::Reject, 2, {good})) == std::vector{Kind::Complete});
  CHECK(kinds(advice_for(Policy::None, 28, {good, forged})) == std::vector{Kind::Strangers});
  CHECK(kinds(advice_for(Policy::Reject, 28, {good, forged})) == std::vector{Kind::Complete});
  CHECK(kinds(advice_for(Policy::None, 28, {good, unsigned_one})) == std::vector{Kind::Unsigned});
  CHECK(kinds(advice_for(Policy::None, 28, {good, broken})) == std::vector{Kind::Unsigned});
  CHECK(advice_for(Policy::None, 28, {unsigned_one})[0].sources.at(0) == "203.0.113.0/24");
  // What forwarders and lists do is nobody's missing key.
  CHECK(kinds(advice_for(Policy::None, 28, {good, forwarded})) ==
        std::vector{Kind::SafeToQuarantine});
  CHECK(kinds(advice_for(Policy::None, 28, {good, forwarded, changed})) ==
        std::vector{Kind::Forwarders});
  CHECK(kinds(advice_for(Policy::None, 2, {good, forwarded, changed})) ==
        std::vector{Kind::Forwarders, Kind::MoreReports});
  CHECK(kinds(advice_for(Policy::None, 28, {unsigned_one, forwarded, changed})) ==
        std::vector{Kind::Unsigned, Kind::Forwarders});
  auto lists = advice_for(Policy::Reject, 28, {good, forwarded, changed});
  CHECK(kinds(lists) == std::vector{Kind::Forwarders, Kind::Complete});
  CHECK(lists.at(0).sources == std::vector<std::string>{"233.252.1.0/24"});
  CHECK(lists.at(0).messages == 10);
  // One letter that was sent again does not make a forger a forwarder.
  auto again = row("233.252.2.1", 5, true, false);
  auto forgeries = row("233.252.2.9", 15, false, false);
  auto replays = advice_for(Policy::None, 28, {good, again, forgeries, forged});
  CHECK(kinds(replays) == std::vector{Kind::Doubtful, Kind::Strangers});
  CHECK(replays.at(0).sources == std::vector<std::string>{"233.252.2.0/24"});
  CHECK(replays.at(0).messages == 15);
  CHECK(replays.at(1).sources == std::vector<std::string>{"233.252.0.0/24"});
  CHECK(kinds(advice_for(Policy::Reject, 28, {good, again, forgeries})) ==
        std::vector{Kind::Doubtful, Kind::Complete});
  CHECK(kinds(advice_for(Policy::None, 28, {good, again, forgeries})) ==
        std::vector{Kind::Doubtful});
  // Where nothing passes nothing is safe, whatever is published.
  for (auto policy : {Policy::None, Policy::Quarantine, Policy::Reject})
    for (auto days : {2, 28})
      CHECK(kinds(advice_for(policy, days, {forged})) == std::vector{Kind::Nothing});
  CHECK(advice_for(Policy::Reject, 28, {forged}).at(0).sources.at(0) == "233.252.0.0/24");
  CHECK(kinds(advice_for(Policy::None, 28, {broken, forged})) ==
        std::vector{Kind::Unsigned, Kind::Strangers});
  CHECK(advice_for(Policy::None, 28, {}).empty());
}

TEST_CASE("each step to a stricter policy is tried for four weeks, whatever was before") {
  using dmarc::Policy;
  struct Row {
    std::vector<std::pair<Day, Policy>> reports;  // day, in the order in which they came
    Advice::Kind expected;
  };
  using Kind = Advice::Kind;
  constexpr auto kNone = Policy::None, kJunk = Policy::Quarantine, kReject = Policy::Reject;
  for (auto& [reports, expected] : std::initializer_list<Row>{
           {{{100, kNone}, {140, kNone}, {141, kJunk}, {167, kJunk}}, Kind::MoreReports},
           {{{100, kNone}, {140, kNone}, {141, kJunk}, {168, kJunk}}, Kind::SafeToReject},
           {{{100, kNone}, {141, kJunk}, {141, kNone}, {168, kJunk}}, Kind::MoreReports},
           {{{141, kJunk}, {100, kNone}, {140, kNone}, {168, kJunk}}, Kind::SafeToReject},
           {{{100, kNone}, {140, kJunk}}, Kind::MoreReports},  // who knows since when?
           {{{100, kNone}, {140, kNone}, {140, kJunk}}, Kind::MoreReports},
           // Gone back: what is milder has been tried all the time.
           {{{100, kReject}, {113, kReject}, {114, kJunk}, {127, kJunk}}, Kind::SafeToReject},
           {{{100, kJunk}, {126, kJunk}, {127, kNone}}, Kind::SafeToQuarantine},
           {{{100, kNone}, {126, kReject}}, Kind::Complete},
       }) {
    Summary summary;
    auto when = kNoon;
    for (auto& [day, policy] : reports) {
      auto report = about(day, policy);
      report.when = when += std::chrono::hours(1);
      summary.add(report);
    }
    summary.add(about(100, Policy::None), row("192.0.2.1", 100, true, true));
    auto advice = advise(summary.take().at(0), {});
    REQUIRE(advice.size() == 1);
    CAPTURE(reports.size());
    CHECK(advice[0].kind == expected);
  }
}

}  // namespace
}  // namespace hikyaku::reports
