#include "dmarc/policy.h"

#include <algorithm>

#include "base/text.h"
#include "dmarc/report_address.h"
#include "dns/name.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::string_view kPrefix = "_dmarc.";
/// Of what is kept of records that are none, for people.
constexpr std::size_t kShownText = 512;

/// What the TXT records of one name amount to (RFC 9989 §4.10: filter, then count).
void look_at(std::vector<std::string>& texts, Asked& asked) {
  std::string* found = nullptr;
  const std::string* near = nullptr;
  for (auto& text : texts) {
    if (!is_record(text)) {
      if (!near && is_meant_as_record(text)) near = &text;
      continue;
    }
    if (found) {
      asked.found = Asked::Found::Several;
      asked.text = utf8_prefix(*found, kShownText);
      return;
    }
    found = &text;
  }
  if (found) {
    asked.record = std::make_shared<const Record>(*parse_record(std::move(*found)));
    asked.found = Asked::Found::Record;
  } else if (near) {
    asked.found = Asked::Found::NearMiss;
    asked.text = utf8_prefix(*near, kShownText);
  }
}

std::string record_name(std::string_view domain) {
  std::string name;
  name.reserve(kPrefix.size() + domain.size());
  name.append(kPrefix).append(domain);
  return name;
}

bool is_record_name(std::string_view name, std::string_view domain) {
  return name.size() == kPrefix.size() + domain.size() && name.ends_with(domain) &&
         name.starts_with(kPrefix);
}

/// Somebody may write as a@_dmarc.example.org: whether that name exists is another question than
/// which record stands there.
bool asks_for_existence(const Asked& asked) {
  return asked.found == Asked::Found::Exists || asked.found == Asked::Found::DoesNotExist;
}

/// The last `count` labels of a name.
std::string_view last_labels(std::string_view name, std::size_t count) {
  while (dns::label_count(name) > count) name = dns::parent(name);
  return name;
}

bool ends_walk(const Asked& asked) {
  return asked.record && asked.record->psd != Psd::Unknown;
}

/// The policy that the record states for the author, or that it states none.
void choose_policy(Discovery& discovery, std::optional<bool> exists) {
  auto& record = *discovery.record;
  if (!record.p || record.bad_sp || record.bad_np) {
    if (parse_report_uris(record.rua()).empty()) {
      discovery.state = Discovery::State::Unusable;
      return;
    }
    discovery.broken_policy = true;
    discovery.tag = PolicyTag::P;
  } else if (discovery.author_domain == discovery.policy_domain) {
    discovery.tag = PolicyTag::P;
    discovery.published = *record.p;
  } else if (exists == false && record.np) {
    discovery.tag = PolicyTag::Np;
    discovery.published = *record.np;
  } else {
    discovery.tag = record.sp ? PolicyTag::Sp : PolicyTag::P;
    discovery.published = record.sp.value_or(*record.p);
  }
  discovery.effective = record.testing ? weaker(discovery.published) : discovery.published;
  discovery.state = Discovery::State::Found;
}

/// Whether it changes anything that the author domain does not exist.
bool existence_matters(const Record& record) {
  return record.p && record.np && *record.np != record.sp.value_or(*record.p);
}

}  // namespace

std::string_view to_string(PolicyTag tag) {
  switch (tag) {
    case PolicyTag::P:
      return "p";
    case PolicyTag::Sp:
      return "sp";
    case PolicyTag::Np:
      break;
  }
  return "np";
}

std::string Walk::organizational_domain() const {
  for (auto& [domain, record] : found) {
    if (record->psd == Psd::No) return domain;
    // One label more than the suffix; counted on the starting name, since the walk jumps.
    if (record->psd == Psd::Yes && domain != start)
      return std::string(last_labels(start, dns::label_count(domain) + 1));
  }
  return found.empty() ? start : found.back().domain;
}

std::size_t Walker::find(std::string_view domain) const {
  for (std::size_t i = 0; i < asked_.size(); ++i)
    if (!asks_for_existence(asked_[i]) && is_record_name(asked_[i].name, domain)) return i;
  return kUnknown;
}

bool Walker::prepare(std::string_view domain, Asked& asked) const {
  asked.name = record_name(domain);
  if (asked.name.size() > dns::kMaxHostName) return false;  // cannot exist, so there is no record
  if (asked_.size() < limit_) return true;
  asked.found = Asked::Found::Failed;
  asked.text = "too many names were asked for one message";
  return false;
}

