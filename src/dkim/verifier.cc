#include "dkim/verifier.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <optional>
#include <ranges>

#include "base/base64.h"
#include "base/text.h"
#include "dkim/body_hash.h"
#include "dkim/header_fields.h"
#include "dkim/keys.h"

namespace hikyaku::dkim {
namespace {

/// A signature on its way to a verdict.
struct Candidate {
  mime::Field field;
  std::optional<Signature> signature;  ///< nullopt: `verdict` is final already
  std::size_t body_number = 0;
  Verdict verdict;
};

Verdict unusable_verdict(UnusableSignature&& unusable) {
  Verdict verdict;
  verdict.result = unusable.contradiction ? Result::PermError : Result::Neutral;
  verdict.problem = std::move(unusable.problem);
  verdict.domain = std::move(unusable.domain);
  verdict.selector = std::move(unusable.selector);
  verdict.algorithm = std::move(unusable.algorithm);
  verdict.b_prefix = std::move(unusable.b_prefix);
  return verdict;
}

Verdict claimed(const Signature& signature) {
  Verdict verdict;
  verdict.domain = signature.domain;
  verdict.selector = signature.selector;
  verdict.algorithm = to_string(signature.algorithm);
  verdict.identity = signature.identity;
  verdict.b_prefix = base64_encode(signature.value.substr(0, 6)).substr(0, 8);
  verdict.signed_at = signature.signed_at;
  verdict.expires_at = signature.expires_at;
  return verdict;
}

void decide(Verdict& verdict, Result result, std::string problem) {
  verdict.result = result;
  verdict.problem = std::move(problem);
}

/// A header value without any space, to see whether it was changed.
bool differs(std::string_view a, std::string_view b) {
  return without_space(a) != without_space(b);
}

/// Copies of z=, and fields of one name, that are compared: honest mail has fewer, and all pairs of
/// what a message can hold would take seconds.
constexpr std::size_t kComparedCopies = 50;
constexpr std::size_t kComparedFields = 10;

/// The names of the fields that are not what z= says they were.
std::string changed_fields(const Signature& signature, const HeaderFields& fields) {
  std::string names;
  for (auto& [name, value] : std::views::take(signature.copied, kComparedCopies)) {
    auto present = fields.find_all(name);
    if (present.size() > kComparedFields) continue;  // not to be told
    bool same =
        std::ranges::any_of(present, [&](auto* field) { return !differs(field->value, value); });
    if (same) continue;
    if (names.size() > 100) return names + ", …";
    names += (names.empty() ? "" : ", ") + printable(name, 40);
  }
  return names;
}

/// Where domains have no more in common than a top-level domain, neither speaks for the other.
constexpr std::size_t kMayBeAligned = 2;
/// Signatures of one author that honest mail has at most.
constexpr std::ptrdiff_t kMostOfAnAuthor = 8;

/// How many labels two names have in common from the end, and one more if they are the same.
std::size_t nearness(std::string_view a, std::string_view b) {
  auto last_label = [](std::string_view name) { return name.substr(name.rfind('.') + 1); };
  std::size_t common = 0;
  while (!a.empty() && !b.empty()) {
    auto label = last_label(a);
    if (!iequals(label, last_label(b))) return common;
    ++common;
    a.remove_suffix(std::min(a.size(), label.size() + 1));
    b.remove_suffix(std::min(b.size(), label.size() + 1));
  }
  return a.empty() && b.empty() ? common + 1 : common;
}

}  // namespace

struct Verifier::State {
  State(std::string header_bytes, VerifyOptions with)
      : header(std::move(header_bytes)), fields(header), options(std::move(with)) {
    std::vector<const mime::Field*> signatures;
    for (auto& field : fields.all())
      if (field.is("DKIM-Signature")) signatures.push_back(&field);
    if (signatures.size() > options.signatures) choose(signatures);
    for (auto* field : signatures) add(*field);
  }

