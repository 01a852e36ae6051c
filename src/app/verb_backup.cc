// hikyaku backup: a copy of the store while it is used.
#include "app/backup_files.h"
#include "app/backup_sums.h"
#include "app/cli.h"
#include "app/core.h"
#include "app/error_phrases.h"
#include "app/frozen_store.h"
#include "app/lost_names.h"
#include "app/missing_store.h"
#include "app/next_steps.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/told_losses.h"
#include "app/verbs.h"
#include "base/text.h"
#include "net/worker_pool.h"
#include "store/open.h"
#include "store/verify.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kLabel{"backup (KB)", "バックアップ (KB)"};
constexpr Phrase kChecking{"check", "検査"};
constexpr Phrase kDone{"{}: {} in {} [file|files], {} of them new here.",
                       "{}: {}、{} ファイル、うち新しいもの {}。"};
constexpr Phrase kKeyApart{
    "{} is not in it: keep a copy of that file elsewhere, apart from the backups. Without it "
    "passwords kept for SCRAM, CRAM-MD5 and app passwords are lost; mail is not.",
    "{} は含まれていません。そのファイルの複製を、バックアップとは別の場所に保管してください。"
    "なくすと SCRAM、CRAM-MD5 用やアプリ用のパスワードが使えなくなります(メールは無事です)。"};
constexpr Phrase kConfigToo{
    "hikyaku.toml, tls/ and dkim/ are not in it either: keep them, or use --with-config.",
    "hikyaku.toml、tls/、dkim/ も含まれていません。別に保管するか --with-config "
    "を付けてください。"};
constexpr Phrase kRemoved{"{} older [one is|ones are] removed.", "古いもの {} 件を削除しました。"};
constexpr Phrase kNotRemoved{"The backup is made, but older ones could not be removed: {}",
                             "バックアップはできましたが、古いものを削除できませんでした: {}"};
constexpr Phrase kWhole{"{} is whole: {} [body|bodies] of messages ({}).",
                        "{} は完全です: 本文 {} 通 ({})。"};
constexpr Phrase kBroken{"{} has {} [problem|problems]:", "{} に問題が {} 件あります:"};

constexpr Phrase kLabelCheck{"check (KB)", "検査 (KB)"};
constexpr Phrase kMakeAnother{
    "Make another backup: what is not what it was is copied anew, unless it is the store's own "
    "file (a hard link), which is damaged then, too: hikyaku verify tells. A restore from this one "
    "tells what is lost.",
    "もう一度バックアップしてください。壊れたファイルは新しく複製されます。ただし保管庫と同じファイ"
    "ル"
    "(ハードリンク)なら保管庫自体が壊れています。hikyaku verify で確かめてください。"
    "このバックアップから復元すると、失われたものを示します。"};
constexpr Phrase kMendStore{
    "Its files are as they were when it was made, on {}: the store was damaged then, and another "
    "backup is no better. Stop the server, copy the data directory, then: hikyaku verify --repair. "
    "What is lost may be in an older backup; a restore from this one tells what that is.",
    "このバックアップのファイルは {} に作られたときのままで、そのとき保管庫がすでに壊れていました。"
    "もう一度バックアップしても変わりません。サーバーを止め、データのディレクトリを複製してから "
    "hikyaku verify --repair "
    "を実行してください。失われたものは古いバックアップにあるかもしれません。"
    "このバックアップから復元すると、失われたものを示します。"};
constexpr Phrase kStoreDamaged{
    "the store is damaged: {}. The backup {} has all that can be read of it, and damaged files as "
    "they are. All older backups stay, for they may have what is lost. To mend the store: stop the "
    "server, copy the data directory, then: hikyaku verify --repair",
    "保管庫が壊れています: {}。バックアップ {} "
    "には読めるものすべてと、壊れたファイルがそのまま入っています。古いバックアップには失われたもの"
    "が"
    "残っているかもしれないため、一つも削除しません。保管庫を直すには、サーバーを止め、データの"
    "ディレクトリを複製してから hikyaku verify --repair を実行してください"};
constexpr Phrase kRotten{"rotten", "破損"};
constexpr Phrase kOfDamaged{"store damaged", "保管庫が破損"};
constexpr Phrase kAnother{"another backup is being made in {}: wait until it is done",
                          "{} では別のバックアップが進行中です。終わるまでお待ちください"};
