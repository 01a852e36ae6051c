#include "arc/verifier.h"

#include <fmt/format.h>
#include <map>

#include "arc/chain.h"
#include "dkim/body_hash.h"

namespace hikyaku::arc {

struct Verifier::State {
  State(std::string header_bytes, VerifyOptions with)
      : header(std::move(header_bytes)), fields(header), chain(parse_chain(fields)), options(with) {
    // Only the newest message signature decides (RFC 8617 §5.2, step 4).
    if (!usable()) return;
    auto& signature = chain.sets.back().signature;
    forms.push_back({signature.header, signature.body, 0});
    // Without c= it is simple/simple, as in DKIM (RFC 8617 §4.1.2, RFC 6376 §3.5); there are
    // sealers and a test suite that mean relaxed/relaxed.
    if (!signature.canonicalization_given)
      forms.push_back({dkim::Canonicalization::Relaxed, dkim::Canonicalization::Relaxed, 0});
    for (auto& form : forms)
      form.body_number = body_hash.add({form.body, dkim::hash_of(signature.algorithm), {}});
  }

  bool usable() const { return chain.present && chain.problem.empty(); }

  Task<std::shared_ptr<const dkim::Keys>> keys(dns::Resolver& resolver, std::string selector,
                                               std::string domain, Verdict& verdict) {
    auto& known = asked[selector + "." + domain];
    if (!known) {
      known = co_await dkim::ask_keys(resolver, options.keys, selector, domain, options.now);
      verdict.lookups.push_back(known->lookup);
    }
    co_return known;
  }

  struct Form {
    dkim::Canonicalization header, body;
    std::size_t body_number;
  };

  std::string check_form(const Form& form, const dkim::Keys& record) const {
    auto& set = chain.sets.back();
    auto& signature = set.signature;
    if (body_hash.digest(form.body_number) != signature.body_hash) return "the body was changed";
    auto data = dkim::signed_data(fields.select(signature.fields, set.message_signature),
                                  *set.message_signature, form.header);
    return dkim::check_with_keys(record, {signature.algorithm, data, signature.value,
                                          signature.domain, signature.domain})
        .problem;
  }

  Task<std::string> message_signature(dns::Resolver& resolver, Verdict& verdict) {
    auto& set = chain.sets.back();
    auto& signature = set.signature;
    auto record = co_await keys(resolver, signature.selector, signature.domain, verdict);
    std::string problem;
    for (auto& form : forms) {
      problem = check_form(form, *record);
      if (problem.empty()) co_return problem;
    }
    co_return fmt::format("ARC-Message-Signature i={}: {}", set.instance, problem);
  }

  Task<std::string> seal(dns::Resolver& resolver, std::size_t index, Verdict& verdict) {
    auto& set = chain.sets[index];
    auto record = co_await keys(resolver, set.seal.selector, set.seal.domain, verdict);
    auto data = sealed_data(chain.sets, index + 1);
    auto check = dkim::check_with_keys(
        *record, {set.seal.algorithm, data, set.seal.value, set.seal.domain, set.seal.domain});
    co_await breather.worked(*record);
    if (check.result == dkim::Result::Pass) co_return std::string();
    co_return fmt::format("ARC-Seal i={}: {}", set.instance, check.problem);
  }

  std::vector<Hop> hops() const {
    std::vector<Hop> result;
    for (auto set = chain.sets.rbegin(); set != chain.sets.rend(); ++set) {
      Hop hop{set->instance, set->seal.domain, set->seal.selector, set->seal.signed_at, {}};
      if (auto head = take_instance(set->results->value))
        if (auto results = mime::parse_authentication_results(head->rest))
          hop.results = *std::move(results);
      result.push_back(std::move(hop));
    }
    return result;
  }

  std::string header;
  dkim::HeaderFields fields;
  Chain chain;
  VerifyOptions options;
  dkim::BodyHash body_hash;
  std::vector<Form> forms;
  dkim::Breather breather;
  std::map<std::string, std::shared_ptr<const dkim::Keys>> asked;
};

Verifier::Verifier(std::string header, VerifyOptions options)
    : state_(std::make_unique<State>(std::move(header), options)) {}
Verifier::Verifier(Verifier&&) noexcept = default;
Verifier& Verifier::operator=(Verifier&&) noexcept = default;
Verifier::~Verifier() = default;

bool Verifier::has_chain() const {
  return state_->chain.present;
}

void Verifier::body(std::string_view bytes) {
  state_->body_hash.update(bytes);
}

Task<Verdict> Verifier::finish(dns::Resolver& resolver) {
  auto& state = *state_;
  Verdict verdict;
  state.body_hash.finish();
  if (!state.chain.present) co_return verdict;
  verdict.result = dkim::Result::Fail;
  verdict.header_problem = state.fields.problem();
  verdict.problem = state.chain.problem;
  if (!verdict.problem.empty()) co_return verdict;
  verdict.hops = state.hops();
  verdict.problem = co_await state.message_signature(resolver, verdict);
  for (auto left = state.chain.sets.size(); left > 0 && verdict.problem.empty(); --left)
    verdict.problem = co_await state.seal(resolver, left - 1, verdict);
  if (verdict.problem.empty()) verdict.result = dkim::Result::Pass;
  co_return verdict;
}

}  // namespace hikyaku::arc
