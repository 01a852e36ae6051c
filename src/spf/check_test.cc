#include "spf/check.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/core.h>

#include "base/text.h"
#include "dns/fake_resolver.h"
#include "spf/authentication_results.h"
#include "spf/explain.h"
#include "spf/problem.h"
#include "testing/test_loop.h"

namespace hikyaku::spf {
namespace {

struct Bench {
  explicit Bench(std::string_view zone) : dns(zone) {}

  Verdict ask(std::string_view mail_from, std::string_view ip = "192.0.2.1",
              std::string_view helo = "mail.example.net", Identity identity = Identity::MailFrom) {
    return loop.run(check(dns, loop,
                          {.ip = IpAddress::parse(ip).value(),
                           .helo = std::string(helo),
                           .mail_from = std::string(mail_from),
                           .receiver = "mx.receiver.test",
                           .identity = identity},
                          limits));
  }
  std::string result(std::string_view mail_from, std::string_view ip = "192.0.2.1") {
    return std::string(to_string(ask(mail_from, ip).result));
  }

  dns::FakeResolver dns;
  testing::TestLoop loop;
  Limits limits;
};

std::string steps(const Verdict& verdict) {
  std::string text;
  for (auto& step : verdict.steps)
    text +=
        fmt::format("{}{} {}; ", std::string(step.depth, '>'), step.term, to_string(step.effect));
  return text;
}

std::string lookups(const Verdict& verdict) {
  std::string text;
  for (auto& lookup : verdict.lookups)
    text += fmt::format("{} {} {}; ", dns::to_string(lookup.type), lookup.name,
                        dns::to_string(lookup.status));
  return text;
}

}  // namespace

TEST_CASE("the verdict keeps each term and each question") {
  Bench bench(R"zone(
example.org. TXT "v=spf1 ip4:203.0.113.0/24 include:a.example.net mx redirect=b.example.net"
example.org. MX 10 mx.example.org.
mx.example.org. A 198.51.100.1
a.example.net. 60 TXT "v=spf1 a -all"
b.example.net. TXT "v=spf1 ?include:a.example.net -all exp=e.example.net"
e.example.net. TXT "%{i} may not send for %{o} (%{d}, %{r})"
)zone");
  auto verdict = bench.ask("Anna@Example.ORG.");
  CHECK(verdict.result == Result::Fail);
  CHECK(verdict.domain == "example.org");
  CHECK(verdict.mechanism == "-all");
  CHECK(verdict.explanation ==
        "192.0.2.1 may not send for Example.ORG. (b.example.net, mx.receiver.test)");
  CHECK(steps(verdict) ==
        "ip4:203.0.113.0/24 no match; include:a.example.net no match; >a no match; >-all match; "
        "mx no match; redirect=b.example.net followed; ?include:a.example.net no match; >a no "
        "match; >-all match; -all match; exp=e.example.net followed; ");
  CHECK(lookups(verdict) ==
        "TXT example.org ok; TXT a.example.net ok; A a.example.net no-record; MX example.org ok; A "
        "mx.example.org ok; TXT b.example.net ok; TXT a.example.net ok; A a.example.net no-record; "
        "TXT e.example.net ok; ");
  CHECK(verdict.lookups[1].ttl == std::chrono::seconds(60));
  CHECK(verdict.steps[1].first_lookup == 1);
  CHECK(verdict.steps[1].lookup_count == 2);
  auto copy = verdict;
  verdict = {};
  CHECK(copy.steps.front().term == "ip4:203.0.113.0/24");
  CHECK(summary(copy, *IpAddress::parse("192.0.2.1"), Language::English) ==
        "example.org says that 192.0.2.1 may not send its mail: the term \"-all\" in the record of "
        "b.example.net matched.");
  CHECK(details(copy, Language::English).contains("redirect=b.example.net"));
  CHECK(describe_json(copy).starts_with(R"({"result":"fail","identity":"mailfrom",)"));
}

TEST_CASE("who is asked about") {
  Bench bench(R"(
example.org. TXT "v=spf1 exists:%{l}.%{o}.users.example.org -all exp=e.example.org"
e.example.org. TXT "%{s}"
mail.example.net. TXT "v=spf1 exists:postmaster.%{o}.users.example.org -all"
postmaster.mail.example.net.users.example.org. A 127.0.0.2
xn--bcher-kva.example. TXT "v=spf1 -all exp=e.example.org"
)");
  CHECK(bench.ask("").result == Result::Pass);  // postmaster@HELO
  CHECK(bench.ask("").domain == "mail.example.net");
  CHECK(bench.ask("").identity == Identity::MailFrom);
  auto helo = bench.ask("anna@example.org", "192.0.2.1", "mail.example.net", Identity::Helo);
  CHECK(helo.result == Result::Pass);
  CHECK(helo.identity == Identity::Helo);
  CHECK(bench.ask("anna@example.org").explanation == "anna@example.org");
  CHECK(bench.ask("@example.org").explanation == "postmaster@example.org");
  CHECK(bench.ask("example.org").explanation == "postmaster@example.org");
  CHECK(bench.ask("\"a@b.org\"@example.org").explanation == "\"a@b.org\"@example.org");
  CHECK(bench
            .ask("x@B\xC3\xBC"
                 "cher.example")
            .explanation == "x@xn--bcher-kva.example");
  // A local-part that is not ASCII matches no term that contains it (RFC 8616 §4).
  auto unmatched = bench.ask("\xE3\x81\x82@example.org");
  CHECK(steps(unmatched).starts_with("exists:%{l}.%{o}.users.example.org no match; -all match; "));
}

TEST_CASE("what is no domain has no SPF, and nothing is asked") {
  Bench bench("");
  for (std::string_view sender :
       {"a@localhost", "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "a@192.0.2.1", "a@x..org", "a@.org",
        "a@x org.example", "a@", "a@x.org\r\n", "a@x_\x80.org"}) {
    CAPTURE(sender);
    auto verdict = bench.ask(sender);
    CHECK(verdict.result == Result::None);
    CHECK(verdict.problem == Problem::NoDomain);
    CHECK(verdict.lookups.empty());
    CHECK(printable(verdict.detail) == verdict.detail);
  }
  CHECK(bench.ask("", "192.0.2.1", "").problem == Problem::NoDomain);
  CHECK(bench.ask("a@x.org").problem == Problem::NoSuchDomain);
}

TEST_CASE("what the DNS says, and does not") {
  Bench bench(R"(
two.example. TXT "v=spf1 -all"
two.example. TXT "v=spf1 +all"
other.example. TXT "v=spf2.0/pra -all"
split.example. TXT "v=spf1 ip4:19" "2.0.2.1 -all"
alias.example. CNAME split.example.
lost.example. CNAME nowhere.example.
temp.example. TXT "v=spf1 a:fails.example -all"
inner.example. TXT "v=spf1 include:temp.example ~all"
lacks.example. TXT "v=spf1 include:other.example -all"
gone.example. TXT "v=spf1 redirect=nowhere.example"
;!SERVFAIL fails.example.
signed.example. TXT "v=spf1 +all"
)");
  CHECK(bench.ask("a@two.example").problem == Problem::SeveralRecords);
  CHECK(bench.ask("a@other.example").problem == Problem::NoRecord);
  CHECK(bench.result("a@split.example") == "pass");
  CHECK(bench.result("a@alias.example") == "pass");
  CHECK(bench.ask("a@lost.example").problem == Problem::NoSuchDomain);
  CHECK(bench.result("a@temp.example") == "temperror");
  CHECK(bench.result("a@fails.example") == "temperror");
  auto inner = bench.ask("a@inner.example");
  CHECK(inner.result == Result::TempError);
  CHECK(inner.problem == Problem::LookupFailed);
  CHECK(steps(inner) == "include:temp.example temperror; >a:fails.example temperror; ");
  CHECK(bench.ask("a@lacks.example").problem == Problem::MissingTarget);
  CHECK(bench.ask("a@gone.example").result == Result::PermError);
  bench.dns.set_bogus("signed.example");
  CHECK(bench.result("a@signed.example") == "temperror");
}

TEST_CASE("circles end at once") {
  Bench bench(R"(
self.example. TXT "v=spf1 redirect=Self.example."
ping.example. TXT "v=spf1 include:pong.example -all"
pong.example. TXT "v=spf1 redirect=ping.example"
twice.example. TXT "v=spf1 include:leaf.example include:leaf.example -all"
leaf.example. TXT "v=spf1 ip4:203.0.113.1 -all"
)");
  auto self = bench.ask("a@self.example");
  CHECK(self.result == Result::PermError);
  CHECK(self.problem == Problem::Loop);
  CHECK(self.lookups.size() == 1);
  auto both = bench.ask("a@ping.example");
  CHECK(both.problem == Problem::Loop);
  CHECK(steps(both) == "include:pong.example permerror; >redirect=ping.example permerror; ");
  CHECK(bench.result("a@twice.example") == "fail");  // no circle
}

TEST_CASE("limits") {
  std::string zone = R"(
ten.example. TXT "v=spf1 a a a a a a a a a a -all"
eleven.example. TXT "v=spf1 a a a a a a a a a a a -all"
ten.example. A 203.0.113.1
eleven.example. A 203.0.113.1
voids.example. TXT "v=spf1 a:x.voids.example mx:y.voids.example ip4:192.0.2.1 a:z.voids.example -all"
hidden.example. TXT "v=spf1 exists:%{p}.example.org exists:%{p}.example.com a a a a a a a -all"
hidden.example. A 203.0.113.1
*.example.org. A 203.0.113.1
mxs.example. TXT "v=spf1 mx -all"
)";
  for (int i = 1; i <= 11; ++i) {
    zone += fmt::format("mxs.example. MX {0} mx{0}.mxs.example.\n", 12 - i);  // the last first
    zone += fmt::format("mx{0}.mxs.example. A 198.51.100.{0}\n", i);
    zone += fmt::format("1.2.0.192.in-addr.arpa. PTR host{0}.example.net.\n", 100 + i);
    zone += fmt::format("host{0}.example.net. A 192.0.2.1\n", 100 + i);
  }
  Bench bench(zone);
  CHECK(bench.result("a@ten.example") == "fail");
  CHECK(bench.ask("a@eleven.example").problem == Problem::TooManyLookups);
  CHECK(bench.result("a@voids.example") == "pass");
  CHECK(bench.ask("a@voids.example", "192.0.2.2").problem == Problem::TooManyVoid);
  CHECK(bench.result("a@mxs.example", "198.51.100.10") == "pass");
  auto eleventh = bench.ask("a@mxs.example", "198.51.100.11");
  CHECK(eleventh.problem == Problem::TooManyNames);
  CHECK(eleventh.lookups.size() == 12);
  // %{p} counts as one term more: 2 exists, 1 PTR, 7 a make 10.
  auto hidden = bench.ask("a@hidden.example", "192.0.2.1");
  CHECK(hidden.result == Result::Pass);
  CHECK(hidden.lookups.size() == 1 + 1 + 10 + 1);  // TXT, PTR, ten names, exists
  bench.limits.lookups = 1;
  CHECK(bench.ask("a@hidden.example").problem == Problem::TooManyLookups);
}

