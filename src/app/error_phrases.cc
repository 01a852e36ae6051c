#include "app/error_phrases.h"

#include <array>
#include <span>

#include "app/store_phrases.h"
#include "base/text.h"
#include "base/translate.h"
#include "dkim/problem.h"
#include "dmarc/problem.h"
#include "dns/problem.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kErrors[] = {
    {"the row of its account {} is lost; its name, its language and whether it was disabled are "
     "not known any more",
     "アカウント {} の行が失われました。名前、言語、停止中だったかどうかは分からなくなりました"},
    {"its account is made again, and enabled: if it was disabled, hikyaku account change {} "
     "--disable",
     "アカウントを作り直し、有効にしました。停止中だった場合は hikyaku account change {} --disable "
     "を実行してください"},
    // Accounts, aliases, domains, keys.
    {"there is no account {}: hikyaku account list",
     "アカウント {} はありません: hikyaku account list"},
    {"there is no account {}", "アカウント {} はありません"},
    {"there is no alias {}", "別名 {} はありません"},
    {"there is no mailbox {}", "メールボックス {} はありません"},
    {"there is no user {} (server.user). Make it: {}",
     "ユーザー {} (server.user) がいません。作るには: {}"},
    {"{} cannot be read by {} (server.user): {}",
     "{} を {} (server.user) が読めません。読めるようにするには: {}"},
    {"{} is a link, or belongs to another user: put a file of root's there, then restore again",
     "{} はリンクか、別のユーザーのものです。root "
     "のファイルを置いてから、もう一度復元してください"},
    {"there is no user {}", "ユーザー {} はいません"},
    {"there is no domain {} here: hikyaku domain add {}",
     "ドメイン {} はここにはありません: hikyaku domain add {}"},
    {"there is no domain {} here", "ドメイン {} はここにはありません"},
    {"{} is not a domain of this server: hikyaku domain add {}",
     "{} はこのサーバーのドメインではありません: hikyaku domain add {}"},
    {"the domain {} is here already", "ドメイン {} はすでにあります"},
    {"{} is still in use (by {}): remove its accounts and aliases first",
     "{} は使用中です ({})。先にそのアカウントと別名を削除してください"},
    {"{} is an account already", "{} のアカウントはすでにあります"},
    {"{} is an alias already", "別名 {} はすでにあります"},
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
    {"the server is still starting", "サーバーはまだ起動処理中です"},
    {"the server could not be started: its log says why. Nothing was done.",
     "サーバーを起動できませんでした。理由はログにあります。何も行っていません。"},
    {"{} is held by process {}", "{} はプロセス {} が使用中です"},
    {"{} is segment {}, and another file is that, too, or has its name ({}): move the one that "
     "does not count out of the journal's directory first",
     "{} はセグメント {} ですが、ほかにも同じセグメントのファイル、またはその名前 ({}) "
     "のファイルがあります。要らないほうを先にジャーナルのディレクトリーから移してください"},
    {"cannot read the index: {}", "索引を読めません: {}"},
    // Files.
    {"cannot read {}: {}", "{} を読めません: {}"},
    {"cannot open {}: {}", "{} を開けません: {}"},
    {"cannot list {}: {}", "{} の一覧を取れません: {}"},
    {"cannot make {}: {}", "{} を作れません: {}"},
    {"cannot write {}: {}", "{} に書き込めません: {}"},
    {"cannot erase {}: {}", "{} を消せません: {}"},
    {"{} is a link", "{} はリンクです"},
    {"{} is no file", "{} はファイルではありません"},
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
    {"the file system of {} has no inodes left for new files: remove files there (df -i counts "
     "them), and try again",
     "{} のファイルシステムに新しいファイルのための inode が残っていません。そこのファイルを減らし "
     "(df -i で数を見られます)、もう一度実行してください"},
    {"no inodes are left", "inode が残っていません"},
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
    // Mistakes in what was typed, and what stands in the way.
    {"there is no @ in {}", "{} に @ がありません"},
    {"nothing stands before the @", "@ の前に何もありません"},
    {"nothing stands behind the @", "@ の後に何もありません"},
    {"\"{}\" is no local part: use letters, digits and !#$%&'*+-/=?^_`{|}~, single dots between "
     "them, or quote it",
     "\"{}\" はローカルパート (@ の前) として使えません。英数字、記号 "
     "!#$%&'*+-/=?^_`{{|}}~、間に一つずつのドットを使うか、引用符で囲んでください"},
    {"a control character stands in the local part",
     "ローカルパート (@ の前) に制御文字があります"},
    {"the quoted local part has no end", "ローカルパートの引用符が閉じていません"},
    {"the @ must follow the quoted local part at once",
     "引用符で囲んだローカルパートのすぐ後に @ が必要です"},
    {"the address literal lacks its ]", "IP アドレスの ] がありません"},
    {"{} is no address literal: write [192.0.2.1] or [IPv6:2001:db8::1]",
     "{} は IP アドレスの書き方ではありません。[192.0.2.1] や [IPv6:2001:db8::1] のように書きます"},
    {"the domain {} has an empty label (a dot too many)",
     "ドメイン {} に空のラベルがあります(余分なドット)"},
    {"the label {} begins or ends with a hyphen", "ラベル {} の先頭か末尾がハイフンです"},
    {"\"{}\" is no domain: use letters, digits, hyphens and dots",
     "\"{}\" はドメインではありません。英数字、ハイフン、ドットを使います"},
    {"a label of the domain is longer than 63 octets",
     "ドメインのラベルが 63 オクテットを超えています"},
    {"the address is not UTF-8", "アドレスが UTF-8 ではありません"},
    {"the address is longer than {} octets", "アドレスが {} オクテットを超えています"},
    {"the local part is longer than {} octets",
     "ローカルパート (@ の前) が {} オクテットを超えています"},
    {"the domain is longer than {} octets", "ドメインが {} オクテットを超えています"},
    {"nobody is kept out as {}; who is: hikyaku throttle list",
     "{} は制限されていません。一覧: hikyaku throttle list"},
    {"there is no app password \"{}\"", "アプリパスワード \"{}\" はありません"},
    {"an app password needs a name of 1 to 64 bytes, and not \"{}\"",
     "アプリパスワードには 1 から 64 バイトの名前が必要で、\"{}\" は使えません"},
    {"the password has fewer than {} characters and is soon guessed: choose a longer one (a few "
     "words will do), or none, and one is made up",
     "パスワードが {} "
     "文字未満で、すぐ推測されます。もっと長いもの(いくつかの単語でも可)"
     "にするか、省いて自動で作らせてください"},
    {"the password is empty", "パスワードが空です"},
    {"the password is longer than {} bytes", "パスワードが {} バイトを超えています"},
    {"a password has at most {} bytes", "パスワードは {} バイトまでです"},
    {"the first line of standard input is empty, no password",
     "標準入力の 1 行目が空で、パスワードがありません"},
    {"the two passwords differ; nothing was changed",
     "二つのパスワードが一致しません。何も変更していません"},
    {"the key {} of {} is {}: {}", "{1} の鍵 {0} は {2} です: {3}"},
    {"{} is there already: name a new or empty directory",
     "{} はすでにあります。新しいディレクトリか空のディレクトリを指定してください"},
    {"{} is no mbox: it does not begin with a \"From \" line",
     "{} は mbox ではありません。\"From \" の行で始まっていません"},
    {"{} is neither a Maildir (no cur/ in it) nor a directory with *.mbox files",
     "{} は Maildir (中に cur/ があるもの) でも、*.mbox ファイルのあるディレクトリでもありません"},
    {"cannot remove {}: {}", "{} を消せません: {}"},
    {"{} is larger than {} bytes", "{} は {} バイトを超えています"},
    {"{} is in the store itself", "{} は保管庫の中にあります"},
    {"{} is no backup's", "{} はバックアップのものではありません"},
    {"{} was made by a newer version of this program (format {})",
     "{} はこのプログラムの新しい版で作られています(形式 {})"},
    {"{} was made without checksums", "{} はチェックサムなしで作られています"},
    {"{} is not what was written", "{} は書き込んだ内容と異なります"},
    {"{} is what a restore was copying into, and goes when another begins: move it away first",
     "{} は復元の複製先で、次の復元が始まると消えます。先に移してください"},
    {"a backup is being made: try again when it is done",
     "バックアップの作成中です。終わってからもう一度実行してください"},
    {"port {} on {} is taken (by {})", "{1} のポート {0} は使用中です ({2})"},
    {"port {} on {} is taken", "{1} のポート {0} は使用中です"},
    {"cannot listen on {}: this machine does not have the address {}",
     "{} で待ち受けられません: このマシンにアドレス {} はありません"},
    {"cannot listen on {}: {}", "{} で待ち受けられません: {}"},
    {"{} is in the way: it is not a socket", "{} がその場所にありますが、ソケットではありません"},
    {"{} is taken: somebody listens there", "{} は使用中です。ほかのプログラムが待ち受けています"},
    {"there is no user {} (server.user)", "ユーザー {} がいません (server.user)"},
    {"there is an instance already: {}. To add an account to it: hikyaku account add; for another "
     "instance name another directory with --dir",
     "インスタンスはすでにあります: {}。アカウントを加えるには hikyaku account "
     "add、別のインスタンスなら --dir で別のディレクトリを指定してください"},
    {"{} is there already, but no {}: the rest of another instance? Move it away, or name another "
     "directory with --dir",
     "{} がすでにありますが、{} がありません。ほかのインスタンスの残りでしょうか? 移すか、--dir "
     "で別のディレクトリを指定してください"},
    {"there is a store in {} already", "{} にはすでに保管庫があります"},
    {"the key of {} is protected by a passphrase; remove it with \"openssl pkey -in KEY -out "
     "NEWKEY\"",
     "{} の鍵はパスフレーズで保護されています。\"openssl pkey -in KEY -out NEWKEY\" "
     "で外してください"},
    {"{}: the key does not belong to this certificate (the first certificate in the file must be "
     "the server's own)",
     "{}: "
     "鍵がこの証明書のものではありません("
     "ファイルの最初の証明書はサーバー自身のものでなければなりません)"},
    {"{} is no certificate: it is larger than 1 MB",
     "{} は証明書ではありません。1 MB を超えています"},
    {"Address already in use", "アドレスは使用中です"},
    {"Connection refused", "接続を拒否されました"},
    {"Connection timed out", "時間内に応答がありません"},
    {"Network is unreachable", "ネットワークに到達できません"},
    {"No route to host", "ホストへの経路がありません"},
    {"--from: {}", "--from: {}"},
    {"--to: {}", "--to: {}"},
    {"no password in the URL, others could read it: it is asked for, or taken from "
     "--password-stdin",
     "URL "
     "にパスワードを書かないでください(ほかの人に見えます)。尋ねられたときに入力するか、--password-"
     "stdin で渡します"},
    {"\"{}\" does not begin with imaps:// or imap://",
     "\"{}\" は imaps:// でも imap:// でも始まっていません"},
    {"no user name: imaps://USER@HOST is wanted",
     "ユーザー名がありません。imaps://USER@HOST のように書きます"},
    {"no host name: imaps://USER@HOST is wanted",
     "ホスト名がありません。imaps://USER@HOST のように書きます"},
    {"\"{}\" is no port", "\"{}\" はポート番号ではありません"},
    {"\"[\" without \"]\"", "\"[\" に対する \"]\" がありません"},
    {"a \"%\" that two hexadecimal digits do not follow", "\"%\" の後に 16 進数 2 桁がありません"},
    {"cannot find the host {}: {}", "ホスト {} が見つかりません: {}"},
    {"the host {} has no address", "ホスト {} にアドレスがありません"},
    {"cannot reach {}: {}", "{} に接続できません: {}"},
    {"{}: the server offers no TLS; try imaps://",
     "{}: サーバーは TLS に対応していません。imaps:// を試してください"},
    {"another hikyaku migrate is moving this account",
     "ほかの hikyaku migrate がこのアカウントを移行中です"},
    {"the target takes no more: {}", "移行先がこれ以上受け取りません: {}"},
    {"the server knows no command '{}'; it may be older than this program",
     "サーバーはコマンド '{}' を知りません。このプログラムより古いのかもしれません"},
    {"'{}' is for root and the user of this instance; you are user {}",
     "'{}' は root とこのインスタンスのユーザーだけが使えます(あなたはユーザー {} です)"},
    {"process {} does not answer: nothing has come from the server for {}. If it was stopped: kill "
     "-CONT {}. Otherwise see its log, then start it again: systemctl restart hikyaku, or, if it "
     "is "
     "no service of systemd, kill -KILL {} and hikyaku serve (no mail that was accepted is lost). "
     "What was asked for may still be done.",
     "プロセス {} が応答しません。サーバーから {} の間、何も届いていません。停止されているなら "
     "kill -CONT {}、そうでなければログを確かめてから再起動してください: "
     "systemctl restart hikyaku、systemd のサービスでなければ kill -KILL {} の後 hikyaku serve "
     "(受け付けたメールは失われません)。頼んだことは、この後で行われるかもしれません。"},
    {"the process that was asked does not answer: nothing has come from it for {}. What was asked "
     "for may still be done.",
     "頼んだプロセスが応答しません。{} の間、何も届いていません。頼んだことは、この後で行われる"
     "かもしれません。"},
    {"{}: whoever listens there takes no more connections: it hangs, or was stopped",
     "{}: 待ち受けているプロセスが接続を受け付けません。固まっているか、停止されています"},
    {"the server is gone: {}", "サーバーとの接続が切れました: {}"},
    {"the server ended the connection", "サーバーが接続を切りました"},
    {"a mailbox name has an empty level", "メールボックス名に空の階層があります"},
    {"a mailbox name is longer than {} bytes", "メールボックス名が {} バイトを超えています"},
    {"a mailbox name is not UTF-8", "メールボックス名が UTF-8 ではありません"},
    {"a mailbox name contains control characters", "メールボックス名に制御文字があります"},
    {"a mailbox name has more than {} levels", "メールボックス名の階層が {} を超えています"},
    {"what {} has deleted cannot be given up: {}", "{} の削除済みメールを手放せません: {}"},
    {"an account has at most {} mailboxes", "アカウントのメールボックスは {} 個までです"},
    {"the mailbox is full ({} of {} bytes are used)",
     "メールボックスがいっぱいです({1} バイトのうち {0} バイトを使用)"},
};

