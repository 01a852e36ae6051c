#include "dmarc/evaluate.h"

#include <algorithm>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::dmarc {
namespace {

/// The identifiers that passed: the SPF domain, and each d= once.
std::vector<Identifier> passed_identifiers(const Evidence& evidence, std::size_t limit) {
  std::vector<Identifier> list;
  list.reserve(2);
  auto add = [&](Method method, const std::string& domain) {
    if (domain.empty()) return;
    auto same = [&](const Identifier& other) {
      return other.method == method && iequals(other.domain, domain);
    };
    if (std::ranges::any_of(list, same)) return;
    Identifier identifier;
    identifier.method = method;
    if (is_ascii(domain)) {
      identifier.domain = to_lower(domain);
    } else if (auto ascii = dns::to_ascii(domain)) {
      identifier.domain = std::move(*ascii);
    } else {
      return;
    }
    if (identifier.domain.ends_with('.')) identifier.domain.pop_back();
    list.push_back(std::move(identifier));
  };
  if (evidence.dkim)
    for (auto& signature : *evidence.dkim)
      if (signature.passed() && list.size() < limit) add(Method::Dkim, signature.domain);
  if (evidence.spf && evidence.spf->result == spf::Result::Pass)
    add(Method::Spf, evidence.spf->domain);
  return list;
}

std::string_view top_label(std::string_view name) {
  auto dot = name.rfind('.');
  return dot == name.npos ? name : name.substr(dot + 1);
}

/// Holds one outcome's identifiers against its author domain (RFC 9989 §4.10.2 and §5).
class Aligner {
 public:
  Aligner(Walker& walker, Outcome& outcome) : walker_(walker), outcome_(outcome) {}

  /// What needs no walk: equal names, and those that cannot be aligned. True if that was all.
  bool settle_at_once() {
    for (auto& identifier : outcome_.identifiers) {
      identifier.mode = identifier.method == Method::Spf ? outcome_.discovery.record->aspf
                                                         : outcome_.discovery.record->adkim;
      if (identifier.domain == outcome_.discovery.author_domain) settle(identifier, true);
      // Without a label in common there is no common Organizational Domain.
      else if (identifier.mode == Alignment::Strict ||
               top_label(identifier.domain) != top_label(outcome_.discovery.author_domain))
        settle(identifier, false);
    }
    return std::ranges::none_of(outcome_.identifiers,
                                [this](auto& identifier) { return is_open(identifier); });
  }

  Task<void> walk() {
    if (!outcome_.organizational_domain) {
      auto walk = co_await walker_.walk(outcome_.discovery.author_domain);
      if (!walk.failed) outcome_.organizational_domain = walk.organizational_domain();
    }
    for (auto& identifier : outcome_.identifiers) {
      if (!is_open(identifier) || compare_names(identifier)) continue;
      auto walk = co_await walker_.walk(identifier.domain);
      identifier.failed = walk.failed;
      if (walk.failed) continue;
      identifier.organizational_domain = walk.organizational_domain();
      settle(identifier, identifier.organizational_domain == *outcome_.organizational_domain);
    }
  }

 private:
  bool is_open(const Identifier& identifier) {
    return !identifier.aligned && !aligned(identifier.method);
  }
  bool& aligned(Method method) {
    return method == Method::Spf ? outcome_.spf_aligned : outcome_.dkim_aligned;
  }
  void settle(Identifier& identifier, bool yes) {
    identifier.aligned = yes;
    if (yes) aligned(identifier.method) = true;
  }

  /// Whether the author's Organizational Domain alone says what is to be said.
  bool compare_names(Identifier& identifier) {
    auto& organization = outcome_.organizational_domain;
    if (!organization) {
      identifier.failed = true;
    } else if (identifier.domain == *organization) {
      // A walk from it finds what the author's has found from there on, and so itself.
      identifier.organizational_domain = *organization;
      settle(identifier, true);
    } else if (!dns::is_within(identifier.domain, *organization)) {
      // Its Organizational Domain is above it or the name itself: a walk could not find another.
      settle(identifier, false);
    } else {
      return false;
    }
    return true;
  }