TEST_CASE("IPv6 clients do not count the missing AAAA of each exchange as void") {
  Bench bench(R"(
example.org. TXT "v=spf1 mx ip6:2001:db8::1 -all"
example.org. MX 1 a.example.org.
example.org. MX 2 b.example.org.
example.org. MX 3 c.example.org.
a.example.org. A 192.0.2.1
b.example.org. A 192.0.2.2
c.example.org. A 192.0.2.3
)");
  CHECK(bench.result("a@example.org", "2001:db8::1") == "pass");
  CHECK(bench.result("a@example.org", "192.0.2.3") == "pass");
}

TEST_CASE("the check ends at its deadline") {
  /// Each answer takes 7 seconds.
  class SlowResolver final : public dns::Resolver {
   public:
    explicit SlowResolver(testing::TestLoop& loop) : loop_(loop) {}
    Task<dns::Answer<std::string>> txt(std::string name) override {
      loop_.advance(std::chrono::seconds(7));
      dns::Answer<std::string> answer;
      answer.status = dns::Status::Ok;
      answer.records = {"v=spf1 include:x." + name};
      co_return answer;
    }
    Task<dns::Answer<dns::Mx>> mx(std::string) override { co_return {}; }
    Task<dns::Answer<IpAddress>> a(std::string) override { co_return {}; }
    Task<dns::Answer<IpAddress>> aaaa(std::string) override { co_return {}; }
    Task<dns::Answer<std::string>> ptr(IpAddress) override { co_return {}; }
    Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { co_return {}; }
    Task<dns::Answer<dns::Srv>> srv(std::string) override { co_return {}; }
    Task<dns::Answer<std::string>> cname(std::string) override { co_return {}; }

   private:
    testing::TestLoop& loop_;
  };
  testing::TestLoop loop;
  SlowResolver slow(loop);
  auto verdict = loop.run(check(slow, loop,
                                {.ip = IpAddress(),
                                 .helo = "h.example",
                                 .mail_from = "a@example.org",
                                 .receiver = {},
                                 .identity = Identity::MailFrom}));
  CHECK(verdict.result == Result::TempError);
  CHECK(verdict.problem == Problem::DeadlineExceeded);
  CHECK(verdict.lookups.size() == 3);
}

