// hikyaku verify: is everything in the store as it was written?
#include <algorithm>
#include <fmt/core.h>
#include <iterator>
#include <sys/statvfs.h>
#include <thread>

#include "app/cli.h"
#include "app/core.h"
#include "app/error_phrases.h"
#include "app/homeless_mail.h"
#include "app/lost_names.h"
#include "app/mail_check.h"
#include "app/missing_store.h"
#include "app/next_steps.h"
#include "app/progress.h"
#include "app/repair_note.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/system_user.h"
#include "app/told_losses.h"
#include "app/verbs.h"
#include "base/text.h"
#include "store/posix_file_system.h"
#include "store/scrub_note.h"
#include "store/verify.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kChecking{"verify", "検査"};
constexpr Phrase kGood{"Everything is as it was written: {} [body|bodies] ({}), {} [row|rows].",
                       "すべて書き込んだとおりです。本文 {} 通({})、{} 行。"};
constexpr Phrase kGoodButDeleted{
    "What nobody has deleted is as it was written: {} [body|bodies] in all ({}), {} [row|rows].",
    "削除されていないものはすべて書き込んだとおりです。本文は全部で {} 通({})、{} 行。"};
constexpr Phrase kGoodUncompared{"Everything is as it was written: {} [body|bodies] ({}).",
                                 "すべて書き込んだとおりです。本文 {} 通({})。"};
constexpr Phrase kGoodUncomparedButDeleted{
    "What nobody has deleted is as it was written: {} [body|bodies] in all ({}).",
    "削除されていないものはすべて書き込んだとおりです。本文は全部で {} 通({})。"};
constexpr Phrase kUncompared{
    "The rows of the index could not be compared with the journal: parts of the journal have gone "
    "with mail that was deleted, and there is no copy of the index (checkpoint/) from before. Each "
    "of its blocks was read, and is as its checksum says. The server makes that copy at its next "
    "start.",
    "索引の各行をジャーナルと突き合わせることはできませんでした。削除されたメールとともにジャーナル"
    "の一部がすでになく、それ以前の索引の写し(checkpoint/)もないためです。索引のブロックはすべて"
    "読み、チェックサムと一致しました。写しはサーバーの次の起動時に作られます。"};
constexpr Phrase kGone{
    "{} more [body|bodies] cannot be read; no message has [it|them] any more, and the space "
    "returns in time.",
    "このほか {} "
    "通の本文は読めませんが、どのメッセージのものでもなく、領域はやがて再利用されます。"};
constexpr Phrase kWaiting{
    "{} of the bodies [is|are] of mail that was deleted or has been sent, kept for a while so that "
    "it can be brought back; a message and its copies share one body.",
    "本文のうち {} 通は、削除された(または送信を終えた)メールのもので、元に戻せるようしばらく残して"
    "あります。同じメッセージの複製は一つの本文を共有します。"};
constexpr Phrase kShared{
    "A message and its copies share one body; mail that waits in the queue has bodies, too.",
    "同じメッセージの複製は一つの本文を共有します。キューで待つメールにも本文があります。"};
constexpr std::string_view kNothingBeside = "what stood beside it is gone, too";
constexpr Phrase kPerhapsLost{"Perhaps lost:", "失われた可能性があるもの:"};
constexpr Phrase kProblems{"{} [problem|problems]:", "問題が {} 件あります:"};
constexpr Phrase kGoodMail{
    "The mail of {} [account|accounts] is whole: {} [message|messages], counted and parsed again.",
    "{} アカウントのメールは完全です。{} 通を数え直し、解析し直しました。"};
constexpr Phrase kGoodMailSomeHomeless{
    "The mail of {} [account|accounts] and of {} without an address is whole: {} "
    "[message|messages], counted and parsed again.",
    "{} アカウントと、アドレスのない {} アカウントのメールは完全です。{} "
    "通を数え直し、解析し直しまし"
    "た。"};
constexpr Phrase kMailNotChecked{"The mail itself was not checked: repair the store first.",
                                 "メール自体は検査していません。先に保管庫を修復してください。"};
constexpr Phrase kMailProblems{"{} [problem|problems] in the mail:",
                               "メールに問題が {} 件あります:"};
constexpr Phrase kLostMail{"{} [message is|messages are] lost:", "失われたメールが {} 通あります:"};
constexpr Phrase kPromised{
    "{} deleted [message|messages] that undelete would bring back [is|are] damaged:",
    "undelete で元に戻せるはずの削除済みメールのうち {} 通が壊れています:"};
constexpr Phrase kPromisesNotNamed{
    "{} [body|bodies] of mail that was deleted or has been sent cannot be read, either.",
    "削除された(または送信を終えた)メールの本文も {} 通読めません。"};
