// The command line as its user sees it.
#include "app/cli.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <unistd.h>

#include "app/command_line.h"
#include "app/input_file.h"
#include "app/instance.h"
#include "app/verbs.h"
#include "base/text.h"

using namespace hikyaku;
using namespace hikyaku::app;

namespace {

struct Outcome {
  Exit exit = Exit::Ok;
  std::string out, err;
};

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (auto word : split(line, ' '))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

Outcome run(const std::vector<std::string>& words, std::span<const Verb> verbs) {
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
  outcome.exit = run_command_line(words, verbs, terminal);
  return outcome;
}

Outcome run(std::string_view line, std::span<const Verb> verbs) {
  return run(words_of(line), verbs);
}

Outcome run(std::string_view line) {
  auto verbs = all_verbs();
  return run(line, verbs);
}

/// A verb that prints what it was given.
Verb echo_verb() {
  return {
      .name = "echo",
      .summary = {"e", "e"},
      .arguments = {{"FIRST", {"f", "f"}}, {"SECOND", {"s", "s"}, ArgumentSpec::Count::Optional}},
      .options = {{.name = "--port-base",
                   .short_name = "-p",
                   .value = "N",
                   .help = {"p", "p"},
                   .least = 0,
                   .most = 60000},
                  {.name = "--header", .value = "H", .help = {"h", "h"}, .repeatable = true},
                  {.name = "--kind", .value = "K", .help = {"k", "k"}, .choices = {"mx", "txt"}},
                  {.name = "--all", .short_name = "-a", .help = {"a", "a"}},
                  {.name = "--quiet", .short_name = "-q", .help = {"q", "q"}}},
      .uses_instance = true,
      .run =
          [](const Invocation& in, Terminal& terminal) {
            std::string text;
            for (auto& argument : in.arguments()) text += '<' + argument + '>';
            text += " port=" + std::to_string(in.number("--port-base", -1));
            for (auto& header : in.values("--header")) text += " header=" + header;
            if (in.has("--all")) text += " all";
            if (in.has("--quiet")) text += " quiet";
            if (auto dir = in.value("--dir")) text += " dir=" + *dir;
            if (auto kind = in.value("--kind")) text += " kind=" + *kind;
            terminal.out(text);
            return Exit::Ok;
          },
  };
}

}  // namespace

TEST_CASE("what is given reaches the verb") {
  const Verb verbs[] = {echo_verb()};
  struct Case {
    std::string_view line, printed;
  };
  const Case cases[] = {
      {"echo a", "<a> port=-1"},
      {"echo a b", "<a><b> port=-1"},
      {"echo --port-base 8000 a", "<a> port=8000"},
      {"echo a --port-base=8000", "<a> port=8000"},
      {"echo -p 8000 a", "<a> port=8000"},
      {"echo -p8000 a", "<a> port=8000"},
      {"echo -aq a", "<a> port=-1 all quiet"},
      {"echo -aqp 7 a", "<a> port=7 all quiet"},
      {"echo a --header x --header y", "<a> port=-1 header=x header=y"},
      {"echo --kind txt a", "<a> port=-1 kind=txt"},
      {"echo --dir /d a", "<a> port=-1 dir=/d"},
      {"echo -- --all", "<--all> port=-1"},
      {"echo -", "<-> port=-1"},  // by convention standard input
      {"echo --header= a", "<a> port=-1 header="},
      {"--lang ja echo a", "<a> port=-1"},
      {"echo --lang=ja a", "<a> port=-1"},
  };
  for (auto& c : cases) {
    CAPTURE(c.line);
    auto outcome = run(c.line, verbs);
    CHECK(outcome.exit == Exit::Ok);
    CHECK(outcome.out == c.printed);
    CHECK(outcome.err == "");
  }
}

