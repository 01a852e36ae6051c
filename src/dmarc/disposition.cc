#include "dmarc/disposition.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::dmarc {
namespace {

/// Of a name or an entry, in words for people.
constexpr std::size_t kShown = 120;

constexpr std::array<std::string_view, 5> kFor{"spf-fail-mail-from", "spf-fail-helo",
                                               "no-reverse-name", "blocklisted", "trust-reject"};
constexpr std::array<std::string_view, 4> kAgainst{"trusted-arc", "known-list", "known-forwarder",
                                                   "local-exception"};

constexpr std::array<std::string_view, 14> kWhyNames{
    "no-policy",   "spf-fail",       "spf-refused",       "passed",         "policy-none",
    "quarantined", "refused",        "nothing-for",       "speaks-against", "exempt",
    "cannot-ask",  "may-pass-later", "unreadable-author", "unchecked"};

template <class Enum, std::size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names, std::string_view text) {
  auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

bool contains(const auto& list, auto value) {
  return std::ranges::find(list, value) != list.end();
}

bool trusts_reject(const Outcome& outcome, const Rules& rules) {
  return std::ranges::any_of(rules.trust_reject, [&](auto& domain) {
    return dns::is_within(outcome.discovery.author_domain, domain);
  });
}

class Decision {
 public:
  Decision(const Verdict& verdict, const Circumstances& circumstances, const Rules& rules)
      : verdict_(verdict), now_(circumstances), rules_(rules) {}

  Disposition run() {
    collect_against();
    switch (verdict_.result) {
      case Result::Pass:
        result_.why = Why::Passed;
        result_.applied = Applied::Pass;
        break;
      case Result::None:
        without_policy();
        break;
      case Result::TempError:
        set(asks_for_nothing() ? Action::Deliver : Action::Defer, Why::CannotAsk, Applied::None);
        break;
      case Result::PermError:
        // The envelope is all that mail typed by hand has; it must not be disowned.
        if (now_.claims_nobody && now_.spf_mail_from != spf::Result::Fail)
          without_policy();
        else
          unreadable_author();
        break;
      case Result::Fail:
        failed();
        if (!verdict_.author.is_plain() && rules_.unreadable_author > result_.action)
          unreadable_author();
        break;
    }
    return std::move(result_);
  }

 private:
  using Why = Disposition::Why;

  void set(Action action, Why why, Applied applied) {
    result_.action = action;
    result_.why = why;
    result_.applied = applied;
  }

  void collect_against() {
    auto add = [&](Against reason, const std::string& what) {
      if (!what.empty() && contains(rules_.speaks_against, reason))
        result_.speaks_against.push_back({reason, what});
    };
    add(Against::TrustedArc, now_.trusted_arc);
    add(Against::KnownList, now_.known_list);
    add(Against::KnownForwarder, now_.known_forwarder);
    add(Against::LocalException, now_.local_exception);
  }

  void collect_for() {
    auto add = [&](For reason, bool speaks) {
      if (speaks && contains(rules_.speaks_for, reason)) result_.speaks_for.push_back(reason);
    };
    add(For::SpfFailMailFrom, now_.spf_mail_from == spf::Result::Fail);
    add(For::SpfFailHelo, now_.spf_helo == spf::Result::Fail);
    add(For::NoReverseName, now_.reverse_name_confirmed == false);
    add(For::Blocklisted,
        now_.blocklist_weight > 0 && now_.blocklist_weight >= rules_.blocklist_weight);
    add(For::TrustReject, verdict_.outcome() && trusts_reject(*verdict_.outcome(), rules_));
  }

  void without_policy() {
    bool spf_fails = now_.spf_mail_from == spf::Result::Fail;
    if (!spf_fails) return;
    result_.speaks_for.push_back(For::SpfFailMailFrom);
    if (rules_.spf_refuse_fail && result_.speaks_against.empty())
      set(Action::Refuse, Why::SpfRefused, Applied::None);
    else
      result_.why = Why::SpfFail;
  }

  void unreadable_author() {
    auto applied = rules_.unreadable_author == Action::Refuse ? Applied::Reject
                   : rules_.unreadable_author == Action::Junk ? Applied::Quarantine
                                                              : Applied::None;
    set(rules_.unreadable_author, Why::UnreadableAuthor, applied);
    if (verdict_.result == Result::Fail)
      result_.overridden = {OverrideType::LocalPolicy, "From can be read in several ways"};
  }

  /// Only the alignment could not be found out, and with p=none it changes nothing.
  bool asks_for_nothing() const {
    auto* outcome = verdict_.outcome();
    return outcome && outcome->discovery.state == Discovery::State::Found &&
           outcome->policy() == Policy::None;
  }

  bool is_exempt() const {
    return std::ranges::any_of(result_.speaks_against,
                               [&](auto& one) { return contains(rules_.exempts, one.reason); });
  }

  void failed() {
    auto& outcome = *verdict_.outcome();
    auto policy = outcome.policy();
    if (outcome.discovery.effective != outcome.discovery.published)
      result_.overridden = {OverrideType::PolicyTestMode, "t=y"};
    if (policy == Policy::None) return set(Action::Deliver, Why::PolicyNone, Applied::None);
    if (is_exempt()) {
      set(Action::Deliver, Why::Exempt, Applied::None);
      result_.overridden = override_against();
      return;
    }
    if (verdict_.may_pass_later) return set(Action::Defer, Why::MayPassLater, Applied::None);
    if (policy == Policy::Quarantine)
      return set(Action::Junk, Why::Quarantined, Applied::Quarantine);
    collect_for();
    if (!result_.speaks_against.empty()) {
      set(Action::Junk, Why::SpeaksAgainst, Applied::Quarantine);
      result_.overridden = override_against();
    } else if (result_.speaks_for.empty()) {
      set(Action::Junk, Why::NothingFor, Applied::Quarantine);
      result_.overridden = {OverrideType::LocalPolicy,
                            "nothing but the policy spoke for refusing (RFC 9989 section 7.4)"};
    } else if (now_.unchecked_signatures > 0) {
      set(Action::Junk, Why::Unchecked, Applied::Quarantine);
      result_.overridden = {OverrideType::LocalPolicy, "not all signatures were looked at"};
    } else {
      set(Action::Refuse, Why::Refused, Applied::Reject);
    }
  }

  Override override_against() const {
    auto& [reason, what] = result_.speaks_against.front();
    switch (reason) {
      case Against::TrustedArc:
        return {OverrideType::TrustedForwarder, "arc=pass as sealed by " + what};
      case Against::KnownList:
        return {OverrideType::MailingList, what};
      case Against::KnownForwarder:
        return {OverrideType::TrustedForwarder, what};
      case Against::LocalException:
        break;
    }
    // The words of the exception are nobody else's business.
    return {OverrideType::LocalPolicy, "local exception"};
  }

  const Verdict& verdict_;
  const Circumstances& now_;
  const Rules& rules_;
  Disposition result_;
};

std::string words(For reason, Language language) {
  static constexpr Phrase kPhrases[] = {
      {"SPF says fail for MAIL FROM", "MAIL FROM の SPF が fail"},
      {"SPF says fail for HELO", "HELO の SPF が fail"},
      {"no name of the client's address leads back to it", "接続元の逆引き名が確認できない"},
      {"the client is on blocklists", "接続元がブロックリストにある"},
      {"the domain's p=reject is trusted here", "このドメインの p=reject は信頼されている"},
  };
  return std::string(kPhrases[static_cast<std::size_t>(reason)].in(language));
}

std::string words(const Objection& objection, Language language) {
  static constexpr Phrase kPhrases[] = {
      {"a trusted ARC chain says that it passed before", "信頼する ARC の封印が以前の pass を示す"},
      {"it came through a known mailing list", "既知のメーリングリストを経由している"},
      {"it came through a known forwarder", "既知の転送元を経由している"},
      {"a local exception", "ローカルの例外設定がある"},
  };
  std::string text(kPhrases[static_cast<std::size_t>(objection.reason)].in(language));
  if (!objection.what.empty()) text += " (" + printable(objection.what, kShown) + ")";
  return text;
}

template <class Reason>
std::string list(const std::vector<Reason>& reasons, Language language) {
  std::string out;
  for (auto& reason : reasons) {
    if (!out.empty()) out += language == Language::Japanese ? "、" : ", ";
    out += words(reason, language);
  }
  return out;
}

}  // namespace

