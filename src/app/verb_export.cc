// hikyaku export: an account's mail as files.
#include <fmt/format.h>
#include <utility>

#include "app/core.h"
#include "app/mail_files.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "base/base64.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kWhose{"--account ADDRESS is missing: whose mail?",
                        "--account アドレス がありません。誰のメールですか?"};
constexpr Phrase kDone{"{} [message|messages] ({}) of {} [is|are] in {}.",
                       "{2} の {0} 通({1})を {3} に書き出しました。"};
constexpr Phrase kLabel{"export", "書き出し"};
constexpr Phrase kUnreadable{
    "{} [message is|messages are] damaged and [was|were] left out ({} in {} names [it|them]). "
    "Stop the server, then: hikyaku verify",
    "破損のため {0} 通を書き出せませんでした({2} の {1} に一覧があります)。サーバーを止めて "
    "hikyaku "
    "verify で調べてください"};
constexpr Phrase kUnreadableMailboxes{
    "{} [mailbox is|mailboxes are] not here as a whole, because a part of the index is damaged ({} "
    "in {} names [it|them]). Stop the server, then: hikyaku verify",
    "索引の一部が壊れているため、メールボックス {0} 個は一部しか書き出せませんでした({2} の {1} に"
    "一覧があります)。サーバーを止めて hikyaku verify で調べてください"};
constexpr Phrase kStopped{"What is in {} is not all of it: the export did not come to its end.",
                          "{} にあるのは一部だけです。書き出しは最後まで終わりませんでした。"};

constexpr std::string_view kNotFinished =
    "This export has not come to its end: only a part of the mail is here.\n";
constexpr std::string_view kMissing = "This is not here, because the server could not read it:\n\n";
constexpr Phrase kLongNames{
    "{} [mailbox has a name|mailboxes have names] that no file can bear. {} says what [it is|they "
    "are] called, and import reads it:",
    "ファイル名にできない名前のメールボックスが {} 個あります。本来の名前は {} に記され、import "
    "はそれを読みます:"};
/// As many are named.
constexpr std::size_t kNamed = 10'000;

std::string name_of(const boost::json::object& message, std::string_view account) {
  auto text = [&](std::string_view name) { return printable(text_in(message, name), 200); };
  return fmt::format("{}, {}, UID {}, {}, {} bytes, From: {}, Subject: {}: {}", account,
                     text("mailbox"), number_in(message, "uid"), text("received"),
                     number_in(message, "size"), text("from"), text("subject"), text("why"));
}

std::string name_of_rest(const boost::json::object& rest, std::string_view account) {
  return fmt::format("{}, {}, all messages from UID {} on: {}", account,
                     printable(text_in(rest, "mailbox"), 200), number_in(rest, "from"),
                     printable(text_in(rest, "why"), 200));
}

/// Ends the call from within its handler: what cannot be written need not be read.
struct Stopped {
  Error error;
};

void must(Result<void> result) {
  if (!result) throw Stopped{std::move(result).error()};
}

/// Writes what the command sends.
class Writer {
 public:
  Writer(MailSink& sink, Terminal& terminal, std::uint64_t total, std::string account)
      : sink_(sink),
        progress_(terminal, std::string(kLabel.in(terminal.language())), total),
        account_(std::move(account)) {}

  /// The messages that could not be read.
  std::vector<std::string>& missing() { return missing_; }

