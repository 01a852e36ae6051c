#include "spf/evaluation.h"

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::spf {
namespace {

/// As shown to people: names that come from records may be long and strange.
std::string shown(std::string_view name) {
  return printable(name, 120);
}

}  // namespace

Evaluation::Evaluation(dns::Resolver& resolver, const Clock& clock, Query query,
                       const Limits& limits)
    : resolver_(resolver),
      clock_(clock),
      query_(std::move(query)),
      limits_(limits),
      began_(clock.now()) {}

bool Evaluation::over(Result result, Problem problem, std::string detail) {
  verdict.result = result;
  verdict.problem = problem;
  verdict.detail = std::move(detail);
  verdict.mechanism = {};
  return false;
}

bool Evaluation::begin() {
  verdict.identity = query_.identity;
  std::string_view sender = query_.mail_from;
  if (query_.identity == Identity::Helo || sender.empty()) sender = query_.helo;
  bool is_helo = sender.data() == query_.helo.data();
  auto at = is_helo ? std::string_view::npos : sender.rfind('@');
  domain_part_ = at == std::string_view::npos ? sender : sender.substr(at + 1);
  local_part_ = at == std::string_view::npos || at == 0 ? "postmaster" : sender.substr(0, at);
  auto no_domain = [&](std::string_view why) {
    return over(Result::None, Problem::NoDomain,
                fmt::format("\"{}\" {}", shown(domain_part_), why));
  };
  if (domain_part_.empty()) return over(Result::None, Problem::NoDomain, "there is no domain");
  if (!is_ascii(domain_part_)) {  // RFC 8616 §4: A-labels everywhere
    auto ascii = dns::to_ascii(domain_part_);
    if (!ascii) return over(Result::None, Problem::NoDomain, ascii.error().text);
    sender_domain_ = std::move(*ascii);
    domain_part_ = sender_domain_;
  }
  auto name = domain_part_;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (!dns::is_domain_name(name) || !name.contains('.'))
    return no_domain("is no domain name of two labels or more");
  if (IpAddress::parse(name)) return no_domain("is an address, no domain name");
  verdict.domain = to_lower(name);
  verdict.steps.reserve(8);
  verdict.lookups.reserve(4);
  return true;
}

bool Evaluation::select_record(Reading& reading, dns::Answer<std::string>&& answer) {
  bool own = reading.why == Reading::Why::Own;
  if (!note(reading.domain, dns::Type::TXT, answer)) return false;
  std::string* found = nullptr;
  for (auto& text : answer.records) {
    if (!is_record(text)) continue;
    if (found)
      return over(Result::PermError, Problem::SeveralRecords,
                  fmt::format("{} has more than one SPF record", shown(reading.domain)));
    found = &text;
  }
  if (!found) {
    bool exists = answer.status != dns::Status::NoName;
    auto detail = fmt::format("{} {}", shown(reading.domain),
                              exists ? "has no SPF record" : "does not exist");
    if (!own) return over(Result::PermError, Problem::MissingTarget, std::move(detail));
    return over(Result::None, exists ? Problem::NoRecord : Problem::NoSuchDomain,
                std::move(detail));
  }
  reading.text = std::move(*found);
  auto record = parse_record(reading.text);
  if (!record)
    return over(Result::PermError, Problem::Syntax,
                fmt::format("in the record of {}: {}", shown(reading.domain), record.error().text));
  reading.record = std::move(*record);
  return true;
}

std::size_t Evaluation::begin_step(const Reading& reading, std::string_view term) {
  verdict.steps.push_back({.term = term,
                           .policy = reading.index,
                           .depth = reading.depth,
                           .effect = Effect::NoMatch,
                           .first_lookup = static_cast<std::uint16_t>(verdict.lookups.size())});
  return verdict.steps.size() - 1;
}

void Evaluation::end_step(std::size_t step, Effect effect) {
  auto& ended = verdict.steps[step];
  ended.effect = effect;
  ended.lookup_count = static_cast<std::uint16_t>(verdict.lookups.size() - ended.first_lookup);
}

bool Evaluation::count_term() {
  if (++terms_ <= limits_.lookups) return true;
  return over(
      Result::PermError, Problem::TooManyLookups,
      fmt::format("the records have more than {} terms that need the DNS", limits_.lookups));
}

bool Evaluation::in_time() {
  if (clock_.now() - began_ <= limits_.deadline) return true;
  return over(Result::TempError, Problem::DeadlineExceeded,
              fmt::format("the check took longer than {} seconds", limits_.deadline.count()));
}

bool Evaluation::failed(std::string_view name, dns::Type type, std::string_view problem) {
  return over(Result::TempError, Problem::LookupFailed,
              fmt::format("no answer for {} {}{}{}", dns::to_string(type), shown(name),
                          problem.empty() ? "" : ": ", printable(problem, 200)));
}

bool Evaluation::count_void(std::string_view name, dns::Type type) {
  if (++voids_ <= limits_.void_lookups) return true;
  return over(Result::PermError, Problem::TooManyVoid,
              fmt::format("more than {} terms ask for what does not exist, at last {} {}",
                          limits_.void_lookups, dns::to_string(type), shown(name)));
}

std::string_view Evaluation::validated_for(std::string_view domain) const {
  std::string_view best;
  if (!validated_) return best;
  for (std::string_view name : *validated_) {
    if (name == domain) return name;
    bool below = dns::is_within(name, domain);
    if (best.empty() || (below && !dns::is_within(best, domain))) best = name;
  }
  return best;
}

MacroValues Evaluation::values(const Reading& reading) const {
  return {.local_part = local_part_,
          .sender_domain = domain_part_,
          .domain = reading.domain,
          .helo = query_.helo,
          .validated = validated_for(reading.domain),
          .receiver = query_.receiver,
          .ip = query_.ip,
          .now = clock_.now()};
}

std::optional<std::string> Evaluation::target(const Reading& reading,
                                              std::string_view domain_spec) const {
  if (domain_spec.empty()) return reading.domain;
  if (!domain_spec.contains('%')) return query_name(domain_spec);
  return expand_name(domain_spec, values(reading));
}

bool Evaluation::matches_nothing(std::string_view domain_spec) const {
  return !is_ascii(local_part_) && uses_macro(domain_spec, "sl");
}

bool Evaluation::needs_names(std::string_view domain_spec) const {
  return !validated_ && uses_macro(domain_spec, "p");
}

}  // namespace hikyaku::spf
