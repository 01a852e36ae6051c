// hikyaku restore: everything, or the mail of an account, out of a backup.
#include <expected>
#include <unistd.h>

#include "app/backup_files.h"
#include "app/backup_mail.h"
#include "app/backup_sums.h"
#include "app/cli.h"
#include "app/core.h"
#include "app/error_phrases.h"
#include "app/import_data.h"
#include "app/next_steps.h"
#include "app/progress.h"
#include "app/repair_note.h"
#include "app/restore_instance.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/system_user.h"
#include "app/told_losses.h"
#include "app/verbs.h"
#include "base/text.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kLabel{"restore (KB)", "復元 (KB)"};
constexpr Phrase kMailDone{
    "{} [message|messages] of {} [is|are] back in {}, {} [was|were] there already.",
    "{1} のメッセージ {0} 通を {2} に戻しました。すでにあったもの {3} 通。"};
constexpr Phrase kMailRefused{"{} [message was|messages were] not taken:",
                              "{} 通は戻せませんでした:"};
constexpr Phrase kDone{"{} is as it was on {}. Start the server: hikyaku serve{}",
                       "{} を {} の状態に戻しました。サーバーを起動してください: hikyaku serve{}"};
constexpr Phrase kPasswordsLost{
    "The secret.key is another one than when the backup was made: chosen passwords work with PLAIN "
    "(once, and then with all else again), app passwords have to be made anew. Who is affected: "
    "hikyaku check{}",
    "secret.key がバックアップ時と異なります。通常のパスワードは PLAIN で使え"
    "(一度使えばほかの方式でも使えます)、アプリパスワードは作り直す必要があります。"
    "対象の確認: hikyaku check{}"};
constexpr Phrase kKeyMade{"A new secret key is in {}: keep a copy of it apart.",
                          "新しい秘密鍵は {} にあります。複製を別に保管してください。"};
constexpr Phrase kKeyGiven{
    "{0} can be read by the group of {1} now (0640), for the server needs it.",
    "サーバーが必要とするため、{0} を {1} のグループが読めるようにしました (0640)。"};
constexpr Phrase kUnused{
    "These are this instance's own; what the backup has in their place was not used: {0}. To "
    "use it: stop the server, move them away, then restore once more: hikyaku restore {1} "
    "--force{2}",
    "次のものはこのインスタンスのもので、バックアップにあるものは使っていません: {0}。使うには、"
    "サーバーを止めてそれらを移し、もう一度復元してください: hikyaku restore {1} --force{2}"};
constexpr Phrase kHeld{
    "{} [message is|messages are] held in the queue, for [it|they] may have been sent since then: "
    "hikyaku queue "
    "list{}, then hikyaku queue release or drop.",
    "キューの {} 通は、その後に送信済みかもしれないため保留中です: hikyaku queue list{} の後、"
    "hikyaku queue release または drop。"};
constexpr Phrase kFormer{"What was there is now in {}: remove it when all is well.",
                         "元のデータは {} にあります。問題がなければ消してください。"};
constexpr Phrase kOccupied{
    "{} has a store already. With --force it is set aside (nothing is removed), and the backup "
    "takes "
    "its place.",
    "{} にはすでに保管庫があります。--force "
    "を付けると、それを(消さずに)脇へ移してから復元します。"};
constexpr Phrase kRunning{
    "the store is in use: {}. Stop the server first (or restore only an account: --account).",
    "保管庫は使用中です: {}。先にサーバーを止めてください"
    "(アカウントだけの復元なら --account で可能)。"};
constexpr Phrase kNoConfig{
    "{} is not there, and the backup was made without --with-config: put it (with tls/, dkim/ and "
    "secret.key) there first, or make a new one: hikyaku quickstart ADDRESS{}",
    "{} がなく、バックアップも --with-config なしで作られています。先に(tls/、dkim/、secret.key "
    "とともに)置くか、新しく作ってください: hikyaku quickstart ADDRESS{}"};