constexpr Phrase kRepaired{"Repaired:", "修復しました:"};
constexpr Phrase kHowToRepair{
    "Copy the data directory first, then: hikyaku verify --repair{} keeps everything that can be "
    "read.",
    "まずデータのディレクトリを丸ごと複製してから hikyaku verify --repair{} "
    "を実行すると、読めるものはすべて残ります。"};
constexpr Phrase kBringBack{
    "What is lost may be in a backup: start the server, then hikyaku restore BACKUP --account "
    "ADDRESS{} brings back what an account lacks.",
    "失われたものはバックアップにあるかもしれません。サーバーを起動してから hikyaku restore "
    "BACKUP --account ADDRESS{} を実行すると、アカウントに足りないものが戻ります。"};
constexpr Phrase kEarlier{"A repair that was cut off had noted before:",
                          "中断された修復が先に記録していたこと:"};
constexpr Phrase kInUse{"{}. Stop the server first: verify reads a store that nobody has open.",
                        "{}。先にサーバーを止めてください。verify "
                        "は誰も開いていない保管庫を調べます。"};

constexpr Phrase kReadOnly{
    "The disk is mounted read-only: the rows of the index were not compared with the journal.",
    "ディスクは読み取り専用でマウントされているため、索引の各行はジャーナルと突き合わせていません"
    "。"};
constexpr Phrase kReadOnlyNotWhole{
    "The disk is mounted read-only. There only a store that was closed well can be looked at: "
    "otherwise the index has to be brought up to the journal first. Copy {} to a disk that can be "
    "written, and look at the copy with --dir.",
    "ディスクは読み取り専用でマウントされています。その場合に調べられるのは、正常に閉じられた保管庫"
    "だけです。そうでなければ、先に索引をジャーナルに追い付かせる必要があります。{} を書き込める"
    "ディスクに複製し、--dir でその複製を調べてください。"};

constexpr Phrase kBallastUsed{
    "The disk is full: the space was used that is kept for that ({}). Make room.",
    "ディスクに空きがないため、そのときのために確保してある領域({})を使いました。空きを作って"
    "ください。"};

boost::json::array homeless_json(const MailReport& mail) {
  boost::json::array all;
  for (auto& one : mail.homeless)
    all.push_back({{"account", one.account}, {"messages", one.messages}, {"bytes", one.bytes}});
  return all;
}

boost::json::value mail_json(const std::optional<MailReport>& mail) {
  if (!mail) return nullptr;
  return boost::json::object{{"accounts", mail->accounts},
                             {"messages", mail->messages},
                             {"digests", mail->digests},
                             {"problems", json_texts(mail->problems)},
                             {"lost", json_texts(mail->lost)},
                             {"promised", json_texts(mail->promised)},
                             {"without_address", homeless_json(*mail)},
                             {"repairs", json_texts(mail->repairs)}};
}

/// Nothing is for a repair to do, or lost.
bool is_sound(const store::VerifyReport& report, const std::optional<MailReport>& mail) {
  return report.good() && mail && mail->problems.empty() && mail->lost.empty() &&
         mail->promised.empty();
}
bool is_read_only(const std::filesystem::path& directory) {
  struct statvfs found{};
  return ::statvfs(directory.c_str(), &found) == 0 && (found.f_flag & ST_RDONLY) != 0;
}

bool good(const store::VerifyReport& report, const std::optional<MailReport>& mail) {
  return is_sound(report, mail) && mail->homeless.empty();
}

bool loses(const store::VerifyReport& report) {
  return !report.lost.empty() || report.lost_groups != 0 || !report.perhaps_lost.empty();
}

/// What stays known of a repair.
struct Noted {
  std::vector<std::string> earlier;           ///< what one that was cut off had noted
  std::optional<std::filesystem::path> file;  ///< where it stands for good
};

bool is_lost(std::string_view line) {
  return line.starts_with(kLostWord);
}

