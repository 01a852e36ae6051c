#include "receive/failure_reports.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dmarc/report_address.h"
#include "mime/compose.h"
#include "mime/header.h"
#include "mime/parameter.h"
#include "receive/bounded_resolver.h"
#include "receive/plan.h"
#include "receive/report_author.h"
#include "receive/sender_findings.h"

namespace hikyaku::receive {
namespace {

/// Of one record; RFC 9991 wants all of them tried, and a stranger may name any number.
constexpr std::size_t kMostDestinations = 4;
/// Domains whose untold messages are counted; strangers name them.
constexpr std::size_t kMostDomains = 10'000;

/// What another server found out, without the words for people: they hold whole addresses.
std::string redacted_results(const SenderFindings& found, const std::string& host_name,
                             std::string_view key) {
  auto results = authentication_results(found, host_name);
  for (auto& method : results.methods) {
    method.comment.clear();
    method.reason.clear();
    for (auto& property : method.properties)
      if (auto at = property.value.rfind('@'); at != std::string::npos && at > 0)
        property.value = dmarc::redact_address(property.value, key);
  }
  return mime::unfold(mime::write_authentication_results(results));
}

story::Finding finding(std::string result, const std::string& about, const std::string& to,
                       std::string_view why) {
  auto safe = [](std::string_view text) {
    auto shown = printable(text, 200);
    std::ranges::replace(shown, ';', ',');
    return shown;
  };
  auto reason = fmt::format("domain={}; to={}", safe(about), safe(to));
  if (!why.empty()) reason += fmt::format("; problem={}", safe(why));
  return {"failure-report", std::move(result), std::move(reason)};
}

}  // namespace

void ReportLimits::begin_hour(Time now) {
  auto hour = now.time_since_epoch() / std::chrono::hours(1);
  if (hour == hour_) return;
  hour_ = hour;
  taken_ = 0;
  hosts_.clear();
}

bool ReportLimits::take(const std::string& host, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (taken_ >= total_) return false;
  if (hosts_.size() >= kMostDomains && !hosts_.contains(host)) return false;
  auto& taken = hosts_[host];
  if (taken >= per_domain_) return false;
  ++taken;
  return true;
}

bool ReportLimits::take_one(Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (taken_ >= total_) return false;
  ++taken_;
  return true;
}

void ReportLimits::withhold(const std::string& domain) {
  std::lock_guard lock(mutex_);
  if (withheld_.size() < kMostDomains || withheld_.contains(domain)) ++withheld_[domain];
}

std::uint64_t ReportLimits::incidents(const std::string& domain) {
  std::lock_guard lock(mutex_);
  auto found = withheld_.extract(domain);
  return 1 + (found ? found.mapped() : 0);
}

FailureReports::FailureReports(const Settings& settings, Services services)
    : settings_(settings),
      services_(services),
      limits_(settings.failure_reports ? settings.failure_reports->per_domain : 0,
              settings.failure_reports ? settings.failure_reports->total : 0) {}

/// Whether a report about this could be answered by another one, and so on (RFC 9991): bounces,
/// reports, automatic replies, and whatever comes to the address for reports.
bool FailureReports::is_answer(const Subject& subject, store::Reader& reader) const {
  if (subject.found.mail_from.empty()) return true;
  mime::HeaderView fields(subject.header);
  auto type = mime::parse_content_type(fields.value("Content-Type"));
  if (iequals(type.type, "multipart") && iequals(type.subtype, "report")) return true;
  if (iequals(type.type, "message") && iequals(type.subtype, "feedback-report")) return true;
  if (istarts_with(trim(fields.value("Auto-Submitted")), "auto-replied")) return true;
  return std::ranges::any_of(subject.recipients, [&](const smtp::Recipient& recipient) {
    return is_report_address(reader, recipient.to.to_string(), settings_.report_address);
  });
}

Task<void> FailureReports::find_destinations(const dmarc::Outcome& outcome, Time now,
                                             Wanted& wanted) {
  using State = dmarc::Authorization::State;
  auto& metrics = services_.metrics;
  BoundedResolver dns(*services_.dns, settings_.authentication.deadline);
  std::size_t asked = 0;
  for (auto& uri : dmarc::parse_report_uris(outcome.discovery.record->ruf())) {
    if (!uri.is_mail() || asked++ >= kMostDestinations) continue;
    auto not_sent = [&](const metrics::Counter& counter, std::string result, std::string_view why) {
      counter.add();
      wanted.findings.push_back(finding(std::move(result), wanted.about, uri.mailbox, why));
    };
    if (!limits_.take(uri.host, now)) {
      not_sent(metrics.reports_limited, "limited", {});
      continue;
    }
    auto answer = co_await dmarc::authorize(dns, outcome.discovery.policy_domain, uri,
                                            dmarc::ReportKind::Failure);
    if (answer.state == State::Unknown) {
      not_sent(metrics.reports_unasked, "unasked", answer.problem);
    } else if (answer.state == State::Refused) {
      not_sent(metrics.reports_refused, "refused", answer.problem);
    } else {
      for (auto& mailbox : answer.mailboxes)
        if (wanted.to.size() < kMostDestinations &&
            std::ranges::find(wanted.to, mailbox) == wanted.to.end())
          wanted.to.push_back(mailbox);
    }
  }
}

Task<std::optional<FailureReports::Wanted>> FailureReports::consider(Subject subject) {
  auto* outcome = subject.found.dmarc.outcome();
  dmarc::Evidence evidence{&subject.found.spf_mail_from, &subject.found.signatures};
  if (!settings_.failure_reports || !outcome || !dmarc::wants_failure_report(*outcome, evidence))
    co_return std::nullopt;
  auto& rules = *settings_.failure_reports;
  auto from = co_await services_.store.read([&](store::Reader& reader) {
    return is_answer(subject, reader) ? std::nullopt
                                      : report_author(reader, rules.from, settings_.report_address);
  });
  if (!from) co_return std::nullopt;

  Wanted wanted;
  wanted.about = outcome->discovery.author_domain;
  wanted.from = *from;
  co_await find_destinations(*outcome, subject.arrived, wanted);
  if (!wanted.to.empty() && !limits_.take_one(subject.arrived)) {
    for (auto& address : wanted.to) {
      services_.metrics.reports_limited.add();
      wanted.findings.push_back(finding("limited", wanted.about, address, {}));
    }
    wanted.to.clear();
  }
  if (wanted.to.empty()) {
    if (!wanted.findings.empty() && wanted.findings.front().result == "limited")
      limits_.withhold(wanted.about);
    co_return wanted;
  }
  for (auto& address : wanted.to) {
    services_.metrics.reports_sent.add();
    wanted.findings.push_back(finding("sent", wanted.about, address, {}));
  }
  auto& report = wanted.report;
  report = dmarc::failure_report_of(*outcome, evidence);
  report.user_agent = rules.generator;
  report.incidents = limits_.incidents(wanted.about);
  report.arrival = subject.arrived;
  report.source_ip = subject.client.address;
  report.source_port = subject.client.port;
  report.original_mail_from = subject.found.mail_from;
  report.reporting_mta = settings_.host_name;
  report.authentication_results = {
      redacted_results(subject.found, settings_.host_name, rules.redaction_key)};
  report.original_header = subject.header;
  co_return wanted;
}

std::string FailureReports::compose(Wanted wanted, dmarc::DeliveryResult result) const {
  auto& rules = *settings_.failure_reports;
  auto now = services_.clock.now();
  auto unique =
      fmt::format("{:x}{:08x}", now.time_since_epoch().count(), services_.random.below(UINT32_MAX));
  dmarc::FailureReportMail mail;
  mail.message_id =
      mime::make_message_id(now, unique, wanted.from.substr(wanted.from.rfind('@') + 1));
  mail.from = std::move(wanted.from);
  mail.to = std::move(wanted.to);
  mail.unique = std::move(unique);
  mail.now = now;
  mail.redaction_key = rules.redaction_key;
  mail.shown = rules.shown;
  wanted.report.delivery_result = result;
  return dmarc::compose_failure_report(wanted.report, mail);
}

}  // namespace hikyaku::receive