constexpr Phrase kNoKey{
    "{} is not there. It is never in a backup: put the copy there that you keep apart. If there is "
    "none, --force makes a new one: mail is not affected, and chosen passwords go on with PLAIN, "
    "but app passwords are lost, and what is kept for SCRAM and CRAM-MD5 until a password is used "
    "with PLAIN or changed.",
    "{} がありません。これは決してバックアップに含まれません。別に保管した複製を置いてください。"
    "複製がなければ、--force で新しく作ります。メールは失われず、通常のパスワードも PLAIN で"
    "使えますが、アプリパスワードは使えなくなり、SCRAM と CRAM-MD5 は、PLAIN で一度使うか"
    "変更するまで使えません。"};
constexpr Phrase kOtherKey{
    "{} is another one than when the backup was made: passwords kept for SCRAM, CRAM-MD5 and app "
    "passwords would be lost. Put the right one there, or use --force.",
    "{} はバックアップ時のものと異なります。SCRAM、CRAM-MD5 "
    "用やアプリ用のパスワードが使えなくなります。正しいものを置くか --force を付けてください。"};
constexpr Phrase kVerifying{"verify", "検査"};
constexpr Phrase kDamaged{"{} is not what it was when it was made:",
                          "{} は作成時のままではありません:"};
constexpr Phrase kDamagedThen{
    "{} is as it was made, on {}, but the store was damaged then already:",
    "{} は {} に作られたままですが、そのとき保管庫がすでに壊れていました:"};
constexpr Phrase kNothingLost{"Nothing is lost by that.", "それで失われたものはありません。"};
constexpr Phrase kLost{"{} [thing is|things are] lost:", "失われたもの {} 件:"};
constexpr Phrase kNotRestored{
    "Nothing was changed. Try another backup (hikyaku backup --list {}), or take this one as it "
    "is: "
    "--with-losses.",
    "何も変更していません。別のバックアップを使うか(hikyaku backup --list {})、"
    "損失を承知で復元するには --with-losses を付けてください。"};
constexpr Phrase kBadConfig{
    "{} is damaged: {}. Put the files there that you keep, or take them as they are: "
    "--with-losses.",
    "{} が壊れています: {}。手元の控えを置くか、そのまま使うには --with-losses "
    "を付けてください。"};
constexpr Phrase kMountPoint{
    "{} is where a file system is mounted, and cannot be replaced by another directory: set "
    "store.path to a directory in it, such as {}/data, and restore again",
    "{} はマウントポイントなので置き換えられません。store.path をその中のディレクトリ、たとえば "
    "{}/data にして、もう一度復元してください"};
constexpr Phrase kDangling{"{} leads to {}, which is not there: is the disk mounted?",
                           "{} のリンク先 {} がありません。ディスクはマウントされていますか?"};
constexpr Phrase kMailLost{
    "{} [message|messages] cannot be read in the backup, and [was|were] left out: another backup "
    "may have [it|them].",
    "{} 通はバックアップから読めず、除きました。別のバックアップにはあるかもしれません。"};
constexpr Phrase kNeedsAccount{"--mailbox and --into go with --account",
                               "--mailbox と --into は --account とともに使います"};

