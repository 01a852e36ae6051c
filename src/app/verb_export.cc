// hikyaku export: an account's mail as files.
#include "app/mail_files.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "base/base64.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kWhose{"--account ADDRESS is missing: whose mail?",
                        "--account アドレス がありません。誰のメールですか?"};
constexpr Phrase kDone{"{} [message|messages] ({}) of {} [is|are] in {}.",
                       "{2} の {0} 通({1})を {3} に書き出しました。"};
constexpr Phrase kLabel{"export", "書き出し"};

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
  Writer(MailSink& sink, Terminal& terminal, std::uint64_t total)
      : sink_(sink), progress_(terminal, std::string(kLabel.in(terminal.language())), total) {}

  void take(const boost::json::object& item) {
    if (auto mailbox = item.if_contains("mailbox")) {
      must(sink_.mailbox(std::string(mailbox->as_string())));
    } else if (auto message = item.if_contains("message")) {
      auto& meta = message->as_object();
      MailItem begun{text_in(meta, "mailbox"), {}, {}};
      if (auto received = parse_rfc3339(text_in(meta, "received"))) begun.received = *received;
      for (auto& flag : meta.at("flags").as_array()) begun.flags.emplace_back(flag.as_string());
      must(sink_.begin(begun));
    } else if (item.contains("bytes")) {
      auto bytes = base64_decode(text_in(item, "bytes"));
      if (!bytes) throw Stopped{{ErrorCode::Invalid, "the server's data is not base64", nullptr}};
      must(sink_.write(*bytes));
    } else {
      must(sink_.end());
      progress_.set(++count_);
    }
  }

 private:
  MailSink& sink_;
  Progress progress_;
  std::uint64_t count_ = 0;
};

Commands::Answer transfer(Commands& commands, const Invocation& invocation, Terminal& terminal,
                          MailSink& sink, std::uint64_t total) {
  Writer writer(sink, terminal, total);
  try {
    auto answer = commands.run("account.export",
                               {{"address", json_text(invocation.value("--account").value_or(""))},
                                {"mailbox", json_text(invocation.value("--mailbox").value_or(""))}},
                               {.item = [&](auto& item) { writer.take(item); }});
    if (!answer) return answer;
    TRY_DO(sink.finish());
    return answer;
  } catch (const Stopped& stopped) {
    return std::unexpected(stopped.error);
  }
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto address = invocation.value("--account").value_or("");
  if (address.empty()) {
    terminal.complain(kWhose);
    return Exit::Usage;
  }
  auto path = std::filesystem::absolute(invocation.argument(0));
  Commands commands(invocation, terminal);
  auto shown = commands.run("account.show", {{"address", json_text(address)}});
  if (!shown) return commands.report(shown.error());
  auto sink = invocation.value("--format") == "mbox" ? make_mbox(path) : make_maildir(path);
  if (!sink) return commands.report(sink.error());
  auto total = invocation.has("--mailbox") ? 0 : number_in(*shown, "messages");
  auto answer = transfer(commands, invocation, terminal, **sink, total);
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kDone, grouped(number_in(*answer, "count")),
                 short_size(number_in(*answer, "bytes")), address, path.string());
  return Exit::Ok;
}

}  // namespace

Verb verb_export() {
  return {
      .name = "export",
      .group = Group::Store,
      .summary = {"writes the mail of an account as files: Maildir or mbox",
                  "アカウントのメールをファイル(Maildir か mbox)に書き出す"},
      .details = {"Folders, flags, keywords and dates are kept; `hikyaku import`, Dovecot and "
                  "most mail programs read the result. The mail stays where it is. Maildir has "
                  "room for 26 keywords a folder.",
                  "フォルダー、フラグ、キーワード、日付も保存します。結果は `hikyaku import` や "
                  "Dovecot、多くのメールソフトで読めます。元のメールはそのまま残ります。Maildir "
                  "のキーワードはフォルダーごとに 26 個までです。"},
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
