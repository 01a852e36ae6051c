#include "story/checks.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "arc/problem.h"
#include "base/text.h"
#include "base/translate.h"
#include "dkim/problem.h"
#include "dmarc/author.h"
#include "dmarc/disposition.h"
#include "dmarc/failure_report.h"
#include "iprev/problem.h"
#include "spf/problem.h"

namespace hikyaku::story {
namespace {

constexpr Phrase kSpfPass{"{0} says that this client may send its mail (by {1})",
                          "{0} はこの接続元に送信を許可しています ({1})"};
constexpr Phrase kSpfFail{"{0} says that this client may not send its mail (by {1})",
                          "{0} はこの接続元の送信を認めていません ({1})"};
constexpr Phrase kSpfSoftFail{"{0} says that this client probably may not send its mail (by {1})",
                              "{0} はこの接続元の送信をおそらく認めていません ({1})"};
constexpr Phrase kSpfNeutral{"{0} says neither yes nor no about this client (by {1})",
                             "{0} はこの接続元について可否を示していません ({1})"};
constexpr Phrase kSpfNone{"{0} does not say who may send its mail",
                          "{0} は誰が送信してよいかを公開していません"};
constexpr Phrase kSpfNothing{"there is no domain to ask about", "調べるドメインがありません"};
constexpr Phrase kSpfTempError{"{0} could not be asked: {2}", "{0} に問い合わせできません: {2}"};
constexpr Phrase kSpfPermError{"the records of {0} cannot be used: {2}",
                               "{0} のレコードが正しくありません: {2}"};

constexpr Phrase kDkimNone{"the message is not signed", "署名がありません"};
constexpr Phrase kDkimPass{"signed by {0} (selector {1}, {2}), and unchanged since",
                           "{0} の署名があり (セレクター {1}、{2})、改変されていません"};
constexpr Phrase kDkimOther{"a signature of {0} (selector {1}, {2}): {3}",
                            "{0} の署名 (セレクター {1}、{2}): {3}"};
constexpr Phrase kDkimIgnored{"{0} more signatures were not looked at",
                              "ほかの {0} 個の署名は調べていません"};
constexpr Phrase kDkimIgnoredOne{"one more signature was not looked at",
                                 "ほかの 1 個の署名は調べていません"};

constexpr Phrase kSigned{"signed as {0} (selector {1})", "{0} として署名しました (セレクター {1})"};
constexpr Phrase kUnsigned{"it leaves without a signature of {0}: {1}",
                           "{0} の署名なしで送り出されます: {1}"};

constexpr Phrase kArcPass{"the chain is whole; last sealed by {0}",
                          "連鎖は正しく、最後の封印は {0} です"};
constexpr Phrase kArcTrusted{"the chain is whole; {0} is trusted here and says that it passed",
                             "連鎖は正しく、信頼する {0} が合格を示しています"};
constexpr Phrase kSealed{
    "sealed as {0} (selector {1}): the next server can see what was found here",
    "{0} として封印しました (セレクター {1}): 次のサーバーはここでの検証結果を見られます"};
constexpr Phrase kUnsealed{"{0} sends it on without a seal: {1}",
                           "{0} は封印せずに転送します: {1}"};
constexpr Phrase kArcFail{"the chain does not hold: {0}", "連鎖が壊れています: {0}"};

constexpr Phrase kDmarcPass{"it comes from {0}, as {1} shows",
                            "{0} からのメールであることを {1} が示しています"};
constexpr Phrase kDmarcFail{
    "nothing shows that it comes from {0}, whose policy at _dmarc.{1} is {2}",
    "{0} からのメールであることを示すものがなく、_dmarc.{1} のポリシーは {2} です"};
constexpr Phrase kDmarcFailBare{"nothing shows that it comes from {0}",
                                "{0} からのメールであることを示すものがありません"};
constexpr Phrase kDmarcNone{"{0} has no DMARC policy", "{0} には DMARC ポリシーがありません"};
constexpr Phrase kDmarcTempError{"{0} could not be asked", "{0} に問い合わせできません"};
constexpr Phrase kDmarcPermError{"there is no author whose domain could be asked",
                                 "調べられる差出人のドメインがありません"};

constexpr Phrase kOldRules{"; by the older rules (RFC 7489) it would be {0}, policy {1}{2}",
                           "。以前の規則 (RFC 7489) では {0}、ポリシー {1}{2}"};
constexpr Phrase kOldPercent{" for {} % of the mail", " (メールの {} % に適用)"};

constexpr Phrase kListed{"the client stands on: {0}; together they weigh {1}",
                         "接続元が載っているリスト: {0}。重みの合計 {1}"};
constexpr Phrase kListsFailed{"no answer from {0}", "{0} から回答がありません"};
constexpr Phrase kRemoved{
    "{0} fields that claim to be from {1} were removed: only this server says what it found",
    "{1} を名乗るフィールドを {0} 個取り除きました: 検査結果を書くのはこのサーバーだけです"};

constexpr Phrase kRemovedOne{
    "one field that claims to be from {1} was removed: only this server says what it found",
    "{1} を名乗るフィールドを 1 個取り除きました: 検査結果を書くのはこのサーバーだけです"};
constexpr Phrase kPathsRemoved{
    "a Return-Path field that came with it was removed: only what the envelope said stands there",
    "メッセージに付いていた Return-Path "
    "を取り除きました。エンベロープの送信者だけを記します"};

constexpr Phrase kWithheld{"nothing is sent back to {1}: {0} says that it is probably forged",
                           "{1} には何も返送しません: {0} によれば詐称のおそれがあります"};
constexpr Phrase kReportSent{"{0} asks to be told of such mail: {1} gets a report",
                             "{0} の求めにより {1} へ失敗レポートを送ります"};
constexpr Phrase kReportLimited{
    "{1} gets no report for {0}: too many in this hour",
    "{0} についての {1} への報告は、この 1 時間の上限に達したため送りません"};
constexpr Phrase kReportRefused{
    "{1} gets no report for {0}: it has not agreed ({2})",
    "{1} が {0} の報告先になることを承諾していないため送りません ({2})"};
constexpr Phrase kReportUnasked{
    "{1} gets no report for {0}: whether it agrees could not be asked ({2})",
    "{1} が {0} の報告先になることを承諾しているか確認できず、送りません ({2})"};
constexpr Phrase kReportDropped{
    "{1} gets no report for {0}: it could not be written ({2})",
    "{0} についての {1} への報告は、書き込めなかったため送りません ({2})"};
constexpr Phrase kUnchecked{"the client is on this machine: no public record speaks of it",
                            "接続元はこのコンピューター自身で、公開レコードの対象ではありません"};

constexpr Phrase kDeliver{"delivered: {}", "配送: {}"};
constexpr Phrase kJunk{"put into Junk: {}", "迷惑メールへ: {}"};
constexpr Phrase kSentOn{"sent on with what was found, since no mailbox here gets it: {}",
                         "検査結果を付けて転送 (ここのメールボックスには入りません): {}"};
constexpr Phrase kReport{"taken for the reports: {}", "報告として受け取り: {}"};
constexpr Phrase kDefer{"to be sent again later: {}", "後で再送を求めました: {}"};
constexpr Phrase kRefuse{"refused: {}", "拒否: {}"};

constexpr Phrase kAsked{" [asked: {}]", " [問い合わせ: {}]"};
constexpr Phrase kLine{"    {}: {}\n", "    {}: {}\n"};

/// Checks that are ours, and their results; those of SPF, DKIM and their like are protocols' words.
constexpr Phrase kChecks[] = {
    {"sender", "送信者"},
    {"decision", "判断"},
    {"notices", "通知"},
    {"blocklists", "ブロックリスト"},
    {"dkim-sign", "DKIM 署名"},
    {"arc-seal", "ARC 封印"},
    {"failure-report", "失敗レポート"},
    {"return-path", "Return-Path"},
    {"authentication-results", "Authentication-Results"},
    {"dsn", "dsn"},
    {"mx", "MX"},
    {"address", "アドレス"},
    {"host", "ホスト"},
    {"tls", "TLS"},
};
constexpr Phrase kResults[] = {
    {"unchecked", "検証なし"},
    {"deliver", "配送"},
    {"junk", "迷惑メール"},
    {"sent-on", "転送"},
    {"report", "報告"},
    {"defer", "延期"},
    {"refuse", "拒否"},
    {"withheld", "送らない"},
    {"listed", "掲載あり"},
    {"clear", "掲載なし"},
    {"signed", "署名あり"},
    {"unsigned", "署名なし"},
    {"sealed", "封印あり"},
    {"unsealed", "封印なし"},
    {"sent", "送信"},
    {"limited", "上限"},
    {"unreachable", "接続できず"},
    {"lost", "切断"},
    {"refused", "拒否"},
    {"unasked", "確認できず"},
    {"dropped", "中止"},
    {"removed", "除去"},
    {"sent to", "送信"},
    {"not sent", "送らない"},
    {"asked for", "要望"},
    {"left out", "省略"},
    {"no such name", "その名前は存在しません"},
    {"null", "受信しない"},
    {"none", "なし"},
    {"found", "あり"},
    {"failed", "失敗"},
    {"not offered", "提供なし"},
};

/// "key=value; key=value", taken apart.
class Facts {
 public:
  explicit Facts(std::string_view text) {
    for (auto part : split(text, ';')) {
      part = trim_space(part);
      auto equals = part.find('=');
      if (equals == std::string_view::npos) continue;
      facts_.push_back({part.substr(0, equals), part.substr(equals + 1)});
    }
  }

