#include "dmarc/evaluate.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/text.h"
#include "dmarc/report_address.h"
#include "dns/fake_resolver.h"
#include "testing/test_loop.h"
#include "testing/vectors.h"

namespace hikyaku::dmarc {
namespace {

namespace json = boost::json;
namespace vectors = testing::vectors;

std::string text(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

/// The machine-readable worked examples of the fact sheet beside the vectors.
json::array worked_examples() {
  auto folder = vectors::folder_or_skip("worked examples of DMARC");
  if (folder.empty()) return {};
  auto sheet = vectors::read(folder / "../standards/dmarc-9989-9990-9991.md");
  auto mark = sheet.find("```json\n");
  if (mark == sheet.npos) return {};
  auto begin = mark + 8;
  return json::parse(sheet.substr(begin, sheet.find("```", begin) - begin)).as_array();
}

struct Passed {
  spf::Verdict spf;
  std::vector<dkim::Verdict> dkim;

  void add(std::string_view method, std::string domain) {
    if (method == "spf") {
      spf.result = spf::Result::Pass;
      spf.domain = std::move(domain);
    } else {
      dkim::Verdict signature;
      signature.result = dkim::Result::Pass;
      signature.domain = std::move(domain);
      dkim.push_back(std::move(signature));
    }
  }
};

Verdict evaluate_now(dns::Resolver& dns, std::string_view from, const Passed& passed) {
  testing::TestLoop loop;
  return loop.run(evaluate(dns, read_author(from), {&passed.spf, &passed.dkim}));
}

std::vector<std::string> txt_questions(const dns::FakeResolver& dns) {
  std::vector<std::string> names;
  for (auto& question : dns.asked())
    if (question.starts_with("TXT ")) names.push_back(question.substr(4));
  return names;
}

TEST_CASE("worked examples") {
  for (auto& value : worked_examples()) {
    auto& example = value.as_object();
    CAPTURE(text(example.at("id")));
    auto author = text(example.at("author"));
    dns::FakeResolver dns;
    bool fails = false;
    for (auto& [name, records] : example.at("zone").as_object()) {
      if (records == "SERVFAIL") {
        dns.set_failed(std::string(name));
        fails = true;
        continue;
      }
      auto add = [&](const json::value& record) {
        dns.add(std::string(name) + ". TXT \"" + text(record) + "\"\n");
      };
      if (records.is_array())
        for (auto& record : records.as_array()) add(record);
      else
        add(records);
    }
    if (!example.at("author_nxdomain").as_bool()) dns.add(author + ". A 192.0.2.1\n");

    testing::TestLoop loop;
    Walker walker(dns);
    auto walk = loop.run(walker.walk(author));
    std::vector<std::string> expected;
    for (auto& name : example.at("author_walk").as_array()) expected.push_back(text(name));
    CHECK(txt_questions(dns) == expected);
    CHECK(walk.failed == fails);
    if (!walk.failed) CHECK(walk.organizational_domain() == text(example.at("org")));

    Passed passed;
    for (auto& identifier : example.at("passed").as_array())
      passed.add(text(identifier.at(0)), text(identifier.at(1)));
    auto verdict = evaluate_now(dns, "x@" + author, passed);
    CHECK(to_string(verdict.result) == text(example.at("result")));
    REQUIRE(verdict.outcome());
    auto& outcome = *verdict.outcome();
    auto& effective = example.at("effective");
    bool found = outcome.discovery.state == Discovery::State::Found;
    CHECK(found == effective.is_string());
    if (!found) continue;
    CHECK(outcome.discovery.policy_domain == text(example.at("policy_domain")));
    CHECK(to_string(outcome.discovery.tag) == text(example.at("policy_tag")));
    CHECK(to_string(outcome.policy()) == text(effective));
    for (auto& aligned : example.at("aligned").as_array()) {
      auto identifier = std::ranges::find_if(outcome.identifiers, [&](auto& one) {
        return to_string(one.method) == text(aligned.at(0)) && one.domain == text(aligned.at(1));
      });
      REQUIRE(identifier != outcome.identifiers.end());
      CHECK(identifier->aligned == aligned.at(2).as_bool());
    }
  }
}

constexpr std::string_view kZone =
    "_dmarc.bank.test. TXT \"v=DMARC1; p=reject; rua=mailto:r@bank.test\"\n"
    "_dmarc.shop.test. TXT \"v=DMARC1; p=quarantine\"\n"
    "_dmarc.talk.test. TXT \"v=DMARC1; p=none\"\n"
    "mail.bank.test. A 192.0.2.1\n";

/// From, what passed ("dkim evil.test"), the result and the policy asked for.
TEST_CASE("messages") {
  struct Row {
    std::string_view from, passed, expected;
  };
  for (auto& [from, passed, expected] : std::initializer_list<Row>{
           {"a@bank.test", "dkim bank.test", "pass none"},
           {"a@bank.test", "spf mail.bank.test", "pass none"},
           {"a@bank.test", "dkim evil.test", "fail reject"},
           {"a@bank.test", "", "fail reject"},
           {"a@talk.test", "", "fail none"},
           {"a@nothing.test", "dkim nothing.test", "none none"},
           {"a@bank.test, b@bank.test", "dkim bank.test", "pass none"},
           {"a@bank.test, b@shop.test", "dkim bank.test", "fail quarantine"},
           {"a@shop.test, b@bank.test", "", "fail reject"},
           {"a@shop.test, b@bank.test", "dkim shop.test dkim bank.test", "pass none"},
           {"a@bank.test, b@nothing.test", "dkim bank.test", "none none"},
           // Forgers' tricks: what passes is theirs, what is shown is the bank's.
           {"a@bank.test <a@evil.test>", "dkim evil.test", "fail reject"},
           {"<a@evil.test>, <a@bank.test>", "dkim evil.test spf evil.test", "fail reject"},
           {"=?utf-8?q?a=40bank=2Etest?= <a@evil.test>", "dkim evil.test", "fail reject"},
           {"\"a@bank.test\"@evil.test", "dkim evil.test", "fail reject"},
           {"<@evil.test:a@bank.test>", "dkim bank.test", "fail reject"},
           {"x: a@nothing.test;", "dkim nothing.test", "permerror none"},
           {"nobody", "dkim evil.test", "permerror none"},
           // Equal names, but for case; and an identifier that is no name.
           {"a@BANK.test", "dkim Bank.Test", "pass none"},
           {"a@bank.test", "dkim b\xFFnk.test", "fail reject"},
       }) {
    CAPTURE(from);
    CAPTURE(passed);
    dns::FakeResolver dns(kZone);
    Passed found;
    auto words = split(passed, ' ');
    for (std::size_t i = 0; i + 1 < words.size(); i += 2)
      found.add(words[i], std::string(words[i + 1]));
    auto verdict = evaluate_now(dns, from, found);
    CHECK(std::string(to_string(verdict.result)) + ' ' + std::string(to_string(verdict.policy())) ==
          expected);
  }
}

TEST_CASE("what cannot be asked is neither pass nor fail") {
  dns::FakeResolver dns(kZone);
  dns.set_failed("_dmarc.mail.bank.test");
  Passed other;
  other.add("dkim", "mail.bank.test");
  CHECK(evaluate_now(dns, "a@bank.test", other).result == Result::TempError);
  other.add("dkim", "bank.test");  // another one is aligned: that is enough
  CHECK(evaluate_now(dns, "a@bank.test", other).result == Result::Pass);
  Passed nothing;
  CHECK(evaluate_now(dns, "a@mail.bank.test", nothing).result == Result::TempError);
  nothing.spf.result = spf::Result::TempError;
  auto verdict = evaluate_now(dns, "a@bank.test", nothing);
  CHECK(verdict.result == Result::Fail);
  CHECK(verdict.may_pass_later);
}

TEST_CASE("work is bounded") {
  dns::FakeResolver dns("_dmarc.bank.test. TXT \"v=DMARC1; p=reject\"\n");
  Passed many;
  for (int i = 0; i < 1000; ++i)
    many.add("dkim", "a.b.c.d.e.f.g.h.i.j" + std::to_string(i) + ".test");
  auto verdict = evaluate_now(dns, "a@bank.test", many);
  CHECK(verdict.result == Result::Fail);
  CHECK(dns.asked().size() <= 64);
  CHECK(verdict.asked.size() <= 65);
  auto long_name = std::string(60, 'a') + '.' + std::string(60, 'b') + '.' + std::string(60, 'c') +
                   '.' + std::string(58, 'd') + ".bank.test";
  CHECK(evaluate_now(dns, "a@" + long_name, {}).result == Result::Fail);
}

TEST_CASE("whether a domain exists is asked within the limit, and is no question for a record") {
  dns::FakeResolver dns("_dmarc.bank.test. TXT \"v=DMARC1; p=reject; np=none\"\n");
  auto verdict = evaluate_now(dns, "a@_dmarc.bank.test", {});
  CHECK(verdict.outcomes.at(0).discovery.author_exists == true);
  CHECK(verdict.policy() == Policy::Reject);
  dns.forget_asked();
  testing::TestLoop loop;
  auto few = loop.run(evaluate(dns, read_author("a@mail.bank.test"), {}, {.questions = 3}));
  CHECK(few.result == Result::TempError);
  CHECK(dns.asked().size() == 3);
  auto enough = loop.run(evaluate(dns, read_author("a@mail.bank.test"), {}, {.questions = 4}));
  CHECK(enough.result == Result::Fail);
}

TEST_CASE("every name that was asked is told") {
  dns::FakeResolver dns(
      "_dmarc.example.com. 600 TXT \"v=DMARC1; p=reject\"\n"
      "_dmarc.mail.example.com. TXT \"v=DMRC1; p=none\"\n"
      "_dmarc.com. TXT \"something else\"\n"
      "mail.example.com. A 192.0.2.1\n");
  auto verdict = evaluate_now(dns, "a@mail.example.com", {});
  REQUIRE(verdict.asked.size() == 3);
  CHECK(verdict.asked[0].found == Asked::Found::NearMiss);
  CHECK(verdict.asked[0].text == "v=DMRC1; p=none");
  CHECK(verdict.asked[1].found == Asked::Found::Record);
  CHECK(verdict.asked[1].ttl == std::chrono::seconds(600));
  CHECK(verdict.asked[1].record->text == "v=DMARC1; p=reject");
  CHECK(verdict.asked[2].found == Asked::Found::None);
}

TEST_CASE("reports leave the organisation only where the destination agrees") {
  constexpr std::string_view kReports =
      "_dmarc.example.com. TXT \"v=DMARC1; p=none\"\n"
      "example.com._report._dmarc.vendor.test. TXT \"v=DMARC1\"\n"
      "example.com._report._dmarc.moved.test. TXT \"v=DMARC1; rua=mailto:b@moved.test\"\n"
      "example.com._report._dmarc.onward.test. TXT \"v=DMARC1; rua=mailto:b@other.test\"\n"
      "*._report._dmarc.wild.test. TXT \"v=DMARC1\"\n"
      "example.com._report._dmarc.spf.test. TXT \"v=spf1 -all\"\n";
  using State = Authorization::State;
  struct Row {
    std::string_view uri;
    State state;
    std::string_view mailbox;
  };
  for (auto& [uri, state, mailbox] : std::initializer_list<Row>{
           {"mailto:a@example.com", State::SameOrganization, "a@example.com"},
           {"mailto:a@reports.example.com", State::SameOrganization, "a@reports.example.com"},
           {"mailto:a@vendor.test", State::Authorized, "a@vendor.test"},
           {"mailto:a@moved.test", State::Authorized, "b@moved.test"},
           {"mailto:a@onward.test", State::Refused, ""},
           {"mailto:a@wild.test", State::Authorized, "a@wild.test"},
           {"mailto:a@spf.test", State::Refused, ""},
           {"mailto:a@nobody.test", State::Refused, ""},
           {"mailto:a@broken.test", State::Unknown, ""},
       }) {
    CAPTURE(uri);
    dns::FakeResolver dns(kReports);
    dns.set_failed("example.com._report._dmarc.broken.test");
    testing::TestLoop loop;
    auto result =
        loop.run(authorize(dns, "example.com", *parse_report_uri(uri), ReportKind::Aggregate));
    CHECK(result.state == state);
    CHECK((result.mailboxes.empty() ? "" : result.mailboxes.front()) == mailbox);
    CHECK(result.problem.empty() == !mailbox.empty());
  }
}

}  // namespace
}  // namespace hikyaku::dmarc
