#include "config/config.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "config/diff.h"
#include "config/key_parts.h"
#include "config/load.h"
#include "config/problem.h"
#include "config/render.h"
#include "testing/source_tree.h"

using namespace hikyaku;
using namespace hikyaku::config;

namespace {

Config good(std::string_view text) {
  CAPTURE(std::string(text));
  auto config = load_text(text, "/etc/hikyaku/hikyaku.toml");
  if (!config) FAIL(config.error().describe());
  return std::move(*config);
}

/// Whether a reader of Japanese gets something to read.
bool is_japanese(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0xE3; });
}

std::string bad(std::string_view text) {
  auto config = load_text(text, "h.toml");
  if (config) return "no problem";
  for (auto& problem : config.error().list) {
    CHECK_MESSAGE(is_japanese(problem_in(problem.what, Language::Japanese)), problem.what);
    if (!problem.remedy.empty())
      CHECK_MESSAGE(is_japanese(problem_in(problem.remedy, Language::Japanese)), problem.remedy);
  }
  return config.error().describe();
}

}  // namespace

TEST_CASE("sizes") {
  struct Case {
    std::string_view text;
    std::int64_t bytes;  // -1: refused
  };
  const Case cases[] = {
      {"0", 0},
      {"512", 512},
      {"64KB", 64 * kKB},
      {"64kb", 64 * kKB},
      {"50 MB", 50 * kMB},
      {"2G", 2 * kGB},
      {"2GiB", 2 * kGB},
      {"1TB", kTB},
      {"12B", 12},
      {"", -1},
      {"MB", -1},
      {"5 apples", -1},
      {"-1", -1},
      {"1.5MB", -1},
      {"1 MB x", -1},
      {"9999999TB", -1},
      {"8388607TB", 8388607 * kTB},
      {"99999999999999999999", -1},
  };
  for (auto& c : cases) {
    CAPTURE(c.text);
    auto size = parse_bytes(c.text);
    CHECK((size ? static_cast<std::int64_t>(size->count) : -1) == c.bytes);
    if (size) CHECK(parse_bytes(format_bytes(*size)) == size);
  }
  CHECK(format_bytes({50 * kMB}) == "50MB");
  CHECK(format_bytes({1000}) == "1000B");
}

TEST_CASE("an empty file is a complete configuration") {
  auto config = good("");
  CHECK(config.smtp.max_message_size.count == 50 * kMB);
  CHECK(config.queue.lifetime == std::chrono::days(5));
  CHECK(config.queue.retry.front() == std::chrono::minutes(1));
  CHECK(config.pop3.lock);
  CHECK(config.log.level == LogLevel::Info);
  CHECK(config.tls.certificates.at(0).key == "/etc/hikyaku/tls/key.pem");
  CHECK(config.smtp.mechanisms.empty());
  CHECK(config.offers("PLAIN"));
  CHECK_FALSE(config.offers("CRAM-MD5"));
  CHECK(config.mx_port() == 25);
  auto imaps = config.listen.endpoints(config.listen.imaps);
  REQUIRE(imaps.size() == 2);
  CHECK(imaps[0].to_string() == "0.0.0.0:993");
  CHECK(imaps[1].to_string() == "[::]:993");
}

TEST_CASE("local mode changes defaults, and only those") {
  auto config = good("[server]\nlocal = true\n[imap]\nmechanisms = [\"PLAIN\"]");
  CHECK(config.listen.endpoints(config.listen.smtp).at(0).to_string() == "127.0.0.1:8025");
  CHECK(config.mx_port() == 8025);
  CHECK(config.login.plaintext_on_loopback);
  CHECK(config.offers("APOP"));
  CHECK(config.imap.mechanisms == std::vector<std::string>{"PLAIN"});
  CHECK(config.server.user.empty());
}

TEST_CASE("which mechanisms are offered where") {
  auto joined = [](const Config& config, Channel channel) {
    return join(offered_mechanisms(config.pop3.mechanisms, channel), " ");
  };
  auto usual = good("");
  CHECK(joined(usual, Channel::Tls) == "PLAIN LOGIN");
  CHECK(joined(usual, Channel::Clear) == "");
  auto all = good("[server]\nlocal = true");
  CHECK(joined(all, Channel::Tls) ==
        "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN");
  CHECK(joined(all, Channel::Confidential) == "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN");
  CHECK(joined(all, Channel::Clear) == "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5");
}

