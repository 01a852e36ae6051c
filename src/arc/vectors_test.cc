// The ARC test suite, case by case.
#include "testing/vectors.h"

#include <doctest/doctest.h>

#include "arc/chain.h"
#include "arc/problem.h"
#include "arc/sealer.h"
#include "arc/verifier.h"
#include "base/text.h"
#include "dkim/tag_list.h"
#include "dns/fake_resolver.h"
#include "testing/test_loop.h"
#include "testing/yaml.h"

namespace hikyaku::arc {
namespace {

namespace vectors = testing::vectors;
using testing::Yaml;

/// TXT records as a zone; the suite cuts them into lines, which are strings of one record.
std::string zone_of(const Yaml& records) {
  std::string zone;
  for (auto& [name, value] : records.members) {
    auto text = value.text;
    std::erase(text, '\n');
    zone += name + ". TXT";
    for (std::size_t at = 0; at < text.size() || at == 0; at += 200)
      zone += " \"" + text.substr(at, 200) + "\"";
    zone += "\n";
  }
  return zone;
}

Verdict verify(std::string_view message, dns::Resolver& dns) {
  testing::TestLoop loop;
  auto split = mime::header_length(message);
  Verifier verifier(std::string(message.substr(0, split)), {.now = loop.now()});
  verifier.body(message.substr(split));
  auto verdict = loop.run(verifier.finish(dns));
  CAPTURE(verdict.problem);  // every problem has its words in every language
  if (!verdict.problem.empty())
    CHECK(problem_in(verdict.problem, Language::Japanese) != verdict.problem);
  return verdict;
}

TEST_CASE("vectors: validation") {
  auto folder = vectors::folder_or_skip("ARC validation");
  if (folder.empty()) return;
  int count = 0;
  for (auto& scenario :
       testing::read_yaml(vectors::read(folder / "arc/arc-draft-validation-tests.yml"))) {
    dns::FakeResolver dns(zone_of(scenario["txt-records"]));
    for (auto& [name, test] : scenario["tests"].members) {
      CAPTURE(name);
      CAPTURE(test["description"].text);
      auto verdict = verify(with_crlf(test["message"].text), dns);
      CAPTURE(verdict.problem);
      auto wanted = to_lower(test["cv"].text);
      // An empty cv= is that of a chain which ended before: RFC 8617 §5.2, step 2, says fail.
      if (wanted.empty()) wanted = name.ends_with("fail") ? "fail" : "none";
      CHECK(to_string(verdict.result) == wanted);
      CHECK(verdict.problem.empty() == (wanted != "fail"));
      ++count;
    }
  }
  MESSAGE(count << " tests");
  CHECK(count >= 171);  // some names stand there twice
}

/// The field of this name in front of others, its value without any space.
std::string squeezed(std::string_view header, std::string_view name) {
  auto field = mime::HeaderView(header).find(name);
  return field ? dkim::without_space(field->value) : std::string();
}

TEST_CASE("vectors: sealing") {
  auto folder = vectors::folder_or_skip("ARC sealing");
  if (folder.empty()) return;
  int count = 0;
  for (auto& scenario :
       testing::read_yaml(vectors::read(folder / "arc/arc-draft-sign-tests.yml"))) {
    dns::FakeResolver dns(zone_of(scenario["txt-records"]));
    auto key = crypto::PrivateKey::from_pem(scenario["privatekey"].text);
    REQUIRE(key);
    for (auto& [name, test] : scenario["tests"].members) {
      CAPTURE(name);
      auto message = with_crlf(test["message"].text);
      auto split = mime::header_length(message);
      auto header = std::string_view(message).substr(0, split);
      auto chain = verify(message, dns);
      CAPTURE(chain.problem);
      dkim::HeaderFields fields(header);
      SealOptions options{.key = {scenario["domain"].text, scenario["sel"].text, *key},
                          .now = Time(seconds(*parse_decimal(test["t"].text)))};
      for (auto piece : hikyaku::split(test["sig-headers"].text, ':'))
        options.fields.emplace_back(piece);
      Sealer sealer(std::move(options));
      sealer.body(std::string_view(message).substr(split));
      auto added = sealer.finish(header, chain, collect_results(fields, test["srv-id"].text));
      REQUIRE_MESSAGE(added, added.error().text);
      CHECK(squeezed(*added, "ARC-Authentication-Results") ==
            dkim::without_space(test["AAR"].text));
      CHECK(squeezed(*added, "ARC-Message-Signature") == dkim::without_space(test["AMS"].text));
      CHECK(squeezed(*added, "ARC-Seal") == dkim::without_space(test["AS"].text));
      // What was added keeps the chain as it was.
      if (!added->empty() && chain.result != dkim::Result::Fail)
        CHECK(verify(*added + message, dns).passed());
      ++count;
    }
  }
  MESSAGE(count << " tests");
  CHECK(count == 17);
}

}  // namespace
}  // namespace hikyaku::arc
