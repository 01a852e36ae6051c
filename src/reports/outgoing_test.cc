// Our reports: what was evaluated goes out as mail, once.
#include "reports/outgoing.h"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <set>

#include "crypto/master_key.h"
#include "dmarc/report_mail.h"
#include "dmarc/unpack.h"
#include "mime/message.h"
#include "reports/read_report.h"
#include "reports/report_mails_test.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

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

struct OutgoingWorld : World {
  Result<ComposedReport> compose(const ReportRequest& asked) {
    return loop.run(compose_report(store, pool, asked));
  }
  Subject only() { return list_subjects(store.keys(), 100'000, {}, 2).at(0); }
};

TEST_CASE("a report goes out as mail that its reader understands") {
  OutgoingWorld world;
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
  OutgoingWorld world;
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
  OutgoingWorld world;
  record_evaluation(world.store.keys(), evaluation("192.0.2.1"));
  auto asked = request(world.only());
  asked.packed_limit = 10;
  auto composed = world.compose(asked);
  // Compressed bytes come at the end: the limit is checked there, too.
  CHECK(composed.error().code == ErrorCode::TooLarge);
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

}  // namespace
}  // namespace hikyaku::reports
