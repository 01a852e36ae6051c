// hikyaku lab: the whole way of mail on this machine.
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fmt/core.h>
#include <mutex>

#include "app/cli.h"
#include "app/error_phrases.h"
#include "app/lab.h"
#include "app/verbs.h"
#include "base/json.h"
#include "base/text.h"
#include "net/signals.h"
#include "net/stream.h"

namespace hikyaku::app {
namespace {

using lab::Play;
using lab::Scene;
using lab::Stage;
using lab::World;

constexpr std::int64_t kDefaultBase = 8000;

constexpr Phrase kNoScene{"there is no scene {}. hikyaku lab --list names them",
                          "{} という場面はありません。一覧: hikyaku lab --list"};
constexpr Phrase kNotEmpty{
    "{} is not empty: name a new directory, or remove it",
    "{} は空ではありません。新しいディレクトリを指定するか、削除してください"};
constexpr Phrase kCannotMake{"cannot make {}: {}", "{} を作れません: {}"};
constexpr Phrase kTaken{
    "the ports of the lab are in use: {}. Other ones: hikyaku lab --port-base {}",
    "ラボのポートが使われています: {}。別のポートで: hikyaku lab --port-base {}"};
constexpr std::int64_t kBaseStep = 1000;
constexpr std::int64_t kHighestBase = 60'000;
constexpr Phrase kStarting{
    "Starting four organisations, each a server of its own: {}, {}, {}, {}",
    "四つの組織を、それぞれ独立したサーバーとして起動します: {}、{}、{}、{}"};
constexpr Phrase kNoV6{"This machine has no IPv6 on loopback: beta.test is without AAAA and ::1.",
                       "この機械のループバックには IPv6 がありません。beta.test は AAAA と ::1 "
                       "なしで動きます。"};
constexpr Phrase kUp{"All are up. Their data: {}", "すべて起動しました。データ: {}"};
constexpr Phrase kSpoilt{"Spoilt for this run: {}", "この実行では壊してあります: {}"};
constexpr Phrase kCannotSpoil{"the setting could not be spoilt: {}", "設定を壊せませんでした: {}"};
constexpr Phrase kAllGood{"Every scene ended as it should ({}).",
                          "すべての場面が期待どおりに終わりました({})。"};
constexpr Phrase kSomeFailed{
    "These scenes did not end as they should: {}. Everything is kept in {}",
    "期待どおりに終わらなかった場面: {}。データは {} に残してあります"};
constexpr Phrase kConnectionLost{"the connection was lost: {}", "接続が切れました: {}"};
constexpr Phrase kConnect{
    "The servers stay up. Connect your own mail client (the certificates are self-signed: "
    "accept them):",
    "サーバーは動き続けます。お手元のメールクライアントで接続できます(証明書は自己署名です。"
    "受け入れてください):"};
constexpr Phrase kUser{"user", "ユーザー"};
constexpr Phrase kPassword{"password", "パスワード"};
constexpr Phrase kServer{"server", "サーバー"};
constexpr Phrase kPorts{
    "Ports: SMTP {}, submission {} (STARTTLS) and {} (TLS), IMAP {} and {} (TLS), POP3 {} and {} "
    "(TLS).",
    "ポート: SMTP {}、送信 {} (STARTTLS) と {} (TLS)、IMAP {} と {} (TLS)、POP3 {} と {} (TLS)。"};
constexpr Phrase kByHand{"By hand: telnet {} {}", "手で打つなら: telnet {} {}"};
constexpr Phrase kTrace{"The story of any message: {} trace bob@beta.test --dir {}",
                        "メッセージの記録: {} trace bob@beta.test --dir {}"};
constexpr Phrase kUntil{"Ctrl-C ends the lab.", "Ctrl-C で終わります。"};

std::string in_one_line(std::string_view text) {
  std::string line;
  for (auto each : split(text, '\n')) line += (line.empty() ? "" : "; ") + std::string(each);
  return line;
}

/// The lab's own directory, gone at the end unless it shall stay.
class LabDirectory {
 public:
  static Result<LabDirectory> make(const std::optional<std::string>& wanted) {
    if (wanted) {
      std::error_code error;
      auto path = std::filesystem::absolute(*wanted).lexically_normal();
      std::filesystem::create_directories(path, error);
      if (error) return fail(ErrorCode::Denied, "{}", error.message());
      return LabDirectory(path, true);
    }
    auto form = (std::filesystem::temp_directory_path() / "hikyaku-lab-XXXXXX").string();
    if (!::mkdtemp(form.data())) return std::unexpected(errno_error(form, errno));
    return LabDirectory(form, false);
  }
  LabDirectory(LabDirectory&& other) noexcept
      : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}
  LabDirectory& operator=(LabDirectory&&) = delete;
  ~LabDirectory() {
    std::error_code ignored;
    if (!keep_ && !path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  void keep() { keep_ = true; }

 private:
  LabDirectory(std::filesystem::path path, bool keep) : path_(std::move(path)), keep_(keep) {}
  std::filesystem::path path_;
  bool keep_;
};

/// Ctrl-C and SIGTERM.
class Ending {
 public:
  Ending(World& world, Stage& stage)
      : world_(world),
        stage_(stage),
        signals_(std::make_unique<net::Signals>(world.cores(),
                                                std::initializer_list<int>{SIGINT, SIGTERM},
                                                [this](int) { wanted(); })) {}
  ~Ending() {
    world_.cores().call(0, [this] { signals_.reset(); });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return wanted_; });
  }

