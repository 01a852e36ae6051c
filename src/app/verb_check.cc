// hikyaku check: is the instance set up as it should be?
#include "app/certificate_check.h"
#include "app/check_finding.h"
#include "app/core.h"
#include "app/dkim_keys.h"
#include "app/error_phrases.h"
#include "app/files_check.h"
#include "app/hung_disk.h"
#include "app/names_check.h"
#include "app/progress.h"
#include "app/repair_note.h"
#include "app/run_command.h"
#include "app/settings_check.h"
#include "app/shown_time.h"
#include "app/text_width.h"
#include "app/verbs.h"
#include "crypto/secret.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kLevels[] = {{"good", "良好"}, {"note", "注意"}, {"problem", "問題"}};

constexpr Phrase kReadable{
    "{} of {} [password is|passwords are] kept in a form that can be read back",
    "{1} 個中 {0} 個のパスワードが、読み戻せる形で保存されています"};
constexpr Phrase kNotReady{
    "{} ({}) cannot log in with {} until its password is changed or used "
    "with PLAIN once",
    "{} ({}) は、パスワードを変更するか PLAIN で一度使うまで、{} "
    "ではログインできません"};
constexpr Phrase kOtherKey{
    "the password of {0} was made with another secret.key: it works with PLAIN alone, not with "
    "SCRAM, CRAM-MD5 or APOP, until it is used with PLAIN once, or changed: hikyaku account "
    "password {0}",
    "{0} のパスワードは別の secret.key で作られています。PLAIN で一度使うか、変更する"
    "(hikyaku account password {0})まで、SCRAM、CRAM-MD5、APOP ではログインできません"};
constexpr Phrase kOtherKeyApp{
    "the app password \"{1}\" of {0} was made with another secret.key and does not work any more. "
    "Make another: hikyaku app-password remove {0} \"{1}\", "
    "then hikyaku app-password add {0} \"{1}\"",
    "{0} のアプリパスワード「{1}」は別の secret.key で作られていて、もう使えません。作り直すには: "
    "hikyaku app-password remove {0} \"{1}\" の後、hikyaku app-password add {0} \"{1}\""};
constexpr Phrase kAllReady{"every password works with every mechanism that is switched on",
                           "すべてのパスワードが、有効なすべての方式で使えます"};
constexpr Phrase kAliasNobody{
    "the alias {0} names {1}, which nobody has: hikyaku account add {1}, or hikyaku alias remove "
    "{0} "
    "{1}",
    "別名 {0} の届け先 {1} は存在しません: hikyaku account add {1}、または hikyaku alias remove "
    "{0} "
    "{1}"};
constexpr Phrase kCatchAllNobody{
    "the catch-all of {0} is {1}, which nobody has: hikyaku account add {1}, or hikyaku domain "
    "catch-all {0} ADDRESS",
    "{0} のキャッチオール {1} は存在しません: hikyaku account add {1}、または hikyaku domain "
    "catch-all {0} アドレス"};
constexpr Phrase kAliasCircle{
    "aliases lead in a circle, and nobody gets the mail: {0}. Break it: hikyaku alias remove {1} "
    "{2}",
    "別名が循環していて、メールは誰にも届きません: {0}。循環を断つには: hikyaku alias remove {1} "
    "{2}"};
constexpr Phrase kHarmlessCircle{
    "aliases lead in a circle, though others get the mail: {0}. Break it: hikyaku alias remove {1} "
    "{2}",
    "別名が循環しています(ほかの宛先には届きます): {0}。循環を断つには: hikyaku alias remove {1} "
    "{2}"};
constexpr Phrase kAliasesGood{"every alias leads to somebody", "すべての別名に届け先があります"};
constexpr Phrase kNoDomains{"there are no domains: hikyaku domain add DOMAIN",
                            "ドメインがありません: hikyaku domain add ドメイン"};
constexpr Phrase kUnsigned{
    "the mail of {0} leaves without a DKIM signature: hikyaku domain dkim {0} rotate",
    "{0} のメールは DKIM 署名なしで送られます: hikyaku domain dkim {0} rotate"};
constexpr Phrase kKeyFile{"the key of {} cannot be used: {}", "{} の鍵が使えません: {}"};
constexpr Phrase kKeysGood{"the mail of {} is signed (details: hikyaku domain check {})",
                           "{} のメールは署名されます(詳しくは: hikyaku domain check {})"};
