// Who is shown to have sent a report.
#include "reports/sender.h"

#include <doctest/doctest.h>
#include <initializer_list>
#include <string>
#include <vector>

namespace hikyaku::reports {
namespace {

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

}  // namespace
}  // namespace hikyaku::reports
