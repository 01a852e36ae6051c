// The verbs that change an instance, while no server runs: as their user sees them.
#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/dns_records.h"
#include "app/json.h"
#include "app/verbs.h"
#include "base/text.h"
#include "testing/temporary_directory.h"

using namespace hikyaku;
using namespace hikyaku::app;
namespace fs = std::filesystem;

namespace {

struct Outcome {
  Exit exit = Exit::Ok;
  std::string out, err;
  boost::json::value json() const { return boost::json::parse(out); }
};

/// Words are separated by spaces; _ stands for one within a word.
Outcome run(const fs::path& dir, std::string_view line) {
  std::vector<std::string> words;
  for (auto word : split(line, ' ')) {
    words.emplace_back(word);
    std::ranges::replace(words.back(), '_', ' ');
  }
  words.insert(words.end(), {"--dir", dir.string()});
  Outcome outcome;
  Terminal terminal(
      [&](std::string_view text) {
        outcome.out += text;
        return true;
      },
      [&](std::string_view text) {
        outcome.err += text;
        return true;
      },
      {.width = 1000, .language = Language::English});
  auto verbs = all_verbs();
  outcome.exit = run_command_line(words, verbs, terminal);
  return outcome;
}

unsigned mode_of(const fs::path& path) {
  struct stat facts{};
  ::stat(path.c_str(), &facts);
  return facts.st_mode & 07777;
}

}  // namespace

TEST_CASE("quickstart makes an instance, once") {
  testing::TemporaryDirectory top;
  auto dir = top.path / "mail";
  auto made = run(dir, "quickstart Anna@Alpha.test --local --port-base 12000 --name Anna");
  REQUIRE_MESSAGE(made.exit == Exit::Ok, made.err);
  CHECK(made.out.contains("Account   anna@alpha.test\n"));
  CHECK(made.out.contains(" IN MX   10 mail.alpha.test.\n"));
  CHECK(made.out.contains("hikyaku serve --dir " + dir.string()));
  CHECK(made.out.contains("IMAP 12993 (TLS), 12143 (STARTTLS)"));
  CHECK(std::ranges::count(made.out, '\n') < 40);  // one screen
  CHECK(mode_of(dir / "secret.key") == 0600);
  CHECK(mode_of(dir / "tls/key.pem") == 0600);
  CHECK(mode_of(dir / "data") == 0700);
  CHECK(made.out.contains("._domainkey.alpha.test."));
  for (auto& key : fs::directory_iterator(dir / "dkim")) CHECK(mode_of(key.path()) == 0600);
  CHECK(run(dir, "config check").exit == Exit::Ok);

  auto again = run(dir, "quickstart anna@alpha.test --local");
  CHECK(again.exit == Exit::CannotCreate);
  CHECK(again.err.contains("there is an instance already"));
  CHECK(again.err.contains("hikyaku account add"));
}

TEST_CASE("a quickstart that fails leaves nothing behind") {
  testing::TemporaryDirectory top;
  auto dir = top.path / "deep/er/mail";
  struct Case {
    std::string_view options, error;
    Exit exit;
  };
  const Case cases[] = {
      {"anna", "anna", Exit::Usage},
      {"anna@alpha.test --host-name a_b", "host name", Exit::Usage},
      {"anna@alpha.test --dns nonsense", "nonsense", Exit::Usage},
      {"anna@alpha.test --zone /nonexistent/zone", "/nonexistent/zone", Exit::NoInput},
      {"anna@alpha.test --zone /dev/null --dns 127.0.0.1:53", "exclude each other", Exit::Usage},
  };
  for (auto& c : cases) {
    CAPTURE(c.options);
    auto outcome = run(dir, "quickstart --local " + std::string(c.options));
    CHECK(outcome.exit == c.exit);
    CHECK_MESSAGE(outcome.err.contains(c.error), outcome.err);
    CHECK(outcome.out == "");
    CHECK(fs::is_empty(top.path));
  }
  // Half-way: the certificate is written when the key's place turns out to be taken.
  fs::create_directories(dir / "tls/key.pem");
  auto blocked = run(dir, "quickstart anna@alpha.test --local");
  CHECK(blocked.exit == Exit::CannotCreate);
  CHECK_FALSE(fs::exists(dir / "tls/cert.pem"));
  CHECK_FALSE(fs::exists(dir / "secret.key"));
  CHECK_FALSE(fs::exists(dir / "data"));
  // The rest of something else is not touched.
  fs::remove_all(dir / "tls");
  std::ofstream(dir / "secret.key") << "mine";
  CHECK(run(dir, "quickstart anna@alpha.test --local").exit == Exit::CannotCreate);
  CHECK(fs::file_size(dir / "secret.key") == 4);
}

