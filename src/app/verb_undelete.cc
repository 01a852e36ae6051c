// hikyaku undelete: what was deleted a short time ago comes back.

#include "app/cli.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/verbs.h"
#include "base/text.h"
#include "base/time.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNoTime{
    "{} is neither a time such as 2026-11-21 or 2026-11-21T22:00:00Z nor an age such as 2h or 3d",
    "{} は 2026-11-21 や 2026-11-21T22:00:00Z のような時刻でも、2h や 3d "
    "のような経過時間でもありません"};
constexpr Phrase kLabel{"undelete", "取り戻し"};
constexpr Phrase kPurging{"purge (KB)", "完全削除 (KB)"};
constexpr Phrase kRestored{"{} [message|messages] of {} [is|are] back.",
                           "{1} のメッセージ {0} 通を戻しました。"};
constexpr Phrase kOrphans{
    "{} of them [is|are] in the mailbox Undeleted: [its own|theirs] is no longer there.",
    "そのうち {} 通は、元のメールボックスがないため Undeleted にあります。"};
constexpr Phrase kPresent{
    "{} more [is|are] in [its mailbox|their mailboxes] already, byte for byte, and [was|were] left "
    "out.",
    "ほかに {} 通は、まったく同じものがすでにメールボックスにあるため戻していません。"};
constexpr Phrase kRefused{"{} could not be brought back: {}", "{} 通は戻せませんでした: {}"};
constexpr Phrase kDamaged{
    "{} [message is|messages are] damaged and cannot be brought back; a backup may have "
    "[it|them]:",
    "{} 通は壊れていて元に戻せません。バックアップにはあるかもしれません:"};
constexpr Phrase kNothing{"Nothing was deleted that could be brought back.",
                          "取り戻せる削除済みメッセージはありません。"};
constexpr Phrase kPurged{
    "{} deleted [message is|messages are] gone for good; {} returned to the disk.",
    "削除済みメッセージ {} 通を完全に消しました。ディスクに {} 戻りました。"};
constexpr Phrase kNotWithAccount{
    "--purge is for all accounts, and without --mailbox and --since (--before TIME limits it)",
    "--purge は全アカウントが対象で、--mailbox や --since とは併用できません(--before "
    "で範囲を限れます)"};

/// The moment that an option names: RFC 3339, or so long ago. "" when the option is not there.
std::optional<std::string> moment(const Invocation& invocation, std::string_view option,
                                  Terminal& terminal) {
  auto text = invocation.value(option);
  if (!text) return "";
  auto time = parse_rfc3339(*text);
  if (auto age = parse_duration(*text)) time = std::max(Time{}, SystemClock().now() - *age);
  if (!time) {
    terminal.complain(kNoTime, *text);
    return std::nullopt;
  }
  return format_rfc3339(*time);
}

Exit list(Commands& commands, const Invocation& invocation, Terminal& terminal,
          boost::json::object args) {
  ItemList items(
      invocation, terminal,
      {{"DELETED (UTC)", "削除日時 (UTC)"},
       {"UNTIL (UTC)", "期限 (UTC)"},
       {"ACCOUNT", "アカウント"},
       {"MAILBOX", "メールボックス"},
       {"FROM", "差出人"},
       {"SUBJECT", "件名"}},
      [](const boost::json::object& item) {
        auto text = [&](std::string_view name) { return printable(text_in(item, name), 60); };
        auto minute = [&](std::string_view name) { return minute_of(text_in(item, name)); };
        return std::vector<std::string>{minute("deleted"), minute("until"), text("account"),
                                        text("mailbox"),   text("from"),    text("subject")};
      });
  auto answer = commands.run("undelete.list", std::move(args),
                             {.item = [&](auto& item) { items.add(item); }});
  if (!answer) return commands.report(answer.error());
  items.finish(kNothing);
  return Exit::Ok;
}

/// By what people know it.
std::string named(const boost::json::object& item) {
  auto text = [&](std::string_view name) { return printable(text_in(item, name), 60); };
  return text("mailbox") + ", " + minute_of(text_in(item, "deleted")) + ", " + text("from") + ", " +
         text("subject");
}