TEST_CASE("a wrong command line is told what would be right") {
  const Verb verbs[] = {echo_verb(), verb_config_check(), verb_config_explain()};
  struct Case {
    std::string_view line, error;
  };
  const Case cases[] = {
      {"ehco a", "unknown verb 'ehco'. Did you mean 'echo'?"},
      {"banana", "unknown verb 'banana'. `hikyaku --help` lists all verbs."},
      {"config chekc", "unknown verb 'config chekc'. Did you mean 'config check'?"},
      {"config", "'config' needs a second word: check | explain."},
      {"config --json", "'config' needs a second word: check | explain."},
      {"help banana", "unknown verb 'banana'. `hikyaku --help` lists all verbs."},
      {"--bogus", "hikyaku has no option '--bogus'. `hikyaku --help` lists all verbs."},
      {"echo", "FIRST is missing. Usage: hikyaku echo FIRST [SECOND]"},
      {"echo a b c", "'c' is one word too many. Usage: hikyaku echo FIRST [SECOND]"},
      {"echo a --prot-base 5",
       "hikyaku echo has no option '--prot-base'. Did you mean '--port-base'?"},
      {"echo a --banana",
       "hikyaku echo has no option '--banana'. `hikyaku echo --help` lists its options."},
      {"echo a -x", "hikyaku echo has no option '-x'. `hikyaku echo --help` lists its options."},
      {"echo a --port-base", "--port-base needs a value: --port-base N."},
      {"echo a --port-base x", "--port-base must be a number from 0 to 60000, not 'x'."},
      {"echo a --port-base -1", "--port-base must be a number from 0 to 60000, not '-1'."},
      {"echo a --port-base 60001", "--port-base must be a number from 0 to 60000, not '60001'."},
      {"echo a --kind ptr", "--kind must be mx | txt, not 'ptr'."},
      {"echo a --all=yes", "--all takes no value."},
      {"echo a --all --all", "--all is given twice."},
      {"echo a --json",
       "hikyaku echo has no option '--json'. `hikyaku echo --help` lists its options."},
      {"echo a --lang fr", "--lang must be en | ja, not 'fr'."},
      {"--lang", "--lang needs a value: --lang LANG."},
      {"\x1b[31m", "unknown verb '\\x1b[31m'. `hikyaku --help` lists all verbs."},
  };
  for (auto& c : cases) {
    CAPTURE(c.line);
    auto outcome = run(c.line, verbs);
    CHECK(outcome.exit == Exit::Usage);
    CHECK(outcome.err == "hikyaku: " + std::string(c.error) + '\n');
    CHECK(outcome.out == "");
  }
  CHECK(run("--lang ja ehco", verbs).err ==
        "hikyaku: 'ehco' というサブコマンドはありません。'echo' のことですか?\n");
  CHECK(run("--lang ja config exlain").err ==
        "hikyaku: 'config' に 'exlain' というサブコマンドはありません。'config explain' "
        "のことですか?\n");
}

TEST_CASE("an empty path is a mistake in the command line, whichever verb gets it") {
  auto verbs = all_verbs();
  std::size_t options = 0, arguments = 0;
  auto refused = [&](const Verb& verb, std::vector<std::string> given, std::string_view name) {
    CAPTURE(verb.name);
    CAPTURE(name);
    auto words = words_of(verb.name);
    words.insert(words.end(), given.begin(), given.end());
    auto outcome = run(words, verbs);
    CHECK(outcome.exit == Exit::Usage);
    CHECK(outcome.err.starts_with("hikyaku: " + std::string(name) + " is empty: name a "));
    CHECK(outcome.out == "");
    words.insert(words.begin(), {"--lang", "ja"});
    CHECK(run(words, verbs).err.starts_with("hikyaku: " + std::string(name) + " が空です。"));
  };
  auto path = [](std::string_view name) {
    return name == "DIR" || name == "FILE" || name == "PATH" || name == "PEM";
  };
  for (auto& verb : verbs) {
    for (auto& option : all_options(verb)) {
      if (!path(option.value)) continue;
      ++options;
      refused(verb, {std::string(option.name), ""}, option.name);
      refused(verb, {std::string(option.name) + "="}, option.name);
    }
    if (verb.raw_arguments) refused(verb, {"--dir", "", "anna@alpha.test"}, "--dir");
    std::vector<std::string> before;
    for (auto& argument : verb.arguments) {
      before.emplace_back(path(argument.name) ? "" : "x");
      if (!path(argument.name)) continue;
      ++arguments;
      auto given = before;
      for (auto rest = before.size(); rest < verb.arguments.size(); ++rest)
        if (verb.arguments[rest].count == ArgumentSpec::Count::One) given.emplace_back("x");
      refused(verb, given, argument.name);
    }
  }
  CHECK(options > 40);
  CHECK(arguments > 8);
}

TEST_CASE("what nobody expected is told in words, also before the verb has begun") {
  auto throwing = [](auto thrown) {
    return Verb{
        .name = "throw",
        .summary = {"t", "t"},
        .uses_instance = true,
        .run = [thrown](const Invocation&, Terminal&) -> Exit { throw thrown; },
    };
  };
  const Verb defect[] = {throwing(std::runtime_error("oh"))};
  auto told = run("throw", defect);
  CHECK(told.exit == Exit::Software);
  CHECK(told.err.starts_with("hikyaku: a defect in Hikyaku ended this command: oh."));

  const Verb denied[] = {throwing(std::filesystem::filesystem_error(
      "status", "/secret", std::make_error_code(std::errc::permission_denied)))};
  told = run("throw", denied);
  CHECK(told.exit == Exit::NoPermission);
  CHECK(told.err == "hikyaku: /secret: Permission denied\n");
}