Exit restore_mail(const Invocation& invocation, Terminal& terminal, const BackupInfo& backup) {
  auto address = invocation.value("--account").value_or("");
  auto into = invocation.value("--into").value_or(address);
  // Before the store is opened: as root we become the server's user then, who may not read this.
  auto source = open_backup_mail(backup, address, invocation.value("--mailbox").value_or(""));
  if (!source) {
    terminal.complain_text(error_in(source.error(), terminal.language()));
    return source.error().code == ErrorCode::NotFound ? Exit::NoAccount
                                                      : exit_for(source.error().code);
  }
  Commands commands(invocation, terminal);
  // A mailbox that is asked for by name is to be there again, whole.
  bool anywhere = !invocation.has("--mailbox");
  ImportData data(**source, terminal, std::string(kLabel.in(terminal.language())));
  auto answer =
      commands.run("account.import",
                   {{"address", json_text(into)}, {"duplicates", false}, {"anywhere", anywhere}},
                   {.data = [&] { return data.next(); }});
  if (data.error()) return report(*data.error(), terminal);
  if (!answer) return commands.report(answer.error());
  auto refused = number_in(*answer, "refused");
  auto& lost = (*source)->lost();
  if (invocation.json()) {
    (*answer)["lost"] = json_texts(lost);
    print_json(terminal, *answer);
  } else {
    terminal.say(kMailDone, grouped(number_in(*answer, "imported")), address, into,
                 grouped(number_in(*answer, "known")));
    if (refused != 0) {
      terminal.say(kMailRefused, grouped(refused));
      for (auto& problem : answer->at("problems").as_array())
        terminal.paragraph(printable(std::string_view(problem.as_string())), 2);
    }
    if (!lost.empty()) terminal.say(kMailLost, grouped(lost.size()));
    for (auto& one : lost) terminal.paragraph(printable(one), 2);
  }
  return refused == 0 && lost.empty() ? Exit::Ok : Exit::Failed;
}

/// Which secret.key the passwords of the backup meet.
enum class KeyThere { Right, Other, None };

/// What stands against it, said.
std::expected<KeyThere, Exit> look_at_key(const Invocation& invocation, Terminal& terminal,
                                          const BackupInfo& backup, const Instance& instance) {
  auto force = invocation.has("--force");
  auto key = read_file(instance.secret_key, 4096);
  if (!key && key.error().code != ErrorCode::NotFound)
    return std::unexpected(report(key.error(), terminal));
  if (!key && force) return KeyThere::None;
  if (!key) {
    terminal.complain(kNoKey, instance.secret_key.string());
    return std::unexpected(Exit::NoInput);
  }
  auto mark = key_mark(*key);
  crypto::wipe(*key);
  if (backup.key.empty() || mark == backup.key) return KeyThere::Right;
  if (force) return KeyThere::Other;
  terminal.complain(kOtherKey, instance.secret_key.string());
  return std::unexpected(Exit::Config);
}

/// What comes beside the store (configuration, keys, directories) goes again unless all succeeds.
class MadeBeside {
 public:
  explicit MadeBeside(const Instance& instance) {
    for (auto& path : {instance.config, instance.tls, instance.dkim, instance.secret_key})
      note(path);
    note_directories(instance.config.parent_path());
  }
  MadeBeside(const MadeBeside&) = delete;
  MadeBeside& operator=(const MadeBeside&) = delete;
  ~MadeBeside() {
    std::error_code ignored;
    if (kept_) return;
    for (auto& path : missing_) std::filesystem::remove_all(path, ignored);
    for (auto& path : missing_directories_) ::rmdir(path.c_str());  // if nothing is in it
  }

  /// The directory, and those above it, that are not there yet.
  void note_directories(std::filesystem::path path) {
    std::error_code error;
    std::vector<std::filesystem::path> found;
    for (; !path.empty() && path != path.root_path() && !std::filesystem::exists(path, error);
         path = path.parent_path())
      found.push_back(path);
    missing_directories_.insert(missing_directories_.begin(), found.begin(), found.end());
  }
  void keep() { kept_ = true; }

 private:
  void note(const std::filesystem::path& path) {
    std::error_code error;
    // One that cannot be looked at is not ours to remove.
    if (std::filesystem::symlink_status(path, error).type() ==
        std::filesystem::file_type::not_found)
      missing_.push_back(path);
  }

  std::vector<std::filesystem::path> missing_;
  std::vector<std::filesystem::path> missing_directories_;  ///< the deepest first
  bool kept_ = false;
};

Result<void> make_key(const Instance& instance, const std::optional<SystemUser>& owner) {
  crypto::SystemRandom random;
  TRY_DO(write_new_file(instance.secret_key, crypto::MasterKey::generate(random).text().reveal(),
                        0600));
  return let_read(instance.secret_key, owner, 0640);
}

