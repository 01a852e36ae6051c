#include "spf/explain.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "spf/problem.h"

namespace hikyaku::spf {
namespace {

constexpr std::size_t kShownTerm = 120;  ///< bytes
constexpr std::size_t kShownRecord = 2000;

constexpr Phrase kPass{"{0} says that {1} may send its mail: {2}.",
                       "{0} は {1} からの送信を認めています: {2}。"};
constexpr Phrase kFail{"{0} says that {1} may not send its mail: {2}.",
                       "{0} は {1} からの送信を認めていません: {2}。"};
constexpr Phrase kSoftFail{"{0} says that {1} probably may not send its mail: {2}.",
                           "{0} は {1} からの送信をおそらく認めていません: {2}。"};
constexpr Phrase kNeutral{"{0} does not say whether {1} may send its mail: {2}.",
                          "{0} は {1} からの送信の可否を示していません: {2}。"};
constexpr Phrase kMatched{"the term \"{0}\" in the record of {1} matched",
                          "{1} のレコードの項目 \"{0}\" が一致しました"};
constexpr Phrase kDefault{"no term of its record matched",
                          "レコードのどの項目も一致しませんでした"};

constexpr Phrase kNoDomain{"SPF has nothing to ask about: {1}.",
                           "SPF で調べる対象がありません: {1}。"};
constexpr Phrase kNoRecord{"{0} does not publish who may send its mail (no SPF record).",
                           "{0} は送信元を公開していません (SPF レコードなし)。"};
constexpr Phrase kNoSuchDomain{"The domain {0} does not exist.", "ドメイン {0} は存在しません。"};
constexpr Phrase kUnusable{"SPF of {0} cannot be used; its owner must mend it: {1}.",
                           "{0} の SPF は使えません。所有者が直す必要があります: {1}。"};
constexpr Phrase kUnanswered{
    "SPF of {0} could not be found out; it may be later: {1}.",
    "{0} の SPF を今は確認できません。後で確認できるかもしれません: {1}。"};

constexpr Phrase kRecords{"Records read", "読んだレコード"};
constexpr Phrase kTerms{"Terms tried", "調べた項目"};
constexpr Phrase kExplains{"{} explains (its own words): {}", "{} の説明 (先方の文言): {}"};

constexpr Phrase kNoMatch{"no match", "不一致"};
constexpr Phrase kMatch{"match", "一致"};
constexpr Phrase kFollowed{"followed", "参照先へ"};
constexpr Phrase kAbandoned{"no explanation to be had", "説明は得られず"};
constexpr Phrase kTempError{"could not be found out", "確認できず"};
constexpr Phrase kPermError{"error", "エラー"};

const Phrase& phrase_of(Problem problem) {
  switch (problem) {
    case Problem::NoDomain:
      return kNoDomain;
    case Problem::NoRecord:
      return kNoRecord;
    case Problem::NoSuchDomain:
      return kNoSuchDomain;
    case Problem::SeveralRecords:
    case Problem::Syntax:
    case Problem::MissingTarget:
    case Problem::Loop:
    case Problem::TooManyLookups:
    case Problem::TooManyVoid:
    case Problem::TooManyNames:
      return kUnusable;
    case Problem::None:
    case Problem::LookupFailed:
    case Problem::DeadlineExceeded:
      return kUnanswered;
  }
  return kUnanswered;
}

const Phrase& phrase_of(Result result) {
  switch (result) {
    case Result::Pass:
      return kPass;
    case Result::Fail:
      return kFail;
    case Result::SoftFail:
      return kSoftFail;
    default:
      return kNeutral;
  }
}

const Phrase& phrase_of(Effect effect) {
  switch (effect) {
    case Effect::NoMatch:
      return kNoMatch;
    case Effect::Match:
      return kMatch;
    case Effect::Followed:
      return kFollowed;
    case Effect::Abandoned:
      return kAbandoned;
    case Effect::TempError:
      return kTempError;
    case Effect::PermError:
      return kPermError;
  }
  return kNoMatch;
}

/// In whose record the term stands that decided.
std::string_view decided_in(const Verdict& verdict) {
  for (auto step = verdict.steps.rbegin(); step != verdict.steps.rend(); ++step)
    if (step->depth == 0 && step->effect == Effect::Match)
      return verdict.policies[step->policy]->domain;
  return verdict.domain;
}

}  // namespace

std::string summary(const Verdict& verdict, const IpAddress& ip, Language language) {
  auto domain = printable(verdict.domain, kShownTerm);
  if (verdict.problem != Problem::None)
    return say(language, phrase_of(verdict.problem), domain, problem_in(verdict.detail, language));
  auto why = verdict.mechanism == "default"
                 ? std::string(kDefault.in(language))
                 : say(language, kMatched, printable(verdict.mechanism, kShownTerm),
                       printable(decided_in(verdict), kShownTerm));
  return say(language, phrase_of(verdict.result), domain, ip.to_string(), why);
}

std::string details(const Verdict& verdict, Language language) {
  std::string text;
  auto whose = verdict.identity == Identity::Helo ? "HELO" : "MAIL FROM";
  auto heading = [&](const Phrase& phrase) {
    text += fmt::format("{} ({}):\n", phrase.in(language), whose);
  };
  if (!verdict.explanation.empty())
    text += say(language, kExplains, verdict.domain, verdict.explanation) + "\n";
  if (!verdict.policies.empty()) heading(kRecords);
  for (auto& policy : verdict.policies)
    text += fmt::format("  {}  {}\n", printable(policy->domain, kShownTerm),
                        policy->text.empty() ? "-" : printable(policy->text, kShownRecord));
  if (!verdict.steps.empty()) heading(kTerms);
  for (auto& step : verdict.steps)
    text += fmt::format("  {}{:<{}}  {}\n", std::string(step.depth * 2uz, ' '),
                        printable(step.term, kShownTerm), 36 - std::min(step.depth * 2, 34),
                        phrase_of(step.effect).in(language));
  return text;
}

std::string describe_json(const Verdict& verdict) {
  JsonWriter json;
  json.begin_object()
      .member("result", to_string(verdict.result))
      .member("identity", to_string(verdict.identity))
      .member("domain", verdict.domain)
      .member("mechanism", verdict.mechanism)
      .member("explanation", verdict.explanation)
      .member("problem", to_string(verdict.problem))
      .member("detail", verdict.detail);
  json.key("records").begin_array();
  for (auto& policy : verdict.policies)
    json.begin_object().member("domain", policy->domain).member("text", policy->text).end_object();
  json.end_array().key("steps").begin_array();
  for (auto& step : verdict.steps) {
    json.begin_object()
        .member("record", step.policy)
        .member("depth", step.depth)
        .member("term", step.term)
        .member("effect", to_string(step.effect));
    json.key("lookups").begin_array();
    for (unsigned i = 0; i < step.lookup_count; ++i) json.value(step.first_lookup + i);
    json.end_array().end_object();
  }
  json.end_array().key("lookups").begin_array();
  for (auto& lookup : verdict.lookups)
    json.begin_object()
        .member("name", lookup.name)
        .member("type", dns::to_string(lookup.type))
        .member("status", dns::to_string(lookup.status))
        .member("records", lookup.records)
        .member("ttl", lookup.ttl.count())
        .end_object();
  json.end_array().end_object();
  return json.take();
}

}  // namespace hikyaku::spf
