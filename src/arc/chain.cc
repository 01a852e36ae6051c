#include "arc/chain.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"

namespace hikyaku::arc {
namespace {

constexpr std::size_t kShown = 60;

std::optional<ChainStatus> parse_status(std::string_view text) {
  for (auto status : {ChainStatus::None, ChainStatus::Pass, ChainStatus::Fail})
    if (text == to_string(status)) return status;
  return std::nullopt;
}

std::optional<std::uint32_t> parse_instance(std::string_view text) {
  auto number = parse_decimal(text, kMaxInstance);
  if (!number || *number == 0) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

/// Puts the fields of one name into the sets. The problem, or empty.
class Collector {
 public:
  explicit Collector(Chain& chain) : chain_(chain) {}

  std::string add_results(const mime::Field& field) {
    auto head = take_instance(field.value);
    if (!head) return "an ARC-Authentication-Results field does not begin with its instance";
    return put(head->instance, &Set::results, field);
  }

  std::string add_signature(const mime::Field& field) {
    auto signature = dkim::parse_signature(field.value, dkim::SignatureField::ArcMessage);
    if (!signature) return "an ARC-Message-Signature cannot be used: " + signature.error().problem;
    auto instance = signature->instance;
    if (auto problem = put(instance, &Set::message_signature, field); !problem.empty())
      return problem;
    at(instance).signature = *std::move(signature);
    return {};
  }

  std::string add_seal(const mime::Field& field) {
    auto seal = parse_seal(field.value);
    if (!seal) return "an ARC-Seal cannot be used: " + seal.error();
    auto instance = seal->instance;
    if (auto problem = put(instance, &Set::seal_field, field); !problem.empty()) return problem;
    at(instance).seal = *std::move(seal);
    return {};
  }

 private:
  Set& at(std::uint32_t instance) {
    while (chain_.sets.size() < instance) {
      auto number = static_cast<std::uint32_t>(chain_.sets.size()) + 1;
      chain_.sets.emplace_back().instance = number;
    }
    return chain_.sets[instance - 1];
  }

  std::string put(std::uint32_t instance, const mime::Field* Set::* member,
                  const mime::Field& field) {
    chain_.highest = std::max(chain_.highest, instance);
    auto& place = at(instance).*member;
    if (place) return fmt::format("{} stands there twice for i={}", field.name, instance);
    place = &field;
    return {};
  }

  Chain& chain_;
};

/// RFC 8617 §5.2, step 3.
std::string structure_problem(const Chain& chain) {
  for (auto& set : chain.sets) {
    if (!set.results)
      return fmt::format("ARC-Authentication-Results i={} is missing", set.instance);
    if (!set.message_signature)
      return fmt::format("ARC-Message-Signature i={} is missing", set.instance);
    if (!set.seal_field) return fmt::format("ARC-Seal i={} is missing", set.instance);
  }
  for (auto& set : chain.sets) {
    auto wanted = set.instance == 1 ? ChainStatus::None : ChainStatus::Pass;
    if (set.seal.status != wanted)
      return fmt::format("ARC-Seal i={} says cv={}", set.instance, to_string(set.seal.status));
  }
  return {};
}

}  // namespace

std::string_view to_string(ChainStatus status) {
  switch (status) {
    case ChainStatus::None:
      return "none";
    case ChainStatus::Pass:
      return "pass";
    case ChainStatus::Fail:
      return "fail";
  }
  return "";
}

std::expected<Seal, std::string> parse_seal(std::string_view value) {
  auto list = dkim::TagList::parse(value);
  if (!list) return std::unexpected(list.error().text);
  auto tag = [&](std::string_view name) { return list->find(name).value_or(""); };
  auto wrong = [&](std::string_view name) {
    return std::unexpected(fmt::format("{}={}", name, printable(tag(name), kShown)));
  };
  Seal seal;
  auto instance = parse_instance(tag("i"));
  if (!instance) return wrong("i");
  seal.instance = *instance;
  auto status = parse_status(tag("cv"));
  if (!status) return wrong("cv");
  seal.status = *status;
  auto algorithm = dkim::parse_algorithm(tag("a"));
  if (!algorithm || *algorithm == dkim::Algorithm::RsaSha1) return wrong("a");
  seal.algorithm = *algorithm;
  auto signature = dkim::decode_base64_value(tag("b"));
  if (!signature) return wrong("b");
  seal.value = *std::move(signature);
  auto domain = dkim::parse_signature_domain(tag("d"), 2);
  if (!domain) return wrong("d");
  seal.domain = *std::move(domain);
  auto selector = dkim::parse_signature_domain(tag("s"), 1);
  if (!selector) return wrong("s");
  seal.selector = *std::move(selector);
  if (list->find("t")) {
    seal.signed_at = dkim::parse_signature_time(tag("t"));
    if (!seal.signed_at) return wrong("t");
  }
  // RFC 8617 §4.1.3: what a seal signs is fixed.
  if (list->find("h")) return std::unexpected("it has h=");
  return seal;
}

std::optional<InstanceAndRest> take_instance(std::string_view value) {
  value = trim(value);
  if (!value.starts_with('i')) return std::nullopt;
  value = trim(value.substr(1));
  if (!value.starts_with('=')) return std::nullopt;
  auto semicolon = value.find(';');
  if (semicolon == value.npos) return std::nullopt;
  auto instance = parse_instance(trim(value.substr(1, semicolon - 1)));
  if (!instance) return std::nullopt;
  return InstanceAndRest{*instance, value.substr(semicolon + 1)};
}

Chain parse_chain(const dkim::HeaderFields& fields) {
  Chain chain;
  Collector collector(chain);
  struct Kind {
    std::string_view name;
    std::string (Collector::*add)(const mime::Field&);
  };
  for (auto& [name, add] : {Kind{"ARC-Seal", &Collector::add_seal},
                            Kind{"ARC-Message-Signature", &Collector::add_signature},
                            Kind{"ARC-Authentication-Results", &Collector::add_results}}) {
    auto present = fields.find_all(name);
    chain.present = chain.present || !present.empty();
    if (present.size() > kMaxInstance) {
      chain.problem = fmt::format("there are more than {} ARC sets", kMaxInstance);
      return chain;
    }
    for (auto* field : present) {
      auto problem = (collector.*add)(*field);
      if (chain.problem.empty()) chain.problem = std::move(problem);
    }
  }
  auto& sets = chain.sets;
  chain.ended =
      !sets.empty() && sets.back().seal_field && sets.back().seal.status == ChainStatus::Fail;
  if (chain.ended)
    chain.problem =
        fmt::format("{} found the chain broken before (cv=fail)", sets.back().seal.domain);
  if (chain.problem.empty()) chain.problem = structure_problem(chain);
  return chain;
}

std::string sealed_data(const std::vector<Set>& sets, std::size_t count) {
  std::string data, storage;
  for (std::size_t i = 0; i < count; ++i) {
    for (auto* field : {sets[i].results, sets[i].message_signature})
      dkim::append_canonical(data, *field, dkim::Canonicalization::Relaxed);
    bool own = i + 1 == count;
    dkim::append_canonical(
        data,
        own ? dkim::without_signature_value(*sets[i].seal_field, storage) : *sets[i].seal_field,
        dkim::Canonicalization::Relaxed);
  }
  if (data.ends_with("\r\n")) data.resize(data.size() - 2);
  return data;
}

}  // namespace hikyaku::arc