TEST_CASE("domains, accounts and aliases without a server") {
  testing::TemporaryDirectory top;
  auto& dir = top.path;
  REQUIRE(run(dir, "quickstart anna@alpha.test --local").exit == Exit::Ok);
  struct Case {
    std::string_view line;
    Exit exit;
    std::string_view shown;  ///< somewhere in what is written
  };
  const Case cases[] = {
      {"domain add beta.test", Exit::Ok, "hikyaku domain records --dir "},
      {"domain add Beta.TEST", Exit::CannotCreate, "here already"},
      {"domain list", Exit::Ok, "alpha.test  1         0"},
      {"domain remove gamma.test", Exit::NoAccount, "gamma.test is not a domain"},
      {"domain remove alpha.test", Exit::TryLater, "alpha.test"},  // it has an account
      {"domain catch-all beta.test anna@alpha.test", Exit::Ok, "goes to anna@alpha.test"},
      {"domain list", Exit::Ok, "anna@alpha.test"},
      {"domain catch-all beta.test", Exit::Ok, "refused"},
      {"domain records beta.test", Exit::Ok, "_dmarc.beta.test."},
      {"domain records gamma.test", Exit::NoAccount, "hikyaku domain add --dir "},
      {"account add ben@beta.test --name Ben_B --quota 1GB", Exit::Ok,
       "Password (shown this once)"},
      {"account add ben@beta.test", Exit::CannotCreate, "is an account already"},
      {"account add c@gamma.test", Exit::NoAccount, "hikyaku domain add --dir "},
      {"account add d@beta.test --quota lots", Exit::Usage, "--quota must be a size"},
      {"account list beta.test", Exit::Ok, "ben@beta.test  Ben B  0         0 B   1.0 GB"},
      {"account show ben@beta.test", Exit::Ok, "Trash"},
      {"account show nobody@beta.test", Exit::NoAccount, "hikyaku account list --dir "},
      {"account change ben@beta.test", Exit::Usage, "nothing to change"},
      {"account change ben@beta.test --disable --quota 0", Exit::Ok, "changed"},
      {"account list beta.test", Exit::Ok, "none   disabled"},
      {"account change ben@beta.test --enable --disable", Exit::Usage, "exclude"},
      {"account password ben@beta.test", Exit::Ok, "Password (shown this once)"},
      {"account password nobody@beta.test", Exit::NoAccount, "no account nobody@beta.test"},
      {"app-password add ben@beta.test phone", Exit::Ok, "\"phone\" of ben@beta.test"},
      {"app-password add ben@beta.test phone", Exit::CannotCreate, "already"},
      {"app-password list ben@beta.test", Exit::Ok, "phone"},
      {"app-password remove ben@beta.test phone", Exit::Ok, "works no more"},
      {"app-password remove ben@beta.test phone", Exit::NoAccount, "phone"},
      {"app-password remove ben@beta.test password", Exit::Data, "account password"},
      {"app-password list ben@beta.test", Exit::Ok, "There are no app passwords"},
      {"alias list", Exit::Ok, "There are no aliases"},
      {"alias add sales@beta.test ben@beta.test x@elsewhere.test", Exit::Ok, "goes to"},
      {"alias list beta.test", Exit::Ok, "ben@beta.test, x@elsewhere.test"},
      {"alias add ben@beta.test anna@alpha.test", Exit::CannotCreate, "is an account"},
      {"alias add sales@beta.test typo@beta.test", Exit::Ok, "nobody has typo@beta.test"},
      {"alias add round@beta.test round@beta.test", Exit::Data, "of itself"},
      {"alias remove sales@beta.test typo@beta.test", Exit::Ok, "no more"},
      {"alias remove sales@beta.test x@elsewhere.test", Exit::Ok, "no more"},
      {"alias remove sales@beta.test", Exit::Ok, "gone"},
      {"alias remove sales@beta.test", Exit::NoAccount, "no alias"},
      {"account remove ben@beta.test", Exit::Usage, "--yes"},
      {"account remove ben@beta.test --yes", Exit::Ok, "gone"},
      {"account remove ben@beta.test --yes", Exit::NoAccount, "no account"},
      {"domain add b\xC3\xBC"
       "cher.test",
       Exit::Ok, "domain of this server"},
      {"domain records B\xC3\x9C"
       "CHER.test",
       Exit::Ok, "xn--bcher-kva.test."},
      {"domain remove beta.test", Exit::Ok, "no domain of this server"},
      {"queue list", Exit::Ok, "The queue is empty"},
      {"mailq", Exit::Ok, "The queue is empty"},
      {"queue show 1GK5R0T2M8XQ4", Exit::NoAccount, "hikyaku trace"},
      {"queue show nonsense", Exit::Data, "no id of the queue"},
      {"queue retry nonsense", Exit::Data, "neither an id"},
      {"queue drop a@b.test", Exit::NoAccount, "nothing in the queue"},
      {"queue release all", Exit::Ok, "0 recipients"},
      {"trace a@b.test", Exit::Failed, "no message is known"},
  };
  for (auto& c : cases) {
    CAPTURE(c.line);
    auto outcome = run(dir, c.line);
    CHECK(outcome.exit == c.exit);
    auto written = outcome.out + outcome.err;
    CHECK_MESSAGE(written.contains(c.shown), written);
    CHECK(outcome.err.empty() == (c.exit == Exit::Ok));
  }
}