constexpr Phrase kServerEnded{
    "the server ended or was started again before the backup was whole ({}); nothing of it is "
    "left: "
    "make it once more",
    "バックアップの途中でサーバーが終了したか再起動されました({})。途中までのものは残っていませ"
    "ん。もう一度実行してください"};
constexpr Phrase kInStore{
    "{} is in the store itself ({}): name a directory elsewhere, at best on another disk",
    "{} は保管庫({})の中です。別の場所、できれば別のディスクを指定してください"};
constexpr Phrase kQuietList{"--quiet does not go with --list",
                            "--quiet は --list とは併用できません"};

/// Says which secret.key belongs to a backup without telling anything about it; "" when this
/// process may not read it.
std::string key_of(const Instance& instance) {
  auto file = read_file(instance.secret_key, 4096);
  return file ? key_mark(*file) : "";
}

Exit list(const Invocation& invocation, Terminal& terminal) {
  auto all = list_backups(invocation.argument(0));
  if (!all) return report(all.error(), terminal);
  complain_of(all->unreadable, terminal);
  ItemList items(invocation, terminal,
                 {{"MADE (UTC)", "作成 (UTC)"},
                  {"SIZE", "大きさ"},
                  {"NEW", "新規分"},
                  {"STATE", "状態"},
                  {"PATH", "場所"}},
                 [&terminal](const boost::json::object& item) {
                   std::string state = "-";
                   if (flag_in(item, "rotten"))
                     state = kRotten.in(terminal.language());
                   else if (flag_in(item, "damaged"))
                     state = kOfDamaged.in(terminal.language());
                   return std::vector<std::string>{minute_of(text_in(item, "made")),
                                                   short_size(number_in(item, "bytes")),
                                                   short_size(number_in(item, "copied")),
                                                   std::move(state), text_in(item, "path")};
                 });
  for (auto& one : all->backups) {
    auto item = describe(one);
    item["path"] = json_text(one.path.string());
    item["rotten"] = is_rotten(one);
    item["damaged"] = one.damage.any();
    items.add(item);
  }
  items.finish({"There are no backups.", "バックアップはありません。"});
  if (!invocation.json())
    for (auto& one : all->backups) tell_of_damage(one, terminal);
  return all->unreadable.empty() ? Exit::Ok : Exit::Failed;
}

/// Files and store of a backup, read whole.
struct Checked {
  FilesReport files;
  store::VerifyReport store;
  std::vector<std::string> problems;  ///< some of `count`
  std::uint64_t count = 0;
};

Result<Checked> read_whole(const BackupInfo& info, Terminal& terminal) {
  Checked checked;
  {
    Progress progress(terminal, std::string(kLabelCheck.in(terminal.language())), info.bytes >> 10);
    std::uint64_t read = 0;
    checked.files =
        check_files(info, "", [&](std::uint64_t bytes) { progress.set((read += bytes) >> 10); });
  }
  checked.problems = checked.files.describe(terminal.language());
  checked.count = checked.problems.size();
  auto add = [&](const Error& error) {
    checked.problems.push_back(error_in(error, terminal.language()));
    ++checked.count;
  };
  net::ThreadPool workers(1);
  SystemClock clock;
  store::Options options{.directory = info.store().string(), .workers = workers, .clock = clock};
  options.for_reading = true;
  options.schema = kSchema;
  store::VerifyOptions how;
  how.name = name_lost_body;
  auto found = [&] {
    PartProgress progress(terminal, std::string(kChecking.in(terminal.language())));
    how.progress = [&](std::string_view doing, double part) { progress.set(doing, part); };
    return store::verify_store(options, how);
  }();
  if (!found && checked.files.good()) return std::unexpected(std::move(found).error());
  if (!found) {
    add(found.error());
    return checked;
  }
  checked.store = std::move(*found);
  for (auto& problem : checked.store.problems)
    checked.problems.push_back(finding_in(problem, terminal.language()));
  checked.count += checked.store.problem_count;
  // What a restore begins with; what verifying has told already is not told twice.
  if (checked.problems.empty())
    if (auto opened = store::open_store(options); !opened) add(opened.error());
  return checked;
}

