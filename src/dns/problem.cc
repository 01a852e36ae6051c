#include "dns/problem.h"

#include <array>

#include "base/translate.h"

namespace hikyaku::dns {
namespace {

constexpr Phrase kProblems[] = {
    // Answers.
    {"DNS lookup of {}: {}", "{} の問い合わせ: {}"},
    {"DNSSEC for {}: {}", "{} の DNSSEC: {}"},
    {"validation failed", "検証に失敗しました"},
    {"the question was called malformed (FORMERR)", "質問の形式が正しくないとされました (FORMERR)"},
    {"no server could answer (SERVFAIL)", "答えられるサーバーがありません (SERVFAIL)"},
    {"the server does not do that (NOTIMP)", "サーバーが対応していません (NOTIMP)"},
    {"the server refused (REFUSED)", "サーバーが拒否しました (REFUSED)"},
    {"the server only names other servers", "サーバーは別のサーバーを示すだけです"},
    {"the server answered with code {}", "サーバーの応答コードは {} でした"},
    {"no answer within {}", "{} 以内に応答がありません"},
    {"the records are malformed", "レコードの形式が正しくありません"},
    {"the resolver was shut down", "名前解決が停止されました"},
    {"too many DNS lookups are under way", "実行中の DNS への問い合わせが多すぎます"},
    {"no DNS server answers", "どの DNS サーバーも応答しません"},
    {"no answer before the deadline for checking a sender",
     "送信者の検査の期限までに応答がありません"},
    {"the servers for {} do not answer", "{} のサーバーが応答しません"},
    {"the servers for {} report a failure", "{} のサーバーが障害を報告しています"},
    {"the servers for {} fail", "{} のサーバーに障害があります"},
    {"the signature of {} is wrong", "{} の署名が正しくありません"},
    {"the CNAME records of {} go in a circle", "{} の CNAME レコードが循環しています"},
    // Names.
    {"\"{}\" is no domain name: {}", "\"{}\" はドメイン名ではありません: {}"},
    {"it is empty", "空です"},
    {"it is longer than 253 bytes", "253 バイトを超えています"},
    {"it contains a zero byte", "ゼロバイトがあります"},
    {"it is not UTF-8", "UTF-8 ではありません"},
    {"it is not valid", "正しくありません"},
    {"\"{}\" is not allowed in names", "\"{}\" は名前に使えません"},
    {"two dots follow each other, or one stands at the beginning",
     "ドットが連続しているか、先頭にあります"},
    {"a part is longer than 63 bytes", "63 バイトを超える部分があります"},
    {"a part begins or ends with a hyphen", "ハイフンで始まるか終わる部分があります"},
    {"a part has -- at its third and fourth place", "3 文字目と 4 文字目が -- の部分があります"},
    {"a part that begins with xn-- does not decode to a valid one",
     "xn-- で始まる部分を復号しても正しい名前になりません"},
    {"a part begins with a combining mark", "結合文字で始まる部分があります"},
    {"it contains a character that is not allowed in names", "名前に使えない文字があります"},
    {"a part contains a dot", "ドットを含む部分があります"},
    {"it mixes left-to-right and right-to-left letters in a forbidden way",
     "左横書きと右横書きの文字が許されない形で混ざっています"},
    {"a joiner stands where it is not allowed to", "結合子が許されない位置にあります"},
};

}  // namespace

std::span<const Phrase> problem_phrases() {
  return kProblems;
}

std::string problem_in(std::string_view problem, Language language,
                       std::span<const Phrase> others) {
  const std::array<std::span<const Phrase>, 2> tables{others, kProblems};
  return translate(problem, tables, language);
}

}  // namespace hikyaku::dns
