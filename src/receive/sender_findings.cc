#include "receive/sender_findings.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dmarc/explain.h"
#include "dns/name.h"
#include "mime/authentication_results.h"
#include "spf/authentication_results.h"

namespace hikyaku::receive {
namespace {

/// Of each text from strangers, in the story.
constexpr std::size_t kShown = 120;
/// Of the problem of a signature or of SPF: our words, with texts of strangers in it.
constexpr std::size_t kProblem = 240;
/// Signatures that get a finding or a method of their own.
constexpr std::size_t kSignatures = 20;
constexpr std::size_t kQuestions = 12;

/// "key=value; key=value"; what is empty is left out.
class Facts {
 public:
  Facts& add(std::string_view key, std::string_view value, std::size_t limit = kShown) {
    if (value.empty()) return *this;
    auto shown = printable(value, limit);
    std::ranges::replace(shown, ';', ',');
    if (!text_.empty()) text_ += "; ";
    text_ += fmt::format("{}={}", key, shown);
    return *this;
  }
  template <class Reason>
  Facts& list(std::string_view key, const std::vector<Reason>& reasons) {
    std::string names;
    for (auto reason : reasons) {
      if (!names.empty()) names += ',';
      names += to_string(reason);
    }
    return add(key, names);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string asked(const spf::Verdict& verdict) {
  std::string names;
  for (auto& lookup : verdict.lookups) {
    if (names.size() > kShown) break;
    names +=
        fmt::format("{}{} {}", names.empty() ? "" : ", ", dns::to_string(lookup.type), lookup.name);
  }
  return names;
}

/// Names of keys.
std::string asked(const std::vector<dkim::Lookup>& lookups) {
  std::string names;
  for (auto& lookup : lookups) {
    if (names.size() > kShown) break;
    names += (names.empty() ? "" : ", ") + lookup.name;
  }
  return names;
}

story::Finding spf_finding(std::string check, const spf::Verdict& verdict) {
  Facts facts;
  facts.add("domain", verdict.domain)
      .add("by", verdict.mechanism)
      .add("problem", verdict.detail, kProblem)
      .add("asked", asked(verdict));
  return {std::move(check), std::string(to_string(verdict.result)), facts.take()};
}

/// SPF of HELO is worth a word where it weighs.
bool weighs(const spf::Verdict& helo) {
  return helo.result == spf::Result::Fail || helo.result == spf::Result::SoftFail ||
         helo.result == spf::Result::TempError;
}

story::Finding dkim_finding(const dkim::Verdict& verdict) {
  Facts facts;
  facts.add("domain", verdict.domain)
      .add("selector", verdict.selector)
      .add("algorithm", verdict.algorithm)
      .add("problem", verdict.problem, kProblem)
      .add("asked", asked(verdict.lookups));
  return {"dkim", std::string(dkim::to_string(verdict.result)), facts.take()};
}

story::Finding arc_finding(const SenderFindings& found) {
  Facts facts;
  if (!found.arc.hops.empty()) facts.add("sealer", found.arc.hops.front().domain);
  facts.add("trusted", found.circumstances.trusted_arc)
      .add("problem", found.arc.problem, kProblem)
      .add("asked", asked(found.arc.lookups));
  return {"arc", std::string(dkim::to_string(found.arc.result)), facts.take()};
}

std::string aligned_domains(const dmarc::Outcome& outcome, dmarc::Method method) {
  for (auto& identifier : outcome.identifiers)
    if (identifier.method == method && identifier.aligned == true) return identifier.domain;
  return {};
}

story::Finding dmarc_finding(const SenderFindings& found) {
  auto& verdict = found.dmarc;
  Facts facts;
  facts.add("from", verdict.header_from());
  if (auto* outcome = verdict.outcome()) {
    if (outcome->discovery.state == dmarc::Discovery::State::Found)
      facts.add("policy", dmarc::to_string(outcome->policy()))
          .add("at", outcome->discovery.policy_domain);
    facts.add("spf", aligned_domains(*outcome, dmarc::Method::Spf))
        .add("dkim", aligned_domains(*outcome, dmarc::Method::Dkim));
  }
  for (auto& finding : verdict.author.findings)
    facts.add("author", dmarc::to_string(finding.problem));
  if (auto& old = found.old_rules) {
    facts.add("rfc7489", dmarc::to_string(old->result))
        .add("rfc7489-policy", dmarc::to_string(old->policy));
    if (old->percent != 100) facts.add("rfc7489-percent", fmt::format("{}", old->percent));
  }
  std::string names;
  for (std::size_t i = 0; i < std::min(verdict.asked.size(), kQuestions); ++i)
    names += (i == 0 ? "" : ", ") + verdict.asked[i].name;
  facts.add("asked", names);
  return {"dmarc", std::string(dmarc::to_string(verdict.result)), facts.take()};
}

story::Finding blocklist_finding(const dnsbl::Verdict& verdict) {
  Facts facts;
  for (auto& listing : verdict.listings) {
    std::string codes;
    for (auto& code : listing.codes) codes += " " + code.to_string();
    facts.add("list", listing.zone.name + codes);
  }
  for (auto& zone : verdict.failed) facts.add("failed", zone);
  if (verdict.listings.empty()) return {"blocklists", "clear", facts.take()};
  facts.add("weight", fmt::format("{}", verdict.weight));
  return {"blocklists", "listed", facts.take()};
}

story::Finding decision_finding(const dmarc::Disposition& disposition) {
  Facts facts;
  facts.add("why", to_string(disposition.why)).list("for", disposition.speaks_for);
  std::vector<dmarc::Against> against;
  for (auto& objection : disposition.speaks_against) against.push_back(objection.reason);
  facts.list("against", against);
  for (auto& objection : disposition.speaks_against)
    facts.add(to_string(objection.reason), objection.what);
  return {"decision", std::string(dmarc::to_string(disposition.action)), facts.take()};
}

mime::AuthenticationMethod dkim_method(const dkim::Verdict& verdict) {
  mime::AuthenticationMethod method{.name = "dkim",
                                    .result = std::string(dkim::to_string(verdict.result))};
  method.comment =
      verdict.problem.empty() ? fmt::format("{}-bit key", verdict.key_bits) : verdict.problem;
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) method.properties.push_back({"header", std::string(name), value});
  };
  add("d", verdict.domain);
  add("s", verdict.selector);
  add("a", verdict.algorithm);
  add("b", verdict.b_prefix);
  return method;
}

mime::AuthenticationMethod reverse_name_method(const SenderFindings& found) {
  auto& verdict = found.reverse_name;
  return {.name = "iprev",
          .result = std::string(iprev::to_string(verdict.result)),
          .comment = verdict.passed() ? verdict.name : verdict.problem,
          .properties = {{"policy", "iprev", found.client.to_string()}}};
}

mime::AuthenticationMethod arc_method(const SenderFindings& found) {
  mime::AuthenticationMethod method{.name = "arc",
                                    .result = std::string(dkim::to_string(found.arc.result)),
                                    .comment = found.arc.problem};
  if (!found.arc.hops.empty())
    method.comment += (method.comment.empty() ? "" : "; ") +
                      fmt::format("{} sets, the last one sealed by {}", found.arc.hops.size(),
                                  found.arc.hops.front().domain);
  return method;
}

mime::AuthenticationMethod dmarc_method(const dmarc::Verdict& verdict) {
  mime::AuthenticationMethod method{.name = "dmarc",
                                    .result = std::string(dmarc::to_string(verdict.result)),
                                    .comment = dmarc::summary(verdict, Language::English)};
  if (auto from = verdict.header_from(); !from.empty())
    method.properties.push_back({"header", "from", std::string(from)});
  auto* outcome = verdict.outcome();
  // What applies to mail that fails, after sp, np and t have had their say.
  if (outcome && outcome->discovery.state == dmarc::Discovery::State::Found)
    method.properties.push_back({"policy", "dmarc", std::string(to_string(outcome->policy()))});
  return method;
}

std::string field_of(const mime::AuthenticationResults& results) {
  return "Authentication-Results: " + mime::write_authentication_results(results) + "\r\n";
}

/// DMARC shows the author, and the author's domain is that of the envelope's sender.
bool author_vouches_for_sender(const SenderFindings& found) {
  auto* outcome = found.dmarc.outcome();
  if (!outcome || found.dmarc.result != dmarc::Result::Pass) return false;
  auto domain = dns::to_ascii(found.mail_from.substr(found.mail_from.rfind('@') + 1));
  if (!domain) return false;
  auto author = found.dmarc.header_from();
  if (!author.empty() && dns::is_within(*domain, author)) return true;
  if (outcome->organizational_domain && !outcome->organizational_domain->empty() &&
      dns::is_within(*domain, *outcome->organizational_domain))
    return true;
  return std::ranges::any_of(outcome->identifiers, [&](const dmarc::Identifier& one) {
    return one.aligned.value_or(false) && dns::is_within(*domain, one.domain);
  });
}

}  // namespace

mime::AuthenticationResults authentication_results(const SenderFindings& found,
                                                   std::string_view host_name) {
  mime::AuthenticationResults results{.authserv_id = std::string(host_name)};
  spf::Query query;
  query.ip = found.client;
  query.helo = found.helo;
  query.mail_from = found.mail_from;
  results.methods.push_back(dmarc_method(found.dmarc));
  results.methods.push_back(spf::authentication_method(found.spf_mail_from, query));
  if (!found.mail_from.empty())
    results.methods.push_back(spf::authentication_method(found.spf_helo, query));
  for (auto& signature : found.signatures)
    if (results.methods.size() < kSignatures) results.methods.push_back(dkim_method(signature));
  if (found.signatures.empty()) results.methods.push_back({.name = "dkim", .result = "none"});
  if (found.arc.result != dkim::Result::None) results.methods.push_back(arc_method(found));
  results.methods.push_back(reverse_name_method(found));
  return results;
}

std::string authentication_results_field(const SenderFindings& found, std::string_view host_name) {
  return field_of(authentication_results(found, host_name));
}

std::string submitted_results_field(const auth::Login& login, std::string_view host_name) {
  mime::AuthenticationResults results{.authserv_id = std::string(host_name)};
  results.methods.push_back({.name = "auth",
                             .result = "pass",
                             .comment = login.mechanism,
                             .properties = {{"smtp", "auth", login.address}}});
  return field_of(results);
}

std::string unchecked_results_field(std::string_view host_name) {
  return field_of({.authserv_id = std::string(host_name)});
}

std::vector<story::Finding> story_findings(const SenderFindings& found) {
  std::vector<story::Finding> findings;
  // A name that is confirmed stands with the peer already.
  if (!found.reverse_name.passed())
    findings.push_back({"iprev", std::string(iprev::to_string(found.reverse_name.result)),
                        Facts().add("problem", found.reverse_name.problem).take()});
  if (!found.blocklists.listings.empty() || !found.blocklists.failed.empty())
    findings.push_back(blocklist_finding(found.blocklists));
  findings.push_back(spf_finding("spf", found.spf_mail_from));
  if (weighs(found.spf_helo)) findings.push_back(spf_finding("spf-helo", found.spf_helo));
  if (found.signatures.empty()) findings.push_back({"dkim", "none", {}});
  for (std::size_t i = 0; i < std::min(found.signatures.size(), kSignatures); ++i)
    findings.push_back(dkim_finding(found.signatures[i]));
  if (found.ignored_signatures > 0)
    findings.push_back({"dkim", "ignored", fmt::format("signatures={}", found.ignored_signatures)});
  if (found.arc.result != dkim::Result::None) findings.push_back(arc_finding(found));
  findings.push_back(dmarc_finding(found));
  findings.push_back(decision_finding(found.disposition));
  return findings;
}

std::string_view doubt_about_sender(const SenderFindings& found) {
  if (found.mail_from.empty() || author_vouches_for_sender(found)) return {};
  if (found.spf_mail_from.result == spf::Result::Fail) return "spf";
  if (found.dmarc.result == dmarc::Result::Fail && found.spf_mail_from.result != spf::Result::Pass)
    return "dmarc";
  return {};
}

story::Finding withheld_notices(std::string_view check, const std::string& sender) {
  return {"notices", "withheld", Facts().add("by", check).add("to", sender).take()};
}

}  // namespace hikyaku::receive
