#include "dmarc/explain.h"

#include "base/json.h"
#include "base/text.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kShown = 500;  // bytes of what strangers wrote

constexpr Phrase kPassed{"It comes from {0}, as shown by {1}.",
                         "{0} からのメールであることを {1} が示しています。"};
constexpr Phrase kAnd{" and ", " と "};
constexpr Phrase kPassedAll{
    "It comes from {0}: each of these domains is shown to have sent it.",
    "{0} のすべてについて、そのドメインからのメールであることが示されています。"};
constexpr Phrase kFailed{"Nothing shows that it comes from {0}. {1}",
                         "{0} からのメールであることを示すものがありません。{1}"};
constexpr Phrase kUnreadable{
    "Programs read its From field differently ({0}), so nothing can be verified. {1}",
    "From フィールドの読み方がプログラムによって異なるため ({0})、検証できません。{1}"};
constexpr Phrase kWish{"The owner ({0}={1} at {2}) asks: {3}.",
                       "所有者の要望 ({2} の {0}={1}): {3}。"};
constexpr Phrase kNoWish{"No policy applies.", "適用されるポリシーはありません。"};
constexpr Phrase kNone{"{0} has no DMARC policy, so DMARC says nothing.",
                       "{0} には DMARC ポリシーがないため、DMARC は何も示しません。"};
constexpr Phrase kUnusable{
    "The DMARC record of {0} has no usable policy, so DMARC says nothing.",
    "{0} の DMARC レコードに使えるポリシーがないため、DMARC は何も示しません。"};
constexpr Phrase kTempError{
    "DMARC of {0} could not be found out; it may be later: {1}.",
    "{0} の DMARC を今は確認できません。後で確認できるかもしれません: {1}。"};
constexpr Phrase kNoAuthor{"There is no author domain: {0}.",
                           "送信者のドメインがありません: {0}。"};
constexpr Phrase kLater{" A check of SPF or DKIM could not be finished; it may pass later.",
                        " SPF か DKIM の検査が終えられていません。後で合格するかもしれません。"};

constexpr Phrase kAskNone{"no special treatment (p=none)", "特別な扱いは不要 (none)"};
constexpr Phrase kAskQuarantine{"treat it as suspicious (quarantine)",
                                "疑わしいものとして扱う (quarantine)"};
constexpr Phrase kAskReject{"refuse it (reject)", "拒否する (reject)"};

constexpr Phrase kFrom{"From", "From"};
constexpr Phrase kAlsoRead{"may also be read as: {}", "次のようにも読まれうる: {}"};
constexpr Phrase kNameLikeAddress{"the name looks like an address: {}",
                                  "名前がアドレスに見える: {}"};
constexpr Phrase kDomain{"{}: {}", "{}: {}"};
constexpr Phrase kRecordAt{"record at _dmarc.{}: {}", "_dmarc.{} のレコード: {}"};
constexpr Phrase kTesting{"t=y: the policy {} is applied as {}", "t=y: {} は {} として適用"};
constexpr Phrase kBroken{"the record's policy is broken; with an rua it counts as none",
                         "レコードのポリシーが壊れている。rua があるので none として扱う"};
constexpr Phrase kDoesNotExist{"{} does not exist (NXDOMAIN)", "{} は存在しない (NXDOMAIN)"};
constexpr Phrase kOrganization{"Organizational Domain: {}", "組織ドメイン: {}"};
constexpr Phrase kAligned{"{} passed for {}: aligned ({})", "{} は {} で合格: 一致 ({})"};
constexpr Phrase kNotAligned{"{} passed for {}: not aligned ({})", "{} は {} で合格: 不一致 ({})"};
constexpr Phrase kNotLooked{"{} passed for {}: not needed", "{} は {} で合格: 確認不要"};
constexpr Phrase kNotKnown{"{} passed for {}: whether aligned could not be found out",
                           "{} は {} で合格: 一致するか確認できず"};
constexpr Phrase kNothingPassed{"neither SPF nor a signature passed", "SPF も署名も合格していない"};
constexpr Phrase kNoAddress{"no address", "アドレスなし"};

constexpr Phrase kDiffers{
    "By the older rules (RFC 7489, public suffix list) it would be {0}, policy {1}{2}; others may "
    "still do so.",
    "以前の規則 (RFC 7489、公開サフィックスリスト) では {0}、ポリシー {1}{2} "
    "になります。まだそうする相手もあります。"};
constexpr Phrase kDiffersPercent{" for {} % of the mail", " (メールの {} % に適用)"};

