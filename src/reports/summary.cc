#include "reports/summary.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "reports/rows.h"

namespace hikyaku::reports {
namespace {

constexpr std::size_t kMostReporters = 300;
constexpr std::size_t kMostSigners = 3;
/// Addresses that are told apart in a network.
constexpr std::size_t kMostAddresses = 32;
constexpr std::size_t kMostDomains = 1'000;
/// Reports must span so many days before p=reject can be called safe: newsletters, invoices.
constexpr Day kEnoughDays = 14;

std::string named(const Source& source) {
  return fmt::format("{}/{}", source.network.to_string(), source.prefix);
}

}  // namespace

void Summary::add(const ReceivedReport& report) {
  if (!domains_.contains(report.domain) && domains_.size() >= kMostDomains) return;
  auto& counting = domains_[report.domain];
  auto& summary = counting.summary;
  if (summary.reports++ == 0) summary.first = summary.last = report.day;
  summary.domain = report.domain;
  summary.first = std::min(summary.first, report.day);
  summary.last = std::max(summary.last, report.day);
  if (summary.reporters.size() < kMostReporters) summary.reporters.insert(report.organization);
  if (report.policy && report.when >= counting.newest) {
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
    std::ranges::stable_sort(counting.summary.sources, std::greater{}, &Source::messages);
    summaries.push_back(std::move(counting.summary));
  }
  domains_.clear();
  return summaries;
}

std::vector<Advice> advise(const DomainSummary& summary, const std::vector<IpAddress>& ours) {
  auto is_ours = [&](const Source& source) {
    return source.is_authorized() || std::ranges::any_of(ours, [&](auto& address) {
             return address.in_network(source.network, source.prefix) && address == source.address;
           });
  };
  Advice unsigned_ones{Advice::Kind::Unsigned, {}, 0};
  Advice strangers{Advice::Kind::Strangers, {}, 0};
  for (auto& source : summary.sources) {
    if (!is_ours(source)) {
      strangers.sources.push_back(named(source));
      add_messages(strangers.messages, source.messages - source.passed);
    } else if (source.dkim * 10 < source.messages * 9) {
      unsigned_ones.sources.push_back(named(source));
      add_messages(unsigned_ones.messages, source.messages - source.dkim);
    }
  }
  std::vector<Advice> advice;
  auto rejecting = summary.policy == dmarc::Policy::Reject;
  if (!unsigned_ones.sources.empty()) advice.push_back(unsigned_ones);
  if (!strangers.sources.empty() && !rejecting) advice.push_back(strangers);
  if (!unsigned_ones.sources.empty() || summary.messages == 0) return advice;
  if (rejecting)
    advice.push_back({Advice::Kind::Complete, {}, 0});
  else if (summary.last - summary.first + 1 < kEnoughDays)
    advice.push_back({Advice::Kind::MoreReports, {}, 0});
  else if (strangers.sources.empty())
    advice.push_back({Advice::Kind::SafeToReject, {}, 0});
  return advice;
}

}  // namespace hikyaku::reports