constexpr Phrase kSpace{
    "the journal takes {}: mail {}, deleted mail that can be brought back {} (store.retention {}); "
    "{} of the disk are free",
    "ジャーナルは {}: メール {}、取り戻せる削除済みメール {} (store.retention {})。ディスクの空き "
    "{}"};
constexpr Phrase kNoSpace{
    "only {} of the disk are free, less than store.reserve ({}): mail is refused for now. Make "
    "room, delete mail, then: hikyaku undelete --purge",
    "ディスクの空きは {} で、store.reserve ({}) "
    "未満です。いまメールは受け付けません。空きを作るか、メールを削除してから hikyaku undelete "
    "--purge を実行してください"};
constexpr Phrase kNoInodes{
    "the file system of the store has no inodes left for new files: mail is refused as soon as the "
    "journal needs one. Remove files there (df -i counts them)",
    "保管庫のファイルシステムに新しいファイルのための inode が残っていません。ジャーナルに新しい"
    "ファイルが要るようになると、メールを受け付けられません。そこのファイルを減らしてください "
    "(df -i で数を見られます)"};
constexpr Phrase kLittleSpace{
    "only {} of the disk are free; below store.reserve ({}) mail is refused",
    "ディスクの空きは {} です。store.reserve ({}) を下回るとメールを受け付けません"};
constexpr Phrase kHungDisk{
    "a write to the store has gone on for {}: the disk hangs or is much too slow, and mail waits "
    "to "
    "be accepted. See the kernel's log (dmesg); a restart of the server does not mend it",
    "保管庫への書き込みが {} "
    "終わっていません。ディスクが応答しないか、極端に遅くなっています。その間メールは受け付けられ"
    "ません。カーネルのログ(dmesg)を確認してください。サーバーを再起動しても直りません"};
constexpr Phrase kReadOnly{
    "the store is read-only, for the journal is damaged: {}. Mail is refused for the moment (451), "
    "and nothing can be changed. Stop the server; hikyaku verify tells more. Copy the data "
    "directory, then mend it: hikyaku verify --repair",
    "ジャーナルが壊れているため、保管庫は読み取り専用です: {}。メールは一時的に拒否され(451)、"
    "何も変更できません。サーバーを止め、hikyaku verify で調べてください。データのディレクトリを"
    "複製してから hikyaku verify --repair で直してください"};
constexpr Phrase kLostSegment{
    "{} ({} lost in all): mail that stood there cannot be read. Stop the server, then: hikyaku "
    "verify. Restore from a backup, or go on without it: hikyaku verify --repair",
    "{} (失われたセグメントは計 {} 個)。そこにあったメールは読めません。サーバーを止めて hikyaku "
    "verify で調べ、バックアップから復元するか、hikyaku verify --repair "
    "で失われた分を諦めて続けてください"};
constexpr Phrase kUnreadable{
    "{} [message|messages] cannot be read (store.body_unreadable in the server's log). Stop the "
    "server, then: hikyaku verify. Restore from a backup, or go on without: hikyaku verify "
    "--repair",
    "{} 通のメッセージが読めません(ログの store.body_unreadable)。サーバーを止めて hikyaku verify "
    "で調べ、バックアップから復元するか、hikyaku verify --repair で諦めて続けてください"};
constexpr Phrase kDamagedRecord{
    "{} (damaged records: {}): no mail is lost while the index is whole, but it could not be made "
    "again from the journal. Stop the server, then: hikyaku verify --repair",
    "{} (壊れた記録は計 {} "
    "個)。索引が無事な間はメールは失われませんが、ジャーナルから索引を作り直せ"
    "ません。サーバーを止めて hikyaku verify --repair を実行してください"};
constexpr Phrase kScrubbed{
    "all mail and the index were last read through to the end on {} (store.scrub_every {})",
    "すべてのメールと索引を最後に読み終えたのは {} です (store.scrub_every {})"};
constexpr Phrase kNotScrubbed{
    "all mail and the index have not been read through to the end yet (store.scrub_every {})",
    "すべてのメールと索引を最後まで読み通したことはまだありません (store.scrub_every {})"};
constexpr Phrase kScrubOff{
    "damage in mail that nobody reads stays unknown until hikyaku verify: store.scrub_every is 0s",
    "誰も読まないメールの傷みは hikyaku verify まで知られません: store.scrub_every が 0s です"};