TEST_CASE("every text is there in every language") {
  auto check = [](std::string_view verb, std::string_view what, const Phrase& phrase) {
    CAPTURE(verb);
    CAPTURE(what);
    CHECK_FALSE(phrase.en.empty());
    CHECK_FALSE(phrase.ja.empty());
    CHECK(std::ranges::count(phrase.en, '{') == std::ranges::count(phrase.ja, '{'));
  };
  for (auto& verb : all_verbs()) {
    check(verb.name, "summary", verb.summary);
    CHECK(verb.details.en.empty() == verb.details.ja.empty());
    CHECK_MESSAGE(!verb.summary.en.ends_with('.'), verb.name);
    for (auto& argument : verb.arguments) check(verb.name, argument.name, argument.help);
    for (auto& option : all_options(verb)) check(verb.name, option.name, option.help);
    for (auto& example : verb.examples) check(verb.name, example.command, example.what);
    CHECK_MESSAGE(!verb.examples.empty(), "an example for ", verb.name);
    CHECK_MESSAGE(static_cast<bool>(verb.run), verb.name);
  }
}

TEST_CASE("the table of verbs is consistent") {
  auto verbs = all_verbs();
  for (auto& verb : verbs) {
    CAPTURE(verb.name);
    CHECK(std::ranges::count(verbs, verb.name, &Verb::name) == 1);
    auto options = all_options(verb);
    for (auto& option : options) {
      CAPTURE(option.name);
      CHECK(option.name.starts_with("--"));
      CHECK(std::ranges::count(options, option.name, &OptionSpec::name) == 1);
      if (!option.short_name.empty())
        CHECK(std::ranges::count(options, option.short_name, &OptionSpec::short_name) == 1);
    }
    // The examples in the help are right: they parse.
    for (auto& example : verb.examples) {
      CAPTURE(example.command);
      auto words = words_of(example.command);
      auto end = std::ranges::find_if(words, [](auto& word) {
        return word == "|" || word == "&&" || word == ">" || word == "<";
      });
      words.erase(end, words.end());
      auto begin = std::ranges::find(words, "hikyaku");
      REQUIRE(begin != words.end());
      words.erase(words.begin(), begin + 1);
      auto parsed = parse_command_line(words, verbs, Language::English);
      if (!parsed) FAIL(parsed.error().text);
      CHECK(parsed->words == verb.name);
    }
  }
}

TEST_CASE("help") {
  auto overview = run("");
  CHECK(overview.exit == Exit::Ok);
  for (auto& verb : all_verbs()) CHECK(overview.out.contains(verb.name));
  CHECK(run("--help").out == overview.out);
  CHECK(run("help").out == overview.out);
  CHECK(run("--help --lang ja").out != overview.out);

  auto verb = run("config check --help");
  CHECK(verb.exit == Exit::Ok);
  CHECK(verb.out.contains("hikyaku config check: names every mistake"));
  CHECK(verb.out.contains("--dir DIR"));
  CHECK(verb.out.contains("Examples:"));
  CHECK(run("help config check").out == verb.out);
  CHECK(run("--help config check").out == verb.out);
  CHECK(run("config check --bogus-comes-later-than --help").exit == Exit::Usage);
  CHECK(run("config --help").out.contains("config explain [NAME]"));
  CHECK(run("help config").out == run("config --help").out);
  CHECK(run("--version").out == run("version").out);
}

