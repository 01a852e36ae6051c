// Chains that we seal ourselves, and what may happen to them.
#include <doctest/doctest.h>

#include "arc/chain.h"
#include "arc/problem.h"
#include "arc/sealer.h"
#include "arc/verifier.h"
#include "base/text.h"
#include "dkim/test_keys.h"
#include "dns/fake_resolver.h"
#include "testing/every_split.h"
#include "testing/test_loop.h"

namespace hikyaku::arc {
namespace {

using crypto::KeyType;
using crypto::PrivateKey;

const Time kNow = *parse_rfc3339("2026-11-21T12:00:00Z");

struct World {
  PrivateKey key = *PrivateKey::generate(KeyType::Ed25519);
  dns::FakeResolver dns;

  World() {
    for (auto domain : {"alpha.test", "beta.test", "gamma.test"})
      dns.add(dkim::txt_record("arc._domainkey." + std::string(domain),
                               dkim::write_key_record(key.public_key())));
  }

  Verdict verify(std::string_view message) {
    testing::TestLoop loop;
    auto split = mime::header_length(message);
    Verifier verifier(std::string(message.substr(0, split)), {.now = kNow});
    verifier.body(message.substr(split));
    auto verdict = loop.run(verifier.finish(dns));
    CAPTURE(verdict.problem);  // every problem has its words in every language
    if (!verdict.problem.empty())
      CHECK(problem_in(verdict.problem, Language::Japanese) != verdict.problem);
    return verdict;
  }

