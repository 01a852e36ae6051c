// The mechanisms that ask the DNS (RFC 7208 §5), and the explanation (§6.2).
#include <algorithm>

#include "dns/name.h"
#include "spf/evaluation.h"

namespace hikyaku::spf {

Found Evaluation::compare(const Directive& directive) const {
  bool matches = directive.mechanism == Mechanism::All || directive.contains(query_.ip);
  return matches ? Found::Match : Found::Nothing;
}

bool Evaluation::matches(const dns::Answer<IpAddress>& answer, const Directive& directive) const {
  int prefix = query_.ip.is_v4() ? directive.v4_prefix : directive.v6_prefix;
  return std::ranges::any_of(answer.records, [&](const IpAddress& address) {
    return query_.ip.in_network(address, prefix);
  });
}

Task<dns::Answer<IpAddress>> Evaluation::addresses(std::string name) {
  return query_.ip.is_v4() ? resolver_.a(std::move(name)) : resolver_.aaaa(std::move(name));
}

Task<Found> Evaluation::ask(const Reading& reading, const Directive& directive) {
  auto name = target(reading, directive.domain_spec);
  if (!name) co_return Found::Nothing;  // §4.8: as if it did not exist
  switch (directive.mechanism) {
    case Mechanism::A:
      co_return co_await ask_addresses(std::move(*name), directive);
    case Mechanism::Mx:
      co_return co_await ask_mx(std::move(*name), directive);
    case Mechanism::Exists: {
      auto answer = co_await resolver_.a(*name);
      if (!note_of_term(*name, dns::Type::A, answer)) co_return Found::Over;
      co_return answer.ok() ? Found::Match : Found::Nothing;
    }
    default: {
      if (!co_await learn_names(true)) co_return Found::Over;
      bool within = std::ranges::any_of(
          *validated_, [&](const std::string& own) { return dns::is_within(own, *name); });
      co_return within ? Found::Match : Found::Nothing;
    }
  }
}

Task<Found> Evaluation::ask_addresses(std::string name, const Directive& directive) {
  auto answer = co_await addresses(name);
  if (!note_of_term(name, address_type(), answer)) co_return Found::Over;
  co_return matches(answer, directive) ? Found::Match : Found::Nothing;
}

Task<Found> Evaluation::ask_mx(std::string name, const Directive& directive) {
  auto answer = co_await resolver_.mx(name);
  if (!note_of_term(name, dns::Type::MX, answer)) co_return Found::Over;
  std::erase_if(answer.records, [](const dns::Mx& mx) { return mx.exchange.empty(); });
  std::ranges::sort(answer.records);  // the same result whatever order the DNS gives
  std::size_t asked = 0;
  for (auto& mx : answer.records) {
    if (asked++ == limits_.names_per_mx) {
      over(Result::PermError, Problem::TooManyNames,
           fmt::format("{} has more than {} MX records", name, limits_.names_per_mx));
      co_return Found::Over;
    }
    // Without addresses it does not count as void: the term itself found something.
    auto found = co_await addresses(mx.exchange);
    if (!note(mx.exchange, address_type(), found)) co_return Found::Over;
    if (matches(found, directive)) co_return Found::Match;
  }
  co_return Found::Nothing;
}

Task<bool> Evaluation::learn_names_for_macro() {
  co_return count_term() && co_await learn_names(true);
}

Task<bool> Evaluation::learn_names(bool counts) {
  if (validated_) co_return true;
  auto names = co_await resolver_.ptr(query_.ip);
  auto reverse = query_.ip.reverse_name();
  keep(reverse, dns::Type::PTR, names);
  if (!in_time()) co_return false;
  validated_.emplace();
  if (counts && names.absent() && !count_void(reverse, dns::Type::PTR)) co_return false;
  // §5.5: errors here only mean that a name is not validated. Names beyond the limit do not count.
  if (names.records.size() > limits_.names_per_ptr) names.records.resize(limits_.names_per_ptr);
  for (auto& name : names.records) {
    auto answer = co_await addresses(name);
    keep(name, address_type(), answer);
    if (!in_time()) co_return false;
    if (std::ranges::find(answer.records, query_.ip) != answer.records.end())
      validated_->push_back(std::move(name));
  }
  co_return true;
}

Task<void> Evaluation::explain(const Reading& reading) {
  // Nothing here changes the result, or counts against a limit but the time (§4.6.4, §6.2).
  auto step = begin_step(reading, reading.record.explanation_text);
  auto decided = verdict.mechanism;
  auto abandon = [&] {
    over(Result::Fail, Problem::None, {});
    verdict.mechanism = decided;
    end_step(step, Effect::Abandoned);
  };
  bool known = !needs_names(reading.record.explanation) || co_await learn_names(false);
  auto name = known ? target(reading, reading.record.explanation) : std::nullopt;
  if (!name) co_return abandon();
  auto answer = co_await resolver_.txt(*name);
  if (!note(*name, dns::Type::TXT, answer) || answer.records.size() != 1) co_return abandon();
  auto& text = answer.records.front();
  if (needs_names(text) && !co_await learn_names(false)) co_return abandon();
  auto explanation = expand_explanation(text, values(reading), limits_.explanation);
  if (!explanation) co_return abandon();
  verdict.explanation = std::move(*explanation);
  end_step(step, Effect::Followed);
}

}  // namespace hikyaku::spf