TEST_CASE("values of every type") {
  auto config = good(R"(
[server]
host_name = "mail.example.org"
memory = "2GB"
language = "ja"
[listen]
addresses = ["192.0.2.1", "2001:db8::1"]
port_base = 1000
smtp = [25, "127.0.0.1:2525"]
pop3 = []
[[tls.certificates]]
cert = "/etc/ssl/a.pem"
key = "keys/a.pem"
names = ["Mail.Example.org"]
[[tls.certificates]]
cert = "b.pem"
key = "b.key"
names = ["*.BÜCHER.example."]
[smtp]
timeout = "90s"
mechanisms = ["scram-sha-256"]
[queue]
retry = ["10s", "1h"]
[dns]
resolver = ["127.0.0.1", "[::1]:5353"]
zone_file = "../lab.zone"
[log]
format = "json"
level = "trace"
)");
  CHECK(config.server.host_name == "mail.example.org");
  CHECK(config.server.memory.count == 2 * kGB);
  CHECK(config.server.language == Language::Japanese);
  std::string smtp;
  for (auto& at : config.listen.endpoints(config.listen.smtp)) smtp += at.to_string() + ' ';
  CHECK(smtp == "192.0.2.1:1025 [2001:db8::1]:1025 127.0.0.1:2525 ");
  CHECK(config.listen.endpoints(config.listen.pop3).empty());
  REQUIRE(config.tls.certificates.size() == 2);
  CHECK(config.tls.certificates[0].cert == "/etc/ssl/a.pem");
  CHECK(config.tls.certificates[0].key == "/etc/hikyaku/keys/a.pem");
  CHECK(config.tls.certificates[0].names.at(0) == "mail.example.org");
  CHECK(config.tls.certificates[1].names == std::vector<std::string>{"*.xn--bcher-kva.example"});
  CHECK(config.smtp.timeout == std::chrono::seconds(90));
  CHECK(config.smtp.mechanisms.at(0) == "SCRAM-SHA-256");
  CHECK(config.queue.retry.size() == 2);
  CHECK(config.dns.resolver.at(0).to_string() == "127.0.0.1:53");
  CHECK(config.dns.resolver.at(1).to_string() == "[::1]:5353");
  CHECK(config.dns.zone_file == "/etc/lab.zone");
  CHECK(config.log.format == LogFormat::Json);
  CHECK(config.log.level == LogLevel::Trace);
  CHECK(config.mx_port() == 25);  // port_base counts for others' MX only with server.local
}