TEST_CASE("answers for programs") {
  testing::TemporaryDirectory top;
  auto& dir = top.path;
  auto made = run(dir, "quickstart anna@alpha.test --local --port-base 12000 --json");
  REQUIRE(made.exit == Exit::Ok);
  CHECK(made.json().at("address") == "anna@alpha.test");
  CHECK(made.json().at("password").as_string().size() == 19);
  CHECK(made.json().at("ports").at("imaps") == 12993);

  auto account = run(dir, "account add ben@alpha.test --app-password phone --json").json();
  CHECK(account.at("address") == "ben@alpha.test");
  CHECK(account.at("app_passwords").at("phone").as_string().size() > 20);
  CHECK(account.at("password") != made.json().at("password"));
  CHECK(run(dir, "account list --json").json().as_array().size() == 2);
  CHECK(run(dir, "alias list --json").json() == boost::json::array{});
  auto error = run(dir, "account add ben@alpha.test --json");
  CHECK(error.exit == Exit::CannotCreate);
  CHECK(error.json().at("error").at("code") == "exists");
}

TEST_CASE("an instance that is not there, or not right, is explained") {
  testing::TemporaryDirectory top;
  auto& dir = top.path;
  for (auto verb : {"account list", "queue list", "trace a@b.test", "domain records a.test"}) {
    CAPTURE(verb);
    auto missing = run(dir, verb);
    CHECK(missing.exit == Exit::NoInput);
    CHECK(missing.err == "hikyaku: there is no instance in " + dir.string() +
                             ". Make one: hikyaku quickstart ADDRESS --dir " + dir.string() + '\n');
  }
  std::ofstream(dir / "hikyaku.toml") << "[smtp]\nmax_eror = 5\n";
  auto wrong = run(dir, "account list");
  CHECK(wrong.exit == Exit::Config);
  CHECK(wrong.err.contains("hikyaku.toml:2: unknown option smtp.max_eror"));
}

TEST_CASE("which addresses the internet reaches") {
  for (auto address : {"8.8.8.8", "172.15.0.1", "172.32.0.1", "2001:db9::1", "2a01::1"})
    CHECK_MESSAGE(is_public(*IpAddress::parse(address)), address);
  for (auto address : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                       "100.64.0.1", "169.254.1.1", "0.0.0.0", "255.255.255.255", "::1",
                       "::", "fe80::1", "fd00::1", "ff02::1", "2001:db8::1"})
    CHECK_MESSAGE(!is_public(*IpAddress::parse(address)), address);
}