constexpr Phrase kIndexDamage{
    "a part of the index cannot be read ({}): clients get NO or 451 where it is needed, and no "
    "space "
    "is reclaimed. Restart the server: it makes the index again from the journal, or says in its "
    "log why it cannot (store.index_unreadable); then restore from a backup",
    "索引の一部が読めません({})。そこが必要な要求には NO や 451 "
    "を返し、領域の回収も止まっています。サーバーを再起動してください。ジャーナルから索引を作り直し"
    "ま"
    "す。作り直せないときは理由がログ(store.index_unreadable)に出ますので、バックアップから復元して"
    "ください"};
constexpr Phrase kNoBallast{
    "the disk was full, and the space kept for that ({}) is used up: when it fills up again, "
    "nothing "
    "can be deleted, and the server may not start. Make room, or delete mail, then: hikyaku "
    "undelete --purge",
    "ディスクが満杯になり、そのために取ってあった領域 ({}) "
    "を使い切りました。再び満杯になると削除も起動もできなくなるおそれがあります。空きを作るか、"
    "メールを削除してから hikyaku undelete --purge を実行してください"};
constexpr Phrase kRepairLost{
    "a repair (or the restore of a damaged backup) has lost mail: {} names it. When those whose "
    "mail it was have been told, remove that file",
    "保管庫の修復(または壊れたバックアップからの復元)で失われたメールがあります。{} "
    "に記録があります。持ち主に伝え終えたら、そのファイルを消してください"};
constexpr Phrase kRepairCutOff{
    "a repair of the store was cut off: stop the server, then hikyaku verify --repair again; it "
    "tells what {} has noted",
    "保管庫の修復が中断されました。サーバーを止めてから hikyaku verify --repair "
    "をもう一度実行してください。{} に記録されたことも示されます"};
constexpr Phrase kDnsNotAsked{"the DNS was not asked (--no-dns)",
                              "DNS には問い合わせていません(--no-dns)"};
constexpr Phrase kQuietJson{"--quiet does not go with --json",
                            "--quiet は --json とは併用できません"};
constexpr Phrase kSummary{"Problems: {}, notes: {}.", "問題 {} 件、注意 {} 件。"};

class Check {
 public:
  Check(const Invocation& invocation, Terminal& terminal, const Instance& instance,
        const config::Config& config)
      : invocation_(invocation), terminal_(terminal), instance_(instance), config_(config) {
    host_name_ = config.server.host_name.empty() ? machine_name() : config.server.host_name;
  }

  /// False: the directory could not be asked; said already.
  std::optional<Exit> run() {
    check_settings(findings_, instance_, config_, host_name_);
    check_files(findings_, instance_, config_);
    check_certificates(findings_, config_, host_name_, SystemClock().now());
    Commands commands(invocation_, terminal_);
    std::vector<std::string> domains;
    auto listed =
        commands.run("domain.list", {},
                     {.item = [&](auto& item) { domains.push_back(text_in(item, "domain")); }});
    if (!listed) return commands.report(listed.error());
    auto checked = credentials(commands);
    if (!checked) return commands.report(checked.error());
    auto followed = aliases(commands);
    if (!followed) return commands.report(followed.error());
    for (auto& domain : domains) {
      auto signs = signing(commands, domain);
      if (!signs) return commands.report(signs.error());
    }
    auto used = space(commands);
    if (!used) return commands.report(used.error());
    if (domains.empty()) add(Level::Problem, "domains", kNoDomains);
    if (invocation_.has("--no-dns"))
      add(Level::Note, "dns", kDnsNotAsked);
    else
      check_names(findings_, config_, host_name_, domains, terminal_);
    return std::nullopt;
  }

  const Findings& findings() const { return findings_; }

 private:
  template <class... Args>
  void add(Level level, std::string_view area, const Phrase& phrase, const Args&... args) {
    findings_.add(level, area, phrase, args...);
  }

  Commands::Answer credentials(Commands& commands) {
    bool all_ready = true;
    auto show = [&](const boost::json::object& item) {
      all_ready = false;
      auto name = text_in(item, "credential");
      if (flag_in(item, "other_key")) {
        if (flag_in(item, "app_password"))
          add(Level::Problem, "accounts", kOtherKeyApp, text_in(item, "address"), name);
        else
          add(Level::Problem, "accounts", kOtherKey, text_in(item, "address"));
        return;
      }
      std::string mechanisms = flag_in(item, "scram") ? "SCRAM" : "";
      if (flag_in(item, "legacy"))
        mechanisms += (mechanisms.empty() ? "" : ", ") + std::string("CRAM-MD5, APOP");
      add(Level::Note, "accounts", kNotReady, text_in(item, "address"), text_in(item, "credential"),
          mechanisms);
    };
    auto answer = commands.run("check.credentials", {}, {.item = show});
    if (!answer) return answer;
    if (all_ready) add(Level::Good, "accounts", kAllReady);
    if (number_in(*answer, "readable") != 0 && !config_.server.local)
      add(Level::Note, "accounts", kReadable, number_in(*answer, "readable"),
          number_in(*answer, "checked"));
    return answer;
  }