TEST_CASE("every mistake is named with its line and what would be right") {
  struct Case {
    std::string_view text, problem;
  };
  const Case cases[] = {
      // Syntax.
      {"[smtp]\nmax_errors 5\n",
       "h.toml:2: this is not TOML: Error while parsing key-value pair: expected '=', saw '5'. "
       "Correct this line first; what follows was not read.\n"},
      // Names.
      {"[smtp]\nmax_recipient = 5",
       "h.toml:2: unknown option smtp.max_recipient. Did you mean smtp.max_recipients?\n"},
      {"\n[smpt]\nmax_errors = 5", "h.toml:2: unknown section [smpt]. Did you mean [smtp]?\n"},
      {"[imap]\nreserve = \"7MB\"",
       "h.toml:2: unknown option imap.reserve. Did you mean store.reserve?\n"},
      {"[imap]\nbanana = 1",
       "h.toml:2: unknown option imap.banana. See `hikyaku config explain imap` for its "
       "options.\n"},
      {"[banana]",
       "h.toml:1: unknown section [banana]. See `hikyaku config explain` for all "
       "sections.\n"},
      {"hostname = \"a\"", "h.toml:1: unknown option hostname. Did you mean server.host_name?\n"},
      {"\"smtp.max_errors\" = 5",
       "h.toml:1: unknown option smtp.max_errors. Write it without quotes: smtp.max_errors = "
       "….\n"},
      {"smtp = 5",
       "h.toml:1: smtp is a section, not an option. Write [smtp] on a line of its own, "
       "its options below it.\n"},
      // Types and ranges.
      {"[smtp]\nmax_recipients = \"many\"",
       "h.toml:2: smtp.max_recipients must be an integer from 100 to 100000, not \"many\". The "
       "default is max_recipients = 1000.\n"},
      {"[smtp]\nmax_recipients = 5",
       "h.toml:2: smtp.max_recipients must be an integer from 100 to 100000, not 5. The default "
       "is max_recipients = 1000.\n"},
      {"[smtp]\nmax_message_size = \"50 apples\"",
       "h.toml:2: smtp.max_message_size must be a size from 64KB to 2GB, not \"50 apples\". The "
       "default is max_message_size = \"50MB\".\n"},
      {"[smtp]\nmax_message_size = 1.5",
       "h.toml:2: smtp.max_message_size must be a size from 64KB to 2GB, not a number with a "
       "fraction. The default is max_message_size = \"50MB\".\n"},
      {"[smtp]\ntimeout = 300",
       "h.toml:2: smtp.timeout must be a duration from 1s to 1h, not 300. Write it with a unit, "
       "such as \"300s\".\n"},
      {"[pop3]\nlock = \"no\"",
       "h.toml:2: pop3.lock must be true or false, not \"no\". The default is lock = true.\n"},
      {"[log]\nlevel = \"debgu\"",
       "h.toml:2: log.level must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\", not "
       "\"debgu\". Did you mean \"debug\"?\n"},
      {"[listen]\naddresses = \"127.0.0.1\"",
       "h.toml:2: listen.addresses must be a list of IP addresses, not \"127.0.0.1\". Put it in "
       "brackets: addresses = [\"127.0.0.1\"].\n"},
      {"[listen]\nsmtp = [25, 70000]",
       "h.toml:2: listen.smtp must be a list of ports (1 to 65535) or \"ADDRESS:PORT\", not 70000. "
       "The default "
       "is smtp = [25].\n"},
      {"[queue]\nretry = [\n  \"5m\",\n  \"soon\",\n]",
       "h.toml:4: queue.retry must be a list of durations from 1s to 1d, not \"soon\". The default "
       "is retry = [\"1m\", \"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\"].\n"},
      {"[tls]\ncertificates = [{ cert = \"a\" }]",
       "h.toml:2: tls.certificates needs cert and key. Write a list of { cert = \"FILE\", key = "
       "\"FILE\", names = [\"NAME\"] }, names optional.\n"},
      {"[[tls.certificates]]\ncert = \"a\"\nkye = \"b\"",
       "h.toml:3: tls.certificates has no \"kye\" of this kind. Write a list of { cert = \"FILE\", "
       "key = \"FILE\", names = [\"NAME\"] }, names optional.\n"},
      {"[tls]\ncertificates = [{ cert = \"a\", key = \"b\", names = [\"*.*.test\"] }]",
       "h.toml:2: tls.certificates cannot be \"*.*.test\": it is not a host name. Write a list of "
       "{ "
       "cert = \"FILE\", key = \"FILE\", names = [\"NAME\"] }, names optional.\n"},
      // An option's own checks.
      {"[server]\nhost_name = \"mail_server\"",
       "h.toml:2: server.host_name cannot be \"mail_server\": it is not a host name. The default "
       "is host_name = \"\".\n"},
      {"[server]\nmemory = \"1MB\"",
       "h.toml:2: server.memory cannot be \"1MB\": it is 0 or at least 64MB. The default is memory "
       "= 0.\n"},
      {"[delivery]\nrecipient_delimiters = \"+/\"",
       "h.toml:2: delivery.recipient_delimiters cannot be \"+/\": the characters may be + - _ = #. "
       "The default is recipient_delimiters = \"+\".\n"},
      {"[transmit]\nsource_addresses = [\"192.0.2.1\", \"192.0.2.2\"]",
       "h.toml:2: transmit.source_addresses cannot be [\"192.0.2.1\", \"192.0.2.2\"]: at most one "
       "IPv4 and one IPv6 address. The default is source_addresses = [].\n"},
      {"[queue]\nretry = []",
       "h.toml:2: queue.retry cannot be []: it must not be empty. The default is retry = [\"1m\", "
       "\"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\"].\n"},
      // Conflicts.
      {"[listen]\nimap = [25]",
       "h.toml:2: listen.smtp and listen.imap both want 0.0.0.0:25. Give each service a port of "
       "its own, or close one with [].\n"
       "h.toml:2: listen.smtp and listen.imap both want [::]:25. Give each service a port of its "
       "own, or close one with [].\n"},
      {"[listen]\nsmtp = [65000]\nport_base = 1000",
       "h.toml:3: listen.smtp has port 65000, which with listen.port_base = 1000 exceeds 65535. "
       "Choose a smaller listen.port_base.\n"},
      {"[server]\nlocal = true\n[listen]\naddresses = [\"0.0.0.0\"]",
       "h.toml:4: server.local = true, but listen.addresses has 0.0.0.0, which others can reach. "
       "Use loopback addresses (127.0.0.0/8, ::1), or server.local = false.\n"},
      {"[queue]\nlifetime = \"4h\"",
       "h.toml:2: queue.delay_notice = \"4h\" would come after queue.lifetime = \"4h\". Make it "
       "shorter, or \"0s\" for no notice.\n"},
      {"[queue]\nlifetime = \"1h\"\ndelay_notice = \"0s\"",
       "h.toml:2: queue.retry has \"4h\", longer than queue.lifetime = \"1h\". No message would "
       "live to see that attempt; use shorter waits.\n"},
      {"[limits]\nconnections = 60",
       "h.toml:2: limits.connections_per_address = 100 is more than limits.connections = 60. A "
       "part cannot have more than the whole.\n"},
      {"[tls]\ncertificates = [{cert=\"a\",key=\"b\"},{cert=\"a\",key=\"b\"}]",
       "h.toml:2: tls.certificates has a twice. Remove one.\n"},
      // All at once, by line.
      {"[pop3]\nlokc = true\n[imap]\ntimeout = 5\n[log]\nlevel = 1\n",
       "h.toml:2: unknown option pop3.lokc. Did you mean pop3.lock?\n"
       "h.toml:4: imap.timeout must be a duration from 1s to 1d, not 5. Write it with a unit, such "
       "as \"5s\".\n"
       "h.toml:6: log.level must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\", not 1. "
       "The default is level = \"info\".\n"},
  };
  for (auto& c : cases) {
    CAPTURE(std::string(c.text));
    CHECK(bad(c.text) == c.problem);
  }
}

