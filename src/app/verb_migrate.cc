// hikyaku migrate: moves a whole account here, away from here, or between two other servers.
#include <fmt/core.h>

#include "app/account_session.h"
#include "app/cli.h"
#include "app/error_phrases.h"
#include "app/json.h"
#include "app/migration.h"
#include "app/password_input.h"
#include "app/progress.h"
#include "app/remote_account.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "net/cores.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kTwoEnds{
    "name two ends: --from URL ACCOUNT (to here), ACCOUNT --to URL (away from here), or --from URL "
    "--to URL (between two others)",
    "移行元と移行先を指定してください: --from URL ACCOUNT(ここへ)、ACCOUNT --to URL(ここから)、"
    "--from URL --to URL(他のサーバー間)"};
constexpr Phrase kPasswordOf{"Password of {}: ", "{} のパスワード: "};
constexpr Phrase kTrouble{"{} (trying again)", "{}(再試行します)"};
constexpr Phrase kStopped{
    "Stopped. What has been moved is safe; the same command goes on from here.",
    "中断しました。移したメールは安全です。同じコマンドで続きから再開できます。"};
constexpr Phrase kProven{
    "{} [message|messages] in {} [folder|folders] ({}): everything is there, byte for byte.",
    "{} 通、{} フォルダー({}): すべて1バイトも違わず移行されています。"};
constexpr Phrase kNotProven{
    "{} of {} [message is|messages are] there. Look at the lines above; the same command tries the "
    "rest again, but not what is left alone.",
    "{} / {} 通が移行済みです。上の行を確認してください。同じコマンドで残りを再試行します(「そのま"
    "まにします」とあるものを除く)。"};
constexpr Phrase kWouldMove{
    "{} of {} [message|messages] ({}) would be moved, in {} [folder|folders]. Nothing was done.",
    "{} / {} 通({})、{} フォルダーを移行します。まだ何もしていません。"};
constexpr Phrase kMissing{"{} [was|were] deleted at the target since, and [is|are] left alone",
                          "{} 通は移行先で削除済みのため、そのままにします"};
constexpr Phrase kFolder{"Folder", "フォルダー"};
constexpr Phrase kBecomes{"becomes", "移行先"};
constexpr Phrase kMessages{"messages", "メール"};
constexpr Phrase kNew{"new", "新規"};
constexpr Phrase kSame{"there", "確認済み"};
constexpr Phrase kHash{"SHA-256 of both", "両方の SHA-256"};

/// What the command line names: two accounts.
struct Ends {
  std::optional<ImapUrl> from;
  std::optional<ImapUrl> to;
  std::string account;  ///< here, for the end that is no URL
};

std::expected<Ends, Exit> read_ends(const Invocation& invocation, Terminal& terminal) {
  Ends ends;
  for (auto [option, url] : {std::pair("--from", &ends.from), std::pair("--to", &ends.to)}) {
    auto text = invocation.value(option);
    if (!text) continue;
    auto parsed = ImapUrl::parse(*text);
    if (!parsed) {
      terminal.complain_text(
          fmt::format("{}: {}", option, error_in(parsed.error(), terminal.language())));
      return std::unexpected(Exit::Usage);
    }
    *url = std::move(*parsed);
  }
  ends.account = invocation.argument(0);
  if ((ends.from ? 1 : 0) + (ends.to ? 1 : 0) + (ends.account.empty() ? 0 : 1) != 2) {
    terminal.complain(kTwoEnds);
    return std::unexpected(Exit::Usage);
  }
  return ends;
}

/// Everything that one run needs, from the command line to the connections.
class Run {
 public:
  Run(const Invocation& invocation, Terminal& terminal)
      : invocation_(invocation), terminal_(terminal) {}

  Exit run() {
    auto ends = read_ends(invocation_, terminal_);
    if (!ends) return ends.error();
    ends_ = std::move(*ends);
    auto instance = Instance::from(invocation_.value("--dir"));
    std::optional<config::Config> config;
    if (!ends_.account.empty()) {
      auto loaded = load_instance_config(instance, terminal_);
      if (!loaded) return loaded.error();
      config = std::move(*loaded);
      instance = instance.with(*config);
    }
    auto ready = prepare(instance, config);
    if (!ready) return report(ready.error(), terminal_);
    return move();
  }