  void take(const boost::json::object& item) {
    if (auto mailbox = item.if_contains("mailbox")) {
      must(sink_.mailbox(std::string(mailbox->as_string())));
    } else if (auto message = item.if_contains("message")) {
      auto& meta = message->as_object();
      MailItem begun{text_in(meta, "mailbox"), {}, {}};
      if (auto received = parse_rfc3339(text_in(meta, "received"))) begun.received = *received;
      for (auto& flag : meta.at("flags").as_array()) begun.flags.emplace_back(flag.as_string());
      must(sink_.begin(begun));
      in_message_ = true;
    } else if (auto unreadable = item.if_contains("unreadable")) {
      if (std::exchange(in_message_, false)) must(sink_.abandon());
      if (missing_.size() < kNamed) missing_.push_back(name_of(unreadable->as_object(), account_));
    } else if (auto rest = item.if_contains("unreadable_mailbox")) {
      if (missing_.size() < kNamed) missing_.push_back(name_of_rest(rest->as_object(), account_));
    } else if (item.contains("bytes")) {
      auto bytes = base64_decode(text_in(item, "bytes"));
      if (!bytes) throw Stopped{{ErrorCode::Invalid, "the server's data is not base64", nullptr}};
      must(sink_.write(*bytes));
    } else {
      must(sink_.end());
      in_message_ = false;
      progress_.set(++count_);
    }
  }

 private:
  MailSink& sink_;
  Progress progress_;
  std::string account_;
  std::uint64_t count_ = 0;
  bool in_message_ = false;
  std::vector<std::string> missing_;
};

Commands::Answer transfer(Commands& commands, const Invocation& invocation, Terminal& terminal,
                          MailSink& sink, std::uint64_t total, std::vector<std::string>& missing) {
  Writer writer(sink, terminal, total, std::string(invocation.value("--account").value_or("")));
  try {
    auto answer = commands.run("account.export",
                               {{"address", json_text(invocation.value("--account").value_or(""))},
                                {"mailbox", json_text(invocation.value("--mailbox").value_or(""))}},
                               {.item = [&](auto& item) { writer.take(item); }});
    if (!answer) return answer;
    TRY_DO(sink.finish());
    missing = std::move(writer.missing());
    return answer;
  } catch (const Stopped& stopped) {
    return std::unexpected(stopped.error);
  }
}

/// Everything that could be read is there: the note about it goes, or names what is missing.
Result<void> note_end(const std::filesystem::path& note, const std::vector<std::string>& missing) {
  if (missing.empty()) {
    std::error_code error;
    std::filesystem::remove(note, error);
    if (error) return fail(ErrorCode::Io, "cannot remove {}: {}", note.string(), error.message());
    return {};
  }
  auto beside = note.string() + ".new";
  TRY_DO(write_new_file(beside, std::string(kMissing) + join(missing, "\n") + '\n', 0600));
  std::error_code error;
  std::filesystem::rename(beside, note, error);
  if (error) return fail(ErrorCode::Io, "cannot write {}: {}", note.string(), error.message());
  return {};
}

