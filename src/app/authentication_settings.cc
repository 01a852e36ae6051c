#include "app/authentication_settings.h"

#include <optional>
#include <string_view>
#include <vector>

#include "app/help.h"
#include "crypto/keyed_hash.h"
#include "dns/name.h"

namespace hikyaku::app {
namespace {

/// What the configuration's checks have let through reads back.
template <class Value>
std::vector<Value> read_all(const std::vector<std::string>& texts,
                            std::optional<Value> (*read)(std::string_view)) {
  std::vector<Value> values;
  for (auto& text : texts)
    if (auto value = read(text)) values.push_back(*std::move(value));
  return values;
}

std::vector<std::string> domains(const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (auto& text : texts) names.push_back(dns::to_ascii(text).value_or(text));
  return names;
}

}  // namespace

receive::AuthenticationSettings authentication_settings(const config::Config& config,
                                                        const std::string& host_name) {
  receive::AuthenticationSettings settings;
  settings.enabled = config.auth.check;
  settings.loopback = !config.dns.resolver.empty() || !config.dns.zone_file.empty();
  settings.host_name = host_name;
  settings.deadline = config.auth.deadline;
  settings.signatures = config.dkim.max_signatures;
  settings.blocklists = read_all<dnsbl::Zone>(config.auth.blocklists, dnsbl::parse_zone);
  settings.sealers = domains(config.arc.trusted_sealers);
  settings.lists = domains(config.dmarc.known_lists);
  settings.forwarders = domains(config.dmarc.known_forwarders);
  settings.exceptions = domains(config.dmarc.exceptions);
  auto& rules = settings.rules;
  rules.speaks_for = read_all<dmarc::For>(config.dmarc.speaks_for, dmarc::parse_for);
  rules.speaks_against =
      read_all<dmarc::Against>(config.dmarc.speaks_against, dmarc::parse_against);
  rules.exempts = read_all<dmarc::Against>(config.dmarc.exempts, dmarc::parse_against);
  rules.blocklist_weight = config.auth.blocklist_weight;
  rules.trust_reject = domains(config.dmarc.trust_reject);
  rules.spf_refuse_fail = config.spf.refuse_fail;
  switch (config.dmarc.unreadable_author) {
    case config::UnreadableAuthor::Deliver:
      rules.unreadable_author = dmarc::Action::Deliver;
      break;
    case config::UnreadableAuthor::Junk:
      rules.unreadable_author = dmarc::Action::Junk;
      break;
    case config::UnreadableAuthor::Refuse:
      rules.unreadable_author = dmarc::Action::Refuse;
      break;
  }
  return settings;
}

std::optional<receive::FailureReportSettings> failure_report_settings(
    const config::Config& config, const crypto::MasterKey& master) {
  auto& dmarc = config.dmarc;
  if (dmarc.failure_reports == config::FailureReports::Off) return std::nullopt;
  return receive::FailureReportSettings{
      .shown = dmarc.failure_reports == config::FailureReports::Minimal
                   ? dmarc::HeaderShown::Minimal
                   : dmarc::HeaderShown::Redacted,
      .from = dmarc.report_from,
      .per_domain = dmarc.failure_reports_per_domain,
      .total = dmarc.failure_reports_total,
      .redaction_key = crypto::keyed_hash(master, "failure-report-redaction", "local parts"),
      .generator = "hikyaku/" + std::string(version_text().substr(version_text().rfind(' ') + 1))};
}

}  // namespace hikyaku::app
