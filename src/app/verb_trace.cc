// hikyaku trace: the story of a message.
#include "app/run_command.h"
#include "app/verbs.h"

namespace hikyaku::app {
namespace {

Exit run(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  bool first = true;
  auto show = [&](const boost::json::object& item) {
    if (invocation.json()) {
      // One object a line: programs can begin before the last is there.
      print_json(terminal, item.at("story"));
    } else {
      if (!first) terminal.out("\n");
      terminal.out(text_in(item, "text"));
    }
    first = false;
  };
  auto answer = commands.run("trace",
                             {{"what", json_text(invocation.argument(0))},
                              {"most", invocation.number("--most", 10)},
                              {"days", invocation.number("--days", 90)}},
                             {.item = show});
  if (!answer) return commands.report(answer.error(), Exit::Failed);
  return Exit::Ok;
}

}  // namespace

Verb verb_trace() {
  return {
      .name = "trace",
      .group = Group::Mail,
      .summary = {"tells what became of a message, and why",
                  "メッセージがどうなったか、なぜかを語る"},
      .details = {"Who brought it and how, every check, where it was delivered or queued, every "
                  "attempt with the other side's words. Newest first; exit code 1 when nothing is "
                  "known. With --json one object a line.",
                  "誰がどのように持ち込んだか、すべての検査、配達先やキュー、送信の試みごとの相手の"
                  "言葉を、新しい順に表示します。何も見つからなければ終了コード 1。--json では 1 "
                  "行に 1 オブジェクト。"},
      .arguments = {{"WHAT",
                     {"an id (from the log, a Received field, the queue), a Message-ID, or an "
                      "address: who sent it or got it",
                      "ID(ログ、Received "
                      "欄、キューにあるもの)、Message-ID、または差出人か宛先のアドレス"}}},
      .options = {{.name = "--most",
                   .value = "N",
                   .help = {"at most so many messages (10)", "最大の件数(10)"},
                   .least = 1,
                   .most = 1000},
                  {.name = "--days",
                   .value = "N",
                   .help = {"look back so many days (90)", "さかのぼる日数(90)"},
                   .least = 1,
                   .most = 36500}},
      .examples = {{"hikyaku trace 1GK5R0T2M8XQ4", {"one message", "一通について"}},
                   {"hikyaku trace anna@example.org --most 3",
                    {"the last three with anna", "anna に関わる最近の三通"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