/// The configuration of the backup, where the instance has none; nullopt: it is there.
std::optional<Exit> bring_config(const Invocation& invocation, Terminal& terminal,
                                 const BackupInfo& backup, const Instance& instance) {
  std::error_code error;
  if (std::filesystem::exists(instance.config, error)) return std::nullopt;
  if (!backup.with_config) {
    terminal.complain(kNoConfig, instance.config.string(), dir_words(instance));
    return Exit::NoInput;
  }
  auto files = check_files(backup, "config", [](std::uint64_t) {});
  if (!files.good() && !invocation.has("--with-losses")) {
    terminal.complain(kBadConfig, backup.path.string(),
                      files.describe(terminal.language()).front());
    return Exit::Failed;
  }
  if (auto done = restore_config(backup, instance); !done) return report(done.error(), terminal);
  return std::nullopt;
}

/// The store's directory is renamed, and another gets its name: where that cannot be, say so before
/// anything is copied.
std::optional<Exit> cannot_replace(Terminal& terminal, const Instance& instance) {
  auto fixed = find_fixed_place(instance.data);
  if (!fixed) return std::nullopt;
  if (fixed->why == FixedPlace::Why::MountPoint)
    terminal.complain(kMountPoint, fixed->target.string(), fixed->target.string());
  else
    terminal.complain(kDangling, instance.data.string(), fixed->target.string());
  return Exit::CannotCreate;
}

Result<RestoreOutcome> do_restore(const Invocation& invocation, Terminal& terminal,
                                  const BackupInfo& backup, const Instance& instance,
                                  const config::Config& config, HeldData& held) {
  std::optional<Progress> progress;
  PartProgress verified(terminal, std::string(kVerifying.in(terminal.language())));
  std::uint64_t copied = 0;
  RestoreRules rules{.with_losses = invocation.has("--with-losses"),
                     .language = terminal.language()};
  progress.emplace(terminal, std::string(kLabel.in(terminal.language())),
                   tree_size(backup.store()) >> 10);
  rules.copied = [&](std::uint64_t bytes) { progress->set((copied += bytes) >> 10); };
  rules.verifying = [&](std::string_view doing, double part) {
    progress.reset();
    verified.set(doing, part);
  };
  return restore_instance(backup, instance, config, held, rules);
}

/// What was done beside the store, or not.
struct Beside {
  KeyThere key{};
  bool key_given = false;  ///< to the server's user, to read it
  std::string owner;       ///< that user
  std::vector<std::filesystem::path> unused = {};
};

/// It stays given, also where nothing else was done.
void tell_key_given(const Beside& beside, const Instance& instance, Terminal& terminal) {
  if (beside.key_given) terminal.say(kKeyGiven, instance.secret_key.string(), beside.owner);
}

void tell_beside(const Beside& beside, const BackupInfo& backup, const Instance& instance,
                 Terminal& terminal) {
  if (beside.key == KeyThere::None) terminal.say(kKeyMade, instance.secret_key.string());
  if (beside.key != KeyThere::Right) terminal.say(kPasswordsLost, dir_words(instance));
  tell_key_given(beside, instance, terminal);
  if (beside.unused.empty()) return;
  std::vector<std::string> names;
  for (auto& path : beside.unused) names.push_back(path.string());
  terminal.say(kUnused, join(names, ", "), backup.path.string(), dir_words(instance));
}