  /// Leaves those that are looked at, in their order: what others put on top must not hide the
  /// author's own.
  void choose(std::vector<const mime::Field*>& signatures) {
    struct Choice {
      const mime::Field* field;
      std::size_t nearness;
    };
    std::vector<Choice> choices;
    choices.reserve(signatures.size());
    for (auto* field : signatures) choices.push_back({field, nearness_of(*field)});
    std::ranges::stable_sort(choices, std::ranges::greater{}, &Choice::nearness);
    auto left_out = choices.begin() + static_cast<std::ptrdiff_t>(options.signatures);
    ignored = signatures.size() - options.signatures;
    auto may_be = [](const Choice& choice) { return choice.nearness >= kMayBeAligned; };
    // Who signs that often himself, and badly, has no good one below.
    if (std::count_if(choices.begin(), left_out, may_be) < kMostOfAnAuthor)
      ignored_of_authors = static_cast<std::size_t>(std::count_if(left_out, choices.end(), may_be));
    choices.erase(left_out, choices.end());
    std::ranges::sort(choices, {}, [](auto& choice) { return choice.field->raw.data(); });
    signatures.clear();
    for (auto& choice : choices) signatures.push_back(choice.field);
  }

  std::size_t nearness_of(const mime::Field& field) const {
    if (options.authors.empty()) return 0;
    auto signature = parse_signature(field.value, SignatureField::Dkim, options.limits);
    // What cannot be used will not pass.
    if (!signature) return 0;
    std::size_t nearest = 0;
    for (auto& author : options.authors)
      nearest = std::max(nearest, nearness(signature->domain, author));
    return nearest;
  }

  void add(const mime::Field& field) {
    auto& candidate = candidates.emplace_back();
    candidate.field = field;
    auto signature = parse_signature(field.value, SignatureField::Dkim, options.limits);
    if (!signature) {
      candidate.verdict = unusable_verdict(std::move(signature.error()));
      return;
    }
    candidate.verdict = claimed(*signature);
    candidate.verdict.signed_fields = std::move(signature->fields);
    if (signature->expires_at && *signature->expires_at < options.now) {
      decide(candidate.verdict, Result::PermError,
             fmt::format("it expired at {} (x=)", format_rfc3339(*signature->expires_at)));
      return;
    }
    candidate.body_number =
        body_hash.add({signature->body, hash_of(signature->algorithm), signature->body_length});
    candidate.signature = *std::move(signature);
  }

  /// Why the body is not the signed one; empty when it is.
  std::string check_body(Candidate& candidate) const {
    auto& signature = *candidate.signature;
    auto& verdict = candidate.verdict;
    auto size = body_hash.canonical_size(candidate.body_number);
    if (signature.body_length) {
      if (*signature.body_length > size)
        return fmt::format("the body is shorter than l= says: {} bytes, not {}", size,
                           *signature.body_length);
      verdict.unsigned_bytes = size - *signature.body_length;
      verdict.body_limited = verdict.unsigned_bytes > 0;
    }
    if (body_hash.digest(candidate.body_number) == signature.body_hash) return {};
    return "the body was changed: its hash is not that of bh=";
  }

  /// Why a reader may be shown something else than was signed; empty when not.
  std::string covers_other(const Candidate& candidate,
                           const std::vector<const mime::Field*>& selected) const {
    if (!fields.problem().empty()) return fields.problem();
    if (body_seen && !header.ends_with("\r\n\r\n") && header != "\r\n")
      return "the header does not end with an empty line";
    if (candidate.verdict.body_limited)
      return fmt::format("the last {} bytes of the body are not signed (l=)",
                         candidate.verdict.unsigned_bytes);
    if (auto name = find_unsigned_copy(fields, selected); !name.empty())
      return fmt::format("{} stands there several times, and not all are signed", name);
    if (candidate.verdict.type_unsigned && signed_without_mime(candidate.verdict))
      return "Content-Type was added: it was signed that there is no MIME-Version";
    return {};
  }

