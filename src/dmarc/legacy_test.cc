#include "dmarc/legacy.h"

#include <doctest/doctest.h>
#include <sstream>

#include "dns/fake_resolver.h"
#include "dns/name.h"
#include "testing/test_loop.h"
#include "testing/vectors.h"

namespace hikyaku::dmarc {
namespace {

namespace vectors = testing::vectors;

TEST_CASE("the Public Suffix List's own tests") {
  auto folder = vectors::folder_or_skip("public suffixes");
  if (folder.empty()) return;
  auto list = PublicSuffixes::parse(vectors::read(folder / "psl/public_suffix_list.dat"));
  REQUIRE(list);
  std::istringstream lines(vectors::read(folder / "psl/tests.txt"));
  std::string line;
  int count = 0;
  while (std::getline(lines, line)) {
    if (line.empty() || line.starts_with("//")) continue;
    auto space = line.find(' ');
    auto input = line.substr(0, space), expected = line.substr(space + 1);
    if (input == "null") continue;  // there is no "no string" here
    CAPTURE(line);
    auto found = list->registrable_domain(input);
    if (expected == "null") {
      CHECK(!found);
    } else {
      REQUIRE(found);
      CHECK(*found == *dns::to_ascii(expected));
    }
    ++count;
  }
  CHECK(count >= 70);
  CHECK(!PublicSuffixes::parse(""));
}

TEST_CASE("where the old rules end otherwise") {
  struct Row {
    std::string_view zone, from, passed, old_result, new_result;
    bool differs;
  };
  for (auto& [zone, from, passed, old_result, new_result, differs] : std::initializer_list<Row>{
           {"_dmarc.shop.co.uk. TXT \"v=DMARC1; p=reject\"\n", "a@shop.co.uk", "mail.shop.co.uk",
            "pass", "pass", false},
           // A careless registry: the walk ends at its record, the list does not.
           {"_dmarc.co.uk. TXT \"v=DMARC1; p=none\"\n_dmarc.shop.co.uk. TXT \"v=DMARC1; "
            "p=reject\"\n",
            "a@shop.co.uk", "evil.co.uk", "fail", "pass", true},
           // An organisation inside an organisation: only the walk knows it.
           {"_dmarc.uni.example.com. TXT \"v=DMARC1; p=reject; psd=n\"\n"
            "_dmarc.example.com. TXT \"v=DMARC1; p=none\"\n",
            "a@uni.example.com", "example.com", "pass", "fail", true},
           {"_dmarc.example.com. TXT \"v=DMARC1; p=reject; pct=0\"\n", "a@example.com", "x.test",
            "fail", "fail", true},
           {"_dmarc.example.com. TXT \"v=DMARC1; p=reject; t=y\"\n", "a@example.com", "x.test",
            "fail", "fail", true},
           {"", "a@example.com", "x.test", "none", "none", false},
       }) {
    CAPTURE(zone);
    dns::FakeResolver dns(zone);
    testing::TestLoop loop;
    PublicSuffixes suffixes;
    std::vector<dkim::Verdict> signatures(1);
    signatures[0].result = dkim::Result::Pass;
    signatures[0].domain = passed;
    auto author = read_author(from);
    auto opinion =
        loop.run(legacy_opinion(dns, suffixes, author.domains.front(), {nullptr, &signatures}));
    auto verdict = loop.run(evaluate(dns, author, {nullptr, &signatures}));
    CHECK(to_string(opinion.result) == old_result);
    CHECK(to_string(verdict.result) == new_result);
    CHECK(opinion.differs_from(verdict) == differs);
  }
}

}  // namespace
}  // namespace hikyaku::dmarc
