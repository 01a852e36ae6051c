#include "arc/sealer.h"

#include <algorithm>
#include <fmt/format.h>

#include "arc/chain.h"
#include "base/base64.h"
#include "base/text.h"
#include "dkim/body_hash.h"

namespace hikyaku::arc {
namespace {

mime::Field as_field(std::string_view raw) {
  auto colon = raw.find(':');
  mime::Field field{raw, raw.substr(0, colon), raw.substr(colon + 1)};
  if (field.value.ends_with("\r\n")) field.value.remove_suffix(2);
  return field;
}

/// Fields that RFC 8617 §4.1.2 forbids in the message signature.
bool must_not_be_signed(std::string_view name) {
  return iequals(name, "authentication-results") || istarts_with(name, "arc-");
}

/// "a:b:c", folded behind a colon where the line would become too long for any relay.
std::string name_list(const std::vector<std::string>& names) {
  constexpr std::size_t kLine = 800;
  std::string result;
  std::size_t column = 0;
  for (auto& name : names) {
    if (!result.empty()) {
      result += ':';
      if (column + name.size() > kLine) {
        result += "\r\n ";
        column = 0;
      }
    }
    result += name;
    column += name.size() + 1;
  }
  return result;
}

long long count(Time time) {
  return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

struct Sealer::State {
  explicit State(SealOptions with)
      : options(std::move(with)),
        number(body_hash.add({dkim::Canonicalization::Relaxed, crypto::Hash::Sha256, {}})) {}

  SealOptions options;
  dkim::BodyHash body_hash;
  std::size_t number = 0;

  std::vector<std::string> names(const dkim::HeaderFields& fields) const {
    if (!options.fields.empty()) return options.fields;
    auto names = dkim::names_to_sign(fields);
    names.insert(names.end(), std::min<std::size_t>(fields.count("dkim-signature"), 20),
                 "dkim-signature");
    return names;
  }

  // The tags stand in the order of the alphabet with one space between: folding at that space, and
  // nowhere inside a value, leaves the canonical form as it is.

  Result<std::string> message_signature(const dkim::HeaderFields& fields,
                                        std::uint32_t instance) const {
    auto signed_names = names(fields);
    std::vector<std::string> lower;
    for (auto& name : signed_names) {
      if (must_not_be_signed(name))
        return fail(ErrorCode::Invalid, "{} must not be signed (RFC 8617 §4.1.2)", name);
      lower.push_back(to_lower(name));
    }
    auto& key = options.key;
    auto algorithm = to_string(*dkim::algorithm_for(key.key.type()));
    auto render = [&](std::string_view value) {
      return fmt::format(
          "ARC-Message-Signature: a={};\r\n b={};\r\n bh={};\r\n c=relaxed/relaxed; d={};\r\n "
          "h={};\r\n i={}; s={}; t={}",
          algorithm, value, base64_encode(body_hash.digest(number)), key.domain,
          name_list(signed_names), instance, key.selector, count(options.now));
    };
    auto empty = render("");
    auto data = dkim::signed_data(fields.select(lower, nullptr), as_field(empty),
                                  dkim::Canonicalization::Relaxed);
    TRY(auto signature, dkim::sign_data(key.key, data));
    return render(base64_encode(signature)) + "\r\n";
  }

  Result<std::string> seal(std::vector<Set> sets, Set own, ChainStatus status) const {
    auto& key = options.key;
    auto render = [&](std::string_view value) {
      return fmt::format("ARC-Seal: a={};\r\n b={};\r\n cv={}; d={}; i={}; s={};\r\n t={}",
                         to_string(*dkim::algorithm_for(key.key.type())), value, to_string(status),
                         key.domain, own.instance, key.selector, count(options.now));
    };
    auto empty = render("");
    auto field = as_field(empty);
    own.seal_field = &field;
    sets.push_back(own);
    TRY(auto signature, dkim::sign_data(key.key, sealed_data(sets, sets.size())));
    return render(base64_encode(signature)) + "\r\n";
  }
};

Sealer::Sealer(SealOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

void Sealer::body(std::string_view bytes) {
  state_->body_hash.update(bytes);
}

Result<std::string> Sealer::finish(std::string_view header, const Verdict& chain,
                                   mime::AuthenticationResults results) {
  TRY_DO(dkim::check_signing_key(state_->options.key));
  state_->body_hash.finish();
  dkim::HeaderFields fields(header);
  auto existing = parse_chain(fields);
  bool folded = !header.empty() && is_ascii_space(header.front());
  if (folded || existing.ended || existing.highest >= kMaxInstance) return std::string();

  auto status = !existing.present ? ChainStatus::None
                : chain.passed()  ? ChainStatus::Pass
                                  : ChainStatus::Fail;
  if (!results.find("arc"))
    results.methods.push_back({.name = "arc", .result = std::string(to_string(status))});
  Set own;
  own.instance = existing.highest + 1;
  auto results_field = fmt::format("ARC-Authentication-Results: i={}; {}\r\n", own.instance,
                                   mime::write_authentication_results(results));
  TRY(auto signature_field, state_->message_signature(fields, own.instance));
  auto first = as_field(results_field), second = as_field(signature_field);
  own.results = &first;
  own.message_signature = &second;
  // A broken chain is not signed, only our own set (RFC 8617 §5.1.2).
  auto before = status == ChainStatus::Pass ? std::move(existing.sets) : std::vector<Set>();
  TRY(auto seal_field, state_->seal(std::move(before), own, status));
  return seal_field + signature_field + results_field;
}

mime::AuthenticationResults collect_results(const dkim::HeaderFields& fields,
                                            std::string_view authserv_id) {
  mime::AuthenticationResults collected{.authserv_id = std::string(authserv_id)};
  for (auto& field : fields.all()) {
    if (!field.is("Authentication-Results")) continue;
    auto results = mime::parse_authentication_results(field.value);
    if (!results || !iequals(results->authserv_id, authserv_id)) continue;
    for (auto& method : results->methods)
      if (collected.methods.size() < mime::AuthenticationResultsLimits{}.methods)
        collected.methods.push_back(std::move(method));
  }
  return collected;
}

}  // namespace hikyaku::arc