const Phrase& wish(Policy policy) {
  switch (policy) {
    case Policy::None:
      return kAskNone;
    case Policy::Quarantine:
      return kAskQuarantine;
    case Policy::Reject:
      break;
  }
  return kAskReject;
}

std::string findings(const Author& author, Language language) {
  std::string out;
  for (auto& finding : author.findings) {
    if (!out.empty()) out += language == Language::Japanese ? "。" : "; ";
    out += explain(finding.problem).in(language);
  }
  return out;
}

std::string wish_of(const Outcome& outcome, Language language) {
  auto& discovery = outcome.discovery;
  if (discovery.state != Discovery::State::Found) return std::string(kNoWish.in(language));
  return say(language, kWish, to_string(discovery.tag), to_string(discovery.published),
             discovery.policy_domain, wish(discovery.effective).in(language));
}

std::string_view shown(Method method) {
  return method == Method::Spf ? "SPF" : "DKIM";
}

/// "DKIM (alpha.test) and SPF (alpha.test)": what showed it.
std::string witnesses(const Outcome& outcome, Language language) {
  std::string out;
  for (auto& identifier : outcome.identifiers) {
    if (identifier.aligned != true) continue;
    if (!out.empty()) out += kAnd.in(language);
    out +=
        std::string(shown(identifier.method)) + " (" + printable(identifier.domain, kShown) + ")";
  }
  return out;
}

std::string describe_none(const Outcome& outcome, Language language) {
  auto& phrase = outcome.discovery.state == Discovery::State::Unusable ? kUnusable : kNone;
  return say(language, phrase, outcome.discovery.author_domain);
}

class Details {
 public:
  explicit Details(Language language) : language_(language) {}

  std::string run(const Verdict& verdict) {
    author(verdict.author);
    for (auto& one : verdict.outcomes) outcome(one);
    return std::move(out_);
  }

 private:
  void line(std::size_t depth, const std::string& text) {
    out_.append(depth * 2, ' ').append(text).append("\n");
  }
  template <class... Args>
  void tell(std::size_t depth, const Phrase& phrase, const Args&... args) {
    line(depth, say(language_, phrase, args...));
  }

  void author(const Author& author) {
    line(0, std::string(kFrom.in(language_)) + ": " +
                (author.addresses.empty() ? std::string(kNoAddress.in(language_))
                                          : join(author.addresses, ", ")));
    for (auto& finding : author.findings)
      line(1, std::string(explain(finding.problem).in(language_)) +
                  (finding.text.empty() ? "" : ": " + printable(finding.text, kShown)));
    if (!author.other_domains.empty()) tell(1, kAlsoRead, join(author.other_domains, ", "));
    if (!author.name_like_address.empty()) tell(1, kNameLikeAddress, author.name_like_address);
  }

  void outcome(const Outcome& outcome) {
    auto& discovery = outcome.discovery;
    tell(0, kDomain, discovery.author_domain, to_string(outcome.result));
    if (discovery.record)
      tell(1, kRecordAt, discovery.policy_domain, printable(discovery.record->text, kShown));
    if (!discovery.problem.empty()) line(1, printable(discovery.problem, kShown));
    if (discovery.author_exists == false) tell(1, kDoesNotExist, discovery.author_domain);
    if (discovery.broken_policy) line(1, std::string(kBroken.in(language_)));
    if (discovery.published != discovery.effective)
      tell(1, kTesting, to_string(discovery.published), to_string(discovery.effective));
    if (outcome.organizational_domain) tell(1, kOrganization, *outcome.organizational_domain);
    if (discovery.state != Discovery::State::Found) return;
    for (auto& one : outcome.identifiers) identifier(one);
    if (outcome.identifiers.empty()) line(1, std::string(kNothingPassed.in(language_)));
  }

  void identifier(const Identifier& identifier) {
    auto& phrase = identifier.failed     ? kNotKnown
                   : !identifier.aligned ? kNotLooked
                   : *identifier.aligned ? kAligned
                                         : kNotAligned;
    auto mode = std::string(to_string(identifier.mode));
    if (!identifier.organizational_domain.empty()) mode += ", " + identifier.organizational_domain;
    tell(1, phrase, shown(identifier.method), printable(identifier.domain, kShown), mode);
  }

  Language language_;
  std::string out_;
};

void add_optional(JsonWriter& json, std::string_view name, const std::optional<bool>& value) {
  json.key(name);
  if (value)
    json.value(*value);
  else
    json.null();
}