 private:
  /// `config`: of the account here, if one end is here.
  Result<void> prepare(const Instance& instance, const std::optional<config::Config>& config) {
    if (ends_.from) {
      TRY(from_, find(*ends_.from));
    }
    if (ends_.to) {
      TRY(to_, find(*ends_.to));
    }
    auto directory = config || std::filesystem::exists(instance.data)
                         ? instance.data.parent_path() / "migrate"
                         : std::filesystem::path("hikyaku-migrate");
    if (auto named = invocation_.value("--state")) directory = *named;
    TRY(auto state, MigrationState::open(directory, name_of(ends_.from), name_of(ends_.to),
                                         invocation_.has("--dry-run")));
    state_.emplace(std::move(state));
    if (config) {
      TRY(local_, AccountSessions::open(instance, *config, tell_of_start(terminal_)));
    }
    return {};
  }

  std::string name_of(const std::optional<ImapUrl>& url) const {
    return url ? url->to_string() : ends_.account;
  }

  Result<std::unique_ptr<RemoteAccount>> find(const ImapUrl& url) {
    auto question = say(terminal_.language(), kPasswordOf, url.to_string());
    TRY(auto password, ask_password(invocation_, terminal_, question));
    auto certificates = invocation_.has("--any-certificate") ? RemoteAccount::Certificates::Any
                                                             : RemoteAccount::Certificates::Trusted;
    return RemoteAccount::find(url, std::move(password), certificates);
  }

  static Task<Result<std::unique_ptr<client::ImapClient>>> connect_local(AccountSessions& sessions,
                                                                         std::string account) {
    CO_TRY(auto stream, co_await sessions.connect(std::move(account)));
    auto client = std::make_unique<client::ImapClient>(std::move(stream));
    auto greeted = co_await client->greet();
    if (!greeted) co_return fail(ErrorCode::Unavailable, "{}", greeted.error().describe());
    co_return std::move(client);
  }

  MigrationSide side(const std::optional<ImapUrl>& url, RemoteAccount* remote) {
    if (remote) return {name_of(url), [remote] { return remote->connect(); }};
    return {ends_.account, [this] { return connect_local(*local_, ends_.account); }};
  }

  MigrationProgress watch() {
    MigrationProgress watch;
    watch.folder = [this](const FolderPlan& plan, std::size_t number, std::size_t of) {
      progress_.reset();
      label_ = fmt::format("{}/{} {}", number, of, plan.from);
    };
    watch.messages = [this](std::uint64_t done, std::uint64_t total) {
      if (!progress_) progress_.emplace(terminal_, label_, total);
      progress_->set(done);
    };
    watch.trouble = [this](std::string_view what) {
      progress_.reset();
      terminal_.complain(kTrouble, what);
    };
    return watch;
  }

  Task<Result<std::vector<FolderReport>>> work() {
    MigrationSettings settings;
    settings.dry_run = invocation_.has("--dry-run");
    settings.exclude = invocation_.values("--exclude");
    co_return co_await migrate(side(ends_.from, from_.get()), side(ends_.to, to_.get()), *state_,
                               std::move(settings), watch());
  }

  Exit move() {
    net::Cores cores(1);
    cores.start();
    auto reports = cores.run(0, [&] { return work(); });
    cores.stop();
    cores.join();
    progress_.reset();
    if (!reports) {
      auto exit = report(reports.error(), terminal_);
      if (reports.error().code == ErrorCode::NotFound) return Exit::NoAccount;
      if (!invocation_.has("--dry-run") && reports.error().code != ErrorCode::Denied)
        terminal_.complain(kStopped);
      return exit;
    }
    return invocation_.json() ? show_json(*reports) : show(*reports);
  }

  // --- what came of it ---

