// hikyaku import: mail from files into an account.
#include <fmt/core.h>

#include "app/cli.h"
#include "app/error_phrases.h"
#include "app/import_data.h"
#include "app/mail_files.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kWhose{"--account ADDRESS is missing: whose mail?",
                        "--account アドレス がありません。誰のメールですか?"};
constexpr Phrase kDone{"{} [message|messages] imported into {}, {} [was|were] there already.",
                       "{1} に {0} 通を取り込みました。すでにあったもの {2} 通。"};
constexpr Phrase kRefused{"{} [message was|messages were] not taken:",
                          "{} 通は取り込めませんでした:"};
constexpr Phrase kUnreadable{
    "{} [folder or file|folders or files] could not be read, and [was|were] passed over:",
    "{} 件のフォルダーまたはファイルを読めず、飛ばしました:"};
constexpr Phrase kLabel{"import (KB)", "取り込み (KB)"};

Result<std::unique_ptr<MailSource>> open_source(const Invocation& invocation) {
  std::filesystem::path path = invocation.argument(0);
  auto into = invocation.value("--mailbox").value_or("");
  TRY(auto format, recognize(path));
  if (auto told = invocation.value("--format"))
    format = *told == "mbox" ? MailFormat::Mbox : MailFormat::Maildir;
  return format == MailFormat::Mbox ? open_mbox(path, into) : open_maildir(path, into);
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto address = invocation.value("--account").value_or("");
  if (address.empty()) {
    terminal.complain(kWhose);
    return Exit::Usage;
  }
  auto source = open_source(invocation);
  if (!source) return report(source.error(), terminal);
  Commands commands(invocation, terminal, Commands::Rights::Own);
  ImportData reader(**source, terminal, std::string(kLabel.in(terminal.language())));
  auto answer = commands.run(
      "account.import",
      {{"address", json_text(address)}, {"duplicates", invocation.has("--duplicates")}},
      {.data = [&] { return reader.next(); }});
  if (reader.error()) return report(*reader.error(), terminal);
  if (!answer) return commands.report(answer.error());
  auto refused = number_in(*answer, "refused");
  auto& unreadable = (*source)->passed_over();
  std::vector<std::string> passed_over;
  for (auto& one : unreadable.kept()) passed_over.push_back(error_in(one, terminal.language()));
  if (invocation.json()) {
    (*answer)["unreadable"] = unreadable.count();
    (*answer)["passed_over"] = json_texts(passed_over);
    print_json(terminal, *answer);
  } else {
    terminal.say(kDone, grouped(number_in(*answer, "imported")), address,
                 grouped(number_in(*answer, "known")));
    if (refused != 0) {
      terminal.say(kRefused, grouped(refused));
      for (auto& problem : answer->at("problems").as_array())
        terminal.paragraph(printable(std::string_view(problem.as_string())), 2);
    }
    if (!passed_over.empty()) terminal.say(kUnreadable, grouped(unreadable.count()));
    for (auto& one : passed_over) terminal.paragraph(printable(one), 2);
  }
  return refused == 0 && passed_over.empty() ? Exit::Ok : Exit::Failed;
}

}  // namespace

Verb verb_import() {
  return {
      .name = "import",
      .group = Group::Store,
      .summary = {"puts mail from files into an account: Maildir or mbox",
                  "ファイル(Maildir か mbox)のメールをアカウントに取り込む"},
      .details =
          {"A Maildir comes with its folders, flags, keywords and dates; an mbox file goes into "
           "--mailbox or INBOX, a directory of *.mbox files becomes folders. What the account has "
           "already (the same bytes in the same mailbox, as many times; without a Message-ID also "
           "with "
           "the same date) is passed over, so an interrupted import can simply be run again. The "
           "files are read by this program, with "
           "your rights, whether the server runs or not. Links within PATH are not followed, for "
           "they "
           "may lead to what is not its owner's. Exit code 1: some messages were not "
           "taken, or some folders or files could not be read, or are links; they are named, and "
           "all others were imported.",
           "Maildir はフォルダー、フラグ、キーワード、日付とともに取り込みます。mbox "
           "ファイルは --mailbox か INBOX に入り、*.mbox のディレクトリはフォルダーになります。"
           "同じメールボックスに内容がすべて同じものが同じ数だけあれば(Message-ID "
           "がなければ日付も同じなら)飛ばすので、中断しても同じ操作をやり直すだけで済みます。"
           "サーバーが動いていてもいなくても、ファイルはこのプログラムがあなたの権限で読みます。"
           "PATH の中のリンクはたどりません(持ち主のものではないファイルを指しうるためです)。"
           "終了コード 1: 取り込めないメッセージや、読めないかリンクであるフォルダー・ファイルが"
           "あり、それらの名前を示します。ほかはすべて取り込まれています。"},
      .arguments = {{"PATH",
                     {"a Maildir, an mbox file, or a directory of *.mbox files",
                      "Maildir、mbox ファイル、または *.mbox のディレクトリ"}}},
      .options = {{.name = "--account",
                   .value = "ADDRESS",
                   .help = {"whose mail it becomes (needed)", "誰のメールにするか(必須)"}},
                  {.name = "--mailbox",
                   .value = "NAME",
                   .help = {"put it into (or below) this mailbox",
                            "このメールボックス(の下)に入れる"}},
                  {.name = "--format",
                   .value = "FORMAT",
                   .help = {"maildir or mbox; found out by looking, unless told",
                            "maildir または mbox。指定がなければ自動判別"},
                   .choices = {"maildir", "mbox"}},
                  {.name = "--duplicates",
                   .help = {"also what is there already", "すでにあるものも取り込む"}}},
      .examples = {{"hikyaku import --account anna@example.org ~/Maildir",
                    {"everything, folders too", "フォルダーごとすべて"}},
                   {"hikyaku import --account anna@example.org --mailbox Old archive.mbox",
                    {"one file into one folder", "一つのファイルを一つのフォルダーへ"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