void add_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& values) {
  json.key(name).begin_array();
  for (auto& value : values) json.value(value);
  json.end_array();
}

void add_outcome(JsonWriter& json, const Outcome& outcome) {
  auto& discovery = outcome.discovery;
  json.begin_object()
      .member("domain", discovery.author_domain)
      .member("result", to_string(outcome.result));
  if (discovery.record) {
    json.member("policy_domain", discovery.policy_domain)
        .member("tag", to_string(discovery.tag))
        .member("published", to_string(discovery.published))
        .member("effective", to_string(discovery.effective))
        .member("record", discovery.record->text);
  } else {
    json.key("policy_domain").null();
  }
  json.key("organizational_domain");
  if (outcome.organizational_domain)
    json.value(*outcome.organizational_domain);
  else
    json.null();
  add_optional(json, "author_exists", discovery.author_exists);
  json.member("spf_aligned", outcome.spf_aligned).member("dkim_aligned", outcome.dkim_aligned);
  json.key("identifiers").begin_array();
  for (auto& identifier : outcome.identifiers) {
    json.begin_object()
        .member("method", to_string(identifier.method))
        .member("domain", identifier.domain)
        .member("mode", to_string(identifier.mode));
    add_optional(json, "aligned", identifier.aligned);
    json.member("organizational_domain", identifier.organizational_domain).end_object();
  }
  json.end_array().member("problem", discovery.problem).end_object();
}

}  // namespace

std::string_view to_string(Asked::Found found) {
  static constexpr std::string_view kNames[] = {"record", "none",   "several", "near-miss",
                                                "failed", "exists", "nxdomain"};
  return kNames[static_cast<std::size_t>(found)];
}

std::string summary(const Verdict& verdict, Language language) {
  auto* outcome = verdict.outcome();
  if (!outcome || verdict.result == Result::PermError)
    return say(language, kNoAuthor, findings(verdict.author, language));
  auto domain = std::string(verdict.header_from());
  switch (verdict.result) {
    case Result::Pass:
      if (verdict.outcomes.size() > 1)
        return say(language, kPassedAll, join(verdict.author.domains, ", "));
      return say(language, kPassed, domain, witnesses(*outcome, language));
    case Result::None:
      return describe_none(*outcome, language);
    case Result::TempError:
      return say(language, kTempError, domain, printable(outcome->discovery.problem, kShown));
    default:
      break;
  }
  auto text = verdict.author.is_plain()
                  ? say(language, kFailed, domain, wish_of(*outcome, language))
                  : say(language, kUnreadable, findings(verdict.author, language),
                        wish_of(*outcome, language));
  if (verdict.may_pass_later) text += kLater.in(language);
  return text;
}

std::string details(const Verdict& verdict, Language language) {
  return Details(language).run(verdict);
}

std::string describe_difference(const LegacyOpinion& opinion, const Verdict& verdict,
                                Language language) {
  if (!opinion.differs_from(verdict)) return {};
  auto percent =
      opinion.percent == 100 ? std::string() : say(language, kDiffersPercent, opinion.percent);
  return say(language, kDiffers, to_string(opinion.result), to_string(opinion.policy), percent);
}

std::string describe_json(const Verdict& verdict) {
  JsonWriter json;
  json.begin_object()
      .member("result", to_string(verdict.result))
      .member("policy", to_string(verdict.policy()))
      .member("header_from", verdict.header_from())
      .member("may_pass_later", verdict.may_pass_later);
  json.key("from").begin_object();
  add_list(json, "domains", verdict.author.domains);
  add_list(json, "other_domains", verdict.author.other_domains);
  add_list(json, "addresses", verdict.author.addresses);
  json.key("findings").begin_array();
  for (auto& finding : verdict.author.findings)
    json.begin_object()
        .member("problem", to_string(finding.problem))
        .member("text", finding.text)
        .end_object();
  json.end_array().end_object();
  json.key("outcomes").begin_array();
  for (auto& outcome : verdict.outcomes) add_outcome(json, outcome);
  json.end_array().key("asked").begin_array();
  for (auto& asked : verdict.asked)
    json.begin_object()
        .member("name", asked.name)
        .member("found", to_string(asked.found))
        .member("ttl", asked.ttl.count())
        .member("secure", asked.secure)
        .member("text", asked.record ? asked.record->text : asked.text)
        .end_object();
  return json.end_array().end_object().take();
}

}  // namespace hikyaku::dmarc