  /// The values of this key, one after another; "?" when there is none.
  std::string operator[](std::string_view key) const {
    auto all = find(key);
    return all.empty() ? "?" : all;
  }
  bool empty() const { return facts_.empty(); }
  bool has(std::string_view key) const { return !find(key).empty(); }
  std::string find(std::string_view key) const {
    std::string all;
    for (auto& [name, value] : facts_) {
      if (name != key) continue;
      if (!all.empty()) all += ", ";
      all += printable(value);
    }
    return all;
  }

 private:
  struct Fact {
    std::string_view key;
    std::string_view value;
  };
  std::vector<Fact> facts_;
};

struct Case {
  std::string_view result;
  const Phrase& phrase;
};

std::string tell_spf(const Finding& finding, const Facts& facts, Language language) {
  static constexpr std::array<Case, 6> kCases{{{"pass", kSpfPass},
                                               {"fail", kSpfFail},
                                               {"softfail", kSpfSoftFail},
                                               {"neutral", kSpfNeutral},
                                               {"temperror", kSpfTempError},
                                               {"permerror", kSpfPermError}}};
  auto* phrase = facts.has("domain") ? &kSpfNone : &kSpfNothing;
  for (auto& [result, words] : kCases)
    if (finding.result == result) phrase = &words;
  return say(language, *phrase, facts["domain"], facts["by"],
             spf::problem_in(facts["problem"], language));
}

std::string tell_dkim(const Finding& finding, const Facts& facts, Language language) {
  if (finding.result == "none") return say(language, kDkimNone);
  if (finding.result == "ignored") {
    auto count = facts["signatures"];
    return say(language, count == "1" ? kDkimIgnoredOne : kDkimIgnored, count);
  }
  auto& phrase = finding.result == "pass" ? kDkimPass : kDkimOther;
  return say(language, phrase, facts["domain"], facts["selector"], facts["algorithm"],
             dkim::problem_in(facts["problem"], language));
}

std::string tell_arc(const Finding& finding, const Facts& facts, Language language) {
  if (finding.result != "pass")
    return say(language, kArcFail, arc::problem_in(facts["problem"], language));
  if (facts.has("trusted")) return say(language, kArcTrusted, facts["trusted"]);
  return say(language, kArcPass, facts["sealer"]);
}

/// "SPF (a.test), DKIM (b.test)"
std::string witnesses(const Facts& facts) {
  std::string text;
  if (facts.has("spf")) text += "SPF (" + facts["spf"] + ")";
  if (facts.has("dkim")) text += (text.empty() ? "DKIM (" : ", DKIM (") + facts["dkim"] + ")";
  return text.empty() ? "?" : text;
}

const Phrase& dmarc_phrase(const Finding& finding, const Facts& facts) {
  if (finding.result == "pass") return kDmarcPass;
  if (finding.result == "fail") return facts.has("policy") ? kDmarcFail : kDmarcFailBare;
  if (finding.result == "temperror") return kDmarcTempError;
  return finding.result == "none" ? kDmarcNone : kDmarcPermError;
}

/// Why programs could show somebody else; empty when they could not.
std::string author_problems(const Facts& facts, Language language) {
  std::string problems;
  auto names = facts.find("author");
  for (auto name : split(names, ',')) {
    auto problem = dmarc::parse_author_problem(trim_space(name));
    if (!problem) continue;
    if (!problems.empty()) problems += language == Language::Japanese ? "。" : "; ";
    problems += dmarc::explain(*problem).in(language);
  }
  return problems;
}

/// Others may still follow them; empty when they end in the same.
std::string by_old_rules(const Facts& facts, Language language) {
  if (!facts.has("rfc7489")) return {};
  auto percent = facts.has("rfc7489-percent") ? say(language, kOldPercent, facts["rfc7489-percent"])
                                              : std::string();
  return say(language, kOldRules, facts["rfc7489"], facts["rfc7489-policy"], percent);
}

std::string tell_dmarc(const Finding& finding, const Facts& facts, Language language) {
  auto old = by_old_rules(facts, language);
  if (finding.result == "pass")
    return say(language, kDmarcPass, facts["from"], witnesses(facts)) + old;
  auto text =
      say(language, dmarc_phrase(finding, facts), facts["from"], facts["at"], facts["policy"]);
  auto problems = author_problems(facts, language);
  return (problems.empty() ? text : text + " (" + problems + ")") + old;
}

std::string tell_lists(const Finding& finding, const Facts& facts, Language language) {
  std::string text;
  if (finding.result == "listed") text = say(language, kListed, facts["list"], facts["weight"]);
  if (facts.has("failed"))
    text += (text.empty() ? "" : "; ") + say(language, kListsFailed, facts["failed"]);
  return text;
}

template <class Reason>
std::vector<Reason> read_reasons(const Facts& facts, std::string_view key,
                                 std::optional<Reason> (*parse)(std::string_view)) {
  std::vector<Reason> reasons;
  auto names = facts.find(key);
  for (auto name : split(names, ','))
    if (auto reason = parse(name)) reasons.push_back(*reason);
  return reasons;
}

std::string tell_decision(const Finding& finding, const Facts& facts, Language language) {
  dmarc::Disposition disposition;
  auto why = dmarc::parse_why(facts["why"]);
  if (!why) return finding.reason;
  disposition.why = *why;
  disposition.speaks_for = read_reasons(facts, "for", dmarc::parse_for);
  for (auto reason : read_reasons(facts, "against", dmarc::parse_against))
    disposition.speaks_against.push_back({reason, facts.find(to_string(reason))});
  auto& phrase = finding.result == "deliver"   ? kDeliver
                 : finding.result == "junk"    ? kJunk
                 : finding.result == "report"  ? kReport
                 : finding.result == "sent-on" ? kSentOn
                 : finding.result == "defer"   ? kDefer
                                               : kRefuse;
  return say(language, phrase, disposition.describe(language));
}

const Phrase& report_phrase(dmarc::ReportOutcome outcome) {
  switch (outcome) {
    case dmarc::ReportOutcome::Sent:
      return kReportSent;
    case dmarc::ReportOutcome::Limited:
      return kReportLimited;
    case dmarc::ReportOutcome::Refused:
      return kReportRefused;
    case dmarc::ReportOutcome::Unasked:
      return kReportUnasked;
    case dmarc::ReportOutcome::Dropped:
      break;
  }
  return kReportDropped;
}

std::string tell_report(const Finding& finding, const Facts& facts, Language language) {
  auto outcome = dmarc::parse_report_outcome(finding.result);
  if (!outcome) return {};
  return say(language, report_phrase(*outcome), facts["domain"], facts["to"], facts["problem"]);
}

std::string tell_signature(const Finding& finding, const Facts& facts, Language language) {
  if (finding.result == "signed") return say(language, kSigned, facts["d"], facts["s"]);
  if (!facts.has("problem")) return {};
  return say(language, kUnsigned, facts["d"], dkim::problem_in(facts["problem"], language));
}

std::string tell_seal(const Finding& finding, const Facts& facts, Language language) {
  if (finding.result == "sealed") return say(language, kSealed, facts["domain"], facts["selector"]);
  return say(language, kUnsealed, facts["domain"], arc::problem_in(facts["problem"], language));
}

std::string words(const Finding& finding, const Facts& facts, Language language) {
  auto& check = finding.check;
  if (check == "spf" || check == "spf-helo") return tell_spf(finding, facts, language);
  if (check == "dkim") return tell_dkim(finding, facts, language);
  if (check == "arc") return tell_arc(finding, facts, language);
  if (check == "arc-seal") return tell_seal(finding, facts, language);
  if (check == "dkim-sign") return tell_signature(finding, facts, language);
  if (check == "dmarc") return tell_dmarc(finding, facts, language);
  if (check == "iprev") return iprev::problem_in(facts["problem"], language);
  if (check == "blocklists") return tell_lists(finding, facts, language);
  if (check == "decision") return tell_decision(finding, facts, language);
  if (check == "notices") return say(language, kWithheld, to_upper(facts["by"]), facts["to"]);
  if (check == "failure-report") return tell_report(finding, facts, language);
  if (check == "sender") return say(language, kUnchecked);
  if (check == "authentication-results")
    return say(language, facts["fields"] == "1" ? kRemovedOne : kRemoved, facts["fields"],
               facts["claimed"]);
  if (check == "return-path") return say(language, kPathsRemoved);
  return {};
}

}  // namespace

std::optional<std::string> tell_check(const Finding& finding, Language language) {
  Facts facts(finding.reason);
  // Words already.
  if (facts.empty() && !finding.reason.empty()) return std::nullopt;
  auto text = words(finding, facts, language);
  if (text.empty()) return std::nullopt;
  if (facts.has("asked")) text += say(language, kAsked, facts["asked"]);
  return say(language, kLine, label_of(finding, language), text);
}

std::string_view check_name(std::string_view check, Language language) {
  auto known = std::ranges::find(kChecks, check, &Phrase::en);
  return known == std::end(kChecks) ? check : known->in(language);
}

std::string label_of(const Finding& finding, Language language) {
  auto is_ours = std::ranges::find(kChecks, finding.check, &Phrase::en) != std::end(kChecks);
  auto result = std::ranges::find(kResults, finding.result, &Phrase::en);
  return fmt::format(
      "{}: {}", check_name(finding.check, language),
      is_ours && result != std::end(kResults) ? result->in(language) : finding.result);
}

}  // namespace hikyaku::story
