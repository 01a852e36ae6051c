// hikyaku account add | list | show | change | password | recover | remove
#include <fmt/core.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/homeless_mail.h"
#include "app/next_steps.h"
#include "app/password_input.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "base/text.h"
#include "config/units.h"

namespace hikyaku::app {
namespace {

using boost::json::object;

constexpr Phrase kAdded{"The account {} is ready.", "アカウント {} ができました。"};
constexpr Phrase kRecovered{"Account {} is {} now, with {} [message|messages] ({}).",
                            "アカウント {} は {} になりました。{} 通({})あります。"};
constexpr Phrase kFormer{"{} led to it, and is gone.", "これに届いていた {} はなくなりました。"};
constexpr Phrase kBadNumber{
    "'{}' is no number of an account: hikyaku verify, and hikyaku account list, tell which have "
    "lost "
    "their address.",
    "'{}' はアカウントの番号ではありません。アドレスを失ったアカウントは hikyaku verify と hikyaku "
    "account list が示します。"};
constexpr Phrase kPassword{"Password (shown this once): {}", "パスワード(表示は今回だけ): {}"};
constexpr Phrase kAppPassword{"App password \"{}\" (shown this once): {}",
                              "アプリパスワード「{}」(表示は今回だけ): {}"};
constexpr Phrase kChanged{"The password of {} is changed.", "{} のパスワードを変更しました。"};
constexpr Phrase kUpdated{"The account {} is changed.", "アカウント {} を変更しました。"};
constexpr Phrase kNothing{
    "nothing to change: give --name, --language, --quota, --enable or "
    "--disable.",
    "変更するものがありません。--name、--language、--quota、--enable、"
    "--disable のいずれかを指定してください。"};
constexpr Phrase kRemoved{"The account {} and its mail are gone.",
                          "アカウント {} とそのメールを削除しました。"};
constexpr Phrase kReallyRemove{"Remove {} with all of its mail? It cannot be undone. [y/N] ",
                               "{} とそのメールをすべて削除しますか? 元には戻せません。[y/N] "};
constexpr Phrase kSayYes{"nothing was removed: where nobody can be asked, --yes must be given.",
                         "何も削除していません。端末がないところでは --yes を付けてください。"};
constexpr Phrase kSummary{"{} [message|messages], {}; quota: {}", "{} 通、{}。上限: {}"};
constexpr Phrase kNotRemoved{"nothing was removed.", "何も削除していません。"};
constexpr Phrase kNone{"There are no accounts. Make one: hikyaku account add NAME@DOMAIN",
                       "アカウントはありません。作るには: hikyaku account add 名前@ドメイン"};
constexpr Phrase kBadSize{"--quota must be a size such as 5GB, or 0 for none, not '{}'.",
                          "--quota は 5GB のような大きさか、制限なしの 0 です('{}' "
                          "ではありません)。"};
constexpr Phrase kBothWays{"--enable and --disable exclude each other.",
                           "--enable と --disable は同時に指定できません。"};
constexpr Phrase kNoQuota{"none", "なし"};
constexpr Phrase kOff{"disabled", "停止中"};
constexpr Phrase kNever{"never", "なし"};
constexpr Phrase kOtherKey{
    "\"{}\" was made with another secret.key: only PLAIN works, until it is used so once or "
    "changed (hikyaku check{}: remedy).",
    "「{}」は別の secret.key で作られていて、PLAIN でしか使えません(対処法: hikyaku check{})。"};
constexpr Phrase kOtherKeyApp{
    "\"{}\" was made with another secret.key and does not work (hikyaku check{}: remedy).",
    "「{}」は別の secret.key で作られていて、使えません(対処法: hikyaku check{})。"};
constexpr Phrase kYes{"yes", "可"};
constexpr Phrase kNo{"no", "不可"};

const ArgumentSpec kAddress{"ADDRESS", {"of the account", "アカウントのアドレス"}};
const OptionSpec kName{.name = "--name",
                       .value = "NAME",
                       .help = {"the person's name, as others see it", "相手に表示される名前"}};
const OptionSpec kLanguage{
    .name = "--language",
    .value = "LANG",
    .help = {"of its folders' names and of notices", "フォルダー名とお知らせの言語"},
    .choices = {"en", "ja"}};
/// Of a new account.
const OptionSpec kNewLanguage{
    .name = "--language",
    .value = "LANG",
    .help = {"of its folders' names and of notices; without: the server's (server.language)",
             "フォルダー名とお知らせの言語。省略するとサーバーの言語 (server.language)"},
    .choices = {"en", "ja"}};
const OptionSpec kQuota{.name = "--quota",
                        .value = "SIZE",
                        .help = {"how much mail it may keep, such as 5GB; 0: any amount",
                                 "保管できるメールの量(例: 5GB)。0 なら制限なし"}};
const OptionSpec kLegacy{
    .name = "--legacy-auth",
    .help = {"also allow CRAM-MD5 and APOP; the password is then kept in a form that can be read "
             "back (encrypted with secret.key)",
             "CRAM-MD5 と APOP "
             "も許す。パスワードは読み戻せる形で(secret.key で暗号化して)保存される"}};

/// Puts --quota into the arguments. False: it is no size; said already.
bool take_quota(const Invocation& invocation, Terminal& terminal, object& args) {
  auto text = invocation.value("--quota");
  if (!text) return true;
  auto size = config::parse_bytes(*text);
  if (!size) {
    terminal.complain(kBadSize, printable(*text, 40));
    return false;
  }
  args["quota"] = size->count;
  return true;
}

void take_text(const Invocation& invocation, std::string_view option, std::string_view name,
               object& args) {
  if (auto text = invocation.value(option)) args[name] = json_text(*text);
}

/// What an account has that is made; nullopt: it is wrong, and said.
std::optional<object> take_account(const Invocation& invocation, const std::string& address,
                                   Terminal& terminal) {
  object args{{"address", json_text(address)}, {"legacy_auth", invocation.has("--legacy-auth")}};
  take_text(invocation, "--name", "name", args);
  take_text(invocation, "--language", "language", args);
  if (!take_quota(invocation, terminal, args)) return std::nullopt;
  return args;
}

Exit add(const Invocation& invocation, Terminal& terminal) {
  auto address = invocation.argument(0);
  auto taken = take_account(invocation, address, terminal);
  if (!taken) return Exit::Usage;
  auto& args = *taken;
  auto chosen = choose_password(invocation, terminal, Ask::OnTerminal);
  if (!chosen) return report(chosen.error(), terminal);
  args["password"] = json_text(chosen->password.reveal());

  Commands commands(invocation, terminal);
  auto made = commands.run("account.add", std::move(args));
  if (!made) return commands.report(made.error());
  if (chosen->generated) (*made)["password"] = json_text(chosen->password.reveal());
  object app_passwords;
  for (auto& name : invocation.values("--app-password")) {
    auto answer =
        commands.run("account.app-password", {{"address", json_text(address)},
                                              {"name", json_text(name)},
                                              {"legacy_auth", invocation.has("--legacy-auth")}});
    if (!answer) return commands.report(answer.error());
    app_passwords[name] = text_in(*answer, "password");
  }
  if (invocation.json()) {
    if (!app_passwords.empty()) (*made)["app_passwords"] = std::move(app_passwords);
    print_json(terminal, *made);
    return Exit::Ok;
  }
  terminal.say(kAdded, text_in(*made, "address"));
  if (chosen->generated)
    terminal.say(kPassword, terminal.toned(Tone::Strong, chosen->password.reveal()));
  for (auto& [name, password] : app_passwords)
    terminal.say(kAppPassword, std::string_view(name),
                 terminal.toned(Tone::Strong, std::string_view(password.get_string())));
  return Exit::Ok;
}

Exit recover(const Invocation& invocation, Terminal& terminal) {
  auto number = parse_decimal(invocation.argument(0), UINT32_MAX);
  if (!number) {
    terminal.complain(kBadNumber, printable(invocation.argument(0), 40));
    return Exit::Usage;
  }
  auto args = take_account(invocation, invocation.argument(1), terminal);
  if (!args) return Exit::Usage;
  auto chosen = choose_password(invocation, terminal, Ask::OnTerminal);
  if (!chosen) return report(chosen.error(), terminal);
  (*args)["account"] = *number;
  (*args)["password"] = json_text(chosen->password.reveal());
  Commands commands(invocation, terminal);
  auto made = commands.run("account.recover", std::move(*args));
  if (!made) return commands.report(made.error());
  if (invocation.json()) {
    if (chosen->generated) (*made)["password"] = json_text(chosen->password.reveal());
    print_json(terminal, *made);
    return Exit::Ok;
  }
  terminal.say(kRecovered, *number, text_in(*made, "address"),
               grouped(number_in(*made, "messages")), short_size(number_in(*made, "bytes")));
  // An older server, that runs yet, says nothing of them.
  if (auto former = made->if_contains("former_addresses"); former && former->is_array())
    for (auto& address : former->get_array())
      terminal.say(kFormer, std::string_view(address.get_string()));
  if (chosen->generated)
    terminal.say(kPassword, terminal.toned(Tone::Strong, chosen->password.reveal()));
  return Exit::Ok;
}

Exit list(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto language = terminal.language();
  ItemList rows(invocation, terminal,
                {{"ADDRESS", "アドレス"},
                 {"NAME", "名前"},
                 {"MESSAGES", "通数"},
                 {"SIZE", "容量"},
                 {"QUOTA", "上限"},
                 {"", ""}},
                [language](auto& item) -> std::vector<std::string> {
                  auto quota = number_in(item, "quota");
                  return {text_in(item, "address"),
                          text_in(item, "name"),
                          grouped(number_in(item, "messages")),
                          short_size(number_in(item, "bytes")),
                          quota ? short_size(quota) : std::string(kNoQuota.in(language)),
                          flag_in(item, "enabled") ? "" : std::string(kOff.in(language))};
                });
  auto answer = commands.run("account.list", {{"domain", json_text(invocation.argument(0))}},
                             {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kNone);
  // Programs get what accounts there are; that mail is waiting for one is for a person to mend.
  if (invocation.json() || !invocation.argument(0).empty()) return Exit::Ok;
  (void)commands.run(
      "account.homeless", {}, {.item = [&](auto& item) {
        terminal.say(kNoAddress, number_in(item, "account"), grouped(number_in(item, "messages")),
                     short_size(number_in(item, "bytes")), dir_words(commands.instance()));
      }});
  return Exit::Ok;
}

void show_account(const object& shown, const Instance& instance, Terminal& terminal) {
  auto language = terminal.language();
  auto yes_no = [&](bool yes) { return std::string((yes ? kYes : kNo).in(language)); };
  terminal.out(terminal.toned(Tone::Strong, printable(text_in(shown, "address"))));
  if (!text_in(shown, "name").empty()) terminal.out(" (" + printable(text_in(shown, "name")) + ")");
  if (!flag_in(shown, "enabled")) terminal.out(fmt::format(" [{}]", kOff.in(language)));
  auto quota = number_in(shown, "quota");
  terminal.out("\n");
  terminal.say(kSummary, grouped(number_in(shown, "messages")),
               short_size(number_in(shown, "bytes")),
               quota ? short_size(quota) : std::string(kNoQuota.in(language)));
  terminal.out("\n");
  constexpr Phrase kMailbox{"MAILBOX", "メールボックス"}, kMessages{"MESSAGES", "通数"},
      kUnseen{"UNSEEN", "未読"}, kSize{"SIZE", "容量"};
  Table mailboxes{{std::string(kMailbox.in(language)), std::string(kMessages.in(language)),
                   std::string(kUnseen.in(language)), std::string(kSize.in(language))},
                  {}};
  for (auto& value : shown.at("mailboxes").as_array()) {
    auto& mailbox = value.as_object();
    mailboxes.rows.push_back({text_in(mailbox, "path"), grouped(number_in(mailbox, "messages")),
                              grouped(number_in(mailbox, "unseen")),
                              short_size(number_in(mailbox, "bytes"))});
  }
  terminal.table(mailboxes);
  constexpr Phrase kCredential{"PASSWORD", "パスワード"}, kMade{"MADE", "作成"},
      kUsed{"LAST USED", "最終使用"};
  Table credentials{{std::string(kCredential.in(language)), "SCRAM", "CRAM-MD5, APOP",
                     std::string(kMade.in(language)), std::string(kUsed.in(language))},
                    {}};
  for (auto& value : shown.at("credentials").as_array()) {
    auto& credential = value.as_object();
    auto used = text_in(credential, "last_used");
    credentials.rows.push_back(
        {text_in(credential, "name"), yes_no(flag_in(credential, "scram")),
         yes_no(flag_in(credential, "legacy")), text_in(credential, "created").substr(0, 10),
         used.empty() ? std::string(kNever.in(language)) : used.substr(0, 10)});
  }
  terminal.out("\n");
  terminal.table(credentials);
  for (auto& value : shown.at("credentials").as_array())
    if (flag_in(value.as_object(), "other_key"))
      terminal.say(flag_in(value.as_object(), "app_password") ? kOtherKeyApp : kOtherKey,
                   text_in(value.as_object(), "name"), dir_words(instance));
}

Exit show(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto shown = commands.run("account.show", {{"address", json_text(invocation.argument(0))}});
  if (!shown) return commands.report(shown.error());
  if (invocation.json())
    print_json(terminal, *shown);
  else
    show_account(*shown, commands.instance(), terminal);
  return Exit::Ok;
}

Exit change(const Invocation& invocation, Terminal& terminal) {
  object args{{"address", json_text(invocation.argument(0))}};
  take_text(invocation, "--name", "name", args);
  take_text(invocation, "--language", "language", args);
  if (!take_quota(invocation, terminal, args)) return Exit::Usage;
  if (invocation.has("--enable") && invocation.has("--disable")) {
    terminal.complain(kBothWays);
    return Exit::Usage;
  }
  if (invocation.has("--enable")) args["enabled"] = true;
  if (invocation.has("--disable")) args["enabled"] = false;
  if (args.size() == 1) {
    terminal.complain(kNothing);
    return Exit::Usage;
  }
  Commands commands(invocation, terminal);
  auto changed = commands.run("account.change", std::move(args));
  if (!changed) return commands.report(changed.error());
  if (invocation.json())
    print_json(terminal, *changed);
  else
    terminal.say(kUpdated, text_in(*changed, "address"));
  return Exit::Ok;
}

Exit password(const Invocation& invocation, Terminal& terminal) {
  auto address = invocation.argument(0);
  auto chosen = choose_password(invocation, terminal, Ask::OnTerminal);
  if (!chosen) return report(chosen.error(), terminal);
  Commands commands(invocation, terminal);
  auto answer =
      commands.run("account.password", {{"address", json_text(address)},
                                        {"password", json_text(chosen->password.reveal())},
                                        {"legacy_auth", invocation.has("--legacy-auth")},
                                        {"no_legacy_auth", invocation.has("--no-legacy-auth")}});
  if (!answer) return commands.report(answer.error());
  if (invocation.json()) {
    if (chosen->generated) (*answer)["password"] = json_text(chosen->password.reveal());
    print_json(terminal, *answer);
    return Exit::Ok;
  }
  terminal.say(kChanged, address);
  if (chosen->generated)
    terminal.say(kPassword, terminal.toned(Tone::Strong, chosen->password.reveal()));
  return Exit::Ok;
}

bool confirmed(const std::string& address, Terminal& terminal) {
  terminal.err(say(terminal.language(), kReallyRemove, address));
  char answer[16] = {};
  return ::read(STDIN_FILENO, answer, sizeof answer - 1) > 0 && (answer[0] | 0x20) == 'y';
}

Exit remove(const Invocation& invocation, Terminal& terminal) {
  auto address = invocation.argument(0);
  if (!invocation.has("--yes")) {
    if (!::isatty(STDIN_FILENO) || !::isatty(STDERR_FILENO)) {
      terminal.complain(kSayYes);
      return Exit::Usage;
    }
    if (!confirmed(address, terminal)) {
      terminal.complain(kNotRemoved);
      return Exit::Failed;
    }
  }
  Commands commands(invocation, terminal);
  auto answer = commands.run("account.remove", {{"address", json_text(address)}});
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    print_json(terminal, *answer);
  else
    terminal.say(kRemoved, address);
  return Exit::Ok;
}

}  // namespace

Verb verb_account_add() {
  return {
      .name = "account add",
      .group = Group::Accounts,
      .summary = {"makes an account with its mailboxes", "アカウントとメールボックスを作る"},
      .details =
          {"On a terminal the password is asked for twice and not shown; with an empty "
           "answer, and where there is no terminal, one is made up and printed. App "
           "passwords are long random ones for one program each; they can be taken back one "
           "by one.",
           "端末ではパスワードを2回たずね、画面には表示しません。空欄で答えた場合と端末がない"
           "場合は、自動で作って表示します。アプリパスワードは、プログラムごとの長い乱数の"
           "パスワードで、一つずつ取り消せます。"},
      .arguments = {{"ADDRESS",
                     {"its address and login name; the domain must be one of the server's",
                      "アドレス兼ログイン名。ドメインはこのサーバーのもの"}}},
      .options = {password_stdin_option(),
                  kName,
                  kNewLanguage,
                  kQuota,
                  kLegacy,
                  {.name = "--app-password",
                   .value = "NAME",
                   .help = {"also make an app password called so",
                            "この名前のアプリパスワードも作る"},
                   .repeatable = true}},
      .examples = {{"hikyaku account add anna@example.org --name Anna",
                    {"asks for the password", "パスワードをたずねる"}},
                   {"hikyaku account add anna@example.org --password-stdin < password.txt",
                    {"from a script", "スクリプトから"}},
                   {"hikyaku account add anna@example.org --app-password phone",
                    {"with a password for the phone alone", "電話専用のパスワード付きで"}}},
      .uses_instance = true,
      .has_json = true,
      .run = add,
  };
}

Verb verb_account_list() {
  return {
      .name = "account list",
      .group = Group::Accounts,
      .summary = {"lists accounts with how much mail they keep",
                  "アカウントと保管しているメールの量を一覧表示する"},
      .arguments = {{"DOMAIN",
                     {"only those of this domain", "このドメインのものだけ"},
                     ArgumentSpec::Count::Optional}},
      .examples = {{"hikyaku account list", {"all of them", "すべて"}},
                   {"hikyaku account list example.org --json",
                    {"one domain's, for programs", "一つのドメインの分を、プログラム向けに"}}},
      .uses_instance = true,
      .has_json = true,
      .run = list,
  };
}

Verb verb_account_show() {
  return {
      .name = "account show",
      .group = Group::Accounts,
      .summary = {"shows an account: mailboxes, passwords, what they can be used for",
                  "アカウントの詳細(メールボックス、パスワードとその用途)を表示する"},
      .arguments = {kAddress},
      .examples = {{"hikyaku account show anna@example.org",
                    {"everything about it", "すべての情報"}}},
      .uses_instance = true,
      .has_json = true,
      .run = show,
  };
}

Verb verb_account_change() {
  return {
      .name = "account change",
      .group = Group::Accounts,
      .summary = {"changes the name, language or quota of an account, or switches it off and on",
                  "アカウントの名前、言語、上限を変える。停止・再開する"},
      .details = {"A disabled account cannot log in, and mail for it is refused with 550 5.2.1; "
                  "what it has stays.",
                  "停止中のアカウントはログインできず、宛てたメールは 550 5.2.1 "
                  "で拒否されます。中身はそのまま残ります。"},
      .arguments = {kAddress},
      .options = {kName,
                  kLanguage,
                  kQuota,
                  {.name = "--disable", .help = {"switch it off", "停止する"}},
                  {.name = "--enable", .help = {"switch it on again", "再開する"}}},
      .examples = {{"hikyaku account change anna@example.org --quota 10GB",
                    {"more room", "容量を増やす"}}},
      .uses_instance = true,
      .has_json = true,
      .run = change,
  };
}

Verb verb_account_password() {
  return {
      .name = "account password",
      .group = Group::Accounts,
      .summary = {"sets the password of an account", "アカウントのパスワードを設定する"},
      .details = {"App passwords stay as they are. What was allowed with --legacy-auth stays "
                  "allowed until --no-legacy-auth.",
                  "アプリパスワードは変わりません。--legacy-auth で許したものは、"
                  "--no-legacy-auth を指定するまで許されたままです。"},
      .arguments = {kAddress},
      .options = {password_stdin_option(),
                  kLegacy,
                  {.name = "--no-legacy-auth",
                   .help = {"no longer keep it in a form that can be read back",
                            "読み戻せる形での保存をやめる"}}},
      .examples = {{"hikyaku account password anna@example.org",
                    {"asks for the new one", "新しいパスワードをたずねる"}}},
      .uses_instance = true,
      .has_json = true,
      .run = password,
  };
}

Verb verb_account_recover() {
  return {
      .name = "account recover",
      .group = Group::Accounts,
      .summary = {"gives mail that has lost its address an account again",
                  "アドレスを失ったメールを再びアカウントにする"},
      .details = {"When damage takes what says whose an account is, its mail stays, and nobody can "
                  "read it: `verify` and `account list` tell its number. The account keeps its "
                  "mailboxes and gets a new password, as with `account add`; its app passwords are "
                  "gone. If nobody wants the mail, `account remove` removes it then.",
                  "破損により誰のものか分からなくなったアカウントのメールは、誰にも読めない状態で"
                  "残ります。番号は `verify` と `account list` が示します。メールボックスはそのまま"
                  "で、パスワードは `account add` と同じように新しく付けます。アプリパスワードは"
                  "なくなります。不要なメールなら、そのあと `account remove` で削除できます。"},
      .arguments = {{"NUMBER", {"of the account that has none", "アドレスのないアカウントの番号"}},
                    {"ADDRESS",
                     {"its address and login name from now on; nobody else's",
                      "これからのアドレス兼ログイン名。誰も使っていないもの"}}},
      .options = {password_stdin_option(), kName, kNewLanguage, kQuota, kLegacy},
      .examples = {{"hikyaku account recover 2 bob@example.org",
                    {"account 2 is Bob's again", "アカウント 2 を再び bob のものにする"}}},
      .uses_instance = true,
      .has_json = true,
      .run = recover,
  };
}

Verb verb_account_remove() {
  return {
      .name = "account remove",
      .group = Group::Accounts,
      .summary = {"removes an account with all of its mail", "アカウントをそのメールごと削除する"},
      .details =
          {"It asks first; a script says --yes. `account change --disable` only switches it off; "
           "`export` saves its mail before.",
           "先に確認します(スクリプトでは --yes を付けます)。停止するだけなら `account change "
           "--disable`、"
           "先にメールを保存するなら `export` を使ってください。"},
      .arguments = {kAddress},
      .options = {{.name = "--yes", .help = {"do not ask", "確認しない"}}},
      .examples = {{"hikyaku account remove anna@example.org --yes",
                    {"at once", "確認せずに削除する"}}},
      .uses_instance = true,
      .has_json = true,
      .run = remove,
  };
}

}  // namespace hikyaku::app
