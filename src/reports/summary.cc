#include "reports/summary.h"

#include <algorithm>
#include <fmt/core.h>
#include <ranges>

#include "base/text.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

constexpr std::size_t kMostReporters = 300;
constexpr std::size_t kMostSigners = 3;
/// Addresses that are told apart in a network.
constexpr std::size_t kMostAddresses = 32;
constexpr std::size_t kMostDomains = 1'000;
/// For so many days a policy must have been reported before the next stricter one can be called
/// safe: a month has its newsletter and its invoices in it, and RFC 9989 asks for a month of
/// p=none, then for as long of p=quarantine.
constexpr Day kEnoughDays = 28;
/// Days of which the policy is remembered.
constexpr std::size_t kMostDays = 100;

std::string named(const Source& source) {
  return fmt::format("{}/{}", source.network.to_string(), source.prefix);
}

bool advice_has(const std::vector<Advice>& advice, Advice::Kind kind) {
  return std::ranges::find(advice, kind, &Advice::kind) != advice.end();
}

/// Who reports: the domain that is proved, since a report may call its author what it likes. Where
/// that is not known, as it can be shown: some write their name with a stray quote, or none at all.
std::string reporter_of(const ReceivedReport& report) {
  if (report.sender.state == Sender::State::Proved) return report.sender.domain;
  auto name = trim(report.organization);
  while (!name.empty() && (name.front() == '"' || name.front() == '\'')) name.remove_prefix(1);
  while (!name.empty() && (name.back() == '"' || name.back() == '\'')) name.remove_suffix(1);
  name = trim(name);
  if (!name.empty()) return std::string(name);
  auto at = report.email.rfind('@');
  return at == std::string::npos ? report.email : report.email.substr(at + 1);
}

}  // namespace

Day Summary::Counting::since() const {
  if (!summary.policy) return summary.first;
  auto since = summary.last + 1;
  for (auto& [day, policy] : std::views::reverse(mildest)) {
    if (policy < *summary.policy) break;
    since = day;
  }
  return since;
}

void Summary::add(const ReceivedReport& report) {
  if (!domains_.contains(report.domain) && domains_.size() >= kMostDomains) return;
  auto& counting = domains_[report.domain];
  auto& summary = counting.summary;
  if (summary.reports++ == 0) summary.first = summary.last = report.day;
  summary.domain = report.domain;
  add_messages(summary.left_out, report.left_out);
  summary.first = std::min(summary.first, report.day);
  summary.last = std::max(summary.last, report.day);
  auto reporter = reporter_of(report);
  if (!reporter.empty() && summary.reporters.size() < kMostReporters)
    summary.reporters.insert(std::move(reporter));
  if (!report.policy) return;
  auto& mildest = counting.mildest.try_emplace(report.day, *report.policy).first->second;
  mildest = std::min(mildest, *report.policy);
  if (counting.mildest.size() > kMostDays) counting.mildest.erase(counting.mildest.begin());
  if (report.when >= counting.newest) {
    counting.newest = report.when;
    summary.policy = report.policy;
  }
}

void Summary::add(const ReceivedReport& report, const dmarc::ReportRecord& row) {
  auto found = domains_.find(report.domain);
  if (found == domains_.end()) return;
  auto& counting = found->second;
  auto passed = row.dkim_aligned || row.spf_aligned;
  add_messages(counting.summary.messages, row.count);
  if (passed) add_messages(counting.summary.passed, row.count);
  auto prefix = row.source.is_v4() ? 24 : 48;
  auto network = row.source.network(prefix);
  if (!counting.networks.contains(network) && networks_++ >= limit_) {
    add_messages(counting.summary.uncounted, row.count);
    return;
  }
  auto& [source, addresses] = counting.networks[network];
  source.network = network;
  source.prefix = prefix;
  add_messages(source.messages, row.count);
  if (passed) add_messages(source.passed, row.count);
  if (row.dkim_aligned) add_messages(source.dkim, row.count);
  if (row.spf_aligned) add_messages(source.spf, row.count);
  if (row.spf_aligned && !row.dkim_aligned) add_messages(source.spf_alone, row.count);
  if (row.disposition == dmarc::Applied::Quarantine) add_messages(source.quarantined, row.count);
  if (row.disposition == dmarc::Applied::Reject) add_messages(source.rejected, row.count);
  for (auto& signature : row.dkim)
    if (signature.result == dkim::Result::Pass && source.signers.size() < kMostSigners)
      source.signers.insert(to_lower(signature.domain));
  if (addresses.size() < kMostAddresses || addresses.contains(row.source))
    add_messages(addresses[row.source], row.count);
}

