#include "config/problem.h"

#include <array>

#include "base/translate.h"

namespace hikyaku::config {
namespace {

constexpr Phrase kProblems[] = {
    // The file.
    {"cannot read it: {}", "読み込めません: {}"},
    {"No such file or directory", "ファイルもディレクトリもありません"},
    {"Permission denied", "権限がありません"},
    {"Is a directory", "ディレクトリです"},
    {"it is larger than 1 MB", "1 MB を超えています"},
    {"`hikyaku quickstart ADDRESS` writes one; --dir says where.",
     "`hikyaku quickstart ADDRESS` で作れます。場所は --dir で指定します。"},
    {"this is not TOML: {}", "TOML ではありません: {}"},
    {"this is not TOML", "TOML ではありません"},
    {"Correct this line first; what follows was not read.",
     "まずこの行を直してください。この後は読んでいません。"},
    {"Look for a stray character in a key or a [section].",
     "キーや [節] に余計な文字がないか調べてください。"},

    {"a key has more than {} parts", "キーがドットで {} より多くの部分に分かれています"},
    {"Options are written section.option = VALUE.",
     "オプションは「節.オプション = 値」の形で書いてください。"},

    // Names.
    {"unknown section [{}]", "節 [{}] はありません"},
    {"unknown option {}", "オプション {} はありません"},
    {"{} is a section, not an option", "{} はオプションではなく節です"},
    {"Write [{}] on a line of its own, its options below it.",
     "[{}] を独立した行に書き、そのオプションを下に並べてください。"},
    {"Write it without quotes: {} = ….", "引用符なしで書いてください: {} = …。"},
    {"Did you mean {}?", "{} のことですか?"},
    {"See `hikyaku config explain` for all sections.",
     "すべての節は `hikyaku config explain` で見られます。"},
    {"See `hikyaku config explain {}` for its options.",
     "オプションは `hikyaku config explain {}` で見られます。"},

    // Values.
    {"{} must be {}, not {}", "{} には {}を書きます({} ではなく)"},
    {"{} cannot be {}: {}", "{} に {} は使えません: {}"},
    {"{} has no \"{}\" of this kind", "{} にこのような \"{}\" はありません"},
    {"{} needs cert and key", "{} には cert と key が必要です"},
    {"The default is {} = {}.", "既定値は {} = {} です。"},
    {"Write it with a unit, such as \"{}s\".", "\"{}s\" のように単位を付けてください。"},
    {"Put it in brackets: {} = [{}].", "角括弧で囲んでください: {} = [{}]。"},
    {"Write {}.", "{}を書いてください。"},
    {"a number with a fraction", "小数"},
    {"a date or time", "日付や時刻"},
    {"a list", "リスト"},
    {"a table", "表"},

    // What may be written: describe_kind().
    {"true or false", "true か false のどちらか"},
    {"an integer from {} to {}", "{} から {} までの整数"},
    {"a size from {} to {}", "{} から {} までの大きさ"},
    {"a duration from {} to {}", "{} から {} までの時間"},
    {"a text", "文字列"},
    {"a path", "パス"},
    {"a list of texts", "文字列のリスト"},
    {"a list of durations from {} to {}", "{} から {} までの時間のリスト"},
    {"a list of IP addresses", "IP アドレスのリスト"},
    {"a list of ports (1 to 65535) or \"ADDRESS:PORT\"",
     "ポート番号 (1 から 65535) または \"ADDRESS:PORT\" のリスト"},
    {"a list of {}, names optional", "{} のリスト (names は省略可)"},
    {"a list of {}", "{} のリスト"},
    {"{} or \"{}", "{} または \"{} のどちらか"},

    // The checks of single values.
    {"a host name has at most 253 characters", "ホスト名は 253 文字までです"},
    {"it is not a host name", "ホスト名ではありません"},
    {"the characters may be + - _ = #", "使える文字は + - _ = # です"},
    {"it is not an address", "アドレスではありません"},
    {"it is neither a local part nor an address", "ローカルパートでもアドレスでもありません"},
    {"at most one IPv4 and one IPv6 address", "IPv4 と IPv6 のアドレスは一つずつまでです"},
    {"it is not the name of a header field", "ヘッダーフィールドの名前ではありません"},
    {"\"{}\" is no domain name", "\"{}\" はドメイン名ではありません"},
    {"\"{}\" is no domain name, address or network (192.0.2.0/24)",
     "\"{}\" はドメイン名でもアドレスでもネットワーク (192.0.2.0/24) でもありません"},
    {"at most 16 lists are asked", "問い合わせるリストは 16 までです"},
    {"\"{}\" is neither ZONE nor ZONE=WEIGHT, with a weight from -100 to 100",
     "\"{}\" は ZONE でも ZONE=WEIGHT (重みは -100 から 100 まで) でもありません"},
    {"it must not be empty", "空にはできません"},

    // Conflicts.
    {"{} has port {}, which with listen.port_base = {} exceeds 65535",
     "{} のポート {} に listen.port_base = {} を足すと 65535 を超えます"},
    {"Choose a smaller listen.port_base.", "listen.port_base を小さくしてください。"},
    {"{} and {} both want {}", "{} と {} がどちらも {} を使おうとしています"},
    {"Give each service a port of its own, or close one with [].",
     "サービスごとに別のポートにするか、片方を [] で閉じてください。"},
    {"server.local = true, but listen.addresses has {}, which others can reach",
     "server.local = true ですが、listen.addresses に外から届く {} があります"},
    {"Use loopback addresses (127.0.0.0/8, ::1), or server.local = false.",
     "ループバックのアドレス (127.0.0.0/8、::1) を使うか、server.local = false "
     "にしてください。"},
    {"queue.delay_notice = \"{}\" would come after queue.lifetime = \"{}\"",
     "queue.delay_notice = \"{}\" は queue.lifetime = \"{}\" より後になります"},
    {"Make it shorter, or \"0s\" for no notice.",
     "短くするか、通知しないなら \"0s\" にしてください。"},
    {"dkim.expiry = \"{}\" ends before queue.lifetime = \"{}\"",
     "dkim.expiry = \"{}\" は queue.lifetime = \"{}\" より先に切れます"},
    {"Mail that waits in queues would arrive with an expired signature: make it longer, or "
     "\"0s\" for none.",
     "キューで待ったメールが期限切れの署名で届きます。長くするか、期限なしの \"0s\" "
     "にしてください。"},
    {"queue.retry has \"{}\", longer than queue.lifetime = \"{}\"",
     "queue.retry の \"{}\" は queue.lifetime = \"{}\" より長い時間です"},
    {"No message would live to see that attempt; use shorter waits.",
     "どのメッセージもその試行まで残りません。待ち時間を短くしてください。"},
    {"{} = {} is more than {} = {}", "{} = {} は {} = {} を超えています"},
    {"A part cannot have more than the whole.", "一部が全体より大きくはなれません。"},
    {"tls.certificates has {} twice", "tls.certificates に {} が二度あります"},
    {"Remove one.", "片方を消してください。"},
};

}  // namespace

std::string problem_in(std::string_view text, Language language) {
  static constexpr std::array<std::span<const Phrase>, 1> kTables{kProblems};
  return translate(text, kTables, language);
}

}  // namespace hikyaku::config
