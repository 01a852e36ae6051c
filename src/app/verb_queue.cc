// hikyaku queue list | show | retry | hold | release | drop
#include <fmt/core.h>

#include "app/progress.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/verbs.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kEmpty{"The queue is empty.", "キューは空です。"};
constexpr Phrase kDone[] = {
    {"{} [recipient is|recipients are] tried again at once.", "{} 件の宛先をすぐに再送します。"},
    {"{} [recipient waits until it is|recipients wait until they are] released.",
     "{} 件の宛先を解放されるまで保留します。"},
    {"{} [recipient is|recipients are] released.", "{} 件の宛先を解放しました。"},
    {"{} [recipient is|recipients are] dropped; [the sender is|their senders are] not told.",
     "{} 件の宛先を破棄しました。差出人には通知しません。"},
};
constexpr Phrase kBusy{
    "{} more: being sent at this moment, nothing was done about them. `hikyaku queue hold` keeps "
    "them from being tried again; then repeat this.",
    "ほかの {} 件はちょうど送信中なので、何もしませんでした。`hikyaku queue hold` "
    "で次の再送を止めてから、もう一度実行してください。"};
constexpr Phrase kUnknownSender{"<> (a notice)", "<>(通知)"};

/// The states of an entry, in words.
Phrase state_text(std::string_view state) {
  if (state == "held") return {"held", "保留"};
  if (state == "sending") return {"sending", "送信中"};
  return {"waiting", "待機"};
}

std::string shown_sender(const boost::json::object& item, Language language) {
  auto sender = text_in(item, "sender");
  return sender.empty() ? std::string(kUnknownSender.in(language)) : sender;
}

Exit list_as(const Invocation& invocation, Terminal& terminal, const std::string& select) {
  Commands commands(invocation, terminal);
  auto language = terminal.language();
  ItemList rows(invocation, terminal,
                {{"ID", "ID"},
                 {"ARRIVED (UTC)", "到着 (UTC)"},
                 {"SIZE", "大きさ"},
                 {"FROM", "差出人"},
                 {"TO", "宛先"},
                 {"STATE", "状態"},
                 {"TRIES", "試行"},
                 {"NEXT (UTC)", "次回 (UTC)"},
                 {"LAST ANSWER", "前回の応答"}},
                [language](auto& item) -> std::vector<std::string> {
                  auto next = text_in(item, "next");
                  return {text_in(item, "id"),
                          minute_of(text_in(item, "arrived")),
                          short_size(number_in(item, "size")),
                          shown_sender(item, language),
                          text_in(item, "recipient"),
                          std::string(state_text(text_in(item, "state")).in(language)),
                          std::to_string(number_in(item, "attempts")),
                          minute_of(next),
                          text_in(item, "reply")};
                });
  auto answer = commands.run("queue.list", {{"select", json_text(select)}},
                             {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kEmpty);
  return Exit::Ok;
}

Exit list(const Invocation& invocation, Terminal& terminal) {
  auto select = invocation.argument(0);
  return list_as(invocation, terminal, select.empty() ? "all" : select);
}

Exit show(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto answer = commands.run("queue.show", {{"id", json_text(invocation.argument(0))}});
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.out(text_in(*answer, "text"));
  return Exit::Ok;
}

template <std::size_t kWhich>
Exit change(const Invocation& invocation, Terminal& terminal, std::string_view verb) {
  Commands commands(invocation, terminal);
  auto answer = commands.run(verb, {{"select", json_text(invocation.argument(0))}});
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kDone[kWhich], grouped(number_in(*answer, "count")));
  auto busy = number_in(*answer, "busy");
  if (busy == 0) return Exit::Ok;
  if (!invocation.json()) terminal.complain(kBusy, grouped(busy));
  return Exit::TryLater;
}