void tell(const RestoreOutcome& outcome, const BackupInfo& backup, const Instance& instance,
          const Beside& beside, Terminal& terminal) {
  auto list = [&](const std::vector<std::string>& all) {
    for (auto& one : all) terminal.paragraph(printable(finding_in(one, terminal.language())), 2);
  };
  if (!outcome.damage.empty()) {
    if (outcome.as_made)
      terminal.say(kDamagedThen, backup.path.string(), minute_in_utc(backup.made));
    else
      terminal.say(kDamaged, backup.path.string());
    std::vector<std::string> damage;
    for (auto& one : outcome.damage) damage.push_back(finding_in(one, terminal.language()));
    list_some(damage, damage.size(), terminal);
    tell_of_damage(backup, terminal);
    if (outcome.lost_count == 0) terminal.say(kNothingLost);
  }
  if (outcome.lost_count != 0) {
    terminal.say(kLost, grouped(outcome.lost_count));
    list(outcome.lost);
    if (outcome.lost.size() < outcome.lost_count) terminal.paragraph("…", 2);
  }
  if (!outcome.in_place) {
    tell_key_given(beside, instance, terminal);
    return terminal.say(kNotRestored, backup.path.parent_path().string());
  }
  terminal.say(kDone, instance.data.string(), minute_in_utc(backup.made), dir_words(instance));
  tell_beside(beside, backup, instance, terminal);
  if (outcome.held != 0) terminal.say(kHeld, grouped(outcome.held), dir_words(instance));
  if (!outcome.note.empty()) terminal.say(kNoted, (instance.data / outcome.note).string());
  if (!outcome.former.empty()) terminal.say(kFormer, outcome.former.string());
}

boost::json::array json_paths(const std::vector<std::filesystem::path>& paths) {
  boost::json::array all;
  for (auto& path : paths) all.push_back(json_text(path.string()));
  return all;
}

boost::json::value note_json(const RestoreOutcome& outcome, const Instance& instance) {
  if (outcome.note.empty()) return nullptr;
  return json_text((instance.data / outcome.note).string());
}

Exit restore_all(const Invocation& invocation, Terminal& terminal, const BackupInfo& backup) {
  auto instance = Instance::from(invocation.value("--dir"));
  auto key = look_at_key(invocation, terminal, backup, instance);
  if (!key) return key.error();
  MadeBeside beside(instance);
  if (auto hindrance = bring_config(invocation, terminal, backup, instance)) return *hindrance;
  auto config = load_instance_config(instance, terminal);
  if (!config) return config.error();
  instance = instance.with(*config);
  if (auto hindrance = cannot_replace(terminal, instance)) return *hindrance;
  instance.data = resolve_place(instance.data);
  beside.note_directories(instance.data.parent_path());
  // From here to the end no server can begin to write what would be set aside.
  auto held = HeldData::take(instance, *config);
  if (!held) {
    if (held.error().code != ErrorCode::Conflict) return report(held.error(), terminal);
    terminal.complain(kRunning, error_in(held.error(), terminal.language()));
    return Exit::TryLater;
  }
  if ((*held)->has_store() && !invocation.has("--force")) {
    terminal.complain(kOccupied, instance.data.string());
    return Exit::CannotCreate;
  }
  if (*key == KeyThere::None)
    if (auto made = make_key(instance, (*held)->owner()); !made)
      return report(made.error(), terminal);
  Beside done{.key = *key, .owner = config->server.user};
  if (auto& owner = (*held)->owner(); owner && *key != KeyThere::None) {
    auto given = let_read_secret(instance.secret_key, *owner);
    if (!given) return report(given.error(), terminal);
    done.key_given = *given;
  }
  auto outcome = do_restore(invocation, terminal, backup, instance, *config, **held);
  if (!outcome) {
    tell_key_given(done, instance, terminal);
    return report(outcome.error(), terminal);
  }
  if (outcome->in_place) beside.keep();
  done.unused = unused_config(backup, instance);
  if (invocation.json())
    print_json(terminal, boost::json::object{{"made", backup.made},
                                             {"restored", outcome->in_place},
                                             {"epoch", outcome->epoch},
                                             {"held", outcome->held},
                                             {"other_key", *key != KeyThere::Right},
                                             {"key_given", done.key_given},
                                             {"config_unused", json_paths(done.unused)},
                                             {"former", json_text(outcome->former.string())},
                                             {"damage", json_texts(outcome->damage)},
                                             {"as_made", outcome->as_made},
                                             {"lost", json_texts(outcome->lost)},
                                             {"lost_count", outcome->lost_count},
                                             {"note", note_json(*outcome, instance)}});
  else
    tell(*outcome, backup, instance, done, terminal);
  return outcome->lost_count == 0 ? Exit::Ok : Exit::Failed;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  std::vector<UnreadableBackup> unreadable;
  auto backup = find_backup(invocation.argument(0), &unreadable);
  complain_of(unreadable, terminal);
  if (!backup) return report(backup.error(), terminal);
  if (invocation.has("--account")) return restore_mail(invocation, terminal, *backup);
  if (invocation.has("--mailbox") || invocation.has("--into")) {
    terminal.complain(kNeedsAccount);
    return Exit::Usage;
  }
  return restore_all(invocation, terminal, *backup);
}

}  // namespace