  Walker& walker_;
  Outcome& outcome_;
};

/// The result that follows from the discovery and the aligned identifiers.
Result result_of(const Outcome& outcome) {
  switch (outcome.discovery.state) {
    case Discovery::State::TempError:
      return Result::TempError;
    case Discovery::State::None:
    case Discovery::State::Unusable:
      return Result::None;
    case Discovery::State::Found:
      break;
  }
  if (outcome.spf_aligned || outcome.dkim_aligned) return Result::Pass;
  return std::ranges::any_of(outcome.identifiers, &Identifier::failed) ? Result::TempError
                                                                       : Result::Fail;
}

/// The domains to look at: the author's, then those of other readings.
std::vector<Outcome> make_outcomes(const Author& author) {
  std::vector<Outcome> outcomes;
  outcomes.reserve(author.domains.size() + author.other_domains.size());
  auto add = [&](const std::string& domain) {
    outcomes.emplace_back().discovery.author_domain = domain;
  };
  for (auto& domain : author.domains) add(domain);
  for (auto& domain : author.other_domains)
    if (std::ranges::find(author.domains, domain) == author.domains.end()) add(domain);
  return outcomes;
}

bool has_temporary_error(const Evidence& evidence) {
  if (evidence.spf && evidence.spf->result == spf::Result::TempError) return true;
  return evidence.dkim && std::ranges::any_of(*evidence.dkim, [](auto& signature) {
           return signature.result == dkim::Result::TempError;
         });
}

/// The strictest policy among what failed decides (RFC 9989 §11.5).
void conclude(Verdict& verdict) {
  auto count = [&](Result result) {
    return std::ranges::count(verdict.outcomes, result, &Outcome::result);
  };
  // A From that can be read otherwise never passes, whatever was signed: its policies all count as
  // failed.
  bool ambiguous = !verdict.author.is_plain();
  auto failed = [&](const Outcome& outcome) {
    return outcome.result == Result::Fail || (ambiguous && outcome.result == Result::Pass);
  };
  bool found = false;
  for (std::size_t i = 0; i < verdict.outcomes.size(); ++i) {
    if (!failed(verdict.outcomes[i])) continue;
    if (!found || verdict.outcomes[i].policy() > verdict.outcomes[verdict.decisive].policy())
      verdict.decisive = i;
    found = true;
  }
  if (found)
    verdict.result = Result::Fail;
  else if (count(Result::TempError) > 0)
    verdict.result = Result::TempError;
  else if (ambiguous || verdict.outcomes.empty())
    verdict.result = Result::PermError;
  else if (count(Result::Pass) == static_cast<std::ptrdiff_t>(verdict.outcomes.size()))
    verdict.result = Result::Pass;
  else
    verdict.result = Result::None;
  if (verdict.result == Result::None || verdict.result == Result::TempError) {
    auto decisive = std::ranges::find(verdict.outcomes, verdict.result, &Outcome::result);
    if (decisive != verdict.outcomes.end())
      verdict.decisive = static_cast<std::size_t>(decisive - verdict.outcomes.begin());
  }
}

}  // namespace

std::string_view to_string(Result result) {
  switch (result) {
    case Result::None:
      return "none";
    case Result::Pass:
      return "pass";
    case Result::Fail:
      return "fail";
    case Result::TempError:
      return "temperror";
    case Result::PermError:
      break;
  }
  return "permerror";
}

std::string_view to_string(Method method) {
  return method == Method::Spf ? "spf" : "dkim";
}

Policy Verdict::policy() const {
  auto* decides = outcome();
  return result == Result::Fail && decides ? decides->policy() : Policy::None;
}

std::string_view Verdict::header_from() const {
  if (auto* decides = outcome()) return decides->discovery.author_domain;
  return author.domains.empty() ? std::string_view() : std::string_view(author.domains.front());
}

Task<Verdict> evaluate(dns::Resolver& dns, Author author, Evidence evidence,
                       EvaluateLimits limits) {
  Verdict verdict;
  verdict.author = std::move(author);
  Walker walker(dns, limits.questions);
  auto identifiers = passed_identifiers(evidence, limits.signing_domains);
  verdict.outcomes = make_outcomes(verdict.author);
  for (auto& outcome : verdict.outcomes) {
    bool last = &outcome == &verdict.outcomes.back();
    outcome.identifiers = last ? std::move(identifiers) : identifiers;
    outcome.discovery = co_await discover(walker, std::move(outcome.discovery.author_domain));
    outcome.organizational_domain = outcome.discovery.organizational_domain;
    if (outcome.discovery.state == Discovery::State::Found) {
      Aligner aligner(walker, outcome);
      if (!aligner.settle_at_once()) co_await aligner.walk();
    }
    outcome.result = result_of(outcome);
  }
  conclude(verdict);
  if (verdict.result == Result::Fail && verdict.author.is_plain())
    verdict.may_pass_later = has_temporary_error(evidence);
  verdict.asked = walker.take_asked();
  co_return verdict;
}

}  // namespace hikyaku::dmarc