TEST_CASE("config verbs") {
  auto file = std::string("/tmp/hikyaku-cli-test.") + std::to_string(::getpid()) + ".toml";
  std::ofstream(file) << "[smtp]\nmax_eror = 5\n";
  auto bad = run("config check " + file);
  CHECK(bad.exit == Exit::Config);
  CHECK(bad.err == file + ":2: unknown option smtp.max_eror. Did you mean smtp.max_errors?\n");
  CHECK(run("config check --json " + file).out ==
        "{\"file\":\"" + file +
            "\",\"problems\":[{\"line\":2,\"what\":\"unknown option "
            "smtp.max_eror\",\"remedy\":\"Did you mean smtp.max_errors?\"}]}\n");

  CHECK(run("config check --lang ja " + file).err ==
        file + ":2: オプション smtp.max_eror はありません。smtp.max_errors のことですか?\n");

  std::ofstream(file) << run("config sample").out;
  auto good = run("config check " + file);
  CHECK(good.exit == Exit::Ok);
  CHECK(good.out == file + ": no mistakes.\n");
  ::unlink(file.c_str());
  CHECK(run("config check " + file).exit == Exit::Config);
  CHECK(run("config check --dir /nonexistent/instance")
            .err.starts_with("/nonexistent/instance/hikyaku.toml: cannot read it"));

  CHECK(run("config explain pop3.lock").out == R"(pop3.lock
  While one client has a maildrop open, a second one gets -ERR [IN-USE]. false: both may work; each keeps its numbering, and QUIT deletes by id.

  what        true or false
  default     true
  why         RFC 1939 §4 asks for an exclusive lock
  applies     on reload
  since       0.1
)");
  CHECK(run("config explain pop3.lock --lang ja").out == R"(pop3.lock
  一つのクライアントがメールドロップを開いている間、ほかには -ERR [IN-USE] と答えます。false: どちらも使えます。番号はそれぞれのもので、QUIT はメッセージの識別子で削除します。

  書けるもの  true か false のどちらか
  既定値      true
  理由        RFC 1939 §4 は排他ロックを求める
  反映        再読み込み (reload) で
  導入        0.1
)");
  CHECK(run("config explain retention").out.starts_with("store.retention\n"));
  CHECK(run("config explain pop3").out.contains("pop3.timeout\n"));
  CHECK(run("config explain").out.contains("[queue]\n  retry = "));
  CHECK(run("config explain pop3.lokc").err ==
        "hikyaku: there is no option and no section 'pop3.lokc'. Did you mean 'pop3.lock'?\n");
  CHECK(run("config explain pop3.lock --json").out.starts_with("[{\"name\":\"pop3.lock\""));
}

TEST_CASE("mime") {
  auto file = std::string("/tmp/hikyaku-cli-test.") + std::to_string(::getpid()) + ".eml";
  std::ofstream(file) << "Subject: =?utf-8?B?5omL57SZ?=\r\n\r\nhello\r\n";
  auto text = run("mime " + file);
  CHECK(text.exit == Exit::Ok);
  CHECK(text.out.contains("手紙"));
  CHECK(text.out.contains("hello"));
  auto json = run("mime --json " + file);
  CHECK(json.out.starts_with("{"));
  CHECK(json.out.ends_with("}\n"));
  CHECK(json.out.contains("手紙"));
  ::unlink(file.c_str());
  auto missing = run("mime " + file);
  CHECK(missing.exit == Exit::NoInput);
  CHECK(missing.err == "hikyaku: cannot read " + file + ": No such file or directory\n");
  CHECK(run("mime /").exit == Exit::Io);  // a directory

  auto endless = read_input("/dev/zero", 1'000'000);
  REQUIRE_FALSE(endless);
  CHECK(endless.error().text == "/dev/zero has more than 1000000 bytes");
  CHECK(read_input("/dev/null").value().empty());
}

TEST_CASE("a defect and a full disk have their exit codes") {
  Verb broken = echo_verb();
  broken.run = [](const Invocation&, Terminal&) -> Exit { throw std::runtime_error("oh"); };
  const Verb verbs[] = {broken};
  auto outcome = run("echo a", verbs);
  CHECK(outcome.exit == Exit::Software);
  CHECK(outcome.err.contains("a defect in Hikyaku ended this command: oh."));

  std::string err;
  Terminal full([](std::string_view) { return false; },
                [&](std::string_view text) {
                  err += text;
                  return true;
                },
                {});
  auto all = all_verbs();
  CHECK(run_command_line(words_of("version"), all, full) == Exit::Io);
  CHECK(err.contains("could not be written"));
}

TEST_CASE("the paths of an instance") {
  auto instance = Instance::from("/tmp/x/../mail");
  CHECK(instance.config == "/tmp/mail/hikyaku.toml");
  CHECK(instance.data == "/tmp/mail/data");
  CHECK(instance.control_socket == "/tmp/mail/control.sock");
  CHECK(Instance::from("mail").config.is_absolute());
  auto system = Instance::from(std::nullopt);
  CHECK(system.config == "/etc/hikyaku/hikyaku.toml");
  CHECK(system.data == "/var/lib/hikyaku/data");
  CHECK(system.control_socket == "/run/hikyaku/control.sock");
  config::Config config;
  CHECK(system.with(config).data == system.data);
  config.store.path = "/srv/mail";
  CHECK(system.with(config).data == "/srv/mail");
}