std::vector<DomainSummary> Summary::take() {
  std::vector<DomainSummary> summaries;
  for (auto& [domain, counting] : domains_) {
    for (auto& [network, one] : counting.networks) {
      std::uint64_t most = 0;
      for (auto& [address, count] : one.addresses)
        if (count > std::exchange(most, std::max(most, count))) one.source.address = address;
      counting.summary.sources.push_back(std::move(one.source));
    }
    counting.summary.policy_since = counting.since();
    std::ranges::stable_sort(counting.summary.sources, std::greater{}, &Source::messages);
    summaries.push_back(std::move(counting.summary));
  }
  domains_.clear();
  return summaries;
}

std::vector<Advice> advise(const DomainSummary& summary, const std::vector<IpAddress>& ours) {
  std::vector<Advice> advice;
  if (summary.messages == 0) return advice;
  auto is_here = [&](const Source& source) {
    return std::ranges::any_of(ours, [&](auto& address) {
      return address.in_network(source.network, source.prefix) && address == source.address;
    });
  };
  Advice unsigned_ones{Advice::Kind::Unsigned, {}, 0};
  Advice forwarders{Advice::Kind::Forwarders, {}, 0};
  Advice doubtful{Advice::Kind::Doubtful, {}, 0};
  Advice strangers{Advice::Kind::Strangers, {}, 0};
  auto put = [](Advice& kind, const Source& source, std::uint64_t messages) {
    kind.sources.push_back(named(source));
    add_messages(kind.messages, messages);
  };
  for (auto& source : summary.sources) {
    // Most of its mail is signed: what is not may be a report, or a mistake of the other side.
    auto seldom = [&](std::uint64_t count) { return count * 10 <= source.messages; };
    if (is_here(source)) {
      if (!seldom(source.messages - source.dkim))
        put(unsigned_ones, source, source.messages - source.dkim);
    } else if (source.is_forwarder()) {
      if (!seldom(source.messages - source.dkim))
        put(forwarders, source, source.messages - source.dkim);
    } else if (source.is_doubtful()) {
      put(doubtful, source, source.messages - source.passed);
    } else if (!source.is_authorized()) {
      put(strangers, source, source.messages - source.passed);
    } else if (!seldom(source.spf_alone)) {
      put(unsigned_ones, source, source.spf_alone);
    }
  }
  auto published = summary.policy.value_or(dmarc::Policy::None);
  auto rejecting = published == dmarc::Policy::Reject;
  auto nothing = summary.passed == 0 && unsigned_ones.sources.empty();
  if (nothing) strangers.kind = Advice::Kind::Nothing;
  for (auto* one : {&unsigned_ones, &forwarders, &doubtful})
    if (!one->sources.empty()) advice.push_back(std::move(*one));
  auto strange = !strangers.sources.empty();
  if (nothing || (strange && !rejecting)) advice.push_back(std::move(strangers));
  // Whoever would follow what comes now must know that mail of theirs passes.
  if (summary.passed == 0 || advice_has(advice, Advice::Kind::Unsigned)) return advice;
  if (rejecting)
    advice.push_back({Advice::Kind::Complete, {}, 0});
  else if (summary.last + 1 - summary.policy_since < kEnoughDays)
    advice.push_back({Advice::Kind::MoreReports, {}, 0});
  else if (advice.empty())
    advice.push_back({published == dmarc::Policy::Quarantine ? Advice::Kind::SafeToReject
                                                             : Advice::Kind::SafeToQuarantine,
                      {},
                      0});
  return advice;
}

}  // namespace hikyaku::reports
