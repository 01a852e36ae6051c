#include "app/error_phrases.h"

#include <array>
#include <span>

#include "base/translate.h"
#include "dkim/problem.h"
#include "dmarc/problem.h"
#include "dns/problem.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kErrors[] = {
    // Accounts, aliases, domains, keys.
    {"there is no account {}: hikyaku account list",
     "アカウント {} はありません: hikyaku account list"},
    {"there is no account {}", "アカウント {} はありません"},
    {"there is no alias {}", "別名 {} はありません"},
    {"there is no mailbox {}", "メールボックス {} はありません"},
    {"there is no user {}", "ユーザー {} はいません"},
    {"there is no domain {} here: hikyaku domain add {}",
     "ドメイン {} はここにはありません: hikyaku domain add {}"},
    {"there is no domain {} here", "ドメイン {} はここにはありません"},
    {"{} is not a domain of this server: hikyaku domain add {}",
     "{} はこのサーバーのドメインではありません: hikyaku domain add {}"},
    {"the domain {} is here already", "ドメイン {} はすでにあります"},
    {"{} is still in use (by {}): remove its accounts and aliases first",
     "{} は使用中です ({})。先にそのアカウントと別名を削除してください"},
    {"{} is an account already", "{} はすでにアカウントです"},
    {"{} is an alias already", "{} はすでに別名です"},
    {"{} is an account", "{} はアカウントです"},
    {"{} is an address, not a domain", "{} はアドレスで、ドメインではありません"},
    {"an account cannot have an address literal as its domain",
     "アカウントのドメインに IP アドレスは使えません"},
    {"{} cannot be an alias of itself", "{} を自分自身の別名にはできません"},
    {"an alias needs at least one address that gets its mail",
     "別名には届け先のアドレスが少なくとも一つ必要です"},
    {"an alias can have {} targets at most", "別名の届け先は {} 件までです"},
    {"the alias {} does not lead to {}", "別名 {} の届け先に {} はありません"},
    {"{} has no key {}: hikyaku domain dkim {}", "{} に鍵 {} はありません: hikyaku domain dkim {}"},
    {"\"{}\" is no selector: letters, digits, hyphens and dots",
     "\"{}\" はセレクターではありません。英数字、ハイフン、ドットだけが使えます"},
    {"{} has a key {} already", "{} に鍵 {} はすでにあります"},
    {"{} has {} keys already", "{} にはすでに {} 個の鍵があります"},
    {"there is an app password \"{}\" already", "アプリパスワード \"{}\" はすでにあります"},
    {"that is the account's own password: change it with account password",
     "それはアカウント自身のパスワードです。account password で変更してください"},
    {"a part of the index is damaged, and what stands there cannot be read: {}",
     "索引の一部が壊れていて、そこにあるものを読めません: {}"},
    {"'{}' failed by a defect of Hikyaku: {}", "「{}」は Hikyaku の不具合により失敗しました: {}"},
    // Sessions, messages, queue.
    {"nobody is connected as {}: hikyaku who", "{} として接続している人はいません: hikyaku who"},
    {"{} is neither the number of a session, nor an account, nor an IP address",
     "{} はセッション番号、アカウント、IP アドレスのどれでもありません"},
    {"whose messages? Name an account: hikyaku account list",
     "誰のメッセージですか? アカウントを指定してください: hikyaku account list"},
    {"{} has no mailbox {}, and nothing that was deleted there: hikyaku undelete --list {}",
     "{} にメールボックス {} はなく、そこで削除されたものもありません: hikyaku undelete --list {}"},
    {"{} is no time", "{} は時刻ではありません"},
    {"{} is neither a date nor a duration such as 30d",
     "{} は日付でも、30d のような期間でもありません"},
    {"{} is neither an id of the queue, nor an address, nor \"@DOMAIN\", nor \"all\"",
     "{} はキューの ID、アドレス、\"@ドメイン\"、\"all\" のどれでもありません"},
    {"{} is no id of the queue", "{} はキューの ID ではありません"},
    {"{} is not in the queue (any more): hikyaku trace {} tells what became of it",
     "{} はキューに(もう)ありません。経過は hikyaku trace {} で見られます"},
    {"nothing in the queue matches {}", "{} に当たるものはキューにありません"},
    {"not held", "保留されていません"},
    {"it is being sent", "送信中です"},
    {"the message has no recipients", "宛先がありません"},
    {"a message has at most {} recipients", "宛先は {} 件までです"},
    {"{} is no address to send from: {}", "{} は差出人アドレスではありません: {}"},
    {"no such mailbox", "そのメールボックスはありません"},
    // Backups and the store.
    {"the backup has no account {}", "バックアップにアカウント {} はありません"},
    {"{} has no mailbox {} in the backup", "バックアップの {} にメールボックス {} はありません"},
    {"there is no backup in {}", "{} にバックアップはありません"},
    {"too many programs of this user are being served (limits.local_connections): try again later",
     "このユーザーのプログラムの数が上限 (limits.local_connections) "
     "に達しています。後でもう一度お試しください"},
    {"{} is held by process {}", "{} はプロセス {} が使用中です"},
    {"{} is segment {}, and another file is that, too, or has its name ({}): move the one that "
     "does not count out of the journal's directory first",
     "{} はセグメント {} ですが、ほかにも同じセグメントのファイル、またはその名前 ({}) "
     "のファイルがあります。要らないほうを先にジャーナルのディレクトリーから移してください"},
    // Files.
    {"cannot read {}: {}", "{} を読めません: {}"},
    {"cannot open {}: {}", "{} を開けません: {}"},
    {"cannot list {}: {}", "{} の一覧を取れません: {}"},
    {"cannot make {}: {}", "{} を作れません: {}"},
    {"cannot write {}: {}", "{} に書き込めません: {}"},
    {"cannot erase {}: {}", "{} を消せません: {}"},
    {"cannot read the zone file {}: {}", "ゾーンファイル {} を読めません: {}"},
    {"{} has more than {} bytes", "{} は {} バイトを超えています"},
    {"{} cannot be used: {}", "{} は使えません: {}"},
    {"No such file or directory", "ファイルやディレクトリがありません"},
    {"Permission denied", "権限がありません"},
    {"Is a directory", "ディレクトリです"},
    {"Not a directory", "ディレクトリではありません"},
    {"File exists", "すでにあります"},
    {"the disk of {} is full: make {} MB of room there, and try again",
     "{} のディスクが満杯です。{} MB の空きを作ってから、もう一度実行してください"},
    {"less than {} MB of disk space are free", "ディスクの空きが {} MB 未満です"},
    {"No space left on device", "ディスクに空きがありません"},
    {"Read-only file system", "読み取り専用のファイルシステムです"},
    {"{}: No such file or directory", "{}: ファイルやディレクトリがありません"},
    {"{}: Permission denied", "{}: 権限がありません"},
    // What a reload cannot do.
    {"{} has mistakes, and nothing was changed: hikyaku config check{} (nor could the certificates "
     "be read anew: {})",
     "{} に誤りがあり、何も変更していません: hikyaku config check{} "
     "(証明書も読み直せませんでした: {})"},
    {"{} has mistakes, and no option was changed (the certificates were read anew): hikyaku config "
     "check{}",
     "{} に誤りがあり、オプションは変更していません(証明書は読み直しました): hikyaku config "
     "check{}"},
    {"{} has mistakes, and nothing was changed: hikyaku config check{}",
     "{} に誤りがあり、何も変更していません: hikyaku config check{}"},
    {"the sandbox of the running server does not let it read {}: restart it",
     "動作中のサーバーはサンドボックスのため {} を読めません。再起動してください"},
    {"the server was started without TLS", "サーバーは TLS なしで起動しました"},
    {"let the server's user (server.user) read the file",
     "サーバーのユーザー (server.user) がファイルを読めるようにしてください"},
    {"{}: there is no PEM certificate in it", "{}: PEM 形式の証明書がありません"},
    // Options of one-shot commands.
    {"--zone and --dns exclude each other: give one of them",
     "--zone と --dns は同時に使えません。どちらか一つにしてください"},
    {"--dns {}: a port is a number from 1 to 65535",
     "--dns {}: ポートは 1 から 65535 までの数です"},
    {"--dns {}: give the server's address, such as 192.0.2.53 or [2001:db8::53]:5353; a name would "
     "have to be looked up first",
     "--dns {}: サーバーの名前ではなくアドレスを指定してください (例: 192.0.2.53、"
     "[2001:db8::53]:5353)"},
    {"--time {}: give seconds since 1970, or a time such as 2026-11-21T12:00:00Z",
     "--time {}: 1970 年からの秒数か、2026-11-21T12:00:00Z のような時刻を指定してください"},
    {"give --domain, and a --selector for each --key",
     "--domain と、--key ごとに --selector を指定してください"},
};

}  // namespace

std::string error_in(const Error& error, Language language) {
  static const std::array<std::span<const Phrase>, 4> kTables{
      std::span<const Phrase>(kErrors), dkim::problem_phrases(), dmarc::problem_phrases(),
      dns::problem_phrases()};
  return translate(error.describe(), kTables, language);
}

}  // namespace hikyaku::app
