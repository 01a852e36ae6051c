#include "app/help.h"

#include <algorithm>
#include <fmt/core.h>

#include "app/command_line.h"
#include "app/text_width.h"

#ifndef HIKYAKU_VERSION
#error "CMakeLists.txt defines HIKYAKU_VERSION"
#endif

namespace hikyaku::app {
namespace {

struct GroupText {
  Group group;
  Phrase heading;
};

constexpr GroupText kGroups[] = {
    {Group::Start, {"To begin and to run", "始める・動かす"}},
    {Group::Accounts, {"Domains and accounts", "ドメインとアカウント"}},
    {Group::Mail, {"Mail on its way", "配送中のメール"}},
    {Group::Store, {"The store", "保管庫"}},
    {Group::Tools, {"Tools", "道具"}},
    {Group::Help, {"Configuration and help", "設定と説明"}},
};

constexpr Phrase kAbout{
    "Hikyaku is a complete mail system in one program: it receives, keeps, delivers and hands out "
    "mail.",
    "Hikyaku "
    "は一つのプログラムで完結するメールシステムです。メールを受け取り、保管し、配送し、手渡します"
    "。"};
constexpr Phrase kUsage{"Usage", "使い方"};
constexpr Phrase kArguments{"Arguments", "引数"};
constexpr Phrase kOptions{"Options", "オプション"};
constexpr Phrase kExamples{"Examples", "例"};
constexpr Phrase kMore{"`hikyaku VERB --help` tells about one verb, with examples.",
                       "`hikyaku サブコマンド --help` で、それぞれの説明と例が見られます。"};

void heading(Terminal& terminal, std::string_view text) {
  terminal.out('\n' + terminal.toned(Tone::Strong, std::string(text) + ':') + '\n');
}

/// "  left    right, wrapped" with all rights in one column.
void two_columns(Terminal& terminal,
                 const std::vector<std::pair<std::string, std::string_view>>& rows) {
  std::size_t left_width = 0;
  for (auto& [left, right] : rows) left_width = std::max(left_width, columns(left));
  left_width = std::min<std::size_t>(left_width, 28) + 4;
  for (auto& [left, right] : rows) {
    auto text = wrapped(right, left_width, terminal.width());
    auto shown = padded("  " + left, left_width);
    if (columns("  " + left) > left_width - 2)
      terminal.out("  " + left + '\n' + text);
    else
      terminal.out(shown + text.substr(left_width));
  }
}

std::vector<std::pair<std::string, std::string_view>> rows_of(std::span<const Verb> verbs,
                                                              Language language, auto&& wanted) {
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (auto& verb : verbs)
    if (wanted(verb)) rows.emplace_back(usage_line(verb), verb.summary.in(language));
  return rows;
}

std::string option_words(const OptionSpec& option) {
  auto words = std::string(option.short_name);
  if (!words.empty()) words += ", ";
  words += option.name;
  if (!option.value.empty()) words += fmt::format(" {}", option.value);
  return words;
}

}  // namespace

std::string_view version_text() {
  return "hikyaku " HIKYAKU_VERSION;
}

void show_overview(std::span<const Verb> verbs, Terminal& terminal) {
  terminal.say(kAbout);
  for (auto& [group, text] : kGroups) {
    auto rows = rows_of(verbs, terminal.language(), [&](auto& v) { return v.group == group; });
    if (rows.empty()) continue;
    heading(terminal, text.in(terminal.language()));
    two_columns(terminal, rows);
  }
  terminal.out("\n");
  terminal.say(kMore);
}

void show_verb(const Verb& verb, Terminal& terminal) {
  auto language = terminal.language();
  terminal.paragraph(fmt::format("hikyaku {}: {}", verb.name, verb.summary.in(language)));
  heading(terminal, kUsage.in(language));
  terminal.out(fmt::format("  hikyaku {} [{}]\n", usage_line(verb), kOptions.in(language)));
  if (!verb.details.in(language).empty()) {
    terminal.out("\n");
    terminal.paragraph(verb.details.in(language));
  }
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (auto& argument : verb.arguments)
    rows.emplace_back(argument.name, argument.help.in(language));
  if (!rows.empty()) {
    heading(terminal, kArguments.in(language));
    two_columns(terminal, rows);
  }
  rows.clear();
  auto options = all_options(verb);
  for (auto& option : options) rows.emplace_back(option_words(option), option.help.in(language));
  heading(terminal, kOptions.in(language));
  two_columns(terminal, rows);
  if (verb.examples.empty()) return;
  heading(terminal, kExamples.in(language));
  for (auto& example : verb.examples) {
    terminal.out(fmt::format("  {}\n", example.command));
    terminal.paragraph(example.what.in(language), 6);
  }
}

void show_help(std::span<const Verb> verbs, std::string_view words, Terminal& terminal) {
  if (words.empty()) return show_overview(verbs, terminal);
  auto found = std::ranges::find(verbs, words, &Verb::name);
  if (found != verbs.end()) return show_verb(*found, terminal);
  auto prefix = std::string(words) + ' ';
  terminal.say(kMore);
  terminal.out("\n");
  two_columns(terminal, rows_of(verbs, terminal.language(),
                                [&](auto& verb) { return verb.name.starts_with(prefix); }));
}

}  // namespace hikyaku::app