/// The lines of the note: the word first, so that one can look for what is lost.
std::vector<std::string> note_lines(const store::VerifyReport& report) {
  std::vector<std::string> lines;
  for (auto& problem : report.problems) lines.push_back("found: " + problem);
  if (report.lost_groups != 0)
    lines.push_back(fmt::format("{}groups of changes: {}", kLostWord, report.lost_groups));
  for (auto& text : report.perhaps_lost)
    lines.push_back(fmt::format("{}perhaps: {}", kLostWord, text));
  for (auto& body : report.lost)
    lines.push_back(fmt::format("{}body {} ({} bytes, {}): {}", kLostWord, body.id, body.size,
                                date_of(body, Language::English), origin_of(body, kNothingBeside)));
  return lines;
}
std::vector<std::string> note_lines(const MailReport& mail) {
  std::vector<std::string> lines;
  for (auto& problem : mail.problems) lines.push_back("found: " + problem);
  for (auto& one : mail.homeless)
    lines.push_back(
        fmt::format("found: account {} has {} messages, and no address: hikyaku account recover",
                    one.account, one.messages));
  for (auto& message : mail.lost) lines.push_back(std::string(kLostWord) + message);
  for (auto& message : mail.promised)
    lines.push_back(std::string(kLostWord) + "of what was deleted: " + message);
  return lines;
}

void tell_json(const store::VerifyReport& report, const std::optional<MailReport>& mail,
               const Noted& noted, Terminal& terminal) {
  boost::json::array lost;
  for (auto& body : report.lost)
    lost.push_back(
        {{"id", body.id},
         {"size", body.size},
         {"staged", body.staged ? json_text(format_rfc3339(*body.staged)) : boost::json::value()},
         {"salvage", json_text(printable(body.salvage))},
         {"name", json_text(body.name)}});
  print_json(terminal, boost::json::object{{"good", good(report, mail)},
                                           {"segments", report.segments},
                                           {"groups", report.groups},
                                           {"bodies", report.bodies},
                                           {"waiting", report.waiting},
                                           {"waiting_damaged", report.waiting_damaged.size()},
                                           {"body_bytes", report.body_bytes},
                                           {"rows", report.rows},
                                           {"rows_compared", report.rows_compared()},
                                           {"problems", json_texts(report.problems)},
                                           {"problem_count", report.problem_count},
                                           {"lost", std::move(lost)},
                                           {"lost_groups", report.lost_groups},
                                           {"perhaps_lost", json_texts(report.perhaps_lost)},
                                           {"repairs", json_texts(report.repairs)},
                                           {"epoch", report.epoch},
                                           {"earlier", json_texts(noted.earlier)},
                                           {"note", noted.file ? json_text(noted.file->string())
                                                               : boost::json::value()},
                                           {"mail", mail_json(mail)}});
}

std::vector<std::string> told(const std::vector<std::string>& texts, const Terminal& terminal) {
  std::vector<std::string> all;
  for (auto& text : texts) all.push_back(finding_in(text, terminal.language()));
  return all;
}

void tell_noted(const Noted& noted, const Instance& instance, Terminal& terminal) {
  if (!noted.earlier.empty()) {
    terminal.say(kEarlier);
    list_some(noted.earlier, noted.earlier.size(), terminal);
    if (std::ranges::any_of(noted.earlier, is_lost)) terminal.say(kBringBack, dir_words(instance));
  }
  if (noted.file) terminal.say(kNoted, noted.file->string());
}

void list(const Phrase& title, const std::vector<std::string>& texts, Terminal& terminal) {
  if (texts.empty()) return;
  terminal.say(title, grouped(texts.size()));
  list_some(told(texts, terminal), texts.size(), terminal);
}

void tell_whole(const MailReport& mail, Terminal& terminal) {
  auto homeless = mail.homeless.size();
  auto messages = grouped(mail.messages);
  if (homeless == 0) return terminal.say(kGoodMail, grouped(mail.accounts), messages);
  terminal.say(kGoodMailSomeHomeless, grouped(mail.accounts - homeless), grouped(homeless),
               messages);
}

void tell_homeless(const std::optional<MailReport>& mail, const Instance& instance,
                   Terminal& terminal) {
  if (!mail) return;
  for (auto& one : mail->homeless)
    terminal.say(kNoAddress, one.account, grouped(one.messages), short_size(one.bytes),
                 dir_words(instance));
}

/// `damaged`: how many bodies of deleted mail.
void tell_mail(const std::optional<MailReport>& mail, std::size_t damaged, Terminal& terminal) {
  if (!mail) {
    if (damaged != 0) terminal.say(kPromisesNotNamed, grouped(damaged));
    return terminal.say(kMailNotChecked);
  }
  if (mail->problems.empty() && mail->lost.empty()) tell_whole(*mail, terminal);
  list(kPromised, mail->promised, terminal);
  list(kMailProblems, mail->problems, terminal);
  list(kLostMail, mail->lost, terminal);
}