std::string_view to_string(Action action) {
  switch (action) {
    case Action::Deliver:
      return "deliver";
    case Action::Junk:
      return "junk";
    case Action::Defer:
      return "defer";
    case Action::Refuse:
      break;
  }
  return "refuse";
}

std::string_view to_string(For reason) {
  return kFor[static_cast<std::size_t>(reason)];
}

std::optional<For> parse_for(std::string_view text) {
  return find_name<For>(kFor, text);
}

std::string_view to_string(Against reason) {
  return kAgainst[static_cast<std::size_t>(reason)];
}

std::optional<Against> parse_against(std::string_view text) {
  return find_name<Against>(kAgainst, text);
}

std::string_view to_string(Disposition::Why why) {
  return kWhyNames[static_cast<std::size_t>(why)];
}

std::optional<Disposition::Why> parse_why(std::string_view text) {
  return find_name<Disposition::Why>(kWhyNames, text);
}

std::string_view to_string(OverrideType type) {
  switch (type) {
    case OverrideType::LocalPolicy:
      return "local_policy";
    case OverrideType::MailingList:
      return "mailing_list";
    case OverrideType::Other:
      return "other";
    case OverrideType::PolicyTestMode:
      return "policy_test_mode";
    case OverrideType::TrustedForwarder:
      break;
  }
  return "trusted_forwarder";
}