  Commands::Answer aliases(Commands& commands) {
    bool all_good = true;
    auto show = [&](const boost::json::object& item) {
      all_good = false;
      auto address = text_in(item, "address"), target = text_in(item, "target");
      auto what = text_in(item, "what");
      if (what == "nobody")
        add(Level::Problem, "aliases", kAliasNobody, address, target);
      else if (what == "catch-all")
        add(Level::Problem, "aliases", kCatchAllNobody, address, target);
      else if (flag_in(item, "delivered"))
        add(Level::Note, "aliases", kHarmlessCircle, text_in(item, "way"), address, target);
      else
        add(Level::Problem, "aliases", kAliasCircle, text_in(item, "way"), address, target);
    };
    auto answer = commands.run("check.aliases", {}, {.item = show});
    if (answer && all_good) add(Level::Good, "aliases", kAliasesGood);
    return answer;
  }

  /// Whether the mail of a domain leaves signed, and its key files are as they must be.
  Commands::Answer signing(Commands& commands, const std::string& domain) {
    if (!config_.dkim.sign) return boost::json::object{};
    std::size_t active = 0, broken = 0;
    auto look = [&](const boost::json::object& key) {
      if (text_in(key, "state") != "active") return;
      ++active;
      auto path = dkim_key_path(instance_.dkim, domain, text_in(key, "selector"));
      auto pem = read_file(path, 64 * 1024);
      // Others than root and the server's user may not look into it, which is as it should be.
      if (!pem && pem.error().code != ErrorCode::Denied) {
        ++broken;
        add(Level::Problem, "dkim", kKeyFile, text_in(key, "name"), pem.error().describe());
      }
      if (pem) crypto::wipe(*pem);
      check_secrecy(findings_, "dkim", path);
    };
    auto answer = commands.run("dkim.list", {{"domain", json_text(domain)}}, {.item = look});
    if (!answer) return answer;
    if (active == 0)
      add(Level::Problem, "dkim", kUnsigned, domain);
    else if (broken == 0)
      add(Level::Good, "dkim", kKeysGood, domain, domain);
    return answer;
  }

  /// When what nobody asks for was last read.
  void scrubbed(const std::string& when) {
    auto every = config_.store.scrub_every;
    if (every.count() == 0)
      add(Level::Note, "store", kScrubOff);
    else if (when.empty())
      add(Level::Good, "store", kNotScrubbed, format_duration(every));
    else
      add(Level::Good, "store", kScrubbed, minute_in_utc(when), format_duration(every));
  }

  Commands::Answer space(Commands& commands) {
    auto answer = commands.run("space.use", {});
    if (!answer) return answer;
    auto bytes = [&](std::string_view name) { return number_in(*answer, name); };
    auto told = [&](std::string_view name) {
      return told_in(text_in(*answer, name), terminal_.language());
    };
    auto free = bytes("free");
    if (!told("read_only").empty())
      add(Level::Problem, "store", kReadOnly, told("read_only"));
    else
      add(Level::Good, "space", kSpace, short_size(bytes("journal")), short_size(bytes("live")),
          short_size(bytes("retained")), format_duration(config_.store.retention),
          short_size(free));
    if (flag_in(*answer, "no_inodes")) add(Level::Problem, "space", kNoInodes);
    if (free < bytes("reserve"))
      add(Level::Problem, "space", kNoSpace, short_size(free), short_size(bytes("reserve")));
    else if (free < 2 * bytes("reserve"))
      add(Level::Note, "space", kLittleSpace, short_size(free), short_size(bytes("reserve")));
    if (seconds age(bytes("write_under_way")); age >= kLongWrite)
      add(age < kHungWrite ? Level::Note : Level::Problem, "store", kHungDisk,
          format_duration(age));
    if (auto lost = bytes("lost_segments"))
      add(Level::Problem, "store", kLostSegment, told("lost_segment"), grouped(lost));
    if (auto unreadable = bytes("unreadable"))
      add(Level::Problem, "store", kUnreadable, grouped(unreadable));
    if (auto records = bytes("damaged_records"))
      add(Level::Problem, "store", kDamagedRecord, told("damaged_record"), grouped(records));
    if (auto damage = text_in(*answer, "index_damage"); !damage.empty())
      add(Level::Problem, "store", kIndexDamage, damage);
    scrubbed(text_in(*answer, "scrubbed"));
    for (auto& note : answer->at("repair_notes").as_array()) {
      std::string name(note.as_string());
      bool cut_off = name == kRepairing;
      add(cut_off ? Level::Problem : Level::Note, "repair", cut_off ? kRepairCutOff : kRepairLost,
          (instance_.data / name).string());
    }
    // One that is read-only has none.
    if (bytes("ballast_wanted") != 0 && bytes("ballast") == 0 && told("read_only").empty())
      add(Level::Problem, "space", kNoBallast, (instance_.data / "BALLAST").string());
    return answer;
  }