const ArgumentSpec kSelect{
    "SELECT",
    {"an id (all recipients of the message), ID.N (one of them), an address (that one alone), "
     "@DOMAIN (its addresses, without those of subdomains), or all",
     "ID(そのメッセージの全宛先)、ID.N(その一つ)、アドレス(完全に一致するもののみ)、"
     "@ドメイン(そのドメインの全アドレス。サブドメインは含まない)、または all"}};

Verb changing(std::string_view name, Phrase summary, Phrase details, Example example,
              std::function<Exit(const Invocation&, Terminal&)> run) {
  return {.name = name,
          .group = Group::Mail,
          .summary = summary,
          .details = details,
          .arguments = {kSelect},
          .examples = {example},
          .uses_instance = true,
          .has_json = true,
          .run = std::move(run)};
}

}  // namespace

Verb verb_queue_list() {
  return {
      .name = "queue list",
      .group = Group::Mail,
      .summary = {"lists what must still go out, recipient by recipient",
                  "まだ送信していないものを宛先ごとに一覧表示する"},
      .arguments = {{"SELECT",
                     {"an id, ID.N, an address, or @DOMAIN; nothing: everything",
                      "ID、ID.N、アドレス、@ドメイン。省略するとすべて"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku queue list", {"everything", "すべて"}},
                   {"hikyaku queue list @example.net --json",
                    {"for one domain, for programs", "一つのドメイン宛てを、プログラム向けに"}}},
      .uses_instance = true,
      .has_json = true,
      .run = list,
  };
}

Verb verb_queue_show() {
  return {
      .name = "queue show",
      .group = Group::Mail,
      .summary = {"shows one message of the queue: its recipients, and what happened so far",
                  "キューの一通について、宛先とこれまでの経過を表示する"},
      .arguments = {{"ID", {"of the message", "メッセージの ID"}}},
      .examples = {{"hikyaku queue show 1GK5R0T2M8XQ4", {"one message", "一通を見る"}}},
      .uses_instance = true,
      .has_json = true,
      .run = show,
  };
}

Verb verb_queue_retry() {
  return changing("queue retry", {"tries again at once", "すぐに再送する"},
                  {"Held ones are released.", "保留中のものは解放されます。"},
                  {"hikyaku queue retry @example.net",
                   {"their server works again", "相手のサーバーが直ったとき"}},
                  [](auto& in, auto& out) { return change<0>(in, out, "queue.retry"); });
}

Verb verb_queue_hold() {
  return changing("queue hold",
                  {"holds messages back until they are released", "解放するまで送信を保留する"},
                  {"They do not expire meanwhile.", "その間、期限切れにはなりません。"},
                  {"hikyaku queue hold all", {"nothing goes out", "すべての送信を止める"}},
                  [](auto& in, auto& out) { return change<1>(in, out, "queue.hold"); });
}

Verb verb_queue_release() {
  return changing("queue release", {"lets held messages go", "保留したものを解放する"},
                  {"They are tried at once.", "すぐに送信を試みます。"},
                  {"hikyaku queue release all", {"all that are held", "保留中のすべて"}},
                  [](auto& in, auto& out) { return change<2>(in, out, "queue.release"); });
}

Verb verb_queue_drop() {
  return changing("queue drop", {"throws messages out of the queue", "キューから取り除く"},
                  {"Their senders are not told. What is being sent at this moment stays.",
                   "差出人には通知しません。送信中のものは残ります。"},
                  {"hikyaku queue drop 1GK5R0T2M8XQ4", {"one message", "一通を取り除く"}},
                  [](auto& in, auto& out) { return change<3>(in, out, "queue.drop"); });
}

Verb verb_mailq() {
  return {
      .name = "mailq",
      .group = Group::Mail,
      .summary = {"lists the queue, as programs know it", "キューの一覧(昔からの名前)"},
      .details = {"The same as `hikyaku queue list`.", "`hikyaku queue list` と同じです。"},
      .examples = {{"hikyaku mailq", {"everything", "すべて"}}},
      .uses_instance = true,
      .has_json = true,
      .run = [](auto& in, auto& out) { return list_as(in, out, "all"); },
  };
}

}  // namespace hikyaku::app
