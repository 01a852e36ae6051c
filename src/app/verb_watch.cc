// hikyaku top, who, kick, metrics: watching the running server.
#include <csignal>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <thread>
#include <unistd.h>

#include "app/cli.h"
#include "app/next_steps.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/server_metrics.h"
#include "app/top_frame.h"
#include "app/verbs.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

using boost::json::object;

constexpr Phrase kNobody{"Nobody is connected.", "接続はありません。"};
constexpr Phrase kKicked{"{} [session is|sessions are] ended.",
                         "{} 件のセッションを終了しました。"};
constexpr Phrase kInClear{"no", "なし"};

/// Why there is no answer.
struct NoAnswer {
  bool running = false;  ///< the server
  Error error;
};
std::expected<object, NoAnswer> try_to_ask(const Invocation& invocation, const Terminal& terminal,
                                           std::string_view verb, object args = {},
                                           ControlHandlers handlers = {}) {
  ControlRequest request{std::string(verb), std::move(args), terminal.language()};
  auto socket = Instance::from(invocation.value("--dir")).control_socket;
  auto answer = ask_server(socket, request, handlers);
  if (answer.result) return std::move(*answer.result);
  return std::unexpected(NoAnswer{answer.running, std::move(answer.result).error()});
}

Exit tell(const NoAnswer& answer, const Invocation& invocation, Terminal& terminal) {
  auto instance = Instance::from(invocation.value("--dir"));
  if (!answer.running && !instance_is_there(instance, terminal)) return Exit::NoInput;
  auto error = answer.running ? answer.error : no_server(instance, terminal.language());
  if (invocation.json())
    print_json(
        terminal,
        object{{"error", {{"code", to_string(error.code)}, {"text", json_text(error.text)}}}});
  auto exit = report_access(error, terminal);
  return error.code == ErrorCode::NotFound ? Exit::Failed : exit;
}

/// Asks the running server; without one the answer is shown already.
std::expected<object, Exit> ask(const Invocation& invocation, Terminal& terminal,
                                std::string_view verb, object args = {},
                                ControlHandlers handlers = {}) {
  handlers.starting = tell_of_start(terminal);
  auto answer = try_to_ask(invocation, terminal, verb, std::move(args), std::move(handlers));
  if (!answer) return std::unexpected(tell(answer.error(), invocation, terminal));
  return std::move(*answer);
}

// --- who, kick, metrics ---

Phrase state_text(std::string_view state) {
  if (state == "idle") return {"idle", "待ち受け"};
  if (state == "busy") return {"busy", "処理中"};
  if (state == "selected") return {"selected", "選択中"};
  if (state == "logged-in") return {"logged in", "ログイン済"};
  return {"connected", "接続"};
}