 private:
  void wanted() {
    stage_.interrupt();
    std::lock_guard lock(mutex_);
    wanted_ = true;
    changed_.notify_all();
  }

  World& world_;
  Stage& stage_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  std::unique_ptr<net::Signals> signals_;
};

const Scene* find_scene(std::string_view name) {
  for (auto& scene : lab::all_scenes())
    if (scene.name == name) return &scene;
  return nullptr;
}

Exit list_scenes(const Invocation& invocation, Terminal& terminal) {
  auto lang = terminal.language();
  if (invocation.json()) {
    JsonWriter json;
    json.begin_array();
    for (auto& scene : lab::all_scenes()) {
      json.begin_object().member("name", scene.name).member("title", scene.title.in(lang));
      json.member("about", scene.about.in(lang)).end_object();
    }
    json.end_array();
    terminal.out(json.take() + "\n");
    return Exit::Ok;
  }
  Table table;
  for (auto& scene : lab::all_scenes())
    table.rows.push_back({std::string(scene.name), std::string(scene.title.in(lang))});
  terminal.table(table);
  return Exit::Ok;
}

/// Plays one scene. True if it ended as it should.
bool play_scene(const Scene& scene, Play& play) {
  play.stage.begin_scene(scene.name, scene.title, scene.about);
  // A scene is a session of its own: what it throws ends it and nothing else.
  try {
    scene.run(play);
  } catch (const lab::SceneEnded&) {
    // The check that failed was shown.
  } catch (const net::Disconnected& gone) {
    play.stage.check(false, kConnectionLost, gone.what());
  }
  return play.stage.end_scene();
}

bool spoil(const Scene& scene, Play& play) {
  auto& terminal = play.stage.terminal();
  if (!play.stage.is_json()) terminal.say(kSpoilt, scene.spoilt_by.in(terminal.language()));
  auto spoilt = scene.spoil(play.world);
  if (!spoilt) terminal.complain(kCannotSpoil, error_in(spoilt.error(), terminal.language()));
  return spoilt.has_value();
}

void say_how_to_connect(World& world, Terminal& terminal) {
  auto lang = terminal.language();
  terminal.out("\n");
  terminal.say(kConnect);
  terminal.out("\n");
  Table table{.headings = {std::string(kServer.in(lang)), std::string(kUser.in(lang)),
                           std::string(kPassword.in(lang))},
              .rows = {}};
  for (auto site : world.all_sites()) {
    for (auto& person : site->people())
      table.rows.push_back({site->address().to_string(), person.address, person.password});
  }
  terminal.table(table);
  terminal.out("\n");
  auto port = [&](std::uint16_t standard) { return world.settings().port_base + standard; };
  terminal.say(kPorts, port(lab::kSmtp), port(lab::kSubmission), port(lab::kSubmissions),
               port(lab::kImap), port(lab::kImaps), port(lab::kPop3), port(lab::kPop3s));
  terminal.say(kByHand, world.beta().address().to_string(), port(lab::kSmtp));
  terminal.say(kTrace, terminal.program(), world.beta().instance().config.parent_path().string());
  terminal.say(kUntil);
}

void report_result(const std::vector<std::string>& played, const std::vector<std::string>& failed,
                   const std::filesystem::path& directory, Stage& stage) {
  auto& terminal = stage.terminal();
  if (stage.is_json()) {
    JsonWriter json;
    json.begin_object().member("event", "result").member("ok", failed.empty());
    json.key("played").begin_array();
    for (auto& name : played) json.value(name);
    json.end_array().key("failed").begin_array();
    for (auto& name : failed) json.value(name);
    json.end_array();
    if (!failed.empty()) json.member("directory", directory.string());
    json.end_object();
    terminal.out(json.take() + "\n");
    return;
  }
  terminal.out("\n");
  if (failed.empty()) {
    terminal.out(terminal.toned(Tone::Good, say(terminal.language(), kAllGood, played.size())) +
                 "\n");
  } else {
    terminal.complain(kSomeFailed, join(failed, ", "), directory.string());
  }
}

struct Wanted {
  std::vector<const Scene*> scenes;
  const Scene* spoilt = nullptr;
  bool once = false;
};

Exit play_all(const Wanted& wanted, World& world, Stage& stage, LabDirectory& directory,
              Ending& ending) {
  Play play(world, stage);
  std::vector<std::string> played, failed;
  try {
    if (wanted.spoilt && !spoil(*wanted.spoilt, play)) return Exit::Software;
    for (auto scene : wanted.scenes) {
      stage.stop_if_interrupted();
      played.emplace_back(scene->name);
      if (!play_scene(*scene, play)) failed.emplace_back(scene->name);
    }
    if (!failed.empty()) directory.keep();
    report_result(played, failed, directory.path(), stage);
    if (!wanted.once) {
      if (!stage.is_json()) say_how_to_connect(world, stage.terminal());
      ending.wait();
    }
  } catch (const lab::Interrupted&) {
    if (wanted.once) return Exit::TryLater;
  }
  return failed.empty() ? Exit::Ok : Exit::Failed;
}

std::optional<Wanted> wanted_of(const Invocation& invocation, Terminal& terminal) {
  Wanted wanted;
  wanted.once = invocation.has("--once");
  auto names = invocation.values("--scene");
  if (auto spoilt = invocation.value("--spoil")) {
    wanted.spoilt = find_scene(*spoilt);
    // What is spoilt stays so: other scenes would fail for the wrong reason.
    names = {*spoilt};
  }
  for (auto& name : names) {
    auto scene = find_scene(name);
    if (!scene) {
      terminal.complain(kNoScene, name);
      return std::nullopt;
    }
    wanted.scenes.push_back(scene);
  }
  if (names.empty())
    for (auto& scene : lab::all_scenes()) wanted.scenes.push_back(&scene);
  return wanted;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  if (invocation.has("--list")) return list_scenes(invocation, terminal);
  auto wanted = wanted_of(invocation, terminal);
  if (!wanted) return Exit::Usage;
  auto dir = invocation.value("--dir");
  auto directory = LabDirectory::make(dir);
  if (!directory) {
    terminal.complain(kCannotMake, dir.value_or("/tmp"),
                      error_in(directory.error(), terminal.language()));
    return Exit::CannotCreate;
  }
  if (dir && !std::filesystem::is_empty(directory->path())) {
    terminal.complain(kNotEmpty, directory->path().string());
    return Exit::CannotCreate;
  }
  auto base = static_cast<std::uint16_t>(invocation.number("--port-base", kDefaultBase));
  Stage stage(terminal, invocation.json() ? Stage::Form::Json : Stage::Form::People);
  World world({directory->path(), base, terminal.language()});
  if (!stage.is_json())
    terminal.say(kStarting, world.alpha().domain(), world.beta().domain(), world.mallory().domain(),
                 world.gamma().domain());
  Ending ending(world, stage);
  auto started = world.start();
  if (!started && started.error().code == ErrorCode::Conflict) {
    auto other = base < kHighestBase - kBaseStep ? base + kBaseStep : kDefaultBase;
    terminal.complain(kTaken, in_one_line(started.error().describe()), other);
    return Exit::TryLater;
  }
  if (!started) return report(started.error(), terminal);
  if (!stage.is_json()) {
    if (!world.has_v6()) terminal.say(kNoV6);
    terminal.say(kUp, directory->path().string());
  }
  auto exit = play_all(*wanted, world, stage, *directory, ending);
  world.stop();
  return exit;
}

}  // namespace