std::size_t Walker::keep(std::string_view domain, dns::Answer<std::string> answer) {
  Asked asked;
  // Unless there were aliases it is the name asked for, and saves making another.
  asked.name = is_record_name(answer.name, domain) ? std::move(answer.name) : record_name(domain);
  asked.ttl = answer.ttl;
  asked.secure = answer.secure;
  if (answer.failed()) {
    asked.found = Asked::Found::Failed;
    asked.text = answer.problem.empty() ? std::string(dns::to_string(answer.status))
                                        : std::move(answer.problem);
  } else {
    look_at(answer.records, asked);
  }
  return keep(std::move(asked));
}

std::size_t Walker::keep(Asked asked) {
  if (asked_.empty()) asked_.reserve(kWalkQueries);
  asked_.push_back(std::move(asked));
  return asked_.size() - 1;
}

Task<Asked> Walker::at(std::string domain) {
  auto place = find(domain);
  if (place == kUnknown) {
    Asked asked;
    if (!prepare(domain, asked)) {
      place = keep(std::move(asked));
    } else {
      auto answer = co_await dns_.txt(std::move(asked.name));
      place = keep(domain, std::move(answer));
    }
  }
  co_return asked_[place];
}

Task<std::optional<bool>> Walker::exists(std::string domain) {
  for (auto& asked : asked_) {
    if (!asks_for_existence(asked) || asked.name != domain) continue;
    co_return asked.found == Asked::Found::Exists;
  }
  Asked asked;
  if (asked_.size() >= limit_) co_return std::nullopt;
  // Any type will do: only the difference between NXDOMAIN and the rest counts.
  auto answer = co_await dns_.a(domain);
  asked.name = std::move(domain);
  asked.ttl = answer.ttl;
  asked.secure = answer.secure;
  std::optional<bool> result;
  if (answer.failed()) {
    asked.found = Asked::Found::Failed;
    asked.text = std::move(answer.problem);
  } else {
    result = answer.status != dns::Status::NoName;
    asked.found = *result ? Asked::Found::Exists : Asked::Found::DoesNotExist;
  }
  keep(std::move(asked));
  co_return result;
}

Task<Walk> Walker::walk(std::string domain) {
  Walk walk;
  walk.start = std::move(domain);
  std::string_view target = walk.start;
  for (std::size_t query = 0; query < kWalkQueries && !target.empty(); ++query) {
    auto place = find(target);
    if (place == kUnknown) {
      Asked asked;
      if (!prepare(target, asked)) {
        place = keep(std::move(asked));
      } else {
        auto answer = co_await dns_.txt(std::move(asked.name));
        place = keep(target, std::move(answer));
      }
    }
    auto& asked = asked_[place];
    if (asked.found == Asked::Found::Failed) {
      walk.failed = true;
      walk.problem = asked.name + ": " + asked.text;
      break;
    }
    if (asked.record) walk.found.push_back({std::string(target), asked.record});
    if (ends_walk(asked)) break;
    // After the whole name, its last seven labels at most (RFC 9989 §4.10 step 4).
    target = query == 0 && dns::label_count(target) > kWalkQueries
                 ? last_labels(target, kWalkQueries - 1)
                 : dns::parent(target);
  }
  co_return walk;
}

Task<Discovery> discover(Walker& walker, std::string author_domain) {
  Discovery discovery;
  discovery.author_domain = std::move(author_domain);
  auto own = walker.find(discovery.author_domain);
  if (own == Walker::kUnknown) {
    Asked asked;
    if (!walker.prepare(discovery.author_domain, asked)) {
      own = walker.keep(std::move(asked));
    } else {
      auto answer = co_await walker.dns_.txt(std::move(asked.name));
      own = walker.keep(discovery.author_domain, std::move(answer));
    }
  }
  if (auto& record = walker.asked_[own].record) {
    discovery.policy_domain = discovery.author_domain;
    discovery.record = record;
    choose_policy(discovery, true);
    co_return discovery;
  }
  auto walk = co_await walker.walk(discovery.author_domain);
  if (walk.failed) {
    discovery.state = Discovery::State::TempError;
    discovery.problem = std::move(walk.problem);
    co_return discovery;
  }
  discovery.organizational_domain = walk.organizational_domain();
  // The Organizational Domain's record; without one that of the public suffix above it.
  for (auto& [domain, record] : walk.found) {
    if (domain != *discovery.organizational_domain && record->psd != Psd::Yes) continue;
    discovery.policy_domain = domain;
    discovery.record = record;
    break;
  }
  if (!discovery.record) co_return discovery;
  if (existence_matters(*discovery.record)) {
    discovery.author_exists = co_await walker.exists(discovery.author_domain);
    if (!discovery.author_exists) {
      discovery.state = Discovery::State::TempError;
      discovery.problem = "whether " + discovery.author_domain + " exists could not be found out";
      co_return discovery;
    }
  }
  choose_policy(discovery, discovery.author_exists);
  co_return discovery;
}

}  // namespace hikyaku::dmarc