Exit who(const Invocation& invocation, Terminal& terminal) {
  auto language = terminal.language();
  ItemList rows(invocation, terminal,
                {{"SESSION", "番号"},
                 {"PROTOCOL", "プロトコル"},
                 {"ACCOUNT", "アカウント"},
                 {"ADDRESS", "アドレス"},
                 {"TLS", "TLS"},
                 {"SINCE", "経過"},
                 {"LAST COMMAND", "最後のコマンド"},
                 {"STATE", "状態"}},
                [language](auto& item) -> std::vector<std::string> {
                  auto ago = [&](const char* name) {
                    return format_duration(seconds(number_in(item, name)));
                  };
                  auto tls = text_in(item, "tls");
                  auto command = text_in(item, "command");
                  auto state = std::string(state_text(text_in(item, "state")).in(language));
                  if (auto mailbox = text_in(item, "mailbox"); !mailbox.empty())
                    state += ": " + mailbox;
                  return {std::to_string(number_in(item, "id")),
                          text_in(item, "protocol"),
                          text_in(item, "user"),
                          number_in(item, "port") == 0 ? "-" : text_in(item, "ip"),
                          tls.empty() ? std::string(kInClear.in(language)) : tls,
                          ago("seconds"),
                          command.empty() ? "-" : command + " " + ago("idle_seconds"),
                          state};
                });
  auto answer = ask(invocation, terminal, "who", {}, {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return answer.error();
  rows.finish(kNobody);
  return Exit::Ok;
}

Exit kick(const Invocation& invocation, Terminal& terminal) {
  auto answer = ask(invocation, terminal, "kick", {{"select", json_text(invocation.argument(0))}});
  if (!answer) return answer.error();
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kKicked, grouped(number_in(*answer, "count")));
  return Exit::Ok;
}

Exit metrics(const Invocation& invocation, Terminal& terminal) {
  if (invocation.has("--docs")) {
    terminal.out(metrics_markdown(ServerMetrics().registry));
    return Exit::Ok;
  }
  auto answer = ask(invocation, terminal, "metrics");
  if (!answer) return answer.error();
  terminal.out(text_in(*answer, "text"));
  return Exit::Ok;
}

// --- top ---

/// The screen and the keyboard while top runs; as they were before, afterwards, also when a signal
/// ends it.
class Screen {
 public:
  explicit Screen(Terminal& terminal) : terminal_(terminal) {
    sigset_t heard;
    sigemptyset(&heard);
    for (int number : {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT}) sigaddset(&heard, number);
    ::pthread_sigmask(SIG_BLOCK, &heard, &mask_before_);
    signals_ = net::UniqueFd(::signalfd(-1, &heard, SFD_CLOEXEC));
    ::tcgetattr(STDIN_FILENO, &before_);
    auto raw = before_;
    // Ctrl-C is a key like others: what was changed is to be put right.
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    terminal_.out("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    terminal_.out("\x1b[?25h\x1b[?1049l");
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    // Who started the program sees what it ended by.
    if (ended_by_ != 0) ::raise(ended_by_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static TopSize size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
      return {};
    return {size.ws_col, size.ws_row};
  }
  void show(const std::string& frame) {
    std::string out = "\x1b[H";
    for (char c : frame) out += c == '\n' ? std::string("\x1b[K\n") : std::string(1, c);
    terminal_.out(out + "\x1b[J");
  }
  /// True when q, Ctrl-C, the end of the input or a signal to end has come within `wait`; false at
  /// once for any other key, and when the window has another size.
  bool quit_within(milliseconds wait) {
    pollfd inputs[]{{STDIN_FILENO, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (::poll(inputs, std::size(inputs), static_cast<int>(wait.count())) <= 0) return false;
    if (inputs[1].revents != 0) return is_ended_by_signal();
    char key = 0;
    return ::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3;
  }

 private:
  bool is_ended_by_signal() {
    signalfd_siginfo signal{};
    if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) return true;
    if (signal.ssi_signo == SIGWINCH) return false;
    ended_by_ = static_cast<int>(signal.ssi_signo);
    return true;
  }

  Terminal& terminal_;
  termios before_{};
  sigset_t mask_before_{};
  net::UniqueFd signals_;
  int ended_by_ = 0;
};

/// One look at the server, and when it was.
struct Look {
  object stats;
  std::chrono::steady_clock::time_point at;
};
std::expected<Look, NoAnswer> look(const Invocation& invocation, const Terminal& terminal,
                                   OnStarting starting) {
  auto stats = try_to_ask(invocation, terminal, "stats", {}, {.starting = std::move(starting)});
  if (!stats) return std::unexpected(stats.error());
  return Look{std::move(*stats), std::chrono::steady_clock::now()};
}

TopView view_of(const Look& before, const Look& now) {
  return {before.stats, now.stats, std::chrono::duration<double>(now.at - before.at).count()};
}

Exit top_once(const Invocation& invocation, Terminal& terminal, seconds interval) {
  auto before = look(invocation, terminal, tell_of_start(terminal));
  if (!before) return tell(before.error(), invocation, terminal);
  std::this_thread::sleep_for(interval);
  auto now = look(invocation, terminal, tell_of_start(terminal));
  if (!now) return tell(now.error(), invocation, terminal);
  auto view = view_of(*before, *now);
  if (invocation.json())
    print_json(terminal, top_numbers(view));
  else
    terminal.out(top_frame(view, terminal, {.columns = 200, .lines = 40}));
  return Exit::Ok;
}

Exit top(const Invocation& invocation, Terminal& terminal) {
  seconds interval(invocation.number("--interval", 1));
  auto live = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
  if (!live || invocation.has("--once") || invocation.json())
    return top_once(invocation, terminal, interval);
  auto before = look(invocation, terminal, tell_of_start(terminal));
  if (!before) return tell(before.error(), invocation, terminal);
  std::optional<NoAnswer> problem;
  {
    Screen screen(terminal);
    auto first = *before;  // the first frame shows totals alone
    screen.show(top_frame({first.stats, first.stats, 1}, terminal, Screen::size()));
    while (!screen.quit_within(interval)) {
      // Keys are not heard meanwhile: one that was started again is not waited for.
      auto now = look(invocation, terminal, [] { return false; });
      if (!now) {
        problem = now.error();
        break;
      }
      screen.show(top_frame(view_of(*before, *now), terminal, Screen::size()));
      before = std::move(now);
    }
  }
  // Not before: what is written on the other screen goes with it.
  return problem ? tell(*problem, invocation, terminal) : Exit::Ok;
}

}  // namespace

Verb verb_top() {
  return {
      .name = "top",
      .group = Group::Start,
      .summary = {"shows what the server does, live", "サーバーの動きを刻々と表示する"},
      .details = {"Rates a second of connections, commands, messages and logins; queue, store, "
                  "memory; who "
                  "is busiest. q ends it. Where no person looks on, one frame is printed.",
                  "接続・コマンド・メッセージ・ログインの毎秒の数、キュー、保管庫、メモリ、活発なア"
                  "カウントと"
                  "アドレスを表示します。q で終了します。端末でなければ一度だけ表示します。"},
      .options = {{.name = "--once", .help = {"print one frame and end", "一度だけ表示して終わる"}},
                  {.name = "--interval",
                   .value = "SECONDS",
                   .help = {"between two looks (1)", "更新の間隔(1)"},
                   .least = 1,
                   .most = 3600}},
      .examples = {{"hikyaku top", {"live", "刻々と"}},
                   {"hikyaku top --json --interval 10",
                    {"ten seconds' rates, for programs", "10 秒間の値を、プログラム向けに"}}},
      .uses_instance = true,
      .has_json = true,
      .run = top,
  };
}

Verb verb_who() {
  return {
      .name = "who",
      .group = Group::Accounts,
      .summary = {"lists who is connected", "接続中のセッションを一覧表示する"},
      .examples = {{"hikyaku who", {"everybody", "すべて"}},
                   {"hikyaku who --json", {"for programs", "プログラム向けに"}}},
      .uses_instance = true,
      .has_json = true,
      .run = who,
  };
}

Verb verb_kick() {
  return {
      .name = "kick",
      .group = Group::Accounts,
      .summary = {"ends sessions", "セッションを終了させる"},
      .details =
          {"Each is told so in its protocol's words. Nothing keeps the client from coming "
           "back: switch the account off for that, or change its password.",
           "それぞれのプロトコルの言葉で知らせてから切断します。再接続は妨げません。妨げるには"
           "アカウントを無効にするか、パスワードを変更してください。"},
      .arguments = {{"SELECT",
                     {"the number of a session, an account, or an IP address",
                      "セッションの番号、アカウント、または IP アドレス"}}},
      .examples = {{"hikyaku kick anna@example.com",
                    {"all sessions of an account", "あるアカウントのすべて"}},
                   {"hikyaku kick 4711", {"one of hikyaku who", "hikyaku who の一つ"}}},
      .uses_instance = true,
      .has_json = true,
      .run = kick,
  };
}

Verb verb_metrics() {
  return {
      .name = "metrics",
      .group = Group::Tools,
      .summary = {"prints the server's metrics as Prometheus reads them",
                  "サーバーの計測値を Prometheus の形式で表示する"},
      .details = {"The same as /metrics of listen.metrics, without opening a port.",
                  "listen.metrics の /metrics と同じ内容を、ポートを開かずに表示します。"},
      .options = {{.name = "--docs",
                   .help = {"what there is, as Markdown (docs/metrics.md)",
                            "一覧を Markdown で(docs/metrics.md)"}}},
      .examples = {{"hikyaku metrics", {"all of them", "すべて"}}},
      .uses_instance = true,
      .run = metrics,
  };
}

}  // namespace hikyaku::app
