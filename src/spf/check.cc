#include "spf/check.h"

#include "spf/evaluation.h"

namespace hikyaku::spf {
namespace {

enum class Next : std::uint8_t { Term, Open, Done };

/// A directive, or the redirect of a record (no directive), and its step in the verdict.
struct Term {
  const Directive* directive = nullptr;
  std::string_view domain_spec;
  std::size_t step = 0;
};

/// The walk through the records: where it is, and where it goes from there.
class Walk {
 public:
  explicit Walk(Evaluation& evaluation) : evaluation_(evaluation) {}

  /// The record that is read at present; at the end, the one whose term decided.
  Reading& reading() { return *reading_; }
  /// Begins with the record of a domain, which `step` of the present record leads to. The verdict
  /// owns it.
  Reading& open(std::string domain, Reading::Why why, std::size_t step);
  /// The next term of the present record; nullopt: it has given no result.
  std::optional<Term> next_term();
  /// include and redirect: the domain whose record comes next. nullopt: the verdict is ready.
  std::optional<std::string> enter(std::string_view domain_spec);
  /// The present record has given its result, which is no error: back to what included it, or done.
  Next close(Result result, std::string_view mechanism);
  /// An error inside is the error of every include and redirect that led there (§5.2, §6.1).
  void end_leading_steps(Effect effect);

 private:
  /// Whether the record of this domain is being read already: reading it again would go the same
  /// way for ever, up to the limit of lookups.
  bool is_being_read(std::string_view domain) const;

  Evaluation& evaluation_;
  Reading* reading_ = nullptr;
};

Reading& Walk::open(std::string domain, Reading::Why why, std::size_t step) {
  auto opened = std::make_shared<Reading>();
  opened->domain = std::move(domain);
  opened->why = why;
  opened->leader = reading_;
  opened->step = step;
  if (reading_) opened->depth = reading_->depth;
  if (why == Reading::Why::Include && opened->depth < UINT8_MAX) ++opened->depth;
  auto& policies = evaluation_.verdict.policies;
  opened->index = static_cast<std::uint16_t>(policies.size());
  reading_ = opened.get();
  policies.push_back(std::move(opened));
  return *reading_;
}

bool Walk::is_being_read(std::string_view domain) const {
  for (auto* reading = reading_; reading; reading = reading->leader)
    if (reading->domain == domain) return true;
  return false;
}

std::optional<std::string> Walk::enter(std::string_view domain_spec) {
  auto name = evaluation_.target(*reading_, domain_spec);
  if (name && name->contains('.') && !is_being_read(*name)) return name;
  if (name && is_being_read(*name))
    evaluation_.over(Result::PermError, Problem::Loop,
                     fmt::format("the record of {} leads back to {}", reading_->domain, *name));
  else
    evaluation_.over(Result::PermError, Problem::MissingTarget,
                     fmt::format("in the record of {}: \"{}\" stands for no domain name",
                                 reading_->domain, domain_spec));
  return std::nullopt;
}

Next Walk::close(Result result, std::string_view mechanism) {
  for (;;) {
    auto* closed = reading_;
    for (; closed->why == Reading::Why::Redirect; closed = closed->leader)
      evaluation_.end_step(closed->step, Effect::Followed);
    if (closed->why == Reading::Why::Own) {
      evaluation_.verdict.result = result;
      evaluation_.verdict.mechanism = mechanism;
      return Next::Done;
    }
    bool matched = result == Result::Pass;
    evaluation_.end_step(closed->step, matched ? Effect::Match : Effect::NoMatch);
    reading_ = closed->leader;
    if (!matched) return Next::Term;
    auto& included = reading_->record.directives[reading_->position - 1];
    result = included.result;
    mechanism = included.text;
  }
}

void Walk::end_leading_steps(Effect effect) {
  for (auto* reading = reading_; reading->leader; reading = reading->leader)
    evaluation_.end_step(reading->step, effect);
}

std::optional<Term> Walk::next_term() {
  auto& record = reading_->record;
  Term term;
  if (reading_->position < record.directives.size()) {
    term.directive = &record.directives[reading_->position++];
    term.domain_spec = term.directive->domain_spec;
  } else if (record.redirect.empty() || record.has_all) {
    return std::nullopt;
  } else {
    term.domain_spec = record.redirect;
  }
  term.step = evaluation_.begin_step(*reading_,
                                     term.directive ? term.directive->text : record.redirect_text);
  return term;
}

/// Whether a term that asks the DNS is about the sender. nullopt: the record of another domain
/// decides that.
Task<std::optional<Found>> look(Evaluation& evaluation, const Reading& reading, Term term) {
  auto* directive = term.directive;
  if (!evaluation.count_term()) co_return Found::Over;
  if (evaluation.needs_names(term.domain_spec) && !co_await evaluation.learn_names_for_macro())
    co_return Found::Over;
  if (directive && evaluation.matches_nothing(term.domain_spec)) co_return Found::Nothing;
  if (!directive || directive->mechanism == Mechanism::Include) co_return std::nullopt;
  co_return co_await evaluation.ask(reading, *directive);
}

Effect effect_of_error(const Verdict& verdict) {
  return verdict.result == Result::TempError ? Effect::TempError : Effect::PermError;
}

/// From the first record to the verdict.
Task<void> walk_records(Walk& walk, Evaluation& evaluation, dns::Resolver& resolver) {
  auto& verdict = evaluation.verdict;
  auto domain = verdict.domain;
  auto why = Reading::Why::Own;
  std::size_t step = 0;
  auto next = Next::Open;
  while (next != Next::Done) {
    if (next == Next::Open) {
      auto& opened = walk.open(std::move(domain), why, step);
      auto answer = co_await resolver.txt(opened.domain);
      if (!evaluation.select_record(opened, std::move(answer))) break;
      next = Next::Term;
    }
    auto term = walk.next_term();
    if (!term) {
      next = walk.close(Result::Neutral, "default");
      continue;
    }
    step = term->step;
    std::optional<Found> found;
    if (term->directive && !asks_dns(term->directive->mechanism))
      found = evaluation.compare(*term->directive);
    else
      found = co_await look(evaluation, walk.reading(), *term);
    if (!found) {
      if (auto name = walk.enter(term->domain_spec)) {
        domain = std::move(*name);
        why = term->directive ? Reading::Why::Include : Reading::Why::Redirect;
        next = Next::Open;
        continue;
      }
      found = Found::Over;
    }
    if (found == Found::Over) {
      evaluation.end_step(step, effect_of_error(verdict));
      break;
    }
    evaluation.end_step(step, found == Found::Match ? Effect::Match : Effect::NoMatch);
    if (found == Found::Match) next = walk.close(term->directive->result, term->directive->text);
  }
  if (next != Next::Done) walk.end_leading_steps(effect_of_error(verdict));
}

}  // namespace

Task<Verdict> check(dns::Resolver& resolver, const Clock& clock, Query query, Limits limits) {
  Evaluation evaluation(resolver, clock, std::move(query), limits);
  auto& verdict = evaluation.verdict;
  if (!evaluation.begin()) co_return std::move(verdict);
  Walk walk(evaluation);
  co_await walk_records(walk, evaluation, resolver);
  if (verdict.result == Result::Fail && !walk.reading().record.explanation.empty())
    co_await evaluation.explain(walk.reading());
  co_return std::move(verdict);
}

}  // namespace hikyaku::spf
