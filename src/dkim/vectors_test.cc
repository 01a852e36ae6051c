// Signed messages that others made, case by case.
#include "testing/vectors.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <map>

#include "base/base64.h"
#include "base/text.h"
#include "dkim/problem.h"
#include "dkim/signer.h"
#include "dkim/test_keys.h"
#include "dkim/verifier.h"
#include "dns/fake_resolver.h"
#include "testing/test_loop.h"

namespace hikyaku::dkim {
namespace {

namespace json = boost::json;
namespace vectors = testing::vectors;

/// Every problem has its words in every language.
void check_words(const Verdict& verdict) {
  CAPTURE(verdict.problem);
  if (!verdict.problem.empty())
    CHECK(problem_in(verdict.problem, Language::Japanese) != verdict.problem);
}

std::vector<Verdict> verify(std::string_view message, dns::Resolver& dns, Time now) {
  testing::TestLoop loop;
  auto split = mime::header_length(message);
  Verifier verifier(std::string(message.substr(0, split)), {.now = now});
  verifier.body(message.substr(split));
  auto verdicts = loop.run(verifier.finish(dns));
  for (auto& verdict : verdicts) check_words(verdict);
  return verdicts;
}

Time at(std::string_view text) {
  return *parse_rfc3339(text);
}

/// "NAME TXT" a line; NXDOMAIN and ~~reason~~ stand for themselves.
void add_records(dns::FakeResolver& dns, std::string_view text) {
  std::string zone;
  for (auto line : split(text, '\n')) {
    line = trim(line);
    auto space = line.find(' ');
    if (line.starts_with('#') || space == line.npos) continue;
    auto name = line.substr(0, space);
    auto data = trim(line.substr(space));
    if (data == "\"\"") data = "";
    if (data == "NXDOMAIN") continue;
    if (data.starts_with("~~"))
      dns.set_failed(name);
    else
      zone += txt_record(name, data);
  }
  dns.add(zone);
}

TEST_CASE("vectors: mail-auth, with their keys in front") {
  auto folder = vectors::folder_or_skip("DKIM mail-auth");
  if (folder.empty()) return;
  int count = 0;
  for (auto& path : vectors::files(folder / "dkim/mail-auth", ".txt")) {
    auto name = path.filename().string();
    if (!is_ascii_digit(name.front())) continue;
    CAPTURE(name);
    auto text = vectors::without_cr(vectors::read(path));
    auto gap = text.find("\n\n");
    REQUIRE(gap != std::string::npos);
    dns::FakeResolver dns;
    add_records(dns, text.substr(0, gap));
    auto message = with_crlf(text.substr(gap + 2));
    auto verdicts = verify(message, dns, at("2022-11-08T00:00:00Z"));
    CHECK(!verdicts.empty());
    for (auto& verdict : verdicts) {
      CAPTURE(verdict.problem);
      CHECK(verdict.result == Result::Pass);
    }
    if (name == "005.txt") {
      // Its x= is in 2022.
      auto late = verify(message, dns, at("2026-01-01T00:00:00Z"));
      CHECK(best(late) == Result::PermError);
      CHECK(late.front().problem.contains("expired"));
    }
    ++count;
  }
  MESSAGE(count << " messages");
  CHECK(count >= 6);
}

/// Whether our result is of the kind that the expectation names.
bool agrees(Result result, std::string_view expected) {
  if (expected == "pass") return result == Result::Pass;
  if (expected == "fail") return result == Result::Fail;
  if (expected == "invalid") return result != Result::Pass && result != Result::Fail;
  return result != Result::Pass;
}

TEST_CASE("vectors: mail-dkim") {
  auto folder = vectors::folder_or_skip("DKIM mail-dkim");
  if (folder.empty()) return;
  // Where the standard says something else:
  const std::map<std::string, Result> differs{
      // No v=, which RFC 6376 §3.5 requires: the signature is not looked at further.
      {"bad_1.txt", Result::Neutral},
      {"bad_ietf01_2.txt", Result::Neutral},
  };
  dns::FakeResolver dns;
  add_records(dns, vectors::read(folder / "dkim/mail-dkim/FAKE_DNS.dat"));
  auto expected = json::parse(vectors::read(folder / "dkim/mail-dkim/expected.json"));
  int count = 0;
  for (auto& [name, facts] : expected.as_object()) {
    CAPTURE(std::string(name));
    auto message = with_crlf(vectors::read(folder / "dkim/mail-dkim" / std::string(name)));
    auto verdicts = verify(message, dns, at("2026-01-01T00:00:00Z"));
    std::string problems;
    for (auto& verdict : verdicts) problems += verdict.problem + "; ";
    CAPTURE(problems);
    auto result = best(verdicts);
    CAPTURE(to_string(result));
    if (auto other = differs.find(name); other != differs.end())
      CHECK(result == other->second);
    else
      CHECK(agrees(result, std::string_view(facts.at("today").as_string())));
    // Right in itself and made with SHA-1: that is said (RFC 8301 §3.1).
    if (name == "good_1878523.txt" || name == "goodkey_1.txt") {
      CHECK(result == Result::Policy);
      CHECK(problems.contains("rsa-sha1"));
    }
    ++count;
  }
  MESSAGE(count << " messages");
  CHECK(count >= 42);
}

std::string record_of_pem(std::string_view pem) {
  std::string base64;
  for (auto line : split(pem, '\n'))
    if (!line.starts_with("-----")) base64 += trim(line);
  return "v=DKIM1; k=rsa; p=" + base64;
}

TEST_CASE("vectors: mimekit, verified and signed") {
  auto folder = vectors::folder_or_skip("DKIM mimekit");
  if (folder.empty()) return;
  folder /= "dkim/mimekit";
  dns::FakeResolver dns;
  dns.add(txt_record("20120113._domainkey.gmail.com",
                     record_of_pem(vectors::read(folder / "gmail.pub"))));
  dns.add(txt_record("brisbane._domainkey.football.example.com",
                     "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
  dns.add(
      txt_record("test._domainkey.football.example.com",
                 "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
                 "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
                 "j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"));
  dns.add(txt_record("test._domainkey.example.com",
                     record_of_pem(vectors::read(folder / "example.pub"))));
  for (auto name : {"gmail.msg", "rfc8463-example.msg"}) {
    CAPTURE(name);
    auto verdicts =
        verify(with_crlf(vectors::read(folder / name)), dns, at("2026-01-01T00:00:00Z"));
    CHECK(!verdicts.empty());
    for (auto& verdict : verdicts) {
      CAPTURE(verdict.problem);
      CHECK(verdict.result == Result::Pass);
    }
  }
  auto key = crypto::PrivateKey::from_pem(vectors::read(folder / "example.pem"));
  REQUIRE(key);
  for (auto name : {"related.msg", "multipart-no-end-boundary.msg"}) {
    CAPTURE(name);
    auto message = with_crlf(vectors::read(folder / name));
    auto split = mime::header_length(message);
    Signer signer({{"example.com", "test", *key}}, {.now = at("2026-01-01T00:00:00Z")});
    signer.body(std::string_view(message).substr(split));
    auto fields = signer.finish(std::string_view(message).substr(0, split));
    REQUIRE_MESSAGE(fields, fields.error().text);
    CHECK(best(verify(*fields + message, dns, at("2026-01-01T00:00:00Z"))) == Result::Pass);
    CHECK(best(verify(*fields + message + "more", dns, at("2026-01-01T00:00:00Z"))) ==
          Result::Fail);
  }
}

}  // namespace
}  // namespace hikyaku::dkim
