// hikyaku serve: the server, in the foreground.
#include <algorithm>
#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>
#include <poll.h>
#include <thread>
#include <unistd.h>

#include "app/cli.h"
#include "app/error_phrases.h"
#include "app/instance.h"
#include "app/log_bounded.h"
#include "app/log_journal.h"
#include "app/missing_store.h"
#include "app/next_steps.h"
#include "app/server.h"
#include "app/server_metrics.h"
#include "app/verbs.h"
#include "config/load.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNoInstance{
    "there is no instance in {}. Make one: hikyaku quickstart ADDRESS --dir {}",
    "{} にインスタンスがありません。作るには: hikyaku quickstart ADDRESS --dir {}"};

constexpr Phrase kThereAlready{
    "{} has a store already: leave out --new-store. (To begin anew, move that directory away.)",
    "{} にはすでに保管庫があります。--new-store "
    "を外してください(新しく始めるなら、そのディレクトリを移してから)。"};

constexpr Phrase kAskCheck{
    ". The server's user (server.user) must be able to read it; what stands in the way, and the "
    "remedy, root learns from: hikyaku check{}",
    "。サーバーのユーザー (server.user) がそれを読める必要があります。何が妨げ、どう直すかは、root "
    "で次を実行してください: hikyaku check{}"};

/// Large blocks (messages that are parsed as a whole) go back to the system as soon as they are
/// free. glibc would learn from the first one to keep them,
/// and cut them up for small ones.
void keep_memory_small() {
  constexpr int kLarge = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLarge);
  ::mallopt(M_TRIM_THRESHOLD, 4 * kLarge);
  // Not 8 heaps for each core, each with holes of its own.
  ::mallopt(M_ARENA_MAX, static_cast<int>(std::max(4u, 2 * std::thread::hardware_concurrency())));
}

/// For a reader of the log who is slow, when there is nothing else to do.
constexpr std::chrono::milliseconds kLastPatience{1000};

/// A line on standard output, if it is taken in time: nobody may read what the server says there,
/// and it is not to wait for that.
class Announcements {
 public:
  explicit Announcements(Terminal& terminal) : terminal_(terminal) {}
  void say(const std::string& line) {
    pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    heard_ = heard_ && ::poll(&out, 1, static_cast<int>(kLastPatience.count())) > 0;
    if (heard_) terminal_.out(line + "\n");
  }

 private:
  Terminal& terminal_;
  bool heard_ = (::fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) != O_RDONLY;  ///< or it was closed
};

/// Tells why there will be no server: as the configuration wants its log lines, once it could be
/// read; programs read those.
class StartProblem {
 public:
  StartProblem(const Log& log, BoundedSink& sink, config::LogFormat format, Terminal& terminal)
      : log_(log), sink_(sink), is_json_(format == config::LogFormat::Json), terminal_(terminal) {}

  Language language() const { return is_json_ ? Language::English : terminal_.language(); }
  Exit tell(std::string_view what, Exit exit) const {
    sink_.finish(kLastPatience);
    if (is_json_)
      log_.error("server.fail", {{"err", what}});
    else
      terminal_.complain_text(what);
    return exit;
  }
  Exit tell(const Error& error, const Instance& instance) const {
    auto what = error_in(error, language());
    if (error.code == ErrorCode::Denied && error.text.starts_with("cannot read "))
      what += say(language(), kAskCheck, dir_words(instance));
    return tell(what, exit_for(error.code));
  }

 private:
  const Log& log_;
  BoundedSink& sink_;
  bool is_json_;
  Terminal& terminal_;
};

Exit run(const Invocation& invocation, Terminal& terminal) {
  keep_memory_small();
  auto instance = Instance::from(invocation.value("--dir"));
  if (!std::filesystem::exists(instance.config)) {
    auto directory = instance.config.parent_path().string();
    terminal.complain(kNoInstance, directory, directory);
    return Exit::NoInput;
  }
  auto config = config::load_file(instance.config);
  if (!config) {
    terminal.err(config.error().describe(terminal.language()));
    return Exit::Config;
  }
  instance = instance.with(*config);
  SystemClock clock;
  ServerMetrics metrics;
  BoundedErrorSink sink(config->log.format, clock, metrics.log_lines_lost);
  auto journal = config->log.format == config::LogFormat::Text
                     ? JournalSink::open(sink, metrics.log_lines_lost)
                     : nullptr;
  CountingSink counting(journal ? static_cast<LogSink&>(*journal) : sink, metrics);
  Log log(counting, config->log.level);
  StartProblem problem(log, sink, config->log.format, terminal);
  // Before the sandbox, which sees nothing of what may be beside the store.
  auto which = invocation.has("--new-store") ? WhichStore::New : WhichStore::Existing;
  auto missing = describe_missing_store(instance, problem.language());
  if (which == WhichStore::New && !missing)
    return problem.tell(say(problem.language(), kThereAlready, instance.data.string()),
                        Exit::CannotCreate);
  if (which == WhichStore::Existing && missing) return problem.tell(*missing, Exit::NoInput);
  auto server = Server::start(
      instance, std::move(*config), log,
      [announcements = Announcements(terminal)](const std::string& line) mutable {
        announcements.say(line);
      },
      metrics, which);
  if (!server) return problem.tell(server.error(), instance);
  (*server)->run();
  server->reset();
  if (journal) journal->finish(kLastPatience);
  sink.finish(kLastPatience);
  return Exit::Ok;
}

}  // namespace

Verb verb_serve() {
  return {
      .name = "serve",
      .group = Group::Start,
      .summary = {"runs the server in the foreground", "サーバーをフォアグラウンドで動かす"},
      .details =
          {"Prints what it listens on, then the line \"ready\". SIGTERM and Ctrl-C end it cleanly: "
           "what was accepted is "
           "delivered or safe in the queue. SIGHUP reads certificates and configuration anew. Log "
           "lines go to standard "
           "error; systemd is told when it is ready (Type=notify). Where the store is missing (a "
           "disk "
           "that is not mounted, a restore that was cut off) it does not start: an empty one would "
           "refuse the mail of everybody. While another hikyaku has the store (undelete --purge, "
           "backup, verify), it says which one, and waits for it for 30 seconds at most; then it "
           "ends with 75.",
           "待ち受けるアドレスを表示し、準備ができると「ready」と表示します。SIGTERM と Ctrl-C "
           "で安全に終了します。受け取ったメールは配達済みか、キューの中で安全です。SIGHUP "
           "で証明書と設定を読み直します。ログは標準エラーに出ます。準備ができると systemd "
           "に知らせます(Type=notify)。保管庫がないとき(ディスクの未マウント、中断された復元など)"
           "は起動しません。空の保管庫では全員のメールを断ることになるからです。ほかの hikyaku"
           "(undelete --purge、backup、verify など)が保管庫を使用中のときは、それがどれかを示して"
           "最長 30 秒待ち、それでも空かなければ 75 で終了します。"},
      .options = {{.name = "--new-store",
                   .help = {"begin with an empty store where there is none: no mail, no accounts",
                            "保管庫がないとき、空の(メールもアカウントもない)もので始める"}}},
      .examples = {{"hikyaku serve --dir ~/mail",
                    {"the instance in ~/mail", "~/mail のインスタンスを動かす"}},
                   {"hikyaku serve",
                    {"the machine's own, in /etc/hikyaku", "/etc/hikyaku にあるこの機械のもの"}}},
      .uses_instance = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