/// What a migration says of one folder or message.
constexpr Phrase kMigration[] = {
    {"it has no name that the target could give a folder: it is left alone (--exclude names what "
     "is "
     "not to be moved)",
     "移行先でフォルダー名にできる名前がないため、そのままにします (--exclude で除外できます)"},
    {"message {}: {}; the same command copies it once more",
     "メッセージ {}: {}。同じコマンドでもう一度複製します"},
    {"message {}: {}, though it was copied twice (the first copy has UID {}): it is left alone",
     "メッセージ {}: 二度複製しましたが、{}。最初の複製は UID {} です。そのままにします"},
    {"message {}: {}, though it was copied twice: it is left alone",
     "メッセージ {}: 二度複製しましたが、{}。そのままにします"},
    {"no copy with the same bytes is at the target", "同じ内容の複製が移行先にありません"},
    {"its copy at the target (UID {}) is not the same", "移行先の複製 (UID {}) の内容が異なります"},
    {"its copy at the target (UID {}) has gone before it was read back",
     "移行先の複製 (UID {}) は読み返す前になくなりました"},
    {"message {} refused: {}", "メッセージ {} は拒否されました: {}"},
    {"message {}: the source did not give it: {}", "メッセージ {}: 移行元が渡しませんでした: {}"},
    {"message {}: the source did not give it", "メッセージ {}: 移行元が渡しませんでした"},
    {"flags refused: {}", "フラグが拒否されました: {}"},
    {"not subscribed: {}", "購読できません: {}"},
    {"cannot be opened at the source: {}", "移行元で開けません: {}"},
    {"cannot be opened at the target: {}", "移行先で開けません: {}"},
    {"cannot be created at the target: {}", "移行先で作成できません: {}"},
    {"and more", "ほかにもあります"},
};

