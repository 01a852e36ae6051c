// hikyaku alias add | list | remove
#include "app/run_command.h"
#include "app/verbs.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kAdded{"Mail for {} goes to {} now.", "{} 宛てのメールは {} に届きます。"};
constexpr Phrase kNobody{
    "But nobody has {0}: there is no such account or alias yet. `hikyaku account add {0}` makes "
    "it.",
    "ただし {0} はまだ誰のものでもありません。作るには: `hikyaku account add {0}`"};
constexpr Phrase kDead{
    "But {0} is an alias that leads to nobody. `hikyaku check` names each of them.",
    "ただし {0} は誰にも届かない別名です。`hikyaku check` で一覧できます。"};
constexpr Phrase kCircle{
    "But now aliases lead in a circle, and nobody gets the mail: {0}. Break it: `hikyaku alias "
    "remove {1} {2}`",
    "ただし、これで別名が循環し、メールは誰にも届きません: {0}。循環を断つには: `hikyaku alias "
    "remove {1} {2}`"};
constexpr Phrase kHarmlessCircle{
    "But now aliases lead in a circle, though others get the mail: {0}. Break it: `hikyaku alias "
    "remove {1} {2}`",
    "ただし、これで別名が循環します(ほかの宛先には届きます): {0}。循環を断つには: `hikyaku alias "
    "remove {1} {2}`"};
constexpr Phrase kRemoved{"The alias {} is gone.", "別名 {} を削除しました。"};
constexpr Phrase kTargetsRemoved{"Mail for {} goes to {} no more.",
                                 "{} 宛てのメールは {} に届かなくなりました。"};
constexpr Phrase kNone{"There are no aliases. Make one: hikyaku alias add ADDRESS TARGET",
                       "別名はありません。作るには: hikyaku alias add アドレス 届け先"};

std::vector<std::string> texts_in(const boost::json::object& item, std::string_view name) {
  std::vector<std::string> texts;
  for (auto& text : item.at(name).as_array()) texts.emplace_back(text.as_string());
  return texts;
}

std::vector<std::string> targets_of(const Invocation& invocation) {
  return {invocation.arguments().begin() + 1, invocation.arguments().end()};
}

boost::json::object args_of(const Invocation& invocation) {
  boost::json::array targets;
  for (auto& target : targets_of(invocation)) targets.push_back(json_text(target));
  return {{"address", json_text(invocation.argument(0))}, {"targets", std::move(targets)}};
}

Exit add(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto answer = commands.run("alias.add", args_of(invocation));
  if (!answer) return commands.report(answer.error());
  if (invocation.json()) {
    print_json(terminal, *answer);
    return Exit::Ok;
  }
  terminal.say(kAdded, invocation.argument(0), join(texts_in(*answer, "targets"), ", "));
  for (auto& target : texts_in(*answer, "nobody")) terminal.say(kNobody, target);
  for (auto& target : texts_in(*answer, "dead")) terminal.say(kDead, target);
  if (auto way = text_in(*answer, "circle"); !way.empty())
    terminal.say(flag_in(*answer, "delivered") ? kHarmlessCircle : kCircle, way,
                 way.substr(0, way.find(' ')), text_in(*answer, "by"));
  return Exit::Ok;
}

Exit list(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  ItemList rows(invocation, terminal, {{"ADDRESS", "アドレス"}, {"GOES TO", "届け先"}},
                [](auto& item) -> std::vector<std::string> {
                  return {text_in(item, "address"), join(texts_in(item, "targets"), ", ")};
                });
  auto answer = commands.run("alias.list", {{"domain", json_text(invocation.argument(0))}},
                             {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kNone);
  return Exit::Ok;
}

Exit remove(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto answer = commands.run("alias.remove", args_of(invocation));
  if (!answer) return commands.report(answer.error());
  auto targets = targets_of(invocation);
  if (invocation.json())
    print_json(terminal, *answer);
  else if (targets.empty())
    terminal.say(kRemoved, invocation.argument(0));
  else
    terminal.say(kTargetsRemoved, invocation.argument(0), join(targets, ", "));
  return Exit::Ok;
}

}  // namespace

Verb verb_alias_add() {
  return {
      .name = "alias add",
      .group = Group::Accounts,
      .summary = {"lets mail for an address go to others",
                  "アドレス宛てのメールを別の宛先に届ける"},
      .details =
          {"Every target gets the mail; they may be on other servers. With an alias that is "
           "there already, the targets are added to it. Who gets an alias's mail may also "
           "send as it.",
           "すべての届け先にメールが届きます。届け先はほかのサーバーのアドレスでもかまいません"
           "。すでにある別名には届け先を追加します。別名のメールを受け取る人は、その別名で送信"
           "もできます。"},
      .arguments = {{"ADDRESS", {"in a domain of the server", "このサーバーのドメインのアドレス"}},
                    {"TARGET", {"who gets the mail", "届け先"}, ArgumentSpec::Count::OneOrMore}},
      .examples = {{"hikyaku alias add sales@example.org anna@example.org ben@example.org",
                    {"both get it", "二人に届く"}},
                   {"hikyaku alias add postmaster@example.org admin@example.net",
                    {"somebody elsewhere", "ほかの場所へ"}}},
      .uses_instance = true,
      .has_json = true,
      .run = add,
  };
}

Verb verb_alias_list() {
  return {
      .name = "alias list",
      .group = Group::Accounts,
      .summary = {"lists aliases and who gets their mail", "別名とその届け先を一覧表示する"},
      .arguments = {{"DOMAIN",
                     {"only those of this domain", "このドメインのものだけ"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku alias list", {"all of them", "すべて"}}},
      .uses_instance = true,
      .has_json = true,
      .run = list,
  };
}

Verb verb_alias_remove() {
  return {
      .name = "alias remove",
      .group = Group::Accounts,
      .summary = {"removes an alias, or some of its targets",
                  "別名、またはその届け先の一部を削除する"},
      .arguments = {{"ADDRESS", {"the alias", "別名"}},
                    {"TARGET",
                     {"who no longer gets it; nothing: the whole alias goes",
                      "外す届け先。省略すると別名ごと削除"},
                     ArgumentSpec::Count::Any}},
      .examples = {{"hikyaku alias remove sales@example.org ben@example.org",
                    {"ben no longer gets it", "ben を外す"}},
                   {"hikyaku alias remove sales@example.org", {"the whole alias", "別名ごと"}}},
      .uses_instance = true,
      .has_json = true,
      .run = remove,
  };
}

}  // namespace hikyaku::app
