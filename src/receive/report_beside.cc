#include "receive/report_beside.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace hikyaku::receive {

Task<std::unique_ptr<ReportBeside>> ReportBeside::consider(const Surroundings& surroundings,
                                                           const Delivery& delivery,
                                                           std::string_view header) {
  if (!delivery.found) co_return nullptr;
  auto wanted = co_await surroundings.failure_reports.consider(
      {*delivery.found, delivery.peer.endpoint, header, delivery.recipients, delivery.began});
  if (!wanted) co_return nullptr;
  co_return std::make_unique<ReportBeside>(surroundings, std::move(*wanted));
}

ReportBeside::ReportBeside(const Surroundings& surroundings, FailureReports::Wanted wanted)
    : surroundings_(surroundings), wanted_(std::move(wanted)) {}

ReportBeside::~ReportBeside() {
  if (!ended_) surroundings_.failure_reports.end(wanted_, FailureReports::End::Undone);
}

Task<void> ReportBeside::write(dmarc::DeliveryResult result) {
  if (wanted_.to.empty()) co_return;
  problem_.clear();
  Delivery envelope;
  envelope.peer.kind = Peer::Kind::Self;
  envelope.peer.with = "REPORT";
  for (auto& address : wanted_.to)
    if (auto to = smtp::parse_mailbox(address)) envelope.recipients.push_back({*to, {}});
  mail_ = std::make_unique<Mail>(surroundings_, std::move(envelope));
  auto text = surroundings_.failure_reports.compose(wanted_, result);
  co_await mail_->bytes.append(text);
  if (auto begun = co_await mail_->accepting.begin(); !begun) drop(begun.error());
}

Task<void> ReportBeside::prepare() {
  if (!mail_) co_return;
  if (auto prepared = co_await mail_->accepting.prepare(); !prepared) drop(prepared.error());
}

void ReportBeside::add_accounts(std::vector<store::AccountId>& accounts) const {
  if (mail_) mail_->accepting.add_accounts(accounts);
}

Result<void> ReportBeside::put(store::Transaction& tx) {
  if (!mail_) return {};
  return mail_->accepting.put(tx);
}

std::vector<story::Finding> ReportBeside::findings() const {
  std::vector<story::Finding> findings;
  for (auto& one : wanted_.not_told) findings.push_back(report_finding(wanted_.about, one));
  auto outcome = mail_ ? dmarc::ReportOutcome::Sent : dmarc::ReportOutcome::Dropped;
  for (auto& address : wanted_.to)
    findings.push_back(report_finding(wanted_.about, {address, outcome, problem_}));
  return findings;
}

void ReportBeside::drop(const Error& why) {
  problem_ = why.describe();
  mail_.reset();
}

void ReportBeside::settle(const Log& log) {
  ended_ = true;
  auto dropped = !mail_ && !wanted_.to.empty();
  surroundings_.failure_reports.end(
      wanted_, dropped ? FailureReports::End::Dropped : FailureReports::End::Sent);
  for (auto& finding : findings())
    if (finding.result != dmarc::to_string(dmarc::ReportOutcome::Sent))
      log.info("report.unsent", {{"domain", wanted_.about}, {"err", finding.reason}});
  if (mail_)
    log.info("report.send", {{"domain", wanted_.about},
                             {"what", "failure"},
                             {"to", fmt::format("{}", fmt::join(wanted_.to, ", "))},
                             {"count", wanted_.report.incidents}});
}

Task<Result<void>> commit(store::Store& store, Together together, Log log) {
  auto* message = together.message;
  auto* report = together.report;
  for (int plans = 0;;) {
    if (message) CO_TRY_DO(co_await message->prepare());
    if (report) co_await report->prepare();
    std::vector<store::AccountId> accounts{store::kInstance};
    if (message) message->add_accounts(accounts);
    if (report) report->add_accounts(accounts);
    bool of_report = false;
    auto step = [&](store::Transaction& tx) -> Result<void> {
      of_report = false;
      std::vector<story::Finding> of_reports;
      if (report) of_reports = report->findings();
      if (message) TRY_DO(message->put(tx, of_reports));
      if (together.also) TRY_DO(together.also(tx));
      if (!report) return {};
      of_report = true;
      TRY_DO(report->put(tx));
      of_report = false;
      return {};
    };
    auto committed = co_await store.transact(accounts, step, together.options);
    if (committed) {
      if (message) message->tell_lost();
      if (report) report->settle(log);
      co_return Result<void>{};
    }
    auto changed = committed.error().code == ErrorCode::Conflict;
    if (changed && ++plans < kMaxPlans) continue;
    if (of_report)
      report->drop(committed.error());  // and once more without it
    else if (changed)
      co_return fail(ErrorCode::Unavailable, "the directory keeps changing");
    else
      co_return committed;
  }
}

}  // namespace hikyaku::receive
