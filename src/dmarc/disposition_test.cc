#include "dmarc/disposition.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::dmarc {
namespace {

Verdict failed(std::string_view policy) {
  Verdict verdict;
  verdict.result = Result::Fail;
  verdict.author.domains = {"shop.bank.test"};
  Outcome outcome;
  outcome.result = Result::Fail;
  outcome.discovery.state = Discovery::State::Found;
  outcome.discovery.author_domain = "shop.bank.test";
  outcome.discovery.policy_domain = "bank.test";
  bool testing = policy.ends_with(" t");
  if (testing) policy.remove_suffix(2);
  outcome.discovery.published = *parse_policy(policy);
  outcome.discovery.effective =
      testing ? weaker(outcome.discovery.published) : outcome.discovery.published;
  verdict.outcomes.push_back(std::move(outcome));
  return verdict;
}

Circumstances circumstances(std::string_view words) {
  Circumstances now;
  for (auto word : split(words, ' ')) {
    if (word == "spf") now.spf_mail_from = spf::Result::Fail;
    if (word == "softfail") now.spf_mail_from = spf::Result::SoftFail;
    if (word == "helo") now.spf_helo = spf::Result::Fail;
    if (word == "noname") now.reverse_name_confirmed = false;
    if (word == "name") now.reverse_name_confirmed = true;
    if (word == "light") now.blocklist_weight = 0.5;
    if (word == "heavy") now.blocklist_weight = 1.5;
    if (word == "arc") now.trusted_arc = "list.test";
    if (word == "list") now.known_list = "talk.list.test";
    if (word == "forwarder") now.known_forwarder = "alumni.test";
    if (word == "unchecked") now.unchecked_signatures = 1;
    if (word == "exception") now.local_exception = "the boss";
  }
  return now;
}

std::string in_short(const Disposition& disposition) {
  auto text = std::string(to_string(disposition.action)) + ' ' +
              std::string(to_string(disposition.applied));
  if (disposition.overridden) text += ' ' + std::string(to_string(disposition.overridden->type));
  return text;
}

TEST_CASE("failed mail") {
  struct Row {
    std::string_view policy, known, expected;
  };
  for (auto& [policy, known, expected] : std::initializer_list<Row>{
           {"none", "spf helo noname heavy", "deliver none"},
           {"quarantine", "", "junk quarantine"},
           {"quarantine", "spf noname", "junk quarantine"},
           {"quarantine", "list", "junk quarantine"},
           {"quarantine", "exception", "deliver none local_policy"},
           // p=reject alone is not enough.
           {"reject", "", "junk quarantine local_policy"},
           {"reject", "name light softfail", "junk quarantine local_policy"},
           {"reject", "spf", "refuse reject"},
           {"reject", "helo", "refuse reject"},
           {"reject", "noname", "refuse reject"},
           {"reject", "heavy", "refuse reject"},
           {"reject", "spf arc", "junk quarantine trusted_forwarder"},
           {"reject", "spf list", "junk quarantine mailing_list"},
           {"reject", "spf forwarder", "junk quarantine trusted_forwarder"},
           {"reject", "spf exception", "deliver none local_policy"},
           {"reject", "spf noname unchecked", "junk quarantine local_policy"},
           {"reject", "spf list unchecked", "junk quarantine mailing_list"},
           {"none", "spf unchecked", "deliver none"},
           {"reject t", "spf", "junk quarantine policy_test_mode"},
           {"quarantine t", "spf", "deliver none policy_test_mode"},
       }) {
    CAPTURE(policy);
    CAPTURE(known);
    auto disposition = decide(failed(policy), circumstances(known), {});
    CHECK(in_short(disposition) == expected);
    for (auto language : {Language::English, Language::Japanese})
      CHECK(disposition.describe(language).find('{') == std::string::npos);
  }
}

TEST_CASE("what speaks against it is named, here but not in reports") {
  struct Row {
    std::string_view known, english, japanese, reported;
  };
  for (auto& [known, english, japanese, reported] : std::initializer_list<Row>{
           {"spf arc", "that it passed before (list.test)", "以前の pass を示す (list.test)",
            "arc=pass as sealed by list.test"},
           {"spf list", "mailing list (talk.list.test)", "経由している (talk.list.test)",
            "talk.list.test"},
           {"spf forwarder", "forwarder (alumni.test)", "経由している (alumni.test)",
            "alumni.test"},
           {"spf exception", "exception (the boss)", "例外設定がある (the boss)",
            "local exception"},
           {"list forwarder", "list (talk.list.test), it came through a known forwarder (alumni",
            "(talk.list.test)、", "talk.list.test"},
       }) {
    CAPTURE(known);
    auto disposition = decide(failed("reject"), circumstances(known), {});
    CHECK(disposition.describe(Language::English).find(english) != std::string::npos);
    CHECK(disposition.describe(Language::Japanese).find(japanese) != std::string::npos);
    CHECK(disposition.overridden.value().comment == reported);
  }
}

TEST_CASE("the rules are data") {
  Rules rules;
  rules.speaks_for = {For::TrustReject};
  CHECK(in_short(decide(failed("reject"), circumstances("spf noname"), rules)) ==
        "junk quarantine local_policy");
  rules.trust_reject = {"bank.test"};
  CHECK(in_short(decide(failed("reject"), circumstances(""), rules)) == "refuse reject");
  rules.trust_reject = {"ank.test"};
  CHECK(in_short(decide(failed("reject"), circumstances(""), rules)) ==
        "junk quarantine local_policy");
  rules = {};
  rules.speaks_against = {};
  CHECK(in_short(decide(failed("reject"), circumstances("spf list exception"), rules)) ==
        "refuse reject");
  rules = {};
  rules.exempts = {Against::TrustedArc};
  CHECK(in_short(decide(failed("reject"), circumstances("spf arc"), rules)) ==
        "deliver none trusted_forwarder");
  for (auto name :
       {"spf-fail-mail-from", "spf-fail-helo", "no-reverse-name", "blocklisted", "trust-reject"})
    CHECK(to_string(*parse_for(name)) == name);
  for (auto name : {"trusted-arc", "known-list", "known-forwarder", "local-exception"})
    CHECK(to_string(*parse_against(name)) == name);
  CHECK(!parse_for("x"));
}

TEST_CASE("everything but failing by the policy") {
  Verdict verdict;
  CHECK(in_short(decide(verdict, {}, {})) == "deliver none");
  auto spf = circumstances("spf");
  auto marked = decide(verdict, spf, {});
  CHECK(in_short(marked) == "deliver none");
  CHECK(marked.why == Disposition::Why::SpfFail);
  CHECK(marked.describe(Language::English).ends_with("nothing but notices to the sender"));
  Rules rules;
  rules.spf_refuse_fail = true;
  CHECK(in_short(decide(verdict, spf, rules)) == "refuse none");
  CHECK(in_short(decide(verdict, circumstances("spf forwarder"), rules)) == "deliver none");
  verdict.result = Result::Pass;
  CHECK(in_short(decide(verdict, circumstances("spf noname heavy"), rules)) == "deliver pass");
  verdict.result = Result::TempError;
  CHECK(in_short(decide(verdict, spf, rules)) == "defer none");
  verdict.result = Result::PermError;
  CHECK(in_short(decide(verdict, {}, {})) == "junk quarantine");
  Circumstances by_hand;
  by_hand.claims_nobody = true;
  CHECK(in_short(decide(verdict, by_hand, {})) == "deliver none");
  by_hand.spf_mail_from = spf::Result::Fail;
  CHECK(in_short(decide(verdict, by_hand, {})) == "junk quarantine");
  by_hand.spf_mail_from = spf::Result::SoftFail;
  CHECK(in_short(decide(verdict, by_hand, {})) == "deliver none");
  rules.unreadable_author = Action::Refuse;
  CHECK(in_short(decide(verdict, {}, rules)) == "refuse reject");

  auto unknown = failed("none");
  unknown.result = Result::TempError;
  CHECK(in_short(decide(unknown, spf, {})) == "deliver none");
  unknown = failed("quarantine");
  unknown.result = Result::TempError;
  CHECK(in_short(decide(unknown, spf, {})) == "defer none");
  auto later = failed("reject");
  later.may_pass_later = true;
  CHECK(in_short(decide(later, spf, {})) == "defer none");
  later = failed("none");
  later.may_pass_later = true;
  CHECK(in_short(decide(later, spf, {})) == "deliver none");
  auto twofold = failed("none");
  twofold.author.findings.push_back({AuthorProblem::SeveralFields, ""});
  CHECK(in_short(decide(twofold, {}, {})) == "junk quarantine local_policy");
  auto refused = decide(failed("reject"), spf, {});
  CHECK(reply_text(refused, failed("reject")).find("shop.bank.test") != std::string::npos);
  CHECK(reply_text(refused, failed("reject")).find("SPF says fail") != std::string::npos);
}

}  // namespace
}  // namespace hikyaku::dmarc