TEST_CASE("ptr and %{p}") {
  Bench bench(R"(
1.2.0.192.in-addr.arpa. PTR liar.example.org.
1.2.0.192.in-addr.arpa. PTR fails.example.org.
1.2.0.192.in-addr.arpa. PTR host.example.net.
1.2.0.192.in-addr.arpa. PTR Mail.Example.Org.
liar.example.org. A 203.0.113.1
;!SERVFAIL fails.example.org.
host.example.net. A 192.0.2.1
mail.example.org. A 192.0.2.1
example.org. TXT "v=spf1 ptr -all"
bad-example.org. TXT "v=spf1 ptr:ample.org ptr:mail.example.org.x.org ?all"
which.example. TXT "v=spf1 -all exp=e.which.example"
e.which.example. TXT "%{p}"
which.example.org. TXT "v=spf1 -all exp=e.which.example"
net.example. TXT "v=spf1 redirect=example.net"
example.net. TXT "v=spf1 -all exp=e.which.example"
;!SERVFAIL 2.2.0.192.in-addr.arpa.
)");
  CHECK(bench.result("a@example.org") == "pass");
  CHECK(bench.result("a@bad-example.org") == "neutral");
  CHECK(bench.result("a@example.org", "192.0.2.2") == "fail");  // an error is no match
  CHECK(bench.result("a@example.org", "192.0.2.3") == "fail");
  CHECK(bench.ask("a@which.example").explanation == "host.example.net");  // any
  CHECK(bench.ask("a@net.example").explanation == "host.example.net");    // below <domain>
  CHECK(bench.ask("a@which.example", "192.0.2.3").explanation == "unknown");
}

