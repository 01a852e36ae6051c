// hikyaku app-password add | list | remove
#include "app/run_command.h"
#include "app/verbs.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kMade{"App password \"{}\" of {} (shown this once): {}",
                       "{1} のアプリパスワード「{0}」(表示は今回だけ): {2}"};
constexpr Phrase kRemoved{"The app password \"{}\" of {} works no more.",
                          "{1} のアプリパスワード「{0}」は使えなくなりました。"};
constexpr Phrase kNone{"There are no app passwords. Make one: hikyaku app-password add {} NAME",
                       "アプリパスワードはありません。作るには: hikyaku app-password add {} 名前"};
constexpr Phrase kNever{"never", "なし"};

const ArgumentSpec kAddress{"ADDRESS", {"of the account", "アカウントのアドレス"}};

Exit add(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto answer =
      commands.run("account.app-password", {{"address", json_text(invocation.argument(0))},
                                            {"name", json_text(invocation.argument(1))},
                                            {"legacy_auth", invocation.has("--legacy-auth")}});
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kMade, invocation.argument(1), invocation.argument(0),
                 terminal.toned(Tone::Strong, text_in(*answer, "password")));
  return Exit::Ok;
}

Exit list(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto language = terminal.language();
  auto shown = commands.run("account.show", {{"address", json_text(invocation.argument(0))}});
  if (!shown) return commands.report(shown.error());
  ItemList rows(invocation, terminal,
                {{"NAME", "名前"}, {"MADE", "作成"}, {"LAST USED", "最終使用"}},
                [language](auto& item) -> std::vector<std::string> {
                  auto used = text_in(item, "last_used");
                  return {text_in(item, "name"), text_in(item, "created").substr(0, 10),
                          used.empty() ? std::string(kNever.in(language)) : used.substr(0, 10)};
                });
  for (auto& value : shown->at("credentials").as_array())
    if (flag_in(value.as_object(), "app_password")) rows.add(value.as_object());
  auto none = say(language, kNone, invocation.argument(0));
  rows.finish({none, none});
  return Exit::Ok;
}

Exit remove(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto answer =
      commands.run("account.app-password-remove", {{"address", json_text(invocation.argument(0))},
                                                   {"name", json_text(invocation.argument(1))}});
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kRemoved, invocation.argument(1), invocation.argument(0));
  return Exit::Ok;
}

}  // namespace

Verb verb_app_password_add() {
  return {
      .name = "app-password add",
      .group = Group::Accounts,
      .summary = {"makes a password for one program or device of an account",
                  "アカウントのプログラムや端末ごとのパスワードを作る"},
      .details =
          {"128 random bits, printed once. It logs in like the account's own password, and "
           "can be taken back alone when the device is lost.",
           "128 "
           "ビットの乱数で、一度だけ表示します。アカウント自身のパスワードと同じようにログイン"
           "でき、端末をなくしたときはそれだけを取り消せます。"},
      .arguments = {kAddress, {"NAME", {"what it is for, such as phone", "用途(例: phone)"}}},
      .options = {{.name = "--legacy-auth",
                   .help = {"also allow CRAM-MD5 and APOP with it", "CRAM-MD5 と APOP も許す"}}},
      .examples = {{"hikyaku app-password add anna@example.org phone",
                    {"one for the phone", "電話用を作る"}}},
      .uses_instance = true,
      .has_json = true,
      .run = add,
  };
}

Verb verb_app_password_list() {
  return {
      .name = "app-password list",
      .group = Group::Accounts,
      .summary = {"lists the app passwords of an account, without the passwords",
                  "アカウントのアプリパスワードの名前を一覧表示する"},
      .arguments = {kAddress},
      .examples = {{"hikyaku app-password list anna@example.org",
                    {"with when each was used last", "最終使用日つきで"}}},
      .uses_instance = true,
      .has_json = true,
      .run = list,
  };
}

Verb verb_app_password_remove() {
  return {
      .name = "app-password remove",
      .group = Group::Accounts,
      .summary = {"takes an app password back", "アプリパスワードを取り消す"},
      .arguments = {kAddress, {"NAME", {"as it was called", "付けた名前"}}},
      .examples = {{"hikyaku app-password remove anna@example.org phone",
                    {"the phone was lost", "電話をなくしたとき"}}},
      .uses_instance = true,
      .has_json = true,
      .run = remove,
  };
}

}  // namespace hikyaku::app
