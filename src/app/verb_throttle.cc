// hikyaku throttle list | lift
#include "app/progress.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/verbs.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNobody{"Nobody is kept out.", "制限中の相手はいません。"};
constexpr Phrase kAnyAccount{"(any not known there)", "(そこで未知のものすべて)"};
constexpr Phrase kLifted{"{} [refusal is|refusals are] lifted.", "{} 件の制限を解除しました。"};

Exit list(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto language = terminal.language();
  ItemList rows(invocation, terminal,
                {{"NETWORK", "ネットワーク"},
                 {"ACCOUNT", "アカウント"},
                 {"FAILURES", "失敗"},
                 {"UNTIL (UTC)", "解除 (UTC)"}},
                [language](auto& item) -> std::vector<std::string> {
                  auto account = text_in(item, "account");
                  return {text_in(item, "network"),
                          account.empty() ? std::string(kAnyAccount.in(language)) : account,
                          std::to_string(number_in(item, "failures")),
                          minute_of(text_in(item, "until"))};
                });
  auto answer = commands.run("throttle.list", {}, {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kNobody);
  return Exit::Ok;
}

Exit lift(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto answer = commands.run("throttle.lift", {{"select", json_text(invocation.argument(0))}});
  if (!answer) return commands.report(answer.error(), Exit::Failed);
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kLifted, grouped(number_in(*answer, "count")));
  return Exit::Ok;
}

}  // namespace

Verb verb_throttle_list() {
  return {
      .name = "throttle list",
      .group = Group::Accounts,
      .summary = {"lists who may not log in for a while, after too many wrong passwords",
                  "パスワードの誤りが多く、しばらくログインできない相手を一覧表示する"},
      .details = {"A network (an IPv4 address, an IPv6 /64) is kept from an account after "
                  "login.max_failures wrong passwords, and from all accounts that have not logged "
                  "in from there lately after ten times as many. Nobody is kept out by what "
                  "others do elsewhere.",
                  "あるネットワーク(IPv4 アドレス、IPv6 /64)からあるアカウントへは、"
                  "login.max_failures 回パスワードを誤るとしばらくログインできません。その 10 "
                  "倍になると、最近そこからログインしていないすべてのアカウントに及びます。ほかの"
                  "場所での失敗で締め出されることはありません。"},
      .examples = {{"hikyaku throttle list", {"everybody", "すべて"}}},
      .uses_instance = true,
      .has_json = true,
      .run = list,
  };
}

Verb verb_throttle_lift() {
  return {
      .name = "throttle lift",
      .group = Group::Accounts,
      .summary = {"lets them try again at once", "すぐにまたログインできるようにする"},
      .details = {"For somebody who has found the right password again and does not want to wait.",
                  "正しいパスワードがわかり、待たずにログインしたい人のために使います。"},
      .arguments = {{"SELECT",
                     {"an account, an IP address or network, or all",
                      "アカウント、IP アドレスまたはネットワーク、または all"}}},
      .examples = {{"hikyaku throttle lift anna@example.com", {"wherever she is", "どこからでも"}},
                   {"hikyaku throttle lift 192.0.2.7",
                    {"all accounts from there", "そこからのすべてのアカウント"}}},
      .uses_instance = true,
      .has_json = true,
      .run = lift,
  };
}

}  // namespace hikyaku::app