TEST_CASE("an explanation that cannot be had changes nothing") {
  Bench bench(R"(
a.example. TXT "v=spf1 -all exp=none.example"
b.example. TXT "v=spf1 -all exp=fails.example"
c.example. TXT "v=spf1 -all exp=wrong.example"
d.example. TXT "v=spf1 -all exp=x..example"
;!TIMEOUT fails.example.
wrong.example. TXT "%{x}"
)");
  for (auto domain : {"x@a.example", "x@b.example", "x@c.example", "x@d.example"}) {
    CAPTURE(domain);
    auto verdict = bench.ask(domain);
    CHECK(verdict.result == Result::Fail);
    CHECK(verdict.mechanism == "-all");
    CHECK(verdict.explanation.empty());
    CHECK(verdict.problem == Problem::None);
    CHECK(verdict.steps.back().effect == Effect::Abandoned);
  }
}

TEST_CASE("a record of 60 KB is read") {
  std::string zone = "big.example. TXT \"v=spf1 \"";
  std::string filler;
  while (filler.size() < 240) filler += "ip4:203.0.113.1 ";
  for (int i = 0; i < 240; ++i) zone += " \"" + filler + "\"";
  Bench bench(zone + " \"-all\"\n");
  auto verdict = bench.ask("a@big.example");
  CHECK(verdict.result == Result::Fail);
  CHECK(verdict.steps.size() > 3000);
}

TEST_CASE("the Authentication-Results field") {
  Bench bench("example.org. TXT \"v=spf1 -all\"\nmail.example.net. TXT \"v=spf1 +all\"\n");
  auto field = [&](std::string_view mail_from, Identity identity) {
    auto verdict = bench.ask(mail_from, "192.0.2.1", "mail.example.net", identity);
    auto method = authentication_method(verdict, {.ip = *IpAddress::parse("192.0.2.1"),
                                                  .helo = "mail.example.net",
                                                  .mail_from = std::string(mail_from),
                                                  .receiver = {},
                                                  .identity = identity});
    method.comment.clear();
    return mime::write_authentication_results({.authserv_id = "us", .methods = {method}});
  };
  CHECK(
      field("a@example.org", Identity::MailFrom).contains("spf=fail smtp.mailfrom=a@example.org"));
  CHECK(
      field("", Identity::MailFrom).contains("spf=pass smtp.mailfrom=postmaster@mail.example.net"));
  CHECK(field("a@example.org", Identity::Helo).contains("spf=pass smtp.helo=mail.example.net"));
  CHECK_FALSE(field("a b\r\nX: y@example.org", Identity::MailFrom).contains("\nX"));
}

/// What is left of a sentence without what stands in quotes: two words that are joined by a space
/// and are neither names nor numbers have not been translated.
bool has_english(std::string_view sentence) {
  bool quoted = false;
  bool word_before = false;
  for (auto word : split(sentence, ' ')) {
    auto quotes = std::ranges::count(word, '"');
    bool is_word =
        !quoted && quotes == 0 && word.size() > 1 &&
        std::ranges::all_of(word, [](char c) { return is_ascii_alpha(c) || c == ','; }) &&
        std::ranges::any_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
    if (is_word && word_before) return true;
    word_before = is_word;
    if (quotes % 2 == 1) quoted = !quoted;
  }
  return false;
}