/// What fits much, after all else.
constexpr Phrase kLast[] = {
    {"{}, process {}", "{}、プロセス {}"},
    {"{}: no answer within {}", "{}: {} 以内に応答がありません"},
    {"--dir is empty: name a directory", "--dir が空です。ディレクトリを指定してください"},
    {"{} is missing", "{} がありません"},
    {"there is no {}", "{} はありません"},
};

/// What to do about an error that begins, or ends, so.
struct Remedy {
  std::string_view begin;
  std::string_view end;
  Phrase what;
};
constexpr Remedy kRemedies[] = {
    {"the store is read-only: ",
     "",
     {". Nothing can be changed, and mail waits until it is mended: stop the server, then hikyaku "
      "verify tells what is damaged; copy the data directory, then: hikyaku verify --repair",
      "。直すまで何も変更できず、メールも届きません。サーバーを止めて hikyaku verify "
      "で壊れたところを調べ、データのディレクトリを複製してから hikyaku verify --repair "
      "を実行してください"}},
    {"cannot read the index: ",
     "",
     {". Copy the data directory, then: hikyaku verify --repair saves what can be read; or restore "
      "a backup: hikyaku restore BACKUP --force",
      "。データのディレクトリを複製してから hikyaku verify --repair "
      "を実行すると、読めるものが残ります。またはバックアップから復元してください: hikyaku restore "
      "BACKUP --force"}},
    {"",
     "is not a store's file",
     {". It is damaged; what is in the store is not lost by that. It is written again by: hikyaku "
      "verify --repair",
      "。壊れていますが、保管庫の内容は失われていません。hikyaku verify --repair "
      "で書き直してください"}},
    {"less than ",
     " MB of disk space are free",
     {" on the disk of the store: make room there, or set store.reserve lower in hikyaku.toml",
      "(保管庫のディスク)。空きを作るか、hikyaku.toml の store.reserve を小さくしてください"}},
    {"port ",
     "",
     {". Stop the program that has it, or choose other ports: listen.port_base in hikyaku.toml "
      "(for a new instance: hikyaku quickstart --port-base)",
      "。使っているプログラムを止めるか、hikyaku.toml の listen.port_base "
      "で別のポートを選んでください(新しいインスタンスなら hikyaku quickstart --port-base)"}},
};