  struct Total {
    std::uint64_t messages = 0, bytes = 0, copied = 0, at_target = 0;
    bool proven = true;
  };
  static Total add_up(const std::vector<FolderReport>& reports) {
    Total total;
    for (auto& folder : reports) {
      total.messages += folder.messages;
      total.bytes += folder.bytes;
      total.copied += folder.copied;
      total.at_target += folder.at_target;
      total.proven &= folder.proven();
    }
    return total;
  }

  Exit show_json(const std::vector<FolderReport>& reports) {
    auto dry = invocation_.has("--dry-run");
    boost::json::array folders;
    for (auto& folder : reports) {
      boost::json::array problems;
      for (auto& problem : folder.problems) problems.push_back(json_text(problem));
      boost::json::object shown{
          {"from", json_text(folder.from)}, {"to", json_text(folder.to)},
          {"created", folder.created},      {"messages", folder.messages},
          {"bytes", folder.bytes},          {dry ? "to_copy" : "copied", folder.copied},
          {"already", folder.already},      {"flags_changed", folder.flags_changed},
          {"at_target", folder.at_target},  {"missing", folder.missing},
          {"problems", std::move(problems)}};
      if (!dry) {
        shown["from_sha256"] = folder.from_hash;
        shown["to_sha256"] = folder.to_hash;
        shown["proven"] = folder.proven();
      }
      folders.push_back(std::move(shown));
    }
    auto total = add_up(reports);
    boost::json::object result{{"dry_run", dry},
                               {"folders", std::move(folders)},
                               {"messages", total.messages},
                               {dry ? "to_copy" : "copied", total.copied},
                               {"at_target", total.at_target}};
    if (!dry) result["proven"] = total.proven;
    print_json(terminal_, result);
    return dry || total.proven ? Exit::Ok : Exit::Failed;
  }

  Exit show(const std::vector<FolderReport>& reports) {
    auto dry = invocation_.has("--dry-run");
    auto word = [&](const Phrase& phrase) { return std::string(phrase.in(terminal_.language())); };
    Table table{{word(kFolder), word(kBecomes), word(kMessages), word(kNew)}, {}};
    if (!dry) {
      table.headings.push_back(word(kSame));
      table.headings.push_back(word(kHash));
    }
    for (auto& folder : reports) {
      std::vector<std::string> row{folder.from, folder.to, grouped(folder.messages),
                                   grouped(folder.copied)};
      if (!dry) {
        row.push_back(grouped(folder.at_target));
        row.push_back(folder.from_hash == folder.to_hash
                          ? folder.from_hash.substr(0, 16) + "…"
                          : folder.from_hash.substr(0, 16) + " ≠ " + folder.to_hash.substr(0, 16));
      }
      table.rows.push_back(std::move(row));
    }
    terminal_.table(table);
    for (auto& folder : reports) {
      for (auto& problem : folder.problems)
        terminal_.complain_text(
            folder.from + ": " +
            error_in({ErrorCode::Invalid, problem, nullptr}, terminal_.language()));
      if (folder.missing > 0)
        terminal_.complain_text(folder.from + ": " +
                                say(terminal_.language(), kMissing, grouped(folder.missing)));
    }
    auto total = add_up(reports);
    if (dry) {
      terminal_.say(kWouldMove, grouped(total.copied), grouped(total.messages),
                    short_size(total.bytes), reports.size());
      return Exit::Ok;
    }
    if (total.proven) {
      terminal_.say(kProven, grouped(total.messages), reports.size(), short_size(total.bytes));
      return Exit::Ok;
    }
    terminal_.say(kNotProven, grouped(total.at_target), grouped(total.messages));
    return Exit::Failed;
  }

  const Invocation& invocation_;
  Terminal& terminal_;
  Ends ends_;
  std::unique_ptr<AccountSessions> local_;
  std::unique_ptr<RemoteAccount> from_;
  std::unique_ptr<RemoteAccount> to_;
  std::optional<MigrationState> state_;
  std::optional<Progress> progress_;
  std::string label_;
};

}  // namespace