TEST_CASE("a file that is not there, and one that is too large") {
  auto missing = load_file("/nonexistent/hikyaku.toml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().describe() ==
        "/nonexistent/hikyaku.toml: cannot read it: No such file or directory. `hikyaku quickstart "
        "ADDRESS` writes one; --dir says where.\n");
  CHECK_FALSE(load_file("/"));  // a directory
  auto endless = load_file("/dev/zero");
  REQUIRE_FALSE(endless);
  CHECK(endless.error().list[0].what == "it is larger than 1 MB");
}

TEST_CASE("hostile nesting and names end in a problem, not in a crash") {
  CHECK(bad("[[(") ==
        "h.toml: this is not TOML. Look for a stray character in a key or a [section].\n");
  CHECK(bad("\xef\xbb\x99 = 2").contains("this is not TOML"));
  CHECK(bad("[smtp]\nmax_errors = " + std::string(100000, '[')).contains("this is not TOML"));
  CHECK(bad("[smtp]\nmax_errors = " + std::string(50, '[') + std::string(50, ']'))
            .contains("not a list"));
  CHECK(bad("[smtp]\n\"a\\u0007b\" = 1").contains("unknown option smtp.a\\x07b"));
  CHECK(bad("[dns]\nzone_file = \"a\\u0000b\"").contains("must be a path"));
}