/// Everything is as it was written.
void tell_good(const store::VerifyReport& report, const std::optional<MailReport>& mail,
               Terminal& terminal) {
  bool promised = !mail || !mail->promised.empty();
  // Those that cannot be read are told apart: here, or with the messages that undelete promises.
  auto gone = promised ? 0 : report.waiting_damaged.size();
  auto bodies = grouped(report.bodies - gone), size = short_size(report.body_bytes);
  if (report.rows_compared())
    terminal.say(promised ? kGoodButDeleted : kGood, bodies, size, grouped(report.rows));
  else
    terminal.say(promised ? kGoodUncomparedButDeleted : kGoodUncompared, bodies, size);
  if (report.comparing == store::VerifyReport::Comparing::NoCopy) terminal.say(kUncompared);
  if (report.waiting != gone)
    terminal.say(kWaiting, grouped(report.waiting - gone));
  else if (mail && mail->messages != report.bodies - gone)
    terminal.say(kShared);
  if (gone != 0) terminal.say(kGone, grouped(gone));
}

/// What `mail` names of what is lost is told with it.
void tell(const store::VerifyReport& report, const std::optional<MailReport>& mail,
          Terminal& terminal) {
  if (report.good()) return tell_good(report, mail, terminal);
  bool named = mail && mail->lost.size() >= report.lost.size();
  terminal.say(kProblems, grouped(report.problem_count));
  list_some(told(report.problems, terminal), report.problem_count, terminal);
  if (!named) list_lost(report.lost, terminal);
}

/// What was done, or is to be done.
void tell_remedy(const store::VerifyReport& report, const std::optional<MailReport>& mail,
                 bool repair, const Instance& instance, Terminal& terminal) {
  if (is_sound(report, mail)) return;
  if (!repair) return terminal.say(kHowToRepair, dir_words(instance));
  auto repairs = report.repairs;
  if (mail) repairs.insert(repairs.end(), mail->repairs.begin(), mail->repairs.end());
  if (!repairs.empty()) terminal.say(kRepaired);
  list_some(told(repairs, terminal), repairs.size(), terminal);
  list(kPerhapsLost, report.perhaps_lost, terminal);
  if (loses(report) || (mail && !(mail->lost.empty() && mail->promised.empty())))
    terminal.say(kBringBack, dir_words(instance));
}

/// The note as it stays.
Result<Noted> finish_note(RepairNote& note, const store::VerifyReport& report,
                          const std::optional<MailReport>& mail) {
  auto lines = note_lines(report);
  if (mail) std::ranges::move(note_lines(*mail), std::back_inserter(lines));
  Noted noted{note.earlier(), {}};
  bool lost = std::ranges::any_of(lines, is_lost) || std::ranges::any_of(noted.earlier, is_lost);
  if (lost) {
    for (auto& repair : report.repairs) lines.push_back("done: " + repair);
    if (mail)
      for (auto& repair : mail->repairs) lines.push_back("done: " + repair);
    TRY_DO(note.add(lines));
  }
  TRY(noted.file, note.finish(lost));
  return noted;
}

class Verification {
 public:
  Verification(Instance instance, const config::Config& config, bool repair, Terminal& terminal)
      : instance_(std::move(instance)), terminal_(terminal) {
    options_.schema = kSchema;
    options_.ballast = kBallast;
    auto memory = plan_memory(config);
    options_.index_memory = memory.index;
    options_.staged_memory = memory.staged;
    how_.repair = repair;
    options_.for_reading = !repair && is_read_only(instance_.data);
    how_.name = name_lost_body;
    how_.progress = [this](std::string_view doing, double part) {
      if (!progress_) progress_.emplace(terminal_, std::string(kChecking.in(terminal_.language())));
      progress_->set(doing, part);
    };
  }

  Exit run(bool json) {
    if (how_.repair) {
      auto opened = RepairNote::open(instance_.data, clock_.now(),
                                     "hikyaku verify --repair, " + instance_.data.string());
      if (!opened) return app::report(opened.error(), terminal_);
      note_ = std::move(*opened);
    }
    auto report = look_at_store();
    if (!report) {
      if (report.error().code != ErrorCode::Conflict) return fail_with(report.error());
      terminal_.complain(kInUse, error_in(report.error(), terminal_.language()));
      return Exit::TryLater;
    }
    // What cannot be replayed whole is to be repaired before anybody looks at what it says.
    std::optional<MailReport> mail;
    if (report->good() || how_.repair) {
      auto looked = look_at_mail(*report);
      if (!looked) return fail_with(looked.error());
      mail = std::move(*looked);
    }
    Noted noted;
    if (note_) {
      auto finished = finish_note(*note_, *report, mail);
      if (!finished) return app::report(finished.error(), terminal_);
      noted = std::move(*finished);
      store::PosixFileSystem files;
      if (auto forgotten = store::forget_damage(files, instance_.data.string()); !forgotten)
        return app::report(forgotten.error(), terminal_);
    }
    if (json)
      tell_json(*report, mail, noted, terminal_);
    else
      tell_all(*report, mail, noted);
    auto whole = std::ranges::none_of(noted.earlier, is_lost) && !loses(*report) && mail &&
                 mail->lost.empty() && mail->promised.empty() && mail->homeless.empty();
    return (good(*report, mail) && !noted.file) || (how_.repair && whole) ? Exit::Ok : Exit::Failed;
  }