Verb verb_migrate() {
  return {
      .name = "migrate",
      .group = Group::Store,
      .summary = {"moves a whole mail account here, away from here, or between two other servers",
                  "メールアカウントを丸ごと移行する(ここへ、ここから、他のサーバー間)"},
      .details =
          {"Copies folders, messages, flags, keywords, dates and subscriptions over IMAP. Nothing "
           "is changed or deleted at the source. Sent, Drafts, Junk, Trash and Archive come into "
           "the folders of that use, whatever they are called.\n\n"
           "It may be stopped at any time, also by a crash, and goes on where it was; run again "
           "later it copies only what is new, and flags that have changed follow. At the end "
           "every message has been read back from the target and compared; a count and a SHA-256 "
           "over all messages of each folder show it.\n\n"
           "The account here needs no password when its owner or root asks. Passwords of other "
           "servers are asked for, or with --password-stdin taken from standard input, the "
           "source's first, one a line. What has been done is kept beside the instance's data in "
           "migrate/; without an instance, in hikyaku-migrate/ in the current directory.",
           "フォルダー、メール、フラグ、キーワード、日付、購読状態を IMAP "
           "でコピーします。移行元では何も変更も削除もしません。送信済み、下書き、迷惑メール、"
           "ごみ箱、アーカイブは、名前が違っても同じ用途のフォルダーに入ります。\n\n"
           "途中で止めても(異常終了でも)続きから再開できます。後でもう一度実行すると新しい"
           "メールだけをコピーし、変わったフラグも反映します。最後に移行先から全メールを読み戻して"
           "比較し、フォルダーごとの通数と全メールの SHA-256 を表示します。\n\n"
           "ここのアカウントのパスワードは、持ち主か root が実行する場合は不要です。他のサーバーの"
           "パスワードは入力を求めるか、--password-stdin "
           "で標準入力から1行ずつ(移行元が先)読みます。記録はインスタンスのデータの隣の migrate/ "
           "に、インスタンスがなければ現在のディレクトリーの hikyaku-migrate/ に残ります。"},
      .arguments = {{"ACCOUNT",
                     {"the account here; not with both --from and --to",
                      "ここのアカウント。--from と --to の両方を指定する場合は不要"},
                     ArgumentSpec::Count::Optional}},
      .options =
          {{.name = "--from",
            .value = "URL",
            .help = {"the account to copy: imaps://USER@HOST[:PORT], or imap:// for STARTTLS",
                     "移行元: imaps://USER@HOST[:PORT]。STARTTLS なら imap://"}},
           {.name = "--to",
            .value = "URL",
            .help = {"the account to copy it into, if it is not here", "移行先(ここでない場合)"}},
           password_stdin_option(),
           {.name = "--dry-run",
            .help = {"say what would be done, and do nothing",
                     "何をするかを表示するだけで、何もしない"}},
           {.name = "--exclude",
            .value = "FOLDER",
            .help = {"leave out this folder and what is below it", "このフォルダーとその下を除く"},
            .repeatable = true},
           {.name = "--any-certificate",
            .help = {"accept whatever certificate the other servers show, as is done anyway of one "
                     "on loopback (a tunnel, say)",
                     "相手サーバーの証明書を検証しない(ループバック上の相手、"
                     "たとえばトンネルでは、指定がなくても検証しない)"}},
           {.name = "--state",
            .value = "DIR",
            .help = {"keep in DIR what has been done", "作業記録を DIR に保存する"}}},
      .examples = {{"hikyaku migrate --from imaps://anna@mail.example.com anna@alpha.test",
                    {"an account comes here", "アカウントをここへ移す"}},
                   {"hikyaku migrate anna@alpha.test --to imaps://anna@mail.example.com",
                    {"it goes elsewhere", "ここから別のサーバーへ移す"}},
                   {"hikyaku migrate --from imaps://anna@old.example --to imaps://anna@new.example "
                    "--dry-run",
                    {"what would be moved between two others",
                     "他のサーバー間で何が移行されるかを見る"}}},
      .uses_instance = true,
      .has_json = true,
      .run = [](const Invocation& invocation,
                Terminal& terminal) { return Run(invocation, terminal).run(); },
  };
}

}  // namespace hikyaku::app