TEST_CASE("a key of very many parts ends in a problem, not in a crash") {
  auto dots = [](int count) {
    std::string key;
    for (int i = 0; i < count; ++i) key += i % 3 ? "a." : "\"b\" . ";
    return key + "a";
  };
  for (auto text : {"[x]\n" + dots(100'000) + " = 1", "\n[" + dots(100'000) + "]",
                    "\n[[" + dots(100'000) + "]]", "\nx = {" + dots(100'000) + " = 1}",
                    "\nx = [\"\"\"a\\\"\"\"\"\", '''b''''', {" + dots(100'000) + " = 1}]",
                    "x = \"\"\"#\n\"\"\"\n" + dots(100'000) + " = 1"}) {
    CAPTURE(text.substr(0, 40));
    auto line = text.starts_with("x") ? 3 : 2;
    CHECK(bad(text) == fmt::format("h.toml:{}: a key has more than 64 parts. Options are written "
                                   "section.option = VALUE.\n",
                                   line));
  }
  auto in_japanese = load_text(dots(64) + " = 1", "h.toml");
  REQUIRE_FALSE(in_japanese);
  CHECK(in_japanese.error().describe(Language::Japanese) ==
        "h.toml:1: キーがドットで 64 より多くの部分に分かれています。"
        "オプションは「節.オプション = 値」の形で書いてください。\n");
  // As deep as it goes otherwise: each value in a table, behind a key of 64 parts.
  CHECK(bad(dots(63) + " = 1").contains("unknown section"));
  std::string nested = "x = ";
  for (int i = 0; i < 60; ++i) nested += "{" + dots(63) + " = ";
  CHECK(bad(nested + "1" + std::string(60, '}')).contains("unknown section"));
}

TEST_CASE("dots in strings and comments are in nobody's key") {
  std::string words;
  for (int i = 0; i < 100; ++i) words += "a.";
  CHECK_FALSE(find_deep_key("# " + words + "\nx = \"" + words + "\\\"" + words + "\""));
  CHECK_FALSE(find_deep_key("x = '" + words + "\\' # '" + words));
  CHECK_FALSE(find_deep_key("x = '''\n" + words + "'\n" + words + "'''"));
  CHECK_FALSE(find_deep_key("x = [" + std::string(words.size(), '\n') + "1.5, 1.5]"));
  CHECK(find_deep_key("x = '''\n\n''' # \n" + words) == 4);
}

TEST_CASE("the table itself") {
  std::set<std::string_view> names, section_names;
  for (auto& section : sections()) section_names.insert(section.name);
  for (auto& option : options()) {
    CAPTURE(option.name);
    CHECK(names.insert(option.name).second);
    CHECK(section_names.contains(option.section()));
    CHECK_FALSE(option.doc.empty());
    CHECK(option.doc.ends_with('.'));
    CHECK_FALSE(option.why.empty());
    CHECK_FALSE(option.why.ends_with('.'));
    CHECK_FALSE(option.since.empty());
    auto ranged = option.kind == Kind::Integer || option.kind == Kind::Size ||
                  option.kind == Kind::Duration || option.kind == Kind::Durations;
    CHECK((option.least < option.most) == ranged);
  }
  for (auto name : section_names) {
    CAPTURE(name);
    CHECK(std::ranges::any_of(options(), [&](auto& o) { return o.section() == name; }));
  }
}

TEST_CASE("defaults are written in their one form and read back the same") {
  auto config = *load_text("", "hikyaku.toml");  // no directory: paths stay as written
  for (auto& option : options()) {
    CAPTURE(option.name);
    auto shown = to_toml(option, option.get(config));
    CHECK(shown == option.fallback);
  }
}

TEST_CASE("every range is kept at both ends") {
  for (auto& option : options()) {
    CAPTURE(option.name);
    // What the file says about the option itself; conflicts with others are another matter.
    auto refused = [&](std::int64_t value) {
      auto text = option.kind == Kind::Duration    ? fmt::format("\"{}ms\"", value)
                  : option.kind == Kind::Durations ? fmt::format("[\"{}ms\"]", value)
                                                   : std::to_string(value);
      CAPTURE(text);
      return bad(fmt::format("{} = {}", option.name, text))
          .starts_with(fmt::format("h.toml:1: {} must be ", option.name));
    };
    if (option.least == option.most) continue;
    CHECK_FALSE(refused(option.least));
    CHECK_FALSE(refused(option.most));
    CHECK(refused(option.least - 1));
    CHECK(refused(option.most + 1));
  }
}

TEST_CASE("every option can be set, and changes only itself") {
  auto before = defaults();
  for (auto& option : options()) {
    CAPTURE(option.name);
    std::string other;
    switch (option.kind) {
      case Kind::Boolean:
        other = option.fallback == "true" ? "false" : "true";
        break;
      case Kind::Integer:
        other = std::to_string(std::get<std::int64_t>(option.get(before)) + 1);
        break;
      case Kind::Size:
        other = std::to_string(std::max<std::int64_t>(option.least, 64 * kMB) + 1);
        break;
      case Kind::Duration:
        other = "\"150s\"";
        break;
      case Kind::Text:
        other = option.name == "delivery.recipient_delimiters" ? "\"-\"" : "\"other\"";
        break;
      case Kind::Choice:
        other = "\"" + std::string(option.choices.back()) + "\"";
        break;
      case Kind::Path:
        other = "\"other/path\"";
        break;
      case Kind::Texts:
        // Alone it is the default of none.
        other = option.choices.empty() ? "[\"other.example\"]"
                                       : "[\"" + std::string(option.choices[2]) + "\"]";
        break;
      case Kind::Durations:
        other = "[\"3m\"]";
        break;
      case Kind::Addresses:
        other = "[\"127.0.0.7\"]";
        break;
      case Kind::Endpoints:
        other = "[\"127.0.0.7:5353\"]";
        break;
      case Kind::Listen:
        other = "[\"127.0.0.7:5353\"]";
        break;
      case Kind::Certificates:
        other = "[{ cert = \"x\", key = \"y\" }]";
        break;
    }
    if (option.name == "log.format" || option.name == "server.language" ||
        option.name == "smtp.max_line" || option.name == "smtp.max_header" ||
        option.name == "imap.max_line" || option.name == "imap.max_literal" ||
        option.name == "imap.max_command")
      other = option.kind == Kind::Size ? "\"16KB\"" : other;
    if (option.name == "queue.lifetime") other = "\"6d\"";
    if (option.name == "dkim.oversign") other = "[\"Subject\"]";
    if (option.name == "dkim.expiry") other = "\"6d\"";
    if (option.name == "dmarc.keep_reports") other = "\"6d\"";
    if (option.name == "dmarc.report_from") other = "\"a@other.test\"";
    if (option.name == "imap.max_append_messages") other = "999";  // its default is the most
    if (option.name == "server.local") continue;                   // it changes others on purpose
    auto text = std::string(option.name) + " = " + other;
    auto after = load_text(text, "hikyaku.toml");
    if (!after) FAIL(after.error().describe());
    auto changes = diff(before, *after);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].option->name == option.name);
    auto merged = reloaded(before, *after);
    auto on_reload = option.applies == Applies::OnReload;
    CHECK(diff(before, merged).size() == (on_reload ? 1u : 0u));
  }
}

TEST_CASE("a reload tells what changed from what to what") {
  auto before = good("[smtp]\nmax_errors = 7"), after = good("[listen]\nsmtp = [26]");
  auto changes = diff(before, after);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].option->name == "listen.smtp");
  CHECK(changes[0].option->applies == Applies::OnRestart);
  CHECK(changes[0].before == "[25]");
  CHECK(changes[0].after == "[26]");
  CHECK(changes[1].before == "7");
  CHECK(changes[1].after == "20");
}

