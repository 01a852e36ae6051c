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
constexpr std::size_t kMostDestinations = ReportLimits::kDestinations;

/// What we found out, without the words for people: they hold whole addresses.
std::string redacted_results(const SenderFindings& found, const std::string& host_name,
                             const dmarc::Redactor& redactor) {
  auto results = authentication_results(found, host_name);
  for (auto& method : results.methods) {
    method.comment.clear();
    method.reason.clear();
    for (auto& property : method.properties)
      property.value = redactor.property(property.name, property.value);
  }
  return mime::unfold(mime::write_authentication_results(results));
}

}  // namespace

story::Finding report_finding(const std::string& about, const FailureReports::NotTold& one) {
  auto safe = [](std::string_view text) {
    auto shown = printable(text, 200);
    std::ranges::replace(shown, ';', ',');
    return shown;
  };
  auto reason = fmt::format("domain={}; to={}", safe(about), safe(one.mailbox));
  if (!one.problem.empty()) reason += fmt::format("; problem={}", safe(one.problem));
  return {"failure-report", std::string(dmarc::to_string(one.why)), std::move(reason)};
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

Task<void> FailureReports::find_destinations(const dmarc::Outcome& outcome, Wanted& wanted) {
  BoundedResolver dns(*services_.dns, settings_.authentication.deadline);
  std::size_t asked = 0;
  for (auto& uri : dmarc::parse_report_uris(outcome.discovery.record->ruf())) {
    if (!uri.is_mail() || asked++ >= kMostDestinations) continue;
    // Who has got as many as he may is not asked about; what strangers name counts as theirs.
    auto asks = uri.host != outcome.discovery.policy_domain;
    if (limits_.has_room({wanted.organization, uri.host}, wanted.counted) &&
        (!asks || limits_.may_ask(wanted.organization, wanted.counted)))
      co_await ask(dns, outcome, std::move(uri), wanted);
    else
      wanted.not_told.push_back({uri.mailbox, dmarc::ReportOutcome::Limited, {}});
  }
}

Task<void> FailureReports::ask(dns::Resolver& dns, const dmarc::Outcome& outcome,
                               dmarc::ReportUri uri, Wanted& wanted) {
  using State = dmarc::Authorization::State;
  auto answer = co_await dmarc::authorize(dns, outcome.discovery.policy_domain, uri,
                                          dmarc::ReportKind::Failure);
  if (answer.state == State::Unknown || answer.state == State::Refused) {
    auto why = answer.state == State::Unknown ? dmarc::ReportOutcome::Unasked
                                              : dmarc::ReportOutcome::Refused;
    wanted.not_told.push_back({std::move(uri.mailbox), why, std::move(answer.problem)});
    co_return;
  }
  for (auto& mailbox : answer.mailboxes) {
    if (wanted.to.size() >= kMostDestinations ||
        std::ranges::find(wanted.to, mailbox) != wanted.to.end())
      continue;
    ReportLimits::Leaving leaving{wanted.organization, uri.host};
    if (!limits_.may_leave(leaving, wanted.counted)) {
      wanted.not_told.push_back({std::move(mailbox), dmarc::ReportOutcome::Limited, {}});
      continue;
    }
    wanted.leaving.push_back(std::move(leaving));
    wanted.to.push_back(std::move(mailbox));
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
  wanted.organization = outcome->organizational_domain.value_or(outcome->discovery.policy_domain);
  wanted.from = *from;
  // Not the message's time: its sender chooses how long it is on its way.
  wanted.counted = services_.clock.now();
  co_await find_destinations(*outcome, wanted);
  if (wanted.to.empty()) co_return wanted;
  auto& report = wanted.report;
  report = dmarc::failure_report_of(*outcome, evidence);
  report.user_agent = rules.generator;
  report.incidents = 1 + limits_.take_withheld(wanted.about, wanted.counted);
  report.arrival = subject.arrived;
  report.source_ip = subject.client.address;
  report.source_port = subject.client.port;
  report.original_mail_from = subject.found.mail_from;
  report.reporting_mta = settings_.host_name;
  report.original_header = subject.header;
  dmarc::Redactor redactor(rules.redaction_key);
  for (auto& recipient : subject.recipients) {
    wanted.recipients.push_back(recipient.to.to_string());
    redactor.hide(wanted.recipients.back());
  }
  redactor.hide_recipients(subject.header);
  report.authentication_results = {redacted_results(subject.found, settings_.host_name, redactor)};
  co_return wanted;
}

std::string FailureReports::compose(const Wanted& wanted, dmarc::DeliveryResult result) const {
  auto& rules = *settings_.failure_reports;
  auto now = services_.clock.now();
  auto unique =
      fmt::format("{:x}{:08x}", now.time_since_epoch().count(), services_.random.below(UINT32_MAX));
  dmarc::FailureReportMail mail;
  mail.message_id =
      mime::make_message_id(now, unique, wanted.from.substr(wanted.from.rfind('@') + 1));
  mail.from = wanted.from;
  mail.to = wanted.to;
  mail.unique = std::move(unique);
  mail.now = now;
  mail.redaction_key = rules.redaction_key;
  mail.recipients = wanted.recipients;
  mail.shown = rules.shown;
  auto report = wanted.report;
  report.delivery_result = result;
  return dmarc::compose_failure_report(report, mail);
}

void FailureReports::end(const Wanted& wanted, End how) {
  auto now = services_.clock.now();
  auto untold = wanted.to.empty() ? 0 : wanted.report.incidents;
  if (how != End::Sent && !wanted.to.empty()) limits_.did_not_leave(wanted.leaving, wanted.counted);
  if (how == End::Undone) {
    limits_.withhold(wanted.about, untold > 0 ? untold - 1 : 0, now);
    return;
  }
  auto& metrics = services_.metrics;
  for (auto& one : wanted.not_told) metrics.reports(one.why).add();
  auto outcome = how == End::Sent ? dmarc::ReportOutcome::Sent : dmarc::ReportOutcome::Dropped;
  metrics.reports(outcome).add(wanted.to.size());
  auto limited = [](const NotTold& one) { return one.why == dmarc::ReportOutcome::Limited; };
  if (how == End::Dropped && !wanted.to.empty())
    limits_.withhold(wanted.about, untold, now);
  else if (wanted.to.empty() && std::ranges::any_of(wanted.not_told, limited))
    limits_.withhold(wanted.about, 1, now);
}

}  // namespace hikyaku::receive