  /// The signer says that there was no MIME-Version, and so no MIME (RFC 2045 §4). Without that
  /// nobody can tell an added Content-Type from one that was not signed; many do not sign theirs.
  bool signed_without_mime(const Verdict& verdict) const {
    return fields.count("MIME-Version") == 0 &&
           std::ranges::find(verdict.signed_fields, "mime-version") != verdict.signed_fields.end();
  }

  /// A key that cannot be used or asked for goes before what was changed (RFC 6376 §6.1.2 comes
  /// before §6.1.3).
  void check(Candidate& candidate, const Keys& keys) const {
    auto& signature = *candidate.signature;
    auto& verdict = candidate.verdict;
    auto selected = fields.select(verdict.signed_fields, &candidate.field);
    auto data = signed_data(selected, candidate.field, signature.header);
    auto header_check = check_with_keys(keys, {signature.algorithm, data, signature.value,
                                               signature.domain, signature.identity_domain()});
    verdict.key_bits = header_check.key_bits;
    verdict.testing = header_check.testing;
    verdict.type_unsigned = has_unsigned(fields, selected, "Content-Type");
    auto body_problem = check_body(candidate);
    if (header_check.result == Result::PermError || header_check.result == Result::TempError) {
      decide(verdict, header_check.result, std::move(header_check.problem));
    } else if (header_check.result == Result::Fail) {
      auto problem = std::move(header_check.problem);
      auto changed = changed_fields(signature, fields);
      if (!changed.empty()) problem += "; by z= it was changed in " + changed;
      if (!body_problem.empty()) problem = body_problem + "; " + problem;
      decide(verdict, Result::Fail, std::move(problem));
    } else if (!body_problem.empty()) {
      decide(verdict, Result::Fail, std::move(body_problem));
    } else if (header_check.result == Result::Pass) {
      auto other = covers_other(candidate, selected);
      if (other.empty() && verdict.testing)
        other = "the key is in testing (t=y): the message counts as unsigned";
      auto result = other.empty() ? Result::Pass : Result::Policy;
      decide(verdict, result, std::move(other));
    } else {
      decide(verdict, header_check.result, std::move(header_check.problem));
    }
  }

  std::string header;
  HeaderFields fields;
  VerifyOptions options;
  std::vector<Candidate> candidates;
  std::size_t ignored = 0;
  std::size_t ignored_of_authors = 0;
  bool body_seen = false;
  BodyHash body_hash;
};

Verifier::Verifier(std::string header, VerifyOptions options)
    : state_(std::make_unique<State>(std::move(header), std::move(options))) {}
Verifier::Verifier(Verifier&&) noexcept = default;
Verifier& Verifier::operator=(Verifier&&) noexcept = default;
Verifier::~Verifier() = default;

bool Verifier::has_signatures() const {
  return !state_->candidates.empty();
}

std::size_t Verifier::ignored() const {
  return state_->ignored;
}

std::size_t Verifier::ignored_of_authors() const {
  return state_->ignored_of_authors;
}

void Verifier::body(std::string_view bytes) {
  if (!bytes.empty()) state_->body_seen = true;
  state_->body_hash.update(bytes);
}

Task<std::vector<Verdict>> Verifier::finish(dns::Resolver& resolver) {
  auto& state = *state_;
  state.body_hash.finish();
  std::vector<Verdict> verdicts;
  verdicts.reserve(state.candidates.size());
  std::size_t failed = 0;
  Breather breather;
  for (auto& candidate : state.candidates) {
    if (candidate.signature && failed >= state.options.failed_lookups) {
      decide(candidate.verdict, Result::TempError,
             "the key was not asked for: other lookups for this message failed");
    } else if (candidate.signature) {
      auto keys = co_await ask_keys(resolver, state.options.keys, candidate.signature->selector,
                                    candidate.signature->domain, state.options.now);
      candidate.verdict.lookups.push_back(keys->lookup);
      state.check(candidate, *keys);
      co_await breather.worked(*keys);
      if (keys->failed()) ++failed;
    }
    verdicts.push_back(std::move(candidate.verdict));
  }
  co_return verdicts;
}

}  // namespace hikyaku::dkim
