// Reports summed up, and the advice that follows.
#include "reports/summary.h"

#include <doctest/doctest.h>

#include "reports/digest.h"
#include "reports/report_mails_test.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

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
