#include <fmt/core.h>

#include "app/json.h"
#include "app/text_width.h"
#include "app/verbs.h"
#include "base/suggest.h"
#include "base/text.h"
#include "config/options.h"
#include "config/problem.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kUnknown{"there is no option and no section '{}'.",
                          "'{}' というオプションも節もありません。"};
constexpr Phrase kDidYouMean{" Did you mean '{}'?", "'{}' のことですか?"};
constexpr Phrase kListAll{" `hikyaku config explain` lists all options.",
                          "すべてのオプションは `hikyaku config explain` で見られます。"};

constexpr Phrase kWhat{"what", "書けるもの"};
constexpr Phrase kDefault{"default", "既定値"};
constexpr Phrase kLocal{"local", "試用"};
constexpr Phrase kWithLocal{"{} (with server.local)", "{} (server.local のとき)"};
constexpr Phrase kWhy{"why", "理由"};
constexpr Phrase kApplies{"applies", "反映"};
constexpr Phrase kOnReload{"on reload", "再読み込み (reload) で"};
constexpr Phrase kOnRestart{"after a restart", "再起動の後"};
constexpr Phrase kSince{"since", "導入"};

boost::json::object as_json(const config::Option& option, Language language) {
  return {
      {"name", option.name},
      {"what", config::problem_in(config::describe_kind(option), language)},
      {"default", option.fallback},
      {"local_default", option.local_fallback.empty() ? option.fallback : option.local_fallback},
      {"why", config::why_of(option, language)},
      {"doc", config::doc_of(option, language)},
      {"reload", option.applies == config::Applies::OnReload},
      {"since", option.since}};
}

/// The options that `name` means: one, those of a section, or all.
std::vector<const config::Option*> chosen(std::string_view name) {
  std::vector<const config::Option*> found;
  for (auto& option : config::options())
    if (name.empty() || option.name == name || option.section() == name) found.push_back(&option);
  if (!found.empty()) return found;
  // A key alone, where only one section has it.
  for (auto& option : config::options())
    if (option.key() == name) found.push_back(&option);
  return found.size() == 1 ? found : std::vector<const config::Option*>();
}

/// One option in full.
std::string explain(const config::Option& option, Language language, std::size_t width) {
  constexpr std::size_t kIndent = 2, kColumn = 14;
  auto out = fmt::format("{}\n", option.name);
  out += wrapped(config::doc_of(option, language), kIndent, width) + '\n';
  auto field = [&](const Phrase& label, std::string_view text) {
    auto lines = wrapped(text, kColumn, width);
    out += std::string(kIndent, ' ') + padded(label.in(language), kColumn - kIndent) +
           lines.substr(kColumn);
  };
  field(kWhat, config::problem_in(config::describe_kind(option), language));
  field(kDefault, option.fallback);
  if (!option.local_fallback.empty())
    field(kLocal, say(language, kWithLocal, option.local_fallback));
  field(kWhy, config::why_of(option, language));
  auto reload = option.applies == config::Applies::OnReload;
  field(kApplies, (reload ? kOnReload : kOnRestart).in(language));
  field(kSince, option.since);
  return out;
}

void list(const std::vector<const config::Option*>& found, Terminal& terminal) {
  std::string_view section;
  for (auto option : found) {
    if (option->section() != section) {
      if (!section.empty()) terminal.out("\n");
      section = option->section();
      terminal.out(terminal.toned(Tone::Strong, fmt::format("[{}]", section)) + '\n');
    }
    terminal.out(fmt::format("  {} = {}\n", option->key(), option->fallback));
  }
}

Exit unknown(const std::string& name, Terminal& terminal) {
  std::vector<std::string_view> names;
  for (auto& option : config::options()) names.push_back(option.name);
  for (auto& section : config::sections()) names.push_back(section.name);
  for (auto& option : config::options()) names.push_back(option.key());
  auto near = closest(name, names);
  auto language = terminal.language();
  terminal.complain_text(
      say(language, kUnknown, printable(name, 60)) +
      (near.empty() ? say(language, kListAll) : say(language, kDidYouMean, near)));
  return Exit::Usage;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto name = invocation.argument(0);
  auto found = chosen(name);
  if (found.empty()) return unknown(name, terminal);
  if (invocation.json()) {
    boost::json::array all;
    for (auto option : found) all.push_back(as_json(*option, terminal.language()));
    terminal.out(boost::json::serialize(all) + '\n');
    return Exit::Ok;
  }
  if (name.empty()) {
    list(found, terminal);
    return Exit::Ok;
  }
  for (auto option : found) {
    if (option != found.front()) terminal.out("\n");
    terminal.out(explain(*option, terminal.language(), terminal.width()));
  }
  return Exit::Ok;
}

}  // namespace

Verb verb_config_explain() {
  return {
      .name = "config explain",
      .group = Group::Help,
      .summary = {"tells what an option of hikyaku.toml does, its range, its default and why",
                  "hikyaku.toml のオプションの働き、範囲、既定値とその理由を説明する"},
      .details = {"Without a name: all options with their defaults. With the name of a section: "
                  "all of its options in full.",
                  "名前なし: 全オプションと既定値の一覧。節の名前: その節の全オプションの説明。"},
      .arguments = {{"NAME",
                     {"an option (smtp.max_recipients) or a section (smtp)",
                      "オプション (smtp.max_recipients) または節 (smtp)"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku config explain queue.retry",
                    {"when mail is tried again", "再送の間隔について"}},
                   {"hikyaku config explain imap",
                    {"everything about IMAP that can be set",
                     "IMAP について設定できることすべて"}}},
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
