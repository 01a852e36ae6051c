#include "spf/check.h"

#include "spf/evaluation.h"

namespace hikyaku::spf {
namespace {

enum class Next : std::uint8_t { Term, Open, Done };

/// The walk through the records: where it is, and where it goes from there.
class Walk {
 public:
  explicit Walk(Evaluation& evaluation) : evaluation_(evaluation) {}

  /// The record that is read at present; at the end, the one whose term decided.
  Reading& reading() { return *reading_; }
  /// Begins with the record of a domain, which `step` of the present record leads to. The verdict
  /// owns it.
  Reading& open(std::string domain, Reading::Why why, std::size_t step);
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

}  // namespace

Task<Verdict> check(dns::Resolver& resolver, const Clock& clock, Query query, Limits limits) {
  Evaluation evaluation(resolver, clock, std::move(query), limits);
  auto& verdict = evaluation.verdict;
  if (!evaluation.begin()) co_return std::move(verdict);
  auto error = [&] {
    return verdict.result == Result::TempError ? Effect::TempError : Effect::PermError;
  };
  Walk walk(evaluation);
  auto domain = verdict.domain;
  auto why = Reading::Why::Own;
  std::size_t step = 0;
  auto next = Next::Open;
  while (next != Next::Done) {
    if (next == Next::Open) {
      auto& opened = walk.open(std::move(domain), why, step);
      auto answer = co_await resolver.txt(opened.domain);
      if (!evaluation.select_record(opened, std::move(answer))) {
        walk.end_leading_steps(error());
        break;
      }
      next = Next::Term;
    }
    auto& reading = walk.reading();
    auto& record = reading.record;
    const Directive* directive = nullptr;
    if (reading.position < record.directives.size()) {
      directive = &record.directives[reading.position++];
    } else if (record.redirect.empty() || record.has_all) {
      next = walk.close(Result::Neutral, "default");
      continue;
    }
    step = evaluation.begin_step(reading, directive ? directive->text : record.redirect_text);
    auto spec = directive ? directive->domain_spec : record.redirect;
    bool asks = !directive || asks_dns(directive->mechanism);
    auto found = Found::Nothing;
    if (!asks) {
      found = evaluation.compare(*directive);
    } else if (!evaluation.count_term() ||
               (evaluation.needs_names(spec) && !co_await evaluation.learn_names_for_macro())) {
      found = Found::Over;
    } else if (directive && evaluation.matches_nothing(spec)) {
      found = Found::Nothing;
    } else if (directive && directive->mechanism != Mechanism::Include) {
      found = co_await evaluation.ask(reading, *directive);
    } else if (auto name = walk.enter(spec)) {
      domain = std::move(*name);
      why = directive ? Reading::Why::Include : Reading::Why::Redirect;
      next = Next::Open;
      continue;
    } else {
      found = Found::Over;
    }
    if (found == Found::Over) {
      evaluation.end_step(step, error());
      walk.end_leading_steps(error());
      break;
    }
    evaluation.end_step(step, found == Found::Match ? Effect::Match : Effect::NoMatch);
    if (found == Found::Match) next = walk.close(directive->result, directive->text);
  }
  if (verdict.result == Result::Fail && !walk.reading().record.explanation.empty())
    co_await evaluation.explain(walk.reading());
  co_return std::move(verdict);
}

}  // namespace hikyaku::spf