  const Invocation& invocation_;
  Terminal& terminal_;
  const Instance& instance_;
  const config::Config& config_;
  std::string host_name_;
  Findings findings_{terminal_.language()};
};

void tell(const Finding& finding, Terminal& terminal) {
  constexpr Tone kTones[] = {Tone::Good, Tone::Warning, Tone::Bad};
  auto level = static_cast<std::size_t>(finding.level);
  auto word = padded(kLevels[level].in(terminal.language()), 9);
  auto text = wrapped(terminal.for_instance(finding.text), 9, terminal.width());
  terminal.lines(terminal.toned(kTones[level], word) + text.substr(9));
}

/// `problems_alone`: a word every night about what is as it should be, or could be better, is soon
/// not read any more.
void tell(const Findings& findings, bool problems_alone, Terminal& terminal) {
  for (auto& finding : findings.all())
    if (!problems_alone || finding.level == Level::Problem) tell(finding, terminal);
  if (!problems_alone)
    terminal.say(kSummary, findings.count(Level::Problem), findings.count(Level::Note));
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  if (invocation.has("--quiet") && invocation.json()) {
    terminal.complain(kQuietJson);
    return Exit::Usage;
  }
  auto instance = Instance::from(invocation.value("--dir"));
  auto config = load_instance_config(instance, terminal);
  if (!config) return config.error();
  Check check(invocation, terminal, instance, *config);
  if (auto failed = check.run()) return *failed;
  auto& findings = check.findings();
  if (invocation.json()) {
    boost::json::array all;
    for (auto& finding : findings.all())
      all.push_back({{"level", kLevels[static_cast<std::size_t>(finding.level)].en},
                     {"area", finding.area},
                     {"text", json_text(finding.text)}});
    print_json(terminal, all);
  } else {
    tell(findings, invocation.has("--quiet"), terminal);
  }
  return findings.count(Level::Problem) == 0 ? Exit::Ok : Exit::Failed;
}

}  // namespace

Verb verb_check() {
  return {
      .name = "check",
      .group = Group::Start,
      .summary = {"looks whether the instance is set up as it should be",
                  "インスタンスの設定が正しいか調べる"},
      .details = {"Configuration, whether the server's user can read its files (run it as root for "
                  "that), certificates (dates, names, keys), DNS records of the domains "
                  "and the way back from the server's address, passwords that do not work with "
                  "the mechanisms that are switched on, aliases that lead to nobody, and what is "
                  "weaker than it need be. Exit "
                  "code 0: no problems (there may be notes); 1: problems.",
                  "設定、サーバーのユーザーがファイルを読めるか(root で実行したとき)、"
                  "証明書(期限、名前、鍵)、ドメインの DNS "
                  "レコードとサーバーのアドレスの逆引き、有効なログイン方式で使えないパスワード、"
                  "誰にも届かない別名、"
                  "必要以上に弱い設定を調べます。終了コード 0: 問題なし(注意はありうる)、1: "
                  "問題あり。"},
      .options = {{.name = "--no-dns",
                   .help = {"do not ask the DNS", "DNS への問い合わせをしない"}},
                  {.name = "--quiet",
                   .help = {"say only what is wrong: for cron", "問題だけを示す(cron 用)"}}},
      .examples = {{"hikyaku check",
                    {"after quickstart, and now and then", "quickstart の後や、時々"}},
                   {"hikyaku check --quiet",
                    {"every day, by cron: problems alone", "毎日、cron で: 問題だけ"}},
                   {"hikyaku check --json --no-dns", {"for monitoring", "監視用"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