TEST_CASE("every problem that a check finds is told in Japanese") {
  std::string zone = R"zone(
two.example. TXT "v=spf1 -all"
two.example. TXT "v=spf1 +all"
bare.example. A 192.0.2.1
lacks.example. TXT "v=spf1 include:bare.example -all"
gone.example. TXT "v=spf1 redirect=nowhere.example"
noname.example. TXT "v=spf1 include:%{l}..example -all"
self.example. TXT "v=spf1 redirect=self.example"
eleven.example. TXT "v=spf1 a a a a a a a a a a a -all"
eleven.example. A 203.0.113.1
voids.example. TXT "v=spf1 a:x.voids.example a:y.voids.example a:z.voids.example -all"
temp.example. TXT "v=spf1 a:fails.example -all"
slow.example. TXT "v=spf1 a:late.example -all"
circle.example. TXT "v=spf1 a:round.example -all"
round.example. CNAME round.example.
;!SERVFAIL fails.example.
;!TIMEOUT late.example.
mxs.example. TXT "v=spf1 mx -all"
)zone";
  for (int i = 1; i <= 11; ++i)
    zone += fmt::format(
        "mxs.example. MX {0} mx{0}.mxs.example.\nmx{0}.mxs.example. A 198.51.100.1\n", i);
  static constexpr std::string_view kMistakes[] = {
      "=x.example",
      "-exp=x.example",
      "-redirect=a.example",
      "redirect",
      "exp",
      "+exp:x.example",
      "exp=a.test exp=a.test",
      "ipv4:192.0.2.1",
      "quux",
      "-allx",
      "all:x",
      "ip4",
      "ip6",
      "include",
      "exists",
      "ptr/24",
      "mx/24/",
      "a/024",
      "a/33",
      "a//129",
      "ip4:2001:db8::1",
      "ip6:192.0.2.1",
      "a:%x",
      "a:%{z}",
      "a:%{c}.example",
      "a:%{d0}.example",
      "a:%{d.example",
      "a:",
      "a:localhost",
      "a:192.0.2.1",
      "a:x.-example",
      "a:x\\007.example",
      "x=%{q}",
  };
  std::vector<std::string> senders;
  for (std::size_t i = 0; i < std::size(kMistakes); ++i) {
    zone += fmt::format("m{}.example. TXT \"v=spf1 {}\"\n", i, kMistakes[i]);
    senders.push_back(fmt::format("a@m{}.example", i));
  }
  for (auto domain : {"two", "bare", "lacks", "gone", "noname", "self", "eleven", "voids", "temp",
                      "slow", "circle", "mxs", "nowhere"})
    senders.push_back(fmt::format("a@{}.example", domain));
  for (auto sender : {"a@localhost", "a@[192.0.2.1]", "a@192.0.2.1", "a@x..org", "@",
                      "a@\xE3\x81\x82..org", "a@\xE3\x81\x82\xFF.org", "a@-\xE3\x81\x82.org",
                      "a@xn--\xE3\x81\x82.org", "a@\xE3\x81\x82 b.org"})
    senders.emplace_back(sender);
  Bench bench(zone);
  for (auto& sender : senders) {
    CAPTURE(sender);
    auto verdict = bench.ask(sender);
    CHECK(verdict.problem != Problem::None);
    auto japanese = summary(verdict, IpAddress(), Language::Japanese);
    CAPTURE(japanese);
    CAPTURE(verdict.detail);
    CHECK(problem_in(verdict.detail, Language::Japanese) != verdict.detail);
    CHECK_FALSE(has_english(japanese));
    CHECK(problem_in(verdict.detail, Language::English) == verdict.detail);
  }
  bench.limits.deadline = std::chrono::seconds(-1);
  CHECK(bench.ask("a@two.example").problem == Problem::DeadlineExceeded);
  CHECK_FALSE(has_english(summary(bench.ask("a@two.example"), IpAddress(), Language::Japanese)));
}

TEST_CASE("every problem has its words in both languages") {
  for (int i = 0; i <= static_cast<int>(Problem::DeadlineExceeded); ++i) {
    Verdict verdict;
    verdict.problem = static_cast<Problem>(i);
    verdict.domain = "example.org";
    verdict.detail = "why";
    auto english = summary(verdict, IpAddress(), Language::English);
    auto japanese = summary(verdict, IpAddress(), Language::Japanese);
    CHECK(is_ascii(english));
    CHECK_FALSE(is_ascii(japanese));
    CHECK(to_string(verdict.problem).empty() == (i == 0));
  }
}

}  // namespace hikyaku::spf