Verb verb_restore() {
  return {
      .name = "restore",
      .group = Group::Store,
      .summary = {"brings back everything, or an account's mail, from a backup",
                  "バックアップから全体を、またはアカウントのメールを復元する"},
      .details =
          {"Without --account: the whole store, while no server runs; a store that is there is set "
           "aside with --force, never removed. Mail clients notice: mailboxes that change from "
           "then on have a new UIDVALIDITY, and change numbers of the lost time never come again. "
           "What was in the queue is held, for it may have been sent meanwhile. What was copied is "
           "compared with its checksums and verified; where something is lost of it, that is told "
           "and nothing is changed, unless --with-losses is given. With --account: "
           "the messages that the account had then and has no longer, beside what is there, with "
           "flags and dates, also while the server runs. What was moved since, or lies in a "
           "mailbox that was renamed, is still there: the same bytes with the same date of "
           "arrival, in any mailbox, as many times as then. With --mailbox that mailbox becomes "
           "whole again: all that it had and of which it has not the same bytes any longer comes "
           "back, also what is still there elsewhere.",
           "--account "
           "なし: サーバーが動いていないときに保管庫全体を戻します。すでにある保管庫は --force "
           "で脇へ移し、決して消しません。メールソフトには分かります。"
           "以後変わるメールボックスは新しい UIDVALIDITY になり、"
           "失われた期間の変更番号は二度と使われません。キューにあったものは、"
           "すでに送信済みかもしれないため保留になります。複製したものはチェックサムと比べて検査し"
           "、"
           "失われたものがあれば、それを示して何も変更しません(--with-losses で続行)。--account "
           "あり: その時点でアカウントにあり今はないメッセージを、フラグと日付とともに今あるものに"
           "加えます。サーバーが動いていても可能です。内容と受信日時が同じものが、どのメールボック"
           "スで"
           "あれ当時と同じ数だけあれば(移動や名前の変更をした場合も)"
           "、まだあるものとして戻しません。"
           "--mailbox では、そのメールボックスに内容の同じものがなくなったメッセージを、別のメール"
           "ボックスに残っているものも含めてすべて戻します。"},
      .arguments = {{"PATH",
                     {"a dated directory of a backup, or the directory of all: then the newest",
                      "日付のバックアップ、または全体のディレクトリ(最新のものを使う)"}}},
      .options =
          {{.name = "--account",
            .value = "ADDRESS",
            .help = {"only the mail of this account", "このアカウントのメールだけ"}},
           {.name = "--mailbox",
            .value = "NAME",
            .help = {"only this mailbox and those below it", "このメールボックスとその下だけ"}},
           {.name = "--into",
            .value = "ADDRESS",
            .help = {"into another account than it came from", "元とは別のアカウントに入れる"}},
           {.name = "--with-losses",
            .help = {"restore a damaged backup without what is lost of it",
                     "壊れたバックアップを、失われた分を除いて復元する"}},
           {.name = "--force",
            .help = {"set aside the store that is there; go on with another secret.key, or a new "
                     "one if there is none",
                     "今ある保管庫を脇へ移す。異なる secret.key "
                     "でも続け、なければ新しく作る"}}},
      .examples = {{"hikyaku restore /backup/mail --dir /srv/mail",
                    {"the newest, into an instance that has no store",
                     "最新のものを、保管庫のないインスタンスへ"}},
                   {"hikyaku restore /backup/mail --account anna@example.org --mailbox Work",
                    {"what is missing of one folder, while the server runs",
                     "一つのフォルダーの足りない分を、サーバーを動かしたまま"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