Exit check(const Invocation& invocation, Terminal& terminal) {
  std::vector<UnreadableBackup> unreadable;
  auto info = find_backup(invocation.argument(0), &unreadable);
  complain_of(unreadable, terminal);
  if (!info) return report(info.error(), terminal);
  auto checked = read_whole(*info, terminal);
  if (!checked) return report(checked.error(), terminal);
  std::vector<std::string> rotten;
  for (auto& file : checked->files.rotten) rotten.push_back(file.path);
  note_rotten(*info, rotten);
  auto good = checked->problems.empty();
  if (invocation.json()) {
    boost::json::array problems, files;
    for (auto& problem : checked->problems) problems.push_back(json_text(problem));
    for (auto& file : rotten) files.push_back(json_text(file));
    boost::json::array lost;
    for (auto& body : checked->store.lost)
      lost.push_back(json_text(line_of(body, Language::English)));
    boost::json::object object{{"path", json_text(info->path.string())},
                               {"good", good},
                               {"as_made", checked->files.as_made(*info)},
                               {"bodies", checked->store.bodies},
                               {"body_bytes", checked->store.body_bytes},
                               {"rotten", std::move(files)},
                               {"problems", std::move(problems)},
                               {"problem_count", checked->count},
                               {"lost", std::move(lost)}};
    if (info->damage.any()) object["damage"] = to_json(info->damage);
    print_json(terminal, object);
  } else if (good) {
    if (invocation.has("--quiet")) return Exit::Ok;
    terminal.say(kWhole, info->path.string(), grouped(checked->store.bodies),
                 short_size(checked->store.body_bytes));
  } else {
    terminal.say(kBroken, info->path.string(), grouped(checked->count));
    list_some(checked->problems, checked->count, terminal);
    list_lost(checked->store.lost, terminal);
    tell_of_damage(*info, terminal);
    if (checked->files.as_made(*info))
      terminal.say(kMendStore, minute_in_utc(info->made));
    else
      terminal.say(kMakeAnother);
  }
  return good ? Exit::Ok : Exit::Failed;
}

void tell(const BackupInfo& made, const std::vector<std::filesystem::path>& removed,
          const Instance& instance, const Invocation& invocation, Terminal& terminal) {
  if (invocation.json()) {
    auto object = describe(made);
    object["path"] = json_text(made.path.string());
    boost::json::array gone;
    for (auto& path : removed) gone.push_back(json_text(path.string()));
    if (invocation.has("--keep")) object["removed"] = std::move(gone);
    print_json(terminal, object);
    return;
  }
  if (invocation.has("--quiet")) return;
  terminal.say(kDone, made.path.string(), short_size(made.bytes), grouped(made.files),
               short_size(made.copied));
  if (!removed.empty()) terminal.say(kRemoved, grouped(removed.size()));
  terminal.say(kKeyApart, instance.secret_key.string());
  if (!made.with_config) terminal.say(kConfigToo);
}

/// On standard error, also with --quiet.
void complain_of_damage(const BackupInfo& made, Terminal& terminal) {
  terminal.complain(kStoreDamaged, join(made.damage.describe(terminal.language()), "; "),
                    made.path.string());
}

Exit make(const Invocation& invocation, Terminal& terminal) {
  auto instance = Instance::from(invocation.value("--dir"));
  auto config = load_instance_config(instance, terminal);
  if (!config) return config.error();
  instance = instance.with(*config);
  auto key = key_of(instance);
  if (is_within(invocation.argument(0), instance.data)) {
    terminal.complain(kInStore, invocation.argument(0), instance.data.string());
    return Exit::Usage;
  }
  auto frozen = FrozenStore::open(instance, *config, tell_of_start(terminal));
  if (!frozen) {
    if (auto missing = report_missing_store(instance, terminal)) return *missing;
    return report_access(frozen.error(), terminal);
  }
  std::optional<Progress> progress;
  BackupPlan plan{.repository = std::filesystem::absolute(invocation.argument(0)),
                  .data = instance.data,
                  .instance = &instance,
                  .with_config = invocation.has("--with-config"),
                  .key = key,
                  .damage = (*frozen)->damage(),
                  .is_held = [&] { return (*frozen)->is_held(); },
                  .now = SystemClock().now(),
                  .progress =
                      [&](std::uint64_t done, std::uint64_t total) {
                        if (!progress)
                          progress.emplace(terminal, std::string(kLabel.in(terminal.language())),
                                           total >> 10);
                        progress->set(done >> 10);
                      }};
  auto made = make_backup((*frozen)->frozen(), plan);
  progress.reset();
  if (!made && made.error().code == ErrorCode::Conflict) {
    terminal.complain(kAnother, plan.repository.string());
    return Exit::TryLater;
  }
  if (!made && !(*frozen)->is_held()) {
    terminal.complain(kServerEnded, made.error().describe());
    return Exit::TryLater;
  }
  if (!made) return report(made.error(), terminal);
  Result<std::vector<std::filesystem::path>> removed;
  if (auto keep = invocation.number("--keep", 0))
    removed = remove_old_backups(*made, static_cast<std::size_t>(keep));
  if (!removed) terminal.complain(kNotRemoved, removed.error().describe());
  tell(*made, removed.value_or(std::vector<std::filesystem::path>()), instance, invocation,
       terminal);
  if (made->damage.any()) complain_of_damage(*made, terminal);
  return removed && !made->damage.any() ? Exit::Ok : Exit::Failed;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  if (invocation.has("--list") && invocation.has("--quiet")) {
    terminal.complain(kQuietList);
    return Exit::Usage;
  }
  if (invocation.has("--list")) return list(invocation, terminal);
  if (invocation.has("--check")) return check(invocation, terminal);
  return make(invocation, terminal);
}

}  // namespace