std::string_view to_string(Applied applied) {
  switch (applied) {
    case Applied::None:
      return "none";
    case Applied::Pass:
      return "pass";
    case Applied::Quarantine:
      return "quarantine";
    case Applied::Reject:
      break;
  }
  return "reject";
}

std::string Disposition::describe(Language language) const {
  static constexpr Phrase kWhy[] = {
      {"no DMARC policy applies", "適用される DMARC ポリシーがない"},
      {"no DMARC policy applies; SPF says fail, which is marked and weighs on nothing but "
       "notices to the sender",
       "適用される DMARC ポリシーはないが、SPF が fail なので記録する(影響は送信者への通知だけ)"},
      {"no DMARC policy applies, but SPF says fail, and that is enough here",
       "適用される DMARC ポリシーはないが、SPF の fail だけで拒否する設定になっている"},
      {"it is verified", "検証に合格した"},
      {"it failed, but the domain asks for nothing", "不合格だが、ドメインは処置を求めていない"},
      {"it failed, and the domain asks for Junk", "不合格で、ドメインは迷惑メール扱いを求めている"},
      {"it failed, the domain asks for refusal, and more speaks for it: {}",
       "不合格で、ドメインは拒否を求め、ほかにも理由がある: {}"},
      {"it failed and the domain asks for refusal, but nothing else speaks for that",
       "不合格で、ドメインは拒否を求めているが、ほかに拒否する理由がない"},
      {"it failed and the domain asks for refusal, but something speaks against it: {}",
       "不合格で、ドメインは拒否を求めているが、反対する理由がある: {}"},
      {"it failed, but the policy is lifted: {}", "不合格だが、ポリシーを適用しない: {}"},
      {"DNS could not be asked", "DNS に問い合わせできない"},
      {"it failed for now, but a check could not be finished",
       "今は不合格だが、終えられなかった検査がある"},
      {"the From field is missing or can be read in several ways",
       "From フィールドがないか、複数の読み方ができる"},
      {"it failed and the domain asks for refusal, but there are too many signatures: one that was "
       "not looked at may be the author's",
       "不合格で、ドメインは拒否を求めているが、署名が多すぎて、調べていないものに"
       "差出人の署名があるかもしれない"},
  };
  auto& sentence = kWhy[static_cast<std::size_t>(why)];
  if (why == Why::Refused) return say(language, sentence, list(speaks_for, language));
  if (why == Why::SpeaksAgainst || why == Why::Exempt)
    return say(language, sentence, list(speaks_against, language));
  return std::string(sentence.in(language));
}

Disposition decide(const Verdict& verdict, const Circumstances& circumstances, const Rules& rules) {
  return Decision(verdict, circumstances, rules).run();
}

std::string reply_text(const Disposition& disposition, const Verdict& verdict) {
  using Why = Disposition::Why;
  auto from = std::string(verdict.header_from());
  switch (disposition.why) {
    case Why::UnreadableAuthor:
      return "the From field is missing or can be read in several ways: " +
             std::string(verdict.author.findings.empty()
                             ? "no author domain"
                             : explain(verdict.author.findings.front().problem).en);
    case Why::SpfRefused:
      return "the domain of MAIL FROM says that this host may not send for it (SPF fail)";
    case Why::CannotAsk:
      return "DMARC of " + from + " could not be looked up; try again later";
    case Why::MayPassLater:
      return "DMARC of " + from + " fails for now, a lookup for SPF or DKIM did; try again later";
    default:
      break;
  }
  return "DMARC: neither SPF nor a DKIM signature shows that this comes from " + from +
         ", which asks to refuse such mail; also: " +
         list(disposition.speaks_for, Language::English);
}

}  // namespace hikyaku::dmarc