Verb verb_lab() {
  return {
      .name = "lab",
      .group = Group::Start,
      .summary = {"shows the whole way of mail on this machine, step by step",
                  "メールの道のりのすべてを、この機械の上で一歩ずつ見せる"},
      .details =
          {"Starts two organisations, alpha.test and beta.test, a stranger, mallory.test, and "
           "gamma.test, which passes mail on: each a real server with its own data, on its own "
           "loopback address (127.0.1.1, 127.0.2.1, 127.0.3.1, 127.0.4.1), all finding each other "
           "by one zone file. Then it plays scenes and prints "
           "what really goes over the wire, and what the servers record. No root, no network.\n"
           "Afterwards the servers stay up, for your own mail client, until Ctrl-C; with --once "
           "the lab ends, with 0 only if every scene ended as it should. Without --dir everything "
           "lies in a temporary directory, which is kept only when a scene failed. With --json "
           "each line is one JSON object with the member \"event\".",
           "二つの組織 alpha.test と beta.test、見知らぬ他人 mallory.test、メールを取り次ぐ "
           "gamma.test を起動します。"
           "それぞれが自分のデータを持つ本物のサーバーで、別々のループバックアドレス (127.0.1.1、"
           "127.0.2.1、127.0.3.1、127.0.4.1) "
           "で動き、一つのゾーンファイルで互いを見つけます。そのあと場面を"
           "演じ、実際に回線を流れるものと、サーバーが記録したものを表示します。root "
           "もネットワークも要りません。\n"
           "終わるとサーバーは Ctrl-C まで動き続け、お手元のメールクライアントで試せます。--once "
           "では終了し、すべての場面が期待どおりなら 0 を返します。--dir "
           "がなければ一時ディレクトリを使い、失敗した場面があるときだけ残します。--json "
           "では一行が一つの JSON オブジェクトです(メンバー \"event\")。"},
      .options =
          {{.name = "--scene",
            .value = "NAME",
            .help = {"play only this scene; may be given several times",
                     "この場面だけを演じる(複数指定可)"},
            .repeatable = true},
           {.name = "--once",
            .help = {"end after the scenes; 0 only if all ended as they should",
                     "場面のあと終了する。すべて期待どおりなら 0"}},
           {.name = "--list", .help = {"name the scenes", "場面の一覧を表示する"}},
           {.name = "--dir",
            .value = "DIR",
            .help = {"keep everything in this new directory", "この新しいディレクトリに残す"}},
           {.name = "--port-base",
            .value = "N",
            .help = {"ports are N+25, N+587, … (8000)", "ポートは N+25、N+587、…(既定 8000)"},
            .least = 1024,
            .most = kHighestBase},
           {.name = "--spoil",
            .value = "NAME",
            .help = {"play only this scene, with one setting changed so that it must fail: "
                     "shows that the lab notices",
                     "失敗するはずの設定に一つ変えて、この場面だけを演じる: "
                     "ラボが気づくことを示す"}}},
      .examples = {{"hikyaku lab", {"everything, then stay up", "すべて演じ、動き続ける"}},
                   {"hikyaku lab --scene eavesdropper --once",
                    {"who can read passwords?", "パスワードを読めるのは誰か"}}},
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