/// On the screen, which need not hold them all: they stand in the file.
void show_long_names(const LongNames& names, const std::filesystem::path& path,
                     Terminal& terminal) {
  constexpr std::size_t kShown = 20;
  if (names.all().empty()) return;
  terminal.say(kLongNames, grouped(names.all().size()), (path / LongNames::kFile).string());
  std::size_t shown = 0;
  for (auto& [file, mailbox] : names.all()) {
    if (++shown > kShown) return terminal.paragraph("…", 2);
    terminal.paragraph(fmt::format("{}: {}", printable(file), printable(mailbox, 20'000)), 2);
  }
}

boost::json::array long_names_in(const LongNames& names) {
  boost::json::array all;
  for (auto& [file, mailbox] : names.all())
    all.push_back(boost::json::object{{"file", json_text(file)}, {"mailbox", json_text(mailbox)}});
  return all;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto address = invocation.value("--account").value_or("");
  if (address.empty()) {
    terminal.complain(kWhose);
    return Exit::Usage;
  }
  auto path = std::filesystem::absolute(invocation.argument(0));
  Commands commands(invocation, terminal, Commands::Rights::Own);
  auto shown = commands.run("account.show", {{"address", json_text(address)}});
  if (!shown) return commands.report(shown.error());
  auto sink = invocation.value("--format") == "mbox" ? make_mbox(path) : make_maildir(path);
  if (!sink) return commands.report(sink.error());
  auto total = invocation.has("--mailbox") ? 0 : number_in(*shown, "messages");
  auto note = path / kIncompleteNote;
  if (auto noted = write_new_file(note, kNotFinished, 0600); !noted)
    return commands.report(noted.error());
  std::vector<std::string> missing;
  auto answer = transfer(commands, invocation, terminal, **sink, total, missing);
  if (answer)
    if (auto noted = note_end(note, missing); !noted) answer = std::unexpected(noted.error());
  if (!answer) {
    auto code = commands.report(answer.error());
    terminal.complain(kStopped, path.string());
    return code;
  }
  auto unreadable = number_in(*answer, "unreadable");
  auto mailboxes = number_in(*answer, "unreadable_mailboxes");
  if (invocation.json()) {
    (*answer)["missing"] = json_texts(missing);
    (*answer)["long_names"] = long_names_in((*sink)->long_names());
    print_json(terminal, *answer);
  } else {
    terminal.say(kDone, grouped(number_in(*answer, "count")),
                 short_size(number_in(*answer, "bytes")), address, path.string());
    show_long_names((*sink)->long_names(), path, terminal);
    for (auto& one : missing) terminal.complain_text(one);
    if (unreadable != 0)
      terminal.complain(kUnreadable, grouped(unreadable), kIncompleteNote, path.string());
    if (mailboxes != 0)
      terminal.complain(kUnreadableMailboxes, grouped(mailboxes), kIncompleteNote, path.string());
  }
  return unreadable == 0 && mailboxes == 0 ? Exit::Ok : Exit::Failed;
}

}  // namespace

Verb verb_export() {
  return {
      .name = "export",
      .group = Group::Store,
      .summary = {"writes the mail of an account as files: Maildir or mbox",
                  "アカウントのメールをファイル(Maildir か mbox)に書き出す"},
      .details =
          {"Folders, flags, keywords and dates are kept; `hikyaku import`, Dovecot and "
           "most mail programs read the result. The mail stays where it is. Maildir has "
           "room for 26 keywords a folder. In an mbox, a message's own Status, X-Status and other "
           "fields that would be taken for its flags get a \">\" in front, which import takes "
           "away. A mailbox whose name is longer than a file's may be gets a shortened one, and "
           "the file LONG-NAMES says the true one, which import reads. "
           "Messages that are damaged, and what a damaged index hides, are left out and named, "
           "on the screen and in the file INCOMPLETE beside the others (which also stands "
           "there until an export has come to its end); the exit code is 1 then.",
           "フォルダー、フラグ、キーワード、日付も保存します。結果は `hikyaku import` や "
           "Dovecot、多くのメールソフトで読めます。元のメールはそのまま残ります。Maildir "
           "のキーワードはフォルダーごとに 26 個までです。mbox では、フラグと誤解される"
           "メッセージ自身の Status や X-Status などの欄の前に「>」を付け、import "
           "がそれを外します。"
           "ファイル名には長すぎる名前のメールボックスは短い名前になり、"
           "本来の名前はファイル LONG-NAMES に残り、import がそれを読みます。"
           "破損したメッセージや、壊れた索引のために読めないものは除かれ、"
           "画面と、書き出し先のファイル INCOMPLETE "
           "に一覧を残し(このファイルは書き出しが終わるまでの間もあります)、"
           "終了コードは 1 になります。"},
      .arguments = {{"PATH",
                     {"a directory that does not exist yet, or is empty",
                      "まだないか、空のディレクトリ"}}},
      .options = {{.name = "--account",
                   .value = "ADDRESS",
                   .help = {"whose mail (needed)", "誰のメールか(必須)"}},
                  {.name = "--mailbox",
                   .value = "NAME",
                   .help = {"only this one and those below it", "このメールボックスとその下だけ"}},
                  {.name = "--format",
                   .value = "FORMAT",
                   .help = {"maildir (unless told otherwise) or mbox", "maildir (既定)または mbox"},
                   .choices = {"maildir", "mbox"}}},
      .examples = {{"hikyaku export --account anna@example.org ~/anna",
                    {"everything, as a Maildir", "すべてを Maildir で"}},
                   {"hikyaku export --account anna@example.org --mailbox Sent --format mbox sent",
                    {"one folder", "一つのフォルダー"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