 private:
  Exit fail_with(const Error& error) {
    std::error_code ignored;
    if (!options_.for_reading || std::filesystem::exists(instance_.data / "CLEAN", ignored))
      return app::report(error, terminal_);
    terminal_.complain(kReadOnlyNotWhole, instance_.data.string());
    return Exit::Io;
  }

  Result<store::VerifyReport> look_at_store() {
    if (note_)
      how_.before_repair = [this](const store::VerifyReport& found) {
        return note_->add(note_lines(found));
      };
    auto ballast = instance_.data / "BALLAST";
    std::error_code ignored;
    bool kept = std::filesystem::exists(ballast, ignored);
    auto report = store::verify_store(options_, how_);
    progress_.reset();
    if (kept && !std::filesystem::exists(ballast, ignored))
      terminal_.complain(kBallastUsed, ballast.string());
    return report;
  }

  Result<MailReport> look_at_mail(const store::VerifyReport& report) {
    // Of what is lost the mail has better words; both stay.
    auto before_repair = [this](const MailReport& found) { return note_->add(note_lines(found)); };
    auto mail =
        check_mail(options_, how_.repair, how_.progress, before_repair, damaged_bodies(report));
    progress_.reset();
    return mail;
  }

  void tell_all(const store::VerifyReport& report, const std::optional<MailReport>& mail,
                const Noted& noted) const {
    tell(report, mail, terminal_);
    if (options_.for_reading) terminal_.say(kReadOnly);
    tell_mail(mail, report.waiting_damaged.size(), terminal_);
    tell_remedy(report, mail, how_.repair, instance_, terminal_);
    tell_homeless(mail, instance_, terminal_);
    tell_noted(noted, instance_, terminal_);
  }

  Instance instance_;
  Terminal& terminal_;
  net::ThreadPool workers_{std::max(1u, std::thread::hardware_concurrency())};
  SystemClock clock_;
  store::Options options_{
      .directory = instance_.data.string(), .workers = workers_, .clock = clock_};
  store::VerifyOptions how_;
  std::optional<RepairNote> note_;  ///< of a repair
  std::optional<PartProgress> progress_;
};

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto instance = Instance::from(invocation.value("--dir"));
  auto config = load_instance_config(instance, terminal);
  if (!config) return config.error();
  instance = instance.with(*config);
  if (auto became = become_user(config->server.user); !became)
    return report(became.error(), terminal);
  if (auto missing = report_missing_store(instance, terminal)) return *missing;
  return Verification(instance, *config, invocation.has("--repair"), terminal)
      .run(invocation.json());
}

}  // namespace

Verb verb_verify() {
  return {
      .name = "verify",
      .group = Group::Store,
      .summary = {"checks every record, body and row of the store",
                  "保管庫の全記録、全本文、全行を検査する"},
      .details =
          {"The server must not run. Exit code 0: everything is as it was written (or "
           "could be repaired without loss); 1: not so, and what is wrong or lost is named. "
           "--repair goes over what cannot be read and makes the index anew; copy the data "
           "directory before. Without it the mail and the journal are only read; the index "
           "is opened, which renews its lists of files, and after a crash takes in what the "
           "journal has. On a disk that is mounted read-only a store that was closed well "
           "is read as it is.",
           "サーバーを止めてから実行してください。終了コード 0: "
           "すべて書き込んだとおり(または失われるものなく修復できた)。1: "
           "そうでない場合で、問題と失われたものを示します。--repair "
           "は読めない部分を飛ばし、索引を作り直します。先にデータを複製してください。"
           "--repair を付けなければメールとジャーナルは読むだけです。索引は開くため、そのファイル"
           "一覧が新しくなり、異常終了の後ならジャーナルの内容が索引に取り込まれます。読み取り専用"
           "でマウントされたディスクでは、正常に閉じられた保管庫をそのまま読みます。"},
      .options = {{.name = "--repair", .help = {"mend what can be mended", "直せるものを直す"}}},
      .examples = {{"hikyaku verify --dir ~/mail", {"look, mend nothing", "調べるだけ"}},
                   {"hikyaku verify --repair --json",
                    {"mend, and tell programs what was done", "修復し、結果をプログラム向けに"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
