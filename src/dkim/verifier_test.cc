#include "dkim/verifier.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "base/base64.h"
#include "base/text.h"
#include "dkim/keys.h"
#include "dkim/problem.h"
#include "dkim/signer.h"
#include "dkim/test_keys.h"
#include "dns/fake_resolver.h"
#include "testing/every_split.h"
#include "testing/test_loop.h"

namespace hikyaku::dkim {
namespace {

using crypto::KeyType;
using crypto::PrivateKey;

const Time kNow = *parse_rfc3339("2026-11-21T12:00:00Z");
constexpr std::string_view kHeader =
    "From: Anna <anna@alpha.test>\r\n"
    "To: bob@beta.test\r\n"
    "Subject: dinner\r\n"
    "\r\n";
constexpr std::string_view kBody = "Is it ready?\r\n\r\nAnna\r\n";

/// A domain with an RSA and an Ed25519 key, and a verifier's DNS.
struct World {
  PrivateKey rsa = *PrivateKey::generate(KeyType::Rsa);
  PrivateKey ed25519 = *PrivateKey::generate(KeyType::Ed25519);
  dns::FakeResolver dns;

  World() {
    publish("rsa", write_key_record(rsa.public_key()));
    publish("ed", write_key_record(ed25519.public_key()));
  }
  void publish(std::string_view selector, std::string_view text) {
    dns.add(txt_record(std::string(selector) + "._domainkey.alpha.test", text));
  }
  std::vector<SigningKey> keys() const {
    return {{"alpha.test", "ed", ed25519}, {"alpha.test", "rsa", rsa}};
  }
  /// The message signed by `keys`, whole.
  std::string sign(std::vector<SigningKey> by, SignOptions options = {.now = kNow},
                   std::string_view header = kHeader, std::string_view body = kBody) const {
    Signer signer(std::move(by), std::move(options));
    signer.body(body);
    auto fields = signer.finish(header);
    REQUIRE_MESSAGE(fields, fields.error().text);
    return *fields + std::string(header) + std::string(body);
  }
  std::string sign_with_ed(SignOptions options = {.now = kNow}) const {
    return sign({{"alpha.test", "ed", ed25519}}, std::move(options));
  }
  std::vector<Verdict> verify(std::string_view message, VerifyOptions options = {.now = kNow}) {
    testing::TestLoop loop;
    auto split = mime::header_length(message);
    Verifier verifier(std::string(message.substr(0, split)), options);
    verifier.body(message.substr(split));
    auto verdicts = loop.run(verifier.finish(dns));
    for (auto& verdict : verdicts) {
      CAPTURE(verdict.problem);  // every problem has its words in every language
      if (!verdict.problem.empty())
        CHECK(problem_in(verdict.problem, Language::Japanese) != verdict.problem);
    }
    return verdicts;
  }
  Verdict first(std::string_view message) {
    auto verdicts = verify(message);
    REQUIRE(!verdicts.empty());
    return verdicts.front();
  }
};

World& world() {
  static World shared;
  return shared;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  auto at = text.find(what);
  REQUIRE(at != text.npos);
  return text.replace(at, what.size(), with);
}

/// A hand-made signature field, signed with the Ed25519 key: what our signer would not write.
std::string hand_signed(const World& world, std::string tags, std::string_view header,
                        std::string_view body, std::string_view selector = "ed") {
  auto hash = crypto::digest(crypto::Hash::Sha256, body);
  auto raw = "DKIM-Signature: v=1; a=ed25519-sha256; d=alpha.test; s=" + std::string(selector) +
             "; c=simple/simple; " + tags + " bh=" + base64_encode(hash) + "; b=";
  HeaderFields fields(header);
  std::vector<std::string> names;
  auto list = TagList::parse(tags);
  REQUIRE(list);
  for (auto name : split_colons(*list->find("h"))) names.push_back(to_lower(name));
  auto colon = raw.find(':');
  mime::Field own{raw, std::string_view(raw).substr(0, colon),
                  std::string_view(raw).substr(colon + 1)};
  auto signature = sign_data(
      world.ed25519, signed_data(fields.select(names, nullptr), own, Canonicalization::Simple));
  return raw + base64_encode(*signature) + "\r\n";
}

TEST_CASE("signed with both keys, both verify; RSA stands on top") {
  auto verdicts = world().verify(world().sign(world().keys()));
  REQUIRE(verdicts.size() == 2);
  for (auto& verdict : verdicts) {
    CHECK_MESSAGE(verdict.result == Result::Pass, verdict.problem);
    CHECK(verdict.problem.empty());
    CHECK(verdict.domain == "alpha.test");
    CHECK(verdict.identity == "@alpha.test");
    CHECK(verdict.signed_at == kNow);
    CHECK(!verdict.body_limited);
    CHECK(verdict.lookups.size() == 1);
    CHECK(verdict.b_prefix.size() == 8);
  }
  CHECK(verdicts[0].algorithm == "rsa-sha256");
  CHECK(verdicts[0].key_bits == 2048);
  CHECK(verdicts[0].lookups[0].name == "rsa._domainkey.alpha.test");
  CHECK(verdicts[1].algorithm == "ed25519-sha256");
}

TEST_CASE("the body may come in any pieces") {
  auto message = world().sign(world().keys());
  auto split = mime::header_length(message);
  testing::TestLoop loop;
  testing::every_split(std::string_view(message).substr(split), [&](auto first, auto second) {
    Verifier verifier(message.substr(0, split), {.now = kNow});
    verifier.body(first);
    verifier.body(second);
    CHECK(best(loop.run(verifier.finish(world().dns))) == Result::Pass);
  });
}

TEST_CASE("what may happen to a message underway, and what not") {
  struct Case {
    std::string_view what, with;
    Result expected;
  };
  auto message = world().sign_with_ed();
  for (auto& [what, with, expected] : std::initializer_list<Case>{
           {"Subject: dinner", "subject:  dinner ", Result::Pass},  // relaxed
           {"From:", "Received: from x\r\nFrom:", Result::Pass},    // not signed
           {"ready?\r\n", "ready?  \r\n", Result::Pass},
           {"Anna\r\n", "Anna\r\n\r\n\r\n", Result::Pass},
           {"Subject: dinner", "Subject: supper", Result::Fail},
           {"Is it", "Was it", Result::Fail},
           {"Subject:", "Subject: other\r\nSubject:", Result::Fail},  // oversigned
           {"Subject:", "Subject : other\r\nSubject:", Result::Fail},
           {"From:", "Cc: eve@mallory.test\r\nFrom:", Result::Fail},
           {"From:", "From: eve@mallory.test\r\nFrom:", Result::Fail},
           {" b=\r\n ", " b=\r\n AAAA", Result::Fail},
           {"a=ed25519-sha256", "a=rsa-sha256", Result::PermError},  // the key is of another type
           {"a=ed25519-sha256", "a=dsa-sha1", Result::Neutral},
           {"v=1", "v=2", Result::Neutral},
           {"v=1;", "", Result::Neutral},
           {"s=ed", "s=gone", Result::PermError},
           {"d=alpha.test", "d=alpha.test; d=alpha.test", Result::Neutral},
           {"d=alpha.test", "d=test", Result::Neutral},  // RFC 6376 §3.5: at least two labels
           {"d=alpha.test", "d=\"alpha.test\"", Result::Neutral},
           {"d=alpha.test", "d=alpha..test", Result::Neutral},
           {"h=from:", "h=", Result::Fail},  // one From less: another signature
           {"t=", "x=1; t=", Result::PermError},
       }) {
    CAPTURE(what);
    CAPTURE(with);
    auto verdict = world().first(replaced(message, what, with));
    CAPTURE(verdict.problem);
    CHECK(to_string(verdict.result) == to_string(expected));
    CHECK(verdict.problem.empty() == (expected == Result::Pass));
  }
}

TEST_CASE("a right signature over what a reader may not be shown does not pass") {
  using namespace std::string_view_literals;
  struct Case {
    std::string_view header, names, problem;
  };
  for (auto& [header, names, problem] : std::initializer_list<Case>{
           {"From: a@alpha.test\r\nSubject: x\r\n\r\n", "from:subject", ""},
           {"From: a@alpha.test\r\nFrom: b@alpha.test\r\n\r\n", "from", "2 From fields"},
           {"From: a@alpha.test\r\nFrom: b@alpha.test\r\n\r\n", "from:from", "2 From fields"},
           {"From : a@alpha.test\r\n\r\n", "from", "space between From and its colon"},
           {"From\t: a@alpha.test\r\n\r\n", "from", "space between From and its colon"},
           {"From: a@alpha.test\r\nSubject : x\r\n\r\n", "from:subject", "Subject and its colon"},
           {"From: a@alpha.test\r\nFrom\r\n : b@beta.test\r\n\r\n", "from", "no field"},
           {"From\r\n : b@beta.test\r\nFrom: a@alpha.test\r\n\r\n", "from", "no field"},
           {"From: a@alpha.test\r\nFr\xc3\xb6m: x\r\nTo: x\r\n\r\n", "from", "no field"},
           {"Subject: x\r\nSender: a@alpha.test\r\n\r\n", "from", "no From field"},
           {"From: a@alpha.test\r\nTo: x\0y\r\n\r\n"sv, "from", "NUL"},
           {"From: a@alpha.test\rFrom: b@beta.test\r\n\r\n", "from", "bare CR or LF"},
           {"From: a@alpha.test\nFrom: b@beta.test\r\n\r\n", "from", "bare CR or LF"},
           {"From: a@alpha.test\r\nSubject: x\r\nSubject: y\r\n\r\n", "from:subject",
            "Subject stands there several times"},
           {"From: a@alpha.test\r\nSubject: x\r\nSubject: y\r\n\r\n", "from:subject:subject", ""},
           {"From: a@alpha.test\r\nReceived: x\r\nReceived: y\r\n\r\n", "from:received", ""},
           {"From anna Thu Jan 1\r\nFrom: a@alpha.test\r\n\r\n", "from", ""},  // an mbox's line
           {"From: a@alpha.test\r\n", "from", "empty line"},
       }) {
    CAPTURE(header);
    auto tags = "h=" + std::string(names) + ";";
    auto message = hand_signed(world(), tags, header, kBody);
    if (header.starts_with("From anna ")) {
      // Nothing may stand before that line.
      auto line = header.find('\n') + 1;
      message = std::string(header.substr(0, line)) + message + std::string(header.substr(line));
    } else {
      message += header;
    }
    testing::TestLoop loop;
    Verifier verifier(message, {.now = kNow});
    verifier.body(kBody);
    auto verdict = loop.run(verifier.finish(world().dns)).at(0);
    CAPTURE(verdict.problem);
    CHECK(to_string(verdict.result) == (problem.empty() ? "pass" : "policy"));
    CHECK(verdict.problem.contains(problem));
  }
}

TEST_CASE("a folded line that folds nothing") {
  auto message = hand_signed(world(), "h=from;", kHeader, kBody) + std::string(kHeader);
  CHECK(world().first(" From: b@beta.test\r\n" + message + std::string(kBody)).problem ==
        "a line of the header is no field");
}

TEST_CASE("what is behind l= is not signed") {
  auto tags = "h=from; l=" + std::to_string(kBody.size()) + ";";
  auto message = hand_signed(world(), tags, kHeader, kBody) + std::string(kHeader);
  auto whole = world().first(message + std::string(kBody));
  CHECK(whole.result == Result::Pass);
  CHECK(!whole.body_limited);
  auto longer = world().first(message + std::string(kBody) + "Buy!\r\n");
  CHECK(longer.result == Result::Policy);
  CHECK(longer.body_limited);
  CHECK(longer.unsigned_bytes == 6);
  CHECK(world().first(message + "Is it").result == Result::Fail);
  // An empty line more is none of the reader's business.
  CHECK(world().first(message + std::string(kBody) + "\r\n").result == Result::Pass);
}

TEST_CASE("times") {
  auto message = world().sign_with_ed({.now = kNow, .lifetime = seconds(3600)});
  CHECK(best(world().verify(message, {.now = kNow})) == Result::Pass);
  CHECK(best(world().verify(message, {.now = kNow + seconds(3600)})) == Result::Pass);
  CHECK(best(world().verify(message, {.now = kNow + seconds(3601)})) == Result::PermError);
  // A clock that is behind the signer's.
  CHECK(best(world().verify(message, {.now = kNow - seconds(3600)})) == Result::Pass);
}

TEST_CASE("identities") {
  struct Case {
    std::string_view tag, identity;
    Result expected;
  };
  for (auto& [tag, identity, expected] : std::initializer_list<Case>{
           {"i=anna@alpha.test;", "anna@alpha.test", Result::Pass},
           {"i=anna@sub.ALPHA.test;", "anna@sub.alpha.test", Result::Pass},
           {"i==61=6Ena@alpha.test;", "anna@alpha.test", Result::Pass},
           {"i=@xalpha.test;", "", Result::PermError},
           {"i=anna@beta.test;", "", Result::PermError},
           {"i=anna;", "", Result::Neutral},
           {"i==6@alpha.test;", "", Result::Neutral},
           {"i=;", "", Result::Neutral},
       }) {
    CAPTURE(tag);
    auto message = hand_signed(world(), "h=from; " + std::string(tag), kHeader, kBody);
    auto verdict = world().first(message + std::string(kHeader) + std::string(kBody));
    CAPTURE(verdict.problem);
    CHECK(to_string(verdict.result) == to_string(expected));
    CHECK(verdict.identity == identity);
  }
}

TEST_CASE("z= tells which field was changed") {
  auto message =
      hand_signed(world(), "h=from:subject; z=From:Anna=20<anna@alpha.test>|Subject:dinner;",
                  kHeader, kBody) +
      std::string(kHeader) + std::string(kBody);
  CHECK(world().first(message).result == Result::Pass);
  auto verdict = world().first(replaced(message, "Subject: dinner", "Subject: [list] dinner"));
  CHECK(verdict.result == Result::Fail);
  CHECK(verdict.problem.ends_with("changed in Subject"));
}

TEST_CASE("what a key record says is heeded") {
  auto p = "p=" + base64_encode(world().ed25519.public_key().dkim_bytes());
  auto spki = "p=" + base64_encode(world().ed25519.public_key().der());
  struct Case {
    std::string record, problem;
    bool testing = false;
  };
  int number = 0;
  for (auto& [record, problem, testing] : std::initializer_list<Case>{
           {"k=ed25519; " + p, ""},
           {"v=DKIM1; k=ed25519; " + p + "; x=unknown", ""},
           {"v=DKIM1; k=ed25519; t=y:future; n=hello; " + p, "", true},
           {"v=DKIM1; k=ed25519; h=sha256:other; s=email:web; " + p, ""},
           {"k=ed25519; " + spki, "has 32 bytes, not 44"},  // RFC 8463 §4
           {"v=DKIM2; k=ed25519; " + p, "version"},
           {"k=ed25519; v=DKIM1; " + p, "elsewhere than at its beginning"},
           {"v=DKIM1; k=ed25519; p=", "revoked"},
           {"v=DKIM1; k=ed25519", "no key"},
           {"v=DKIM1; k=rsa; " + p, "cannot be read"},
           {"v=DKIM1; " + p, "cannot be read"},
           {"v=DKIM1; k=future; " + p, "type k=future"},
           {"v=DKIM1; k=ed25519; p=AAAA", "has 32 bytes, not 3"},
           {"v=DKIM1; k=ed25519; p=!", "base64"},
           {"v=DKIM1; k=ed25519; h=sha1; " + p, "does not allow"},
           {"v=DKIM1; k=ed25519; s=tlsrpt; " + p, "not for mail"},
           {"v=DKIM1; k=ed25519; t=s; " + p, "subdomains"},
           {"v=DKIM1; k=ed25519; k=ed25519; " + p, "twice"},
           {"hello", "malformed"},
       }) {
    CAPTURE(record);
    auto selector = "k" + std::to_string(++number);
    world().publish(selector, record);
    auto message = hand_signed(world(), "h=from; i=@sub.alpha.test;", kHeader, kBody, selector);
    auto verdict = world().first(message + std::string(kHeader) + std::string(kBody));
    CAPTURE(verdict.problem);
    // RFC 6376 §3.6.1: a message signed with a key in testing is none that is signed.
    CHECK(to_string(verdict.result) == (testing           ? "policy"
                                        : problem.empty() ? "pass"
                                                          : "permerror"));
    CHECK(verdict.problem.contains(testing ? "in testing" : problem));
    CHECK(verdict.testing == testing);
  }
}

TEST_CASE("a key record with odd DER is no key, whatever it is signed with") {
  auto der = [](char tag, const std::string& content) {
    return std::string{tag, '\x82', static_cast<char>(content.size() >> 8),
                       static_cast<char>(content.size() & 0xff)} +
           content;
  };
  auto modulus = [&](std::size_t bytes) {
    return der(0x02, std::string(1, '\0') + std::string(bytes, '\xc1'));
  };
  auto f4 = der(0x02, {"\x01\x00\x01", 3});
  struct Case {
    std::string key, problem;
  };
  int number = 0;
  for (auto& [key, problem] : std::initializer_list<Case>{
           {der(0x30, modulus(2'048) + f4), "at most"},  // 16,384 bits
           {der(0x30, modulus(256) + der(0x02, "\x01")), "prove nothing"},
           {der(0x30, modulus(256) + der(0x02, "\x04")), "prove nothing"},
           {der(0x30, modulus(256) + der(0x02, std::string(200, '\x11'))), "at most"},
           {der(0x30, modulus(256) + f4) + "more", "not a public key"},
           {der(0x30, modulus(256)), "not a public key"},
           {der(0x30, {}), "not a public key"},
           {std::string(5'000, '\x30'), "cannot be read"},
       }) {
    auto selector = "der" + std::to_string(++number);
    CAPTURE(selector);
    world().publish(selector, "v=DKIM1; k=rsa; p=" + base64_encode(key));
    // s^1 mod n: with exponent 1 the padded hash is its own signature.
    std::string field = fmt::format(
        "DKIM-Signature: v=1; a=rsa-sha256; d=alpha.test; s={}; h=from; bh={}; b={}\r\n", selector,
        base64_encode(std::string(32, '\x11')), base64_encode(std::string(256, '\x11')));
    auto verdict = world().first(field + std::string(kHeader) + std::string(kBody));
    CAPTURE(verdict.problem);
    CHECK(verdict.problem.contains(problem));
    CHECK_FALSE(verdict.passed());
    CHECK(problem_in(verdict.problem, Language::Japanese) != verdict.problem);
  }
}

TEST_CASE("a Content-Type that was added changes what is shown") {
  auto record = write_key_record(world().ed25519.public_key());
  world().publish("type", record);
  struct Case {
    std::string_view names, added, result;
    bool type_unsigned = false;
  };
  for (auto& [names, added, result, type_unsigned] : std::initializer_list<Case>{
           {"from:subject", "", "pass"},
           {"from:subject:content-type", "Content-Type: text/html\r\n", "fail"},
           {"from:subject:mime-version", "Content-Type: text/html\r\n", "policy", true},
           {"from:subject:mime-version", "MIME-Version: 1.0\r\nContent-Type: text/html\r\n", "fail",
            true},
           // Many do not sign theirs; it is said, and passes.
           {"from:subject", "Content-Type: text/html\r\n", "pass", true},
       }) {
    CAPTURE(names);
    CAPTURE(added);
    auto signature = hand_signed(world(), "h=" + std::string(names) + ";", kHeader, kBody, "type");
    auto verdict =
        world().first(signature + std::string(added) + std::string(kHeader) + std::string(kBody));
    CAPTURE(verdict.problem);
    CHECK(to_string(verdict.result) == result);
    CHECK(verdict.type_unsigned == type_unsigned);
  }
}

TEST_CASE("several records under one selector: each is tried") {
  auto record = write_key_record(world().ed25519.public_key());
  world().publish("many", "v=DKIM1; p=");
  world().publish("many", "v=spf1 -all");
  world().publish("many", record);
  auto message = hand_signed(world(), "h=from;", kHeader, kBody, "many");
  CHECK(world().first(message + std::string(kHeader) + std::string(kBody)).passed());
}

TEST_CASE("a right signature by a short key does not pass, and is named") {
  // 768 bits; made for this test.
  constexpr std::string_view kPem =
      "-----BEGIN RSA PRIVATE KEY-----\n"
      "MIIBygIBAAJhAMEVivBD2V+CaYJBAUUp4X7RitfW7myAeusX4LTPI1M/IPHs/f6J\n"
      "/lwS0CQc+v0WmLfzS4wucJP3OK4+RLIFDXjymYd7Yc3sRsOArVVQEK+r2rLlRiOm\n"
      "9sPS3rzUmdLjPwIDAQABAmA+GAN6iRda08HClc0mxPUzp4eTKhe65QainCczfnnJ\n"
      "x798jc6RESevzI0LUBaXVbBvMzUsriQkkvN0PSEDsrL35l1p+/0/Fy7cmOn2yYnQ\n"
      "4aTwJtk99sG7NU0N4jV2g4ECMQD8SzOUI3pl6zq6GHYbNLtspCDjajw93WeUnxwf\n"
      "++3IeRW4xhYFbFZjB8YTiNsDEg8CMQDD66wb9Mvgg7UufhKZfU2YXS1HlzR9ZVTQ\n"
      "CzkTqiBY5XJoUU/VvRVyWDxVWR1Ni9ECMQD2i9a/sVvvNUySh00DkSiHJm0tT6fH\n"
      "HRIX3tTxPJRGEG31vz3N1u0koXgjpt2/xmkCMEHq7zNQv6/AYJtN67Acypiy8OMf\n"
      "apeuGkUNIZ0OJmgCeuXCRdwiDC82pMYKf6NxoQIwEJc8DdMRuOPsmpaq+cdaAITd\n"
      "SJ1LMZqY38STkielQ0Sj1g3OTBGm/gHKcdhLGTZD\n"
      "-----END RSA PRIVATE KEY-----\n";
  auto key = PrivateKey::from_pem(kPem);
  REQUIRE(key);
  world().publish("short", write_key_record(key->public_key()));
  auto signed_by_hand = [&] {
    auto raw = "DKIM-Signature: v=1; a=rsa-sha256; d=alpha.test; s=short; h=from; bh=" +
               base64_encode(crypto::digest(crypto::Hash::Sha256, kBody)) + "; b=";
    HeaderFields fields(kHeader);
    mime::Field own{raw, std::string_view(raw).substr(0, 14), std::string_view(raw).substr(15)};
    auto data = signed_data(fields.select({"from"}, nullptr), own, Canonicalization::Simple);
    return raw + base64_encode(*key->sign(crypto::Signature::RsaSha256, data)) + "\r\n";
  };
  auto message = signed_by_hand() + std::string(kHeader) + std::string(kBody);
  auto verdict = world().first(message);
  CHECK(verdict.result == Result::Policy);
  CHECK(verdict.problem.contains("768 bits"));
  CHECK(verdict.key_bits == 768);
  CHECK(world().first(message + "more").result == Result::Fail);
  Signer signer({{"alpha.test", "short", *key}}, {.now = kNow});
  CHECK(!signer.finish(kHeader));
}

TEST_CASE("a key that cannot be asked for is a temporary error") {
  World own;
  own.dns.set_failed("ed._domainkey.alpha.test");
  auto message = own.sign_with_ed();
  auto verdict = own.first(message);
  CHECK(verdict.result == Result::TempError);
  CHECK(verdict.lookups.at(0).status == dns::Status::Failed);
  // The other key answers.
  CHECK(best(own.verify(own.sign(own.keys()))) == Result::Pass);
  // After two failures no further question is asked.
  own.dns.forget_asked();
  std::string field = message.substr(0, message.find("From:"));
  auto many = field + field + field + message;
  auto verdicts = own.verify(many);
  CHECK(verdicts.size() == 4);
  CHECK(own.dns.asked().size() == 2);
  CHECK(best(verdicts) == Result::TempError);
}

TEST_CASE("a thousand signatures cost eight") {
  World own;
  auto message = own.sign_with_ed();
  std::string field = message.substr(0, message.find("From:"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += field;
  many += message;
  own.dns.forget_asked();
  testing::TestLoop loop;
  auto split = mime::header_length(many);
  Verifier verifier(many.substr(0, split), {.now = kNow});
  CHECK(verifier.ignored() == 993);
  verifier.body(many.substr(split));
  CHECK(loop.run(verifier.finish(own.dns)).size() == 8);
  CHECK(own.dns.asked().size() == 8);
}

TEST_CASE("the author's signature is looked at, whatever stands on top of it") {
  World own;
  auto message = own.sign_with_ed();
  auto field = message.substr(0, message.find("From:"));
  auto by = [&](std::string_view domain, int count) {
    auto other = field;
    auto at = other.find("d=") + 2;
    other.replace(at, other.find(';', at) - at, domain);
    std::string all;
    for (int i = 0; i < count; ++i) all += other;
    return all;
  };
  auto at = field.find("d=") + 2;
  auto domain = field.substr(at, field.find(';', at) - at);
  testing::TestLoop loop;
  auto verify = [&](std::string header, std::vector<std::string> authors,
                    std::size_t signatures = 8) {
    header += message;
    auto split = mime::header_length(header);
    Verifier verifier(header.substr(0, split),
                      {.now = kNow, .signatures = signatures, .authors = std::move(authors)});
    verifier.body(std::string_view(header).substr(split));
    auto verdicts = loop.run(verifier.finish(own.dns));
    CHECK(verdicts.size() == signatures);
    return fmt::format("{} {} {}", to_string(verdicts.back().result), verifier.ignored(),
                       verifier.ignored_of_authors());
  };
  auto foreign = by("other.invalid", 8);
  CHECK(verify(foreign, {domain}) == "pass 1 0");
  CHECK(verify(foreign, {"shop." + domain}) == "pass 1 0");
  CHECK(verify(foreign, {"else.invalid"}).ends_with(" 1 0"));
  CHECK(verify(by("news." + domain, 8), {domain}) == "pass 1 0");
  // Where few are looked at, one that is not may be good; not where there are more than of anybody
  // honest.
  CHECK(verify(by(domain, 4), {domain}, 4).ends_with(" 1 1"));
  CHECK(verify(by("other.invalid", 4), {"else.invalid"}, 2).ends_with(" 3 0"));
  CHECK(verify(by(domain, 8), {domain}).ends_with(" 1 0"));
  CHECK(verify(foreign, {}).ends_with(" 1 0"));
}

TEST_CASE("decoded keys are kept as long as the DNS allows") {
  World own;
  own.dns.add("$TTL 300\n" +
              txt_record("kept._domainkey.alpha.test", write_key_record(own.ed25519.public_key())));
  auto message = own.sign({{"alpha.test", "kept", own.ed25519}});
  KeyCache cache;
  own.dns.forget_asked();
  CHECK(best(own.verify(message, {.now = kNow, .keys = &cache})) == Result::Pass);
  CHECK(best(own.verify(message, {.now = kNow + seconds(299), .keys = &cache})) == Result::Pass);
  CHECK(own.dns.asked().size() == 1);
  CHECK(best(own.verify(message, {.now = kNow + seconds(300), .keys = &cache})) == Result::Pass);
  CHECK(own.dns.asked().size() == 2);
}

TEST_CASE("hostile sizes") {
  auto message = world().sign_with_ed();
  auto huge = replaced(message, "v=1;", "v=1; n=" + std::string(1 << 20, 'x') + ";");
  CHECK(world().first(huge).result == Result::Neutral);
  std::string names;
  for (int i = 0; i < 2000; ++i) names += "from:";
  CHECK(world().first(replaced(message, "h=from:", "h=" + names)).result == Result::Neutral);
  CHECK(world().first(replaced(message, "b=\r\n", "b=AAAA")).result == Result::Fail);
}

TEST_CASE("no signature") {
  auto message = std::string(kHeader) + std::string(kBody);
  CHECK(world().verify(message).empty());
  CHECK(best({}) == Result::None);
}

TEST_CASE("what cannot be signed is refused") {
  struct Case {
    std::string_view header, domain, selector, problem;
  };
  for (auto& [header, domain, selector, problem] : std::initializer_list<Case>{
           {"Subject: x\r\n\r\n", "alpha.test", "ed", "no From"},
           {"From: a\r\nFrom: b\r\n\r\n", "alpha.test", "ed", "2 From fields"},
           {kHeader, "test", "ed", "no domain"},
           {kHeader, "alpha.test; l=0", "ed", "no domain"},
           {kHeader, "alpha.test", "", "no selector"},
           {kHeader, "alpha.test", "a b", "no selector"},
       }) {
    CAPTURE(header);
    Signer signer({{std::string(domain), std::string(selector), world().ed25519}}, {.now = kNow});
    auto fields = signer.finish(header);
    REQUIRE(!fields);
    CHECK(fields.error().text.contains(problem));
  }
  Signer without_from(world().keys(), {.now = kNow, .fields = {"To", "Subject"}});
  CHECK(!without_from.finish(kHeader));
  Signer with_ecdsa({{"alpha.test", "ec", *PrivateKey::generate(KeyType::EcdsaP256)}},
                    {.now = kNow});
  CHECK(!with_ecdsa.finish(kHeader));
}

TEST_CASE("the signature's lines are short, and l= is never there") {
  auto message = world().sign(world().keys());
  auto fields = message.substr(0, message.find("From:"));
  for (auto line : split(fields, '\n')) CHECK(line.size() <= 79);
  CHECK(!fields.contains("l="));
  CHECK(fields.contains("h=from:from:to:to:cc:"));
}

}  // namespace
}  // namespace hikyaku::dkim