  std::string seal(const std::string& message, std::string domain,
                   mime::AuthenticationResults results = {}) {
    if (results.authserv_id.empty()) results.authserv_id = "mx." + domain;
    auto chain = verify(message);
    auto split = mime::header_length(message);
    Sealer sealer({.key = {std::move(domain), "arc", key}, .now = kNow});
    sealer.body(std::string_view(message).substr(split));
    auto fields = sealer.finish(std::string_view(message).substr(0, split), chain, results);
    REQUIRE_MESSAGE(fields, fields.error().text);
    return *fields + message;
  }
};

const std::string kMessage =
    "From: anna@alpha.test\r\n"
    "Subject: dinner\r\n"
    "\r\n"
    "Is it ready?\r\n";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  auto at = text.find(what);
  REQUIRE(at != text.npos);
  return text.replace(at, what.size(), with);
}

TEST_CASE("three hops, each on top of the others; a list may change the message in between") {
  World world;
  CHECK(world.verify(kMessage).result == dkim::Result::None);
  auto one =
      world.seal(kMessage, "alpha.test",
                 {.authserv_id = "mx.alpha.test", .methods = {{.name = "spf", .result = "pass"}}});
  auto two = world.seal(replaced(one, "Subject: dinner", "Subject: [list] dinner"), "beta.test");
  CHECK(world.verify(two).result == dkim::Result::Fail);  // beta saw a changed message
  one =
      world.seal(kMessage, "alpha.test",
                 {.authserv_id = "mx.alpha.test", .methods = {{.name = "spf", .result = "pass"}}});
  CHECK(world.verify(one).passed());
  // A list verifies, changes, seals.
  auto chain = world.verify(one);
  auto changed = replaced(one, "Subject: dinner", "Subject: [list] dinner") + "-- \r\nfooter\r\n";
  Sealer sealer({.key = {"beta.test", "arc", world.key}, .now = kNow});
  auto split = mime::header_length(changed);
  sealer.body(std::string_view(changed).substr(split));
  auto fields = sealer.finish(std::string_view(changed).substr(0, split), chain,
                              {.authserv_id = "lists.beta.test"});
  REQUIRE(fields);
  auto three = world.seal(*fields + changed, "gamma.test");
  auto verdict = world.verify(three);
  CHECK_MESSAGE(verdict.passed(), verdict.problem);
  REQUIRE(verdict.hops.size() == 3);
  CHECK(verdict.hops[0].domain == "gamma.test");
  CHECK(verdict.hops[0].instance == 3);
  CHECK(verdict.hops[2].domain == "alpha.test");
  REQUIRE(verdict.hops[2].results);
  CHECK(verdict.hops[2].results->find("spf")->result == "pass");
  CHECK(verdict.hops[2].results->find("arc")->result == "none");
  CHECK(verdict.hops[1].results->find("arc")->result == "pass");
  CHECK(verdict.lookups.size() == 3);  // one for each sealer, not for each signature
}

TEST_CASE("what breaks a chain, and the words for it") {
  World world;
  auto message = world.seal(world.seal(kMessage, "alpha.test"), "beta.test");
  REQUIRE(world.verify(message).passed());
  struct Case {
    std::string_view what, with, problem;
  };
  for (auto& [what, with, problem] : std::initializer_list<Case>{
           {"ready", "late", "i=2: the body was changed"},
           {"Subject: dinner", "Subject: supper", "ARC-Message-Signature i=2"},
           {"ARC-Seal", "X-Seal", "ARC-Seal i=2 is missing"},
           {"ARC-Message-Signature", "X-Signature", "ARC-Message-Signature i=2 is missing"},
           {"i=2; mx.beta.test", "i=3; mx.beta.test", "is missing"},
           {"i=2; mx.beta.test", "i=1; mx.beta.test", "twice"},
           {"i=2; mx.beta.test", "i=2; mx.gamma.test", "ARC-Seal i=2"},
           {"i=1; mx.alpha.test", "i=1; mx.gamma.test", "ARC-Seal i=2"},
           {"cv=pass", "cv=none", "cv=none"},
           {"cv=pass", "cv=fail", "found the chain broken before"},
           {"cv=pass", "cv=pass; h=from", "has h="},
           {"s=arc", "s=gone", "there is no key gone._domainkey.beta.test"},
       }) {
    CAPTURE(what);
    auto verdict = world.verify(replaced(message, what, with));
    CHECK(verdict.result == dkim::Result::Fail);
    CAPTURE(verdict.problem);
    CHECK(verdict.problem.contains(problem));
  }
  world.dns.set_failed("arc._domainkey.alpha.test");
  CHECK(world.verify(message).result == dkim::Result::Fail);  // RFC 8617 §5.2.1
}

TEST_CASE("a broken chain is sealed once, as broken, and then no more") {
  World world;
  auto one = world.seal(kMessage, "alpha.test");
  auto broken = replaced(one, "ready", "late");
  auto marked = world.seal(broken, "beta.test");
  CHECK(marked.contains("cv=fail"));
  CHECK(world.verify(marked).result == dkim::Result::Fail);
  CHECK(world.seal(marked, "gamma.test") == marked);
}

TEST_CASE("fifty sets and no more; thousands of fields cost nothing") {
  World world;
  auto message = kMessage;
  for (int i = 0; i < 50; ++i) message = world.seal(message, "alpha.test");
  CHECK(world.verify(message).passed());
  CHECK(world.verify(message).hops.size() == 50);
  CHECK(world.seal(message, "beta.test") == message);
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "ARC-Seal: i=1; a=rsa-sha256; b=AAAA; cv=none\r\n";
  auto verdict = world.verify(many + kMessage);
  CHECK(verdict.result == dkim::Result::Fail);
  CHECK(verdict.lookups.empty());
}

TEST_CASE("nothing is put in front of a header that begins with a blank") {
  World world;
  std::string message = " \t: folded\r\nFrom: a@x.test\r\n\r\nbody\r\n";
  CHECK(world.seal(message, "alpha.test") == message);
}

TEST_CASE("the body may come in any pieces") {
  World world;
  auto message = world.seal(kMessage, "alpha.test");
  auto split = mime::header_length(message);
  testing::TestLoop loop;
  testing::every_split(std::string_view(message).substr(split), [&](auto first, auto second) {
    Verifier verifier(message.substr(0, split), {.now = kNow});
    verifier.body(first);
    verifier.body(second);
    CHECK(loop.run(verifier.finish(world.dns)).passed());
  });
}

TEST_CASE("a chain that passes says when its header can be read in two ways") {
  World world;
  auto message = world.seal("From: eve@mallory.test\r\n" + kMessage, "alpha.test");
  auto verdict = world.verify(message);
  CHECK(verdict.passed());
  CHECK(verdict.header_problem.contains("2 From fields"));
}

TEST_CASE("what must not be signed is refused; lines stay short enough for any relay") {
  World world;
  Sealer sealer({.key = {"alpha.test", "arc", world.key}, .fields = {"From", "ARC-Seal"}});
  CHECK(!sealer.finish("From: a@alpha.test\r\n\r\n", {}, {.authserv_id = "x"}));
  std::string header = "From: a@alpha.test\r\n";
  for (int i = 0; i < 300; ++i) header += "List-Id: x\r\nDKIM-Signature: x\r\n";
  auto message = world.seal(header + "\r\nhi\r\n", "alpha.test");
  CHECK(world.verify(message).passed());
  for (auto line : split(message, '\n')) CHECK(line.size() < 999);
}

}  // namespace
}  // namespace hikyaku::arc