bool is_port_taken(std::string_view line) {
  return line.starts_with("port ") && line.contains(" is taken");
}

const Remedy* remedy_of(std::string_view line) {
  for (auto& one : kRemedies) {
    if (!line.starts_with(one.begin) || !line.ends_with(one.end)) continue;
    if (one.begin == "port " && !is_port_taken(line)) continue;
    return &one;
  }
  return nullptr;
}

}  // namespace

std::string told_in(std::string_view text, Language language) {
  static const std::array<std::span<const Phrase>, 7> kTables{
      std::span<const Phrase>(kErrors), std::span<const Phrase>(kMigration),
      dkim::problem_phrases(),          dmarc::problem_phrases(),
      dns::problem_phrases(),           store_phrases(),
      std::span<const Phrase>(kLast)};
  // Each line is an error of its own.
  std::string told;
  for (auto line : split(text, '\n')) {
    if (line.data() != text.data()) told += '\n';
    told += translate(line, kTables, language);
  }
  return told;
}

std::string finding_in(std::string_view text, Language language) {
  auto whole = told_in(text, language);
  auto colon = text.find(": ");
  if (whole != text || colon == text.npos) return whole;
  return std::string(text.substr(0, colon + 2)) + told_in(text.substr(colon + 2), language);
}

std::string error_in(const Error& error, Language language) {
  auto text = error.describe();
  auto told = told_in(text, language);
  // Of several ports, once.
  auto lines = split(text, '\n');
  if (auto* remedy = lines.empty() ? nullptr : remedy_of(lines.back()))
    told += remedy->what.in(language);
  return told;
}

}  // namespace hikyaku::app
