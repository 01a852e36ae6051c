#include "spf/problem.h"

#include "dns/problem.h"

namespace hikyaku::spf {
namespace {

constexpr Phrase kProblems[] = {
    // What there is to ask about.
    {"there is no domain", "ドメインがありません"},
    {"\"{}\" is no domain name of two labels or more",
     "\"{}\" はドットで区切られたドメイン名ではありません"},
    {"\"{}\" is an address, no domain name", "\"{}\" はアドレスで、ドメイン名ではありません"},
    // The walk through the records.
    {"{} has more than one SPF record", "{} に SPF レコードが複数あります"},
    {"{} has no SPF record", "{} に SPF レコードがありません"},
    {"{} has more than {} MX records", "{} の MX レコードが {} 個を超えています"},
    {"{} does not exist", "{} は存在しません"},
    {"the record of {} leads back to {}", "{} のレコードをたどると {} に戻ります"},
    {"in the record of {}: \"{}\" stands for no domain name",
     "{} のレコード: \"{}\" はドメイン名になりません"},
    {"in the record of {}: {}", "{} のレコード: {}"},
    {"the records have more than {} terms that need the DNS",
     "DNS への問い合わせが必要な項目が {} 個を超えています"},
    {"more than {} terms ask for what does not exist, at last {} {}",
     "存在しないものを尋ねる項目が {} 個を超えています (最後は {} {})"},
    {"the check took longer than {} seconds", "検査に {} 秒以上かかりました"},
    {"no answer for {} {}: {}", "{} {} の答えが得られません: {}"},
    {"no answer for {} {}", "{} {} の答えが得られません"},
    // The grammar.
    {"it does not begin with v=spf1", "v=spf1 で始まっていません"},
    {"\"{}\", at character {} of the record: {}", "レコードの {1} 文字目、\"{0}\": {2}"},
    {"this is a modifier: it takes an = and no + - ~ ?",
     "これは修飾子です。= を使い、+ - ~ ? は付けません"},
    {"the name of a modifier begins with a letter", "修飾子の名前は英字で始まります"},
    {"this modifier may be there only once", "この修飾子は一度しか使えません"},
    {"there is no such mechanism (is \"{}\" meant?)",
     "そのような機構はありません (\"{}\" のつもりですか?)"},
    {"there is no such mechanism", "そのような機構はありません"},
    {"nothing may follow all", "all の後には何も書けません"},
    {"an address is missing", "アドレスがありません"},
    {"a colon and a domain name are missing", "コロンとドメイン名がありません"},
    {"only a colon and a domain name may follow", "後にはコロンとドメイン名しか書けません"},
    {"the length of a network has no leading zeros", "ネットワーク長の先頭に 0 は付けません"},
    {"the length of an IPv4 network is at most 32 (IPv6 has two slashes: //64)",
     "IPv4 のネットワーク長は 32 までです (IPv6 はスラッシュ 2 つ: //64)"},
    {"the length of an IPv6 network is at most 128", "IPv6 のネットワーク長は 128 までです"},
    {"this is no IPv4 address, such as 192.0.2.0 or 192.0.2.0/24",
     "IPv4 アドレスではありません (例: 192.0.2.0、192.0.2.0/24)"},
    {"this is no IPv6 address, such as 2001:db8::1 or 2001:db8::/32",
     "IPv6 アドレスではありません (例: 2001:db8::1、2001:db8::/32)"},
    // Macros and names; on the right a brace is written twice.
    {"% must be followed by {, %, _ or - (a plain percent sign is written %%)",
     "% の後には {{、%、_、- のどれかが必要です (% そのものは %% と書きます)"},
    {"only visible ASCII characters are allowed", "使えるのは ASCII の印字可能な文字だけです"},
    {"there is no macro of this letter", "この文字のマクロはありません"},
    {"the macros c, r and t are for explanation texts only",
     "マクロ c、r、t は説明文だけで使えます"},
    {"a macro cannot keep 0 parts", "マクロで残す部分の数に 0 は指定できません"},
    {"the macro is not closed by }", "マクロが }} で閉じられていません"},
    {"a domain name is missing", "ドメイン名がありません"},
    {"a domain name needs a dot (one label alone is no domain)",
     "ドメイン名にはドットが必要です (ラベル 1 つはドメインではありません)"},
    {"a domain name cannot end with a number (an address is written ip4:…)",
     "ドメイン名の末尾は数字だけにできません (アドレスは ip4:… と書きます)"},
    {"the last label of a domain name has letters, digits and inner hyphens only",
     "ドメイン名の最後のラベルに使えるのは英数字と途中のハイフンだけです"},
};

}  // namespace

std::span<const Phrase> problem_phrases() {
  return kProblems;
}

std::string problem_in(std::string_view problem, Language language) {
  return dns::problem_in(problem, language, kProblems);
}

}  // namespace hikyaku::spf
