#include "sasl/mechanisms.h"

#include <algorithm>

#include "base/text.h"

namespace hikyaku::sasl {
namespace {

using crypto::Hash;

constexpr MechanismInfo kMechanisms[] = {
    {Mechanism::ScramSha256Plus, "SCRAM-SHA-256-PLUS", Needs::ScramKeys, false, true, Hash::Sha256},
    {Mechanism::ScramSha1Plus, "SCRAM-SHA-1-PLUS", Needs::ScramKeys, false, true, Hash::Sha1},
    {Mechanism::ScramSha256, "SCRAM-SHA-256", Needs::ScramKeys, false, false, Hash::Sha256},
    {Mechanism::ScramSha1, "SCRAM-SHA-1", Needs::ScramKeys, false, false, Hash::Sha1},
    {Mechanism::Plain, "PLAIN", Needs::AnyHash, true, false, Hash::Sha256},
    {Mechanism::Login, "LOGIN", Needs::AnyHash, true, false, Hash::Sha256},
    {Mechanism::CramMd5, "CRAM-MD5", Needs::PlainPassword, false, false, Hash::Md5},
};

bool allowed(const MechanismInfo& mechanism, const Connection& connection) {
  return (connection.private_channel || !mechanism.plaintext) &&
         (connection.has_bindings || !mechanism.channel_bound);
}

}  // namespace

std::span<const MechanismInfo> mechanisms() {
  return kMechanisms;
}

const MechanismInfo& info(Mechanism mechanism) {
  return kMechanisms[static_cast<std::size_t>(mechanism)];
}

std::string_view to_string(Mechanism mechanism) {
  return info(mechanism).name;
}

std::optional<Mechanism> find_mechanism(std::string_view name) {
  for (const auto& known : kMechanisms)
    if (iequals(known.name, name)) return known.mechanism;
  return std::nullopt;
}

Result<std::vector<Mechanism>> parse_mechanisms(std::string_view list) {
  std::vector<Mechanism> result;
  std::string separated(list);
  std::ranges::replace_if(separated, [](char c) { return c == ',' || is_ascii_space(c); }, ' ');
  for (auto name : split(separated, ' ')) {
    if (name.empty()) continue;
    auto mechanism = find_mechanism(name);
    if (!mechanism)
      return fail(ErrorCode::Invalid, "there is no login mechanism \"{}\"", printable(name, 64));
    result.push_back(*mechanism);
  }
  std::ranges::sort(result);
  auto repeated = std::ranges::unique(result);
  result.erase(repeated.begin(), repeated.end());
  return result;
}

std::vector<Mechanism> usable(std::span<const Mechanism> configured, const Connection& connection) {
  std::vector<Mechanism> result;
  std::ranges::copy_if(configured, std::back_inserter(result),
                       [&](Mechanism mechanism) { return allowed(info(mechanism), connection); });
  return result;
}

std::optional<Mechanism> choose(std::span<const std::string> offered,
                                const Connection& connection) {
  std::optional<Mechanism> best;
  for (const auto& name : offered) {
    auto mechanism = find_mechanism(name);
    if (mechanism && allowed(info(*mechanism), connection) && (!best || *mechanism < *best))
      best = mechanism;
  }
  return best;
}

}  // namespace hikyaku::sasl