Exit purge(Commands& commands, const Invocation& invocation, Terminal& terminal,
           const std::string& before) {
  auto answer = commands.run("undelete.purge", {{"before", before}}, {},
                             std::string(kPurging.in(terminal.language())));
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kPurged, grouped(number_in(*answer, "bodies")),
                 short_size(number_in(*answer, "bytes")));
  return Exit::Ok;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto since = moment(invocation, "--since", terminal);
  auto before = moment(invocation, "--before", terminal);
  if (!since || !before) return Exit::Usage;
  auto address = invocation.argument(0);
  Commands commands(invocation, terminal);
  if (invocation.has("--purge")) {
    if (!address.empty() || invocation.has("--mailbox") || invocation.has("--since")) {
      terminal.complain(kNotWithAccount);
      return Exit::Usage;
    }
    return purge(commands, invocation, terminal, *before);
  }
  boost::json::object args{{"address", json_text(address)},
                           {"mailbox", json_text(invocation.value("--mailbox").value_or(""))},
                           {"since", *since},
                           {"before", *before}};
  if (invocation.has("--list")) return list(commands, invocation, terminal, std::move(args));
  boost::json::array damaged;
  auto answer = commands.run("undelete.restore", std::move(args),
                             {.item = [&](auto& item) { damaged.push_back(item); }},
                             std::string(kLabel.in(terminal.language())));
  if (!answer) return commands.report(answer.error());
  auto refused = number_in(*answer, "refused");
  if (invocation.json()) {
    (*answer)["unreadable"] = damaged;
    print_json(terminal, *answer);
  } else {
    terminal.say(kRestored, grouped(number_in(*answer, "restored")), text_in(*answer, "address"));
    if (auto orphans = number_in(*answer, "orphans")) terminal.say(kOrphans, grouped(orphans));
    if (auto present = number_in(*answer, "present")) terminal.say(kPresent, grouped(present));
    if (refused != 0) terminal.say(kRefused, grouped(refused), text_in(*answer, "why"));
    if (!damaged.empty()) terminal.complain(kDamaged, grouped(damaged.size()));
    for (auto& one : damaged) terminal.err("  " + named(one.as_object()) + '\n');
  }
  return refused == 0 && damaged.empty() ? Exit::Ok : Exit::Failed;
}

}  // namespace

Verb verb_undelete() {
  return {
      .name = "undelete",
      .group = Group::Store,
      .summary = {"brings deleted messages back", "削除したメッセージを元に戻す"},
      .details =
          {"What was expunged (not moved) stays for store.retention, 7 days unless told otherwise. "
           "Messages go back into the mailbox that they were in, whatever it is called now, or "
           "into one called Undeleted if "
           "that is gone, with their flags and dates, under new UIDs. What is in its mailbox "
           "already, byte for byte, "
           "is left out and counted; what is damaged is named, and the others come back (exit code "
           "1). --list shows what there is, "
           "of one account or of all, and until when it can come back. --purge gives up what could "
           "have been brought back, of all "
           "accounts, so that its space returns at once: the way out of a full disk.",
           "完全削除(移動を除く)されたメッセージは store.retention の間(標準では 7 "
           "日)残ります。フラグと日付はそのままに、新しい UID で元のメールボックスに戻り、"
           "それがなければ Undeleted "
           "に入ります。すでに同じものがあるときは戻さず、件数を表示します。壊れているものは名前を"
           "挙げ、"
           "ほかのものだけを戻します(終了コード 1)。"
           "--list "
           "は一つまたは全アカウントの一覧を表示します。--purge "
           "は全アカウントの取り戻せるものをあきらめて、すぐに空きを作ります。"
           "ディスクが一杯のときの抜け道です。"},
      .arguments = {{"ACCOUNT",
                     {"whose messages; with --list it may be left out",
                      "誰のメッセージか。--list では省略できます"},
                     ArgumentSpec::Count::Optional}},
      .options =
          {{.name = "--list", .help = {"show them, change nothing", "表示だけで何も変えない"}},
           {.name = "--mailbox",
            .value = "NAME",
            .help = {"only those of this mailbox and below it",
                     "このメールボックスとその下のものだけ"}},
           {.name = "--since",
            .value = "TIME",
            .help = {"only those deleted since then (a date, a time, or an age: 2h)",
                     "それ以降に削除されたものだけ(日付、時刻、または 2h のような経過時間)"}},
           {.name = "--purge",
            .help = {"give up what could come back, of all accounts",
                     "取り戻せるものを全アカウント分あきらめる"}},
           {.name = "--before",
            .value = "TIME",
            .help = {"only those deleted before then", "それより前に削除されたものだけ"}}},
      .examples = {{"hikyaku undelete --list anna@example.org",
                    {"what can come back", "取り戻せるもの"}},
                   {"hikyaku undelete anna@example.org --mailbox INBOX --since 2h",
                    {"what was deleted by mistake just now", "さきほど誤って消したもの"}},
                   {"hikyaku undelete --purge",
                    {"make room on a full disk", "一杯のディスクに空きを作る"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