Verb verb_backup() {
  return {
      .name = "backup",
      .group = Group::Store,
      .summary = {"copies the whole store, also while the server runs",
                  "保管庫全体を複製する(サーバーが動いていても可)"},
      .details =
          {"Each backup is a dated directory below PATH, complete in itself: everything that was "
           "accepted before it began is in it. What has not changed since the one before becomes a "
           "hard link, so that daily backups take little space: what is new, and of what is being "
           "written 512 MB at most once more (two files of the journal). On the store's own file "
           "system they are made in seconds after the first (but then share its fate: copy them "
           "away). "
           "What was "
           "copied is read again; every file's checksum is kept in SUMS, which --check compares, "
           "and "
           "what it finds rotten is copied anew by the next backup. Any dated directory may be "
           "removed at any time; --keep removes the oldest once a new one is whole. Of a store "
           "that "
           "is known to be damaged a backup has all that can be read; then that is said, the exit "
           "code is 1, and --keep removes nothing. secret.key is never in a backup: keep it apart.",
           "PATH の下に日付のディレクトリができ、それぞれが完結しています。"
           "開始前に受け付けたものはすべて含まれます。"
           "前回から変わらないものはハードリンクになるので、毎日でも場所を取りません。増えるのは新"
           "しい分と、"
           "書き込み中のもの(ジャーナルの二ファイル)の再複製、多くても 512 MB だけです。"
           "保管庫と同じファイルシステムなら二回目からは数秒で終わります"
           "(ただし運命を共にするので、別の場所にも複製してください)。"
           "複製したものは読み直して確かめ、各ファイルのチェックサムを SUMS に残します。--check "
           "がそれと比べ、壊れていたものは次のバックアップで新しく複製します。日付のディレクトリは"
           "いつ消してもかまいません。--keep は、新しいものができた後に古いものから消します。"
           "保管庫が壊れていると分かっているときは、読めるものをすべて複製したうえでそのことを示し"
           "、"
           "終了コードは 1 になり、--keep は何も消しません。"
           "secret.key は決して含まれません。別に保管してください。"},
      .arguments = {{"PATH",
                     {"the directory of all backups (made if it is not there); with --check also "
                      "a single one",
                      "全バックアップのディレクトリ(なければ作る)。--check では個々の一つでも可"}}},
      .options =
          {{.name = "--with-config",
            .help = {"hikyaku.toml, tls/ and dkim/ too (with private keys)",
                     "hikyaku.toml、tls/、dkim/ も含める(秘密鍵を含む)"}},
           {.name = "--keep",
            .value = "N",
            .help = {"then remove the oldest of this store, so that N stay that are not "
                     "known to be rotten, or of a damaged store",
                     "その後、この保管庫の古いものを消し、壊れていない(壊れた保管庫のものでも"
                     "ない) N 個を残す"},
            .least = 1,
            .most = 100'000},
           {.name = "--quiet",
            .help = {"say only what is wrong: for cron", "問題だけを示す(cron 用)"}},
           {.name = "--list", .help = {"show what is there", "一覧を表示する"}},
           {.name = "--check",
            .help = {"read a backup (the newest) whole, and tell what is wrong with it",
                     "バックアップ(最新のもの)をすべて読み、問題を示す"}}},
      .examples = {{"hikyaku backup /backup/mail --with-config --keep 30 --quiet",
                    {"every night: a month of them", "毎晩: 一か月分"}},
                   {"hikyaku backup --check /backup/mail", {"now and then", "時々"}},
                   {"hikyaku backup --list /backup/mail", {"what there is", "一覧"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
