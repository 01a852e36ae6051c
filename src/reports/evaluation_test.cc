#include "reports/evaluation.h"

#include <doctest/doctest.h>

#include "store/memory_transaction.h"

namespace hikyaku::reports {
namespace {

const Time kNoon =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(12);

Evaluation from(std::string_view source, std::string_view domain = "alpha.test") {
  Evaluation evaluation;
  evaluation.when = kNoon;
  evaluation.rua = "mailto:reports@alpha.test";
  evaluation.policy.domain = domain;
  evaluation.policy.discovery_method = dmarc::DiscoveryMethod::TreeWalk;
  evaluation.policy.p = dmarc::Policy::Reject;
  evaluation.policy.np = dmarc::Policy::None;
  evaluation.policy.adkim = dmarc::Alignment::Strict;
  evaluation.policy.testing = false;
  evaluation.policy.fo = "1:d";
  auto& record = evaluation.record;
  record.source = *IpAddress::parse(source);
  record.disposition = dmarc::Applied::Quarantine;
  record.dkim_aligned = true;
  record.reasons = {{dmarc::OverrideType::LocalPolicy, "nothing speaks for refusing"}};
  record.header_from = "news.alpha.test";
  record.envelope_from = "alpha.test";
  record.dkim = {{"alpha.test", "s1", dkim::Result::Pass, "good"}};
  record.spf = {
      {"alpha.test", dmarc::ReportedSpf::Scope::MailFrom, spf::Result::SoftFail, false, "soft"}};
  return evaluation;
}

std::vector<dmarc::ReportRecord> rows(store::MemoryTransaction& tx, const Subject& subject) {
  return read_rows(tx, subject, {}, 1000).rows;
}
Subject only_subject(store::MemoryTransaction& tx) {
  auto subjects = list_subjects(tx, day_of(kNoon) + 1, {}, 10);
  REQUIRE(subjects.size() == 1);
  return subjects.front();
}

TEST_CASE("messages with everything in common are one row, others are further rows") {
  store::MemoryTransaction tx;
  for (int i = 0; i < 300; ++i) record_evaluation(tx, from("192.0.2.1"));
  record_evaluation(tx, from("2001:db8::1"));
  auto subject = only_subject(tx);
  CHECK(subject.domain == "alpha.test");
  auto found = rows(tx, subject);
  REQUIRE(found.size() == 2);
  auto& many = found[found[0].count == 300 ? 0 : 1];
  auto expected = from("192.0.2.1").record;
  CHECK(many.count == 300);
  CHECK(many.source == expected.source);
  CHECK(many.disposition == expected.disposition);
  CHECK(many.dkim_aligned);
  CHECK_FALSE(many.spf_aligned);
  CHECK(many.reasons == expected.reasons);
  CHECK(many.header_from == "news.alpha.test");
  CHECK(many.envelope_from == "alpha.test");
  CHECK(many.dkim.at(0).selector == "s1");
  CHECK(many.dkim.at(0).result == dkim::Result::Pass);
  CHECK(many.spf.at(0).result == spf::Result::SoftFail);

  auto domain = find_evaluated(tx, subject);
  REQUIRE(domain);
  CHECK(domain->rows == 2);
  CHECK(domain->rua == "mailto:reports@alpha.test");
  auto policy = from("192.0.2.1").policy;
  CHECK(domain->policy.domain == policy.domain);
  CHECK(domain->policy.p == policy.p);
  CHECK_FALSE(domain->policy.sp);
  CHECK(domain->policy.np == policy.np);
  CHECK(domain->policy.adkim == policy.adkim);
  CHECK_FALSE(domain->policy.aspf);
  CHECK(domain->policy.testing == false);
  CHECK(domain->policy.fo == "1:d");
}

TEST_CASE("what is recorded of a message") {
  using dmarc::Discovery;
  dmarc::Verdict verdict;
  auto add = [&](std::string author, std::string policy_domain, std::string_view record) {
    auto& outcome = verdict.outcomes.emplace_back();
    outcome.discovery.author_domain = std::move(author);
    outcome.discovery.policy_domain = std::move(policy_domain);
    outcome.discovery.record =
        std::make_shared<dmarc::Record>(*dmarc::parse_record(std::string(record)));
    outcome.discovery.state = Discovery::State::Found;
  };
  add("news.alpha.test", "alpha.test", "v=DMARC1; p=reject; rua=mailto:reports@alpha.test");
  add("shop.alpha.test", "alpha.test", "v=DMARC1; p=reject; rua=mailto:reports@alpha.test");
  add("silent.test", "silent.test", "v=DMARC1; p=reject");
  add("broken.test", "broken.test", "v=DMARC1; rua=mailto:x@broken.test");
  verdict.outcomes.back().discovery.state = Discovery::State::TempError;
  add("beta.test", "beta.test", "v=DMARC1; p=none; rua=mailto:reports@beta.test");
  dmarc::Disposition disposition;
  disposition.applied = dmarc::Applied::Quarantine;
  disposition.overridden = {dmarc::OverrideType::MailingList, "talk.list.test"};
  auto source = *IpAddress::parse("192.0.2.1");
  auto found = evaluations_of(verdict, {}, disposition, {source, "anna.secret@list.test"}, kNoon);
  REQUIRE(found.size() == 2);  // once for a policy domain, and for those alone that ask
  CHECK(found[0].policy.domain == "alpha.test");
  CHECK(found[0].record.header_from == "news.alpha.test");
  CHECK(found[1].policy.domain == "beta.test");
  for (auto& one : found) {
    CHECK(one.when == kNoon);
    CHECK(one.rua == "mailto:reports@" + one.policy.domain);
    CHECK(one.record.source == source);
    CHECK(one.record.envelope_from == "list.test");  // nobody's address
    CHECK(one.record.disposition == dmarc::Applied::Quarantine);
    CHECK(one.record.reasons == std::vector{*disposition.overridden});
  }
}

TEST_CASE("who asks for no reports is not recorded") {
  store::MemoryTransaction tx;
  auto evaluation = from("192.0.2.1");
  evaluation.rua.clear();
  record_evaluation(tx, evaluation);
  CHECK(tx.keys().empty());
}

TEST_CASE("a day ends at midnight UTC; a changed record has a report of its own") {
  store::MemoryTransaction tx;
  auto evaluation = from("192.0.2.1");
  record_evaluation(tx, evaluation);
  evaluation.when = kNoon + std::chrono::hours(11) + std::chrono::minutes(59);
  record_evaluation(tx, evaluation);
  CHECK(rows(tx, only_subject(tx)).at(0).count == 2);
  evaluation.policy.p = dmarc::Policy::None;
  record_evaluation(tx, evaluation);
  CHECK(list_subjects(tx, day_of(kNoon) + 1, {}, 10).size() == 2);
  evaluation.when = kNoon + std::chrono::hours(12);
  record_evaluation(tx, evaluation);
  CHECK(list_subjects(tx, day_of(kNoon) + 1, {}, 10).size() == 2);
  CHECK(list_subjects(tx, day_of(kNoon) + 2, {}, 10).size() == 3);
}

TEST_CASE("subjects and rows are listed piece by piece") {
  store::MemoryTransaction tx;
  for (auto domain : {"a.test", "b.test", "b.test.c.test"})
    for (auto source : {"192.0.2.1", "192.0.2.2", "192.0.2.3"})
      record_evaluation(tx, from(source, domain));
  std::vector<std::string> domains;
  std::optional<Subject> last;
  for (auto piece = list_subjects(tx, 100'000, last, 1); !piece.empty();
       piece = list_subjects(tx, 100'000, last, 1)) {
    last = piece.front();
    domains.push_back(last->domain);
    std::size_t seen = 0;
    std::string next;
    do {
      auto part = read_rows(tx, *last, next, 2);
      seen += part.rows.size();
      next = part.next;
    } while (!next.empty());
    CHECK(seen == 3);
  }
  CHECK(domains == std::vector<std::string>{"a.test", "b.test", "b.test.c.test"});
}

TEST_CASE("erasing one report leaves the others; trimming takes whole days") {
  store::MemoryTransaction tx;
  record_evaluation(tx, from("192.0.2.1", "a.test"));
  record_evaluation(tx, from("192.0.2.1", "b.test"));
  erase_rows(tx, list_subjects(tx, 100'000, {}, 10).at(0));
  CHECK(rows(tx, only_subject(tx)).size() == 1);
  trim_evaluations(tx, day_of(kNoon));
  CHECK(rows(tx, only_subject(tx)).size() == 1);
  trim_evaluations(tx, day_of(kNoon) + 1);
  CHECK(tx.keys().empty());
}

TEST_CASE("what strangers can make is bounded, and still counted") {
  store::MemoryTransaction tx;
  EvaluationLimits limits{.rows = 2, .day_rows = 100, .domains = 1, .configurations = 2};
  for (int i = 1; i <= 100; ++i)
    record_evaluation(tx, from("192.0.2." + std::to_string(i)), limits);
  auto found = rows(tx, only_subject(tx));
  REQUIRE(found.size() == 3);
  std::uint64_t sum = 0;
  for (auto& row : found) {
    sum += row.count;
    if (row.count > 1) CHECK(row.source.is_unspecified());
  }
  CHECK(sum == 100);
  record_evaluation(tx, from("192.0.2.1", "other.test"), limits);
  CHECK(only_subject(tx).domain == "alpha.test");
  CHECK(find_day(tx, day_of(kNoon))->uncounted == 1);
}

TEST_CASE("a record that changes all the time makes a bounded number of reports") {
  store::MemoryTransaction tx;
  EvaluationLimits limits{.configurations = 2};
  auto evaluation = from("192.0.2.1");
  for (auto fo : {"0", "1", "d", "s", "d", "0:d"}) {
    evaluation.policy.fo = fo;
    record_evaluation(tx, evaluation, limits);
  }
  auto subjects = list_subjects(tx, 100'000, {}, 10);
  CHECK(subjects.size() == 2);
  std::uint64_t sum = 0;
  for (auto& subject : subjects)
    for (auto& row : rows(tx, subject)) sum += row.count;
  CHECK(sum == 6);
}

TEST_CASE("a name that would end its key early is left out") {
  store::MemoryTransaction tx;
  record_evaluation(tx, from("192.0.2.1", std::string_view("a\0b.test", 8)));
  CHECK(tx.keys().empty());
}

}  // namespace
}  // namespace hikyaku::reports