TEST_CASE("the sample is read back, as it is and with everything switched on") {
  auto text = sample({}, Detail::Everything);
  CHECK(diff(good(text), good("")).empty());

  std::string uncommented;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    uncommented +=
        (line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) + '\n';
  CHECK(uncommented != text);
  CHECK(diff(good(uncommented), good("")).empty());
  for (auto& option : options()) {
    CAPTURE(option.name);
    CHECK(text.contains(std::string("#") + std::string(option.key()) + " = "));
  }

  auto set =
      sample({{"server.host_name", "\"mx.example\""}, {"pop3.lock", "false"}}, Detail::SetOnly);
  auto config = good(set);
  CHECK(config.server.host_name == "mx.example");
  CHECK_FALSE(config.pop3.lock);
  CHECK_FALSE(set.contains("[imap]"));
}

TEST_CASE("docs/configuration.md is what the table says (./run docs writes it)") {
  std::ifstream in(testing::source_tree() / "docs/configuration.md");
  std::stringstream text;
  text << in.rdbuf();
  CHECK_MESSAGE(text.str() == markdown(), "docs/configuration.md is stale: ./run docs");
}

TEST_CASE("every option and section is told in Japanese, too") {
  for (auto& option : options()) {
    CAPTURE(option.name);
    CHECK(doc_of(option, Language::English) == option.doc);
    CHECK(is_japanese(doc_of(option, Language::Japanese)));
    CHECK(doc_of(option, Language::Japanese).ends_with("。"));
    CHECK(why_of(option, Language::English) == option.why);
    auto why = why_of(option, Language::Japanese);
    CHECK((is_japanese(why) || why.starts_with("RFC")));
    CHECK_FALSE(why.ends_with("。"));
    auto kind = problem_in(describe_kind(option), Language::Japanese);
    CHECK((is_japanese(kind) || option.kind == Kind::Boolean));
  }
  for (auto& section : sections()) {
    CAPTURE(section.name);
    CHECK(is_japanese(doc_of(section, Language::Japanese)));
  }
}

TEST_CASE("a mistake in Japanese") {
  auto told = [](std::string_view text) {
    return load_text(text, "h.toml").error().describe(Language::Japanese);
  };
  CHECK(told("[smtp]\nmax_errors = \"x or y\"") ==
        "h.toml:2: smtp.max_errors には 3 から 10000 までの整数を書きます(\"x or y\" ではなく)。"
        "既定値は max_errors = 20 です。\n");
  CHECK(told("[log]\nlevel = \"wran\"") ==
        "h.toml:2: log.level には \"error\", \"warn\", \"info\", \"debug\" または \"trace\" "
        "のどちらかを書きます(\"wran\" ではなく)。\"warn\" のことですか?\n");
}
