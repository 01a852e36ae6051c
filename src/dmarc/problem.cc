#include "dmarc/problem.h"

#include "dns/problem.h"

namespace hikyaku::dmarc {
namespace {

constexpr Phrase kProblems[] = {
    // Where reports go.
    {"{} has no DMARC record: {} has not agreed",
     "{} に DMARC レコードがないため、{} は承諾していません"},
    {"{} names no address that could be used", "{} に使えるアドレスがありません"},
    // What came as a report.
    {"this is no XML document", "XML 文書ではありません"},
    {"the document declares entities or elements", "文書がエンティティか要素を宣言しています"},
    {"elements are nested deeper than {} levels", "要素の入れ子が {} 段を超えています"},
    {"the feedback report does not say of which type it is",
     "フィードバックレポートの種類が書かれていません"},
    {"there is no feedback report in the message",
     "メッセージにフィードバックレポートがありません"},
    {"there is no aggregate report in the message", "メッセージに集計レポートがありません"},
    {"the attachment has more than {} bytes", "添付ファイルが {} バイトを超えています"},
    {"none of the {} records of the report can be read", "報告の記録 {} 件がどれも読めません"},
    {"there is no report in the mail", "メールに報告がありません"},
    {"the mail is too large for a report", "メールが報告としては大きすぎます"},
    {"the mail has {} bytes: too large for a report",
     "メールが {} バイトで、報告としては大きすぎます"},
    // What is sent as one.
    {"there is nothing to report", "報告することがありません"},
    {"the report has more than {} bytes", "報告が {} バイトを超えています"},
    {"the rows of the report have changed meanwhile", "その間に報告の内容が変わりました"},
    {"there is no domain to report as", "報告の送信元にするドメインがありません"},
};

}  // namespace

std::span<const Phrase> problem_phrases() {
  return kProblems;
}

std::string problem_in(std::string_view problem, Language language) {
  return dns::problem_in(problem, language, kProblems);
}

}  // namespace hikyaku::dmarc
