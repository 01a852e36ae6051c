#include "app/report_sender.h"

#include <algorithm>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "dmarc/report_address.h"
#include "receive/report_author.h"

#ifndef HIKYAKU_VERSION
#error "CMakeLists.txt defines HIKYAKU_VERSION"
#endif

namespace hikyaku::app {
namespace {

using reports::Outgoing;
using reports::Subject;

constexpr std::chrono::minutes kEvery{1};
constexpr std::chrono::hours kRetry{1};
constexpr std::uint32_t kMostAttempts = 36;
constexpr std::size_t kMostDestinations = 4;
constexpr std::size_t kPiece = 500;
/// Rows that nobody could be told of, and what became of reports, are kept so many days.
constexpr reports::Day kKeepRows = 4;
constexpr reports::Day kKeepOutcomes = 60;
/// Rows may come while today's report is made.
constexpr int kMostConflicts = 5;

std::int64_t in_seconds(Time time) {
  return std::chrono::floor<seconds>(time).time_since_epoch().count();
}

Outgoing given_up(Outgoing outgoing, Outgoing::State state, std::string problem) {
  outgoing.state = state;
  outgoing.problem = std::move(problem);
  return outgoing;
}

}  // namespace

void ReportSender::start() {
  gate_.spawn(run());
}

void ReportSender::stop(Callback stopped) {
  stopping_ = true;
  wakeup_.wake();
  gate_.close(std::move(stopped));
}

Task<void> ReportSender::run() {
  Time next_trim{};
  while (!stopping_) {
    if (core_.config().dmarc.send_reports) co_await rounds_.run(send_due());
    auto now = core_.clock().now();
    if ((now >= next_trim || next_trim > now + std::chrono::days(1)) && !stopping_) {
      bool trimmed = co_await rounds_.run(trim(), false);
      next_trim = trimmed ? reports::start_of(reports::day_of(now) + 1) : now + kRetry;
    }
    co_await wakeup_.wait(kEvery);
  }
}

Task<bool> ReportSender::trim() {
  auto today = reports::day_of(core_.clock().now());
  auto keep = core_.config().dmarc.send_reports ? kKeepRows : 0;
  auto piece = [today, keep](store::Transaction& tx) {
    return reports::trim_evaluations(tx, today - keep) &&
           reports::trim_outgoing(tx, today - kKeepOutcomes);
  };
  auto trimmed = co_await store::erase_in_pieces(core_.store(), store::kInstance, piece,
                                                 [this] { return stopping_; });
  if (!trimmed) core_.log().warn("report.trim", {{"err", trimmed.error().describe()}});
  co_return trimmed.has_value();
}

Task<void> ReportSender::send_due() {
  auto now = core_.clock().now();
  std::optional<Subject> last;
  while (!stopping_) {
    struct Found {
      Subject subject;
      std::optional<Outgoing> outgoing;
    };
    auto found = co_await core_.store().read([&](store::Reader& reader) {
      std::vector<Found> piece;
      for (auto& subject : reports::list_subjects(reader, reports::day_of(now), last, kPiece))
        piece.push_back({subject, reports::find_outgoing(reader, subject)});
      return piece;
    });
    if (found.empty()) co_return;
    last = found.back().subject;
    for (auto& [subject, outgoing] : found) {
      if (stopping_) co_return;
      if (now < reports::leaves_at(core_.master(), subject)) continue;
      if (outgoing && outgoing->state == Outgoing::State::Waiting && outgoing->next_attempt > now &&
          outgoing->next_attempt <= now + kRetry)  // else the clock was set back
        continue;
      co_await rounds_.run(send_or_tell(subject));
    }
  }
}

/// What became of it is in the log.
Task<void> ReportSender::send_or_tell(Subject subject) {
  (void)co_await send(std::move(subject));
}

Task<Result<void>> ReportSender::send_now(std::string domain,
                                          std::function<Task<void>(const Done&)> told) {
  auto tomorrow = reports::day_of(core_.clock().now()) + 1;
  std::optional<Subject> last;
  while (true) {
    auto found = co_await core_.store().read([&](store::Reader& reader) {
      return reports::list_subjects(reader, tomorrow, last, kPiece);
    });
    if (found.empty()) co_return Result<void>{};
    last = found.back();
    for (auto& subject : found) {
      if (!domain.empty() && subject.domain != domain) continue;
      auto outgoing = co_await send(subject);
      if (outgoing) co_await told({subject, *outgoing});
    }
  }
}

Task<Result<Outgoing>> ReportSender::send(Subject subject) {
  auto before = co_await core_.store().read(
      [&](store::Reader& reader) { return reports::find_outgoing(reader, subject); });
  auto outgoing = before.value_or(Outgoing{});
  Result<Outgoing> result;
  for (int i = 0; i < kMostConflicts; ++i) {
    result = co_await try_once(subject, outgoing);
    if (result || result.error().code != ErrorCode::Conflict) break;
  }
  auto log = core_.log().with({{"domain", subject.domain}});
  if (!result && result.error().code == ErrorCode::NotFound) co_return result;
  if (!result) {
    ++outgoing.attempts;
    outgoing.when = core_.clock().now();
    outgoing.next_attempt = outgoing.when + kRetry;
    outgoing.problem = result.error().describe();
    outgoing.state =
        outgoing.attempts < kMostAttempts ? Outgoing::State::Waiting : Outgoing::State::Failed;
    result = outgoing;
  }
  if (result->state == Outgoing::State::Sent) {
    log.info("report.send",
             {{"to", result->recipients}, {"count", result->messages}, {"rows", result->rows}});
  } else {
    log.warn("report.unsent", {{"err", result->problem}});
    co_await settle(subject, *result);
  }
  co_return result;
}

/// What was not sent: the rows stay as long as there is hope.
Task<void> ReportSender::settle(const Subject& subject, const Outgoing& outgoing) {
  auto settled = co_await core_.store().transact({store::kInstance},
                                                 [&](store::Transaction& tx) -> Result<void> {
                                                   if (outgoing.state != Outgoing::State::Waiting)
                                                     reports::erase_rows(tx, subject);
                                                   reports::put_outgoing(tx, subject, outgoing);
                                                   return {};
                                                 },
                                                 {.may_use_reserve = true});
  if (!settled)
    core_.log().warn("report.settle",
                     {{"domain", subject.domain}, {"err", settled.error().describe()}});
}

/// An error: to be tried again.
Task<Result<Outgoing>> ReportSender::try_once(const Subject& subject, Outgoing outgoing) {
  auto now = core_.clock().now();
  auto domain = co_await core_.store().read(
      [&](store::Reader& reader) { return reports::find_evaluated(reader, subject); });
  if (!domain) co_return fail(ErrorCode::NotFound, "there is nothing to report");
  CO_TRY(auto from, co_await submitter());
  auto to = co_await destinations(subject.domain, domain->rua);
  if (to.mailboxes.empty() && to.unknown) co_return fail(ErrorCode::Unavailable, "{}", to.problem);
  outgoing.when = now;
  if (to.mailboxes.empty())
    co_return given_up(std::move(outgoing), Outgoing::State::Unwanted, to.problem);

  reports::ReportRequest request;
  request.subject = subject;
  request.recipients = to.mailboxes;
  request.submitter = from;
  request.now = now;
  request.unique =
      fmt::format("{:x}{:08x}", now.time_since_epoch().count(), core_.random().below(UINT32_MAX));
  request.begin = in_seconds(reports::start_of(subject.day));
  request.end = std::min(in_seconds(reports::start_of(subject.day + 1)) - 1, in_seconds(now));
  if (outgoing.state == Outgoing::State::Sent && outgoing.end < request.end)
    request.begin = outgoing.end + 1;  // today's first part was sent by hand
  CO_TRY(auto composed, co_await reports::compose_report(core_.store(), core_.workers(), request));

  outgoing.state = Outgoing::State::Sent;
  outgoing.report_id = composed.report_id;
  outgoing.recipients = fmt::format("{}", fmt::join(to.mailboxes, ", "));
  outgoing.rows = composed.rows;
  outgoing.messages = composed.messages;
  outgoing.end = request.end;
  outgoing.problem = to.problem;
  queue::Injection injection{.mail_from = from.address,
                             .recipients = to.mailboxes,
                             .message = std::move(composed.message),
                             .protocol = "REPORT"};
  CO_TRY_DO(co_await injector_.inject(std::move(injection), [&](store::Transaction& tx) {
    return reports::settle_sent(tx, subject, outgoing);
  }));
  co_return outgoing;
}

Task<Result<reports::Submitter>> ReportSender::submitter() {
  reports::Submitter submitter;
  submitter.generator = "Hikyaku " HIKYAKU_VERSION;
  auto& dmarc = core_.config().dmarc;
  auto address = co_await core_.store().read([&](store::Reader& reader) {
    return receive::report_author(reader, dmarc.report_from, dmarc.report_address);
  });
  if (!address) co_return fail(ErrorCode::NotFound, "there is no domain to report as");
  submitter.address = *address;
  submitter.domain = submitter.address.substr(submitter.address.rfind('@') + 1);
  co_return submitter;
}

Task<ReportSender::Destinations> ReportSender::destinations(std::string policy_domain,
                                                            std::string rua) {
  Destinations found;
  std::size_t asked = 0;
  for (auto& uri : dmarc::parse_report_uris(rua)) {
    if (!uri.is_mail() || asked == kMostDestinations) continue;
    ++asked;
    auto answer =
        co_await dmarc::authorize(resolver_, policy_domain, uri, dmarc::ReportKind::Aggregate);
    found.unknown |= answer.state == dmarc::Authorization::State::Unknown;
    if (!answer.problem.empty()) found.problem = answer.problem;
    if (answer.state != dmarc::Authorization::State::SameOrganization &&
        answer.state != dmarc::Authorization::State::Authorized)
      continue;
    for (auto& mailbox : answer.mailboxes)
      if (std::ranges::find(found.mailboxes, mailbox) == found.mailboxes.end())
        found.mailboxes.push_back(mailbox);
  }
  if (found.mailboxes.empty() && found.problem.empty())
    found.problem = "its rua names no address to which mail can be sent";
  if (found.mailboxes.size() > kMostDestinations) found.mailboxes.resize(kMostDestinations);
  co_return found;
}

}  // namespace hikyaku::app
