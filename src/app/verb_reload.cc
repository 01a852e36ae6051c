// hikyaku reload: certificates and options anew, and which of them count now.
#include "app/error_phrases.h"
#include "app/next_steps.h"
#include "app/run_command.h"
#include "app/verbs.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kApplied{"{} = {}: counts from now on", "{} = {}: いまから有効です"};
constexpr Phrase kAfterRestart{"{} = {}: needs a restart", "{} = {}: 再起動の後に有効になります"};
constexpr Phrase kAfterRestartWhy{"{} = {}: needs a restart ({})",
                                  "{} = {}: 再起動の後に有効になります ({})"};
constexpr Phrase kRefused{"{} = {}: refused, the value before stays ({})",
                          "{} = {}: 適用されず、前の値のままです ({})"};
constexpr Phrase kUnreadable{"the certificates before stay: {}", "証明書は前のもののままです: {}"};
constexpr Phrase kUnreadableRemedy{"the certificates before stay: {} ({})",
                                   "証明書は前のもののままです: {} ({})"};
constexpr Phrase kNothing{"No option has changed. The certificates were read anew.",
                          "変わったオプションはありません。証明書は読み直しました。"};
constexpr Phrase kRestart{"Restart the server for what needs it: systemctl restart hikyaku",
                          "必要なものはサーバーを再起動してください: systemctl restart hikyaku"};
constexpr Phrase kRestartYours{
    "For what needs it, end the server (Ctrl-C, SIGTERM) and start it again: hikyaku serve{}",
    "必要なものはサーバーを終了し(Ctrl-C、SIGTERM)、もう一度起動してください: hikyaku serve{}"};

class Shown {
 public:
  explicit Shown(Terminal& terminal) : terminal_(terminal) {}

  void add(const boost::json::object& item) {
    auto option = text_in(item, "option"), after = text_in(item, "after");
    auto outcome = text_in(item, "outcome"), why = in_words(text_in(item, "why"));
    ++options;
    if (outcome == "applied") {
      terminal_.say(kApplied, option, after);
    } else if (outcome == "refused") {
      terminal_.say(kRefused, option, after, why);
    } else {
      ++restarts;
      if (why.empty())
        terminal_.say(kAfterRestart, option, after);
      else
        terminal_.say(kAfterRestartWhy, option, after, why);
    }
  }

  /// In the language of who asked.
  std::string in_words(std::string text) const {
    return error_in({ErrorCode::Invalid, std::move(text), nullptr}, terminal_.language());
  }

  std::size_t options = 0, restarts = 0;

 private:
  Terminal& terminal_;
};

Exit run(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  Shown shown(terminal);
  boost::json::array all;
  auto take = [&](const boost::json::object& item) {
    if (invocation.json())
      all.push_back(item);
    else
      shown.add(item);
  };
  auto answer = commands.run("server.reload", {}, {.item = take});
  if (!answer) return commands.report(answer.error());
  auto unreadable = shown.in_words(text_in(*answer, "unreadable"));
  auto remedy = shown.in_words(text_in(*answer, "remedy"));
  if (invocation.json()) {
    (*answer)["options"] = std::move(all);
    print_json(terminal, *answer);
  } else {
    auto dir = dir_words(Instance::from(invocation.value("--dir")));
    if (shown.restarts != 0 && dir.empty()) terminal.say(kRestart);
    if (shown.restarts != 0 && !dir.empty()) terminal.say(kRestartYours, dir);
    if (shown.options == 0 && unreadable.empty()) terminal.say(kNothing);
    if (!unreadable.empty() && remedy.empty())
      terminal.complain(kUnreadable, unreadable);
    else if (!unreadable.empty())
      terminal.complain(kUnreadableRemedy, unreadable, remedy);
  }
  return unreadable.empty() ? Exit::Ok : Exit::Failed;
}

}  // namespace

Verb verb_reload() {
  return {
      .name = "reload",
      .group = Group::Start,
      .summary = {"lets the server read certificates and options anew",
                  "サーバーに証明書と設定を読み直させる"},
      .details =
          {"Names every option that has changed, and whether it counts from now on or only "
           "after a restart (`hikyaku config explain OPTION` says that of each). A mistake "
           "in hikyaku.toml leaves every option as it was; the certificates are read anew all "
           "the same. SIGHUP does the same; then the log "
           "has the answer. Exit code 1: the certificates could not be read.",
           "変わったオプションをすべて示し、すぐ有効になるか、再起動が必要かを告げます"
           "(一つずつ調べるには `hikyaku config explain オプション`)。hikyaku.toml "
           "に誤りがあればオプションは何も変わりませんが、証明書は読み直されます。SIGHUP "
           "も同じことをし、結果はログに出ます。"
           "証明書を読めないときの終了コードは 1 です。"},
      .examples = {{"hikyaku reload",
                    {"after a change of hikyaku.toml, or of a certificate",
                     "hikyaku.toml や証明書を変えた後に"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
