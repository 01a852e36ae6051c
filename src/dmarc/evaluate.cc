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

  Task<void> run() {
    // Equal names need no walk, so they go first.
    for (auto& identifier : outcome_.identifiers) {
      identifier.mode = identifier.method == Method::Spf ? outcome_.discovery.record->aspf
                                                         : outcome_.discovery.record->adkim;
      if (identifier.domain == outcome_.discovery.author_domain) settle(identifier, true);
    }
    for (auto& identifier : outcome_.identifiers) {
      if (identifier.aligned || aligned(identifier.method)) continue;
      // Without a label in common there is no common Organizational Domain.
      if (identifier.mode == Alignment::Strict ||
          top_label(identifier.domain) != top_label(outcome_.discovery.author_domain))
        settle(identifier, false);
      else
        co_await compare(identifier);
    }
  }

 private:
  bool& aligned(Method method) {
    return method == Method::Spf ? outcome_.spf_aligned : outcome_.dkim_aligned;
  }
  void settle(Identifier& identifier, bool yes) {
    identifier.aligned = yes;
    if (yes) aligned(identifier.method) = true;
  }

  Task<void> compare(Identifier& identifier) {
    if (!co_await find_author_organization()) {
      identifier.failed = true;
      co_return;
    }
    // Its Organizational Domain is above it or the name itself: a walk could not find another.
    if (!dns::is_within(identifier.domain, *outcome_.organizational_domain)) {
      settle(identifier, false);
      co_return;
    }
    auto walk = co_await walker_.walk(identifier.domain);
    if (walk.failed) {
      identifier.failed = true;
      co_return;
    }
    identifier.organizational_domain = walk.organizational_domain();
    settle(identifier, identifier.organizational_domain == *outcome_.organizational_domain);
  }

  Task<bool> find_author_organization() {
    if (outcome_.organizational_domain) co_return true;
    auto walk = co_await walker_.walk(outcome_.discovery.author_domain);
    if (walk.failed) co_return false;
    outcome_.organizational_domain = walk.organizational_domain();
    co_return true;
  }

  Walker& walker_;
  Outcome& outcome_;
};

Task<Outcome> evaluate_domain(Walker& walker, std::string domain,
                              std::vector<Identifier> identifiers) {
  Outcome outcome;
  outcome.discovery = co_await discover(walker, std::move(domain));
  outcome.organizational_domain = outcome.discovery.organizational_domain;
  outcome.identifiers = std::move(identifiers);
  switch (outcome.discovery.state) {
    case Discovery::State::TempError:
      outcome.result = Result::TempError;
      co_return outcome;
    case Discovery::State::None:
    case Discovery::State::Unusable:
      outcome.result = Result::None;
      co_return outcome;
    case Discovery::State::Found:
      break;
  }
  Aligner aligner(walker, outcome);
  co_await aligner.run();
  if (outcome.spf_aligned || outcome.dkim_aligned)
    outcome.result = Result::Pass;
  else
    outcome.result = std::ranges::any_of(outcome.identifiers, &Identifier::failed)
                         ? Result::TempError
                         : Result::Fail;
  co_return outcome;
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
  verdict.outcomes.reserve(verdict.author.domains.size() + verdict.author.other_domains.size());
  for (auto& domain : verdict.author.domains)
    verdict.outcomes.push_back(co_await evaluate_domain(walker, domain, identifiers));
  for (auto& domain : verdict.author.other_domains) {
    if (std::ranges::find(verdict.author.domains, domain) != verdict.author.domains.end()) continue;
    verdict.outcomes.push_back(co_await evaluate_domain(walker, domain, identifiers));
  }
  conclude(verdict);
  if (verdict.result == Result::Fail && verdict.author.is_plain())
    verdict.may_pass_later = has_temporary_error(evidence);
  verdict.asked = walker.take_asked();
  co_return verdict;
}

}  // namespace hikyaku::dmarc
