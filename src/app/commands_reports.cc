// reports.dmarc, reports.failure, reports.send
#include <algorithm>
#include <fmt/core.h>

#include "app/commands.h"
#include "app/dns_records.h"
#include "app/report_sender.h"
#include "auth/directory.h"
#include "base/text.h"
#include "dns/name.h"
#include "reports/summary.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

constexpr Phrase kNotOurs{"{} is not a domain of this server: hikyaku domain list",
                          "{} はこのサーバーのドメインではありません: hikyaku domain list"};

/// Reports, and rows of one, in one read.
constexpr std::size_t kReports = 50;
constexpr std::size_t kRows = 500;
constexpr std::size_t kUnread = 1000;
/// Names that are asked for in all; the rest is shown by network.
constexpr std::size_t kNames = 60;

std::string_view state_name(reports::Outgoing::State state) {
  using State = reports::Outgoing::State;
  switch (state) {
    case State::Waiting:
      return "waiting";
    case State::Sent:
      return "sent";
    case State::Unwanted:
      return "unwanted";
    case State::Failed:
      return "failed";
  }
  return "waiting";
}

std::string_view kind_name(reports::Advice::Kind kind) {
  using Kind = reports::Advice::Kind;
  switch (kind) {
    case Kind::Nothing:
      return "nothing-passes";
    case Kind::Unsigned:
      return "unsigned";
    case Kind::Forwarders:
      return "forwarders";
    case Kind::Doubtful:
      return "doubtful";
    case Kind::Strangers:
      return "strangers";
    case Kind::SafeToQuarantine:
      return "safe-to-quarantine";
    case Kind::SafeToReject:
      return "safe-to-reject";
    case Kind::MoreReports:
      return "more-reports";
    case Kind::Complete:
      return "complete";
  }
  return "more-reports";
}

std::string date_of(reports::Day day) {
  return format_rfc3339(reports::start_of(day)).substr(0, 10);
}

Task<Answer> send_reports(ReportSender& sender, ControlCall& call) {
  CO_TRY(auto domain, call.text("domain"));
  std::uint64_t count = 0;
  auto told = [&](const ReportSender::Done& done) -> Task<void> {
    auto& [subject, outgoing] = done;
    ++count;
    co_await call.item({{"domain", json_text(subject.domain)},
                        {"day", date_of(subject.day)},
                        {"state", state_name(outgoing.state)},
                        {"to", json_text(outgoing.recipients)},
                        {"report_id", json_text(outgoing.report_id)},
                        {"rows", outgoing.rows},
                        {"messages", outgoing.messages},
                        {"problem", json_text(outgoing.problem)}});
  };
  CO_TRY_DO(co_await sender.send_now(to_lower(domain), told));
  co_return object{{"count", count}};
}

/// What the asker wants to see.
struct Wanted {
  std::string domain;  ///< and what is below it; empty: all
  reports::Day since = 0;

  bool matches(std::string_view name) const {
    return domain.empty() || dns::is_within(name, domain);
  }
};

Result<Wanted> wanted(Core& core, ControlCall& call) {
  TRY(auto domain, call.text("domain"));
  TRY(auto since, call.text("since"));
  Wanted wanted;
  if (!domain.empty()) {
    TRY(wanted.domain, dns::to_ascii(domain));
  }
  auto now = core.clock().now();
  if (since.empty()) {
    wanted.since = reports::day_of(now - std::chrono::days(30));
  } else if (auto duration = parse_duration(since)) {
    wanted.since = reports::day_of(std::max(Time{}, now - *duration));
  } else if (auto time = parse_rfc3339(since)) {
    wanted.since = reports::day_of(std::max(Time{}, *time));
  } else {
    return fail(ErrorCode::Invalid, "{} is neither a date nor a duration such as 30d",
                printable(since, 60));
  }
  return wanted;
}

Task<std::vector<reports::DomainSummary>> summarize(Core& core, Wanted wanted) {
  reports::Summary summary;
  std::string next_report;
  do {
    auto piece = co_await core.store().read([&](store::Reader& reader) {
      return reports::list_received(reader, wanted.since, next_report, kReports);
    });
    next_report = std::move(piece.next);
    for (auto& report : piece.reports) {
      if (!wanted.matches(report.domain)) continue;
      summary.add(report);
      std::string next_row;
      do {
        auto rows = co_await core.store().read([&](store::Reader& reader) {
          return reports::read_received_rows(reader, report, next_row, kRows);
        });
        next_row = std::move(rows.next);
        for (auto& row : rows.rows) summary.add(report, row);
      } while (!next_row.empty());
    }
  } while (!next_report.empty());
  co_return summary.take();
}

Task<std::string> name_of(dns::Resolver* resolver, IpAddress address) {
  if (!resolver || address.is_unspecified()) co_return std::string();
  auto answer = co_await resolver->ptr(address);
  co_return answer.ok() ? answer.records.front() : std::string();
}

object describe(const reports::Source& source, const std::string& domain, const std::string& name) {
  boost::json::array signers;
  for (auto& signer : source.signers) signers.push_back(json_text(signer));
  return {{"kind", "source"},
          {"domain", json_text(domain)},
          {"network", fmt::format("{}/{}", source.network.to_string(), source.prefix)},
          {"address", source.address.to_string()},
          {"name", json_text(name)},
          {"messages", source.messages},
          {"passed", source.passed},
          {"dkim", source.dkim},
          {"spf", source.spf},
          {"quarantined", source.quarantined},
          {"rejected", source.rejected},
          {"signed_by", std::move(signers)}};
}

object describe(const reports::Advice& advice, const std::string& domain) {
  boost::json::array sources;
  for (auto& source : advice.sources)
    if (sources.size() < 20) sources.push_back(json_text(source));
  return {{"kind", "advice"},
          {"domain", json_text(domain)},
          {"advice", kind_name(advice.kind)},
          {"messages", advice.messages},
          {"count", advice.sources.size()},
          {"sources", std::move(sources)}};
}

object describe(const reports::DomainSummary& summary) {
  boost::json::array reporters;
  for (auto& reporter : summary.reporters) reporters.push_back(json_text(reporter));
  object shown{{"kind", "domain"},
               {"domain", json_text(summary.domain)},
               {"policy", summary.policy ? to_string(*summary.policy) : ""},
               {"reports", summary.reports},
               {"reporters", std::move(reporters)},
               {"messages", summary.messages},
               {"passed", summary.passed},
               {"first", date_of(summary.first)},
               {"last", date_of(summary.last)}};
  if (summary.left_out > 0) shown["left_out"] = summary.left_out;
  return shown;
}

/// NotFound when reports about `domain` can never come: it is not ours, not below one of ours, and
/// none of ours is below it.
Task<Result<void>> check_ours(Core& core, std::string domain, Language language) {
  auto ours = co_await core.store().read([&](store::Reader& reader) {
    for (std::string_view one = domain; !one.empty(); one = dns::parent(one))
      if (auth::find_domain(reader, one)) return true;
    return std::ranges::any_of(auth::list_domains(reader),
                               [&](auto& one) { return dns::is_within(one.name, domain); });
  });
  if (ours) co_return Result<void>{};
  co_return fail(ErrorCode::NotFound, "{}", say(language, kNotOurs, printable(domain, 255)));
}

object describe(const reports::UnreadReport& unread) {
  object shown{{"kind", unread.bounced ? "bounce" : "unread"},
               {"time", format_rfc3339(unread.when)},
               {"mail_from", json_text(unread.mail_from)},
               {"problem", json_text(unread.problem)}};
  if (unread.bounced) {
    shown["to"] = json_text(unread.bounced->to);
    shown["domain"] = json_text(unread.bounced->about);
  }
  return shown;
}

object describe(const reports::ReceivedReport& unproved) {
  return {{"kind", "unproved"},
          {"domain", json_text(unproved.domain)},
          {"time", format_rfc3339(unproved.when)},
          {"message", story::to_text(unproved.id)},
          {"from", json_text(unproved.sender.domain)},
          {"why", to_string(unproved.sender.state)},
          {"problem", json_text(reports::reason(unproved.sender))},
          {"organization", json_text(unproved.organization)},
          {"report_id", json_text(unproved.report_id)},
          {"messages", unproved.messages},
          {"passed", unproved.passed}};
}

/// What came and is not counted, the newest first.
Task<void> show_unproved(Core& core, ControlCall& call, const Wanted& asked) {
  auto unproved = co_await core.store().read([&](store::Reader& reader) {
    return reports::list_unproved(reader, asked.since, kUnread,
                                  [&](auto& one) { return asked.matches(one.domain); });
  });
  for (auto& one : unproved) co_await call.item(describe(one));
}

/// For each domain: itself, its sources (the largest first), advice. Behind them what is not
/// counted and what could not be read, when no single domain is asked for.
Task<Answer> show_reports(Core& core, dns::Resolver* resolver, ControlCall& call) {
  CO_TRY(auto asked, wanted(core, call));
  CO_TRY(auto most, call.number("most", 20));
  auto ours = public_addresses();
  std::size_t names = 0;
  auto summaries = co_await summarize(core, asked);
  if (summaries.empty() && !asked.domain.empty())
    CO_TRY_DO(co_await check_ours(core, asked.domain, call.request().language));
  for (auto& summary : summaries) {
    co_await call.item(describe(summary));
    for (std::size_t i = 0; i < summary.sources.size() && i < most; ++i) {
      auto& source = summary.sources[i];
      auto name = co_await name_of(names++ < kNames ? resolver : nullptr, source.address);
      co_await call.item(describe(source, summary.domain, name));
    }
    for (auto& advice : reports::advise(summary, ours))
      co_await call.item(describe(advice, summary.domain));
  }
  co_await show_unproved(core, call, asked);
  if (asked.domain.empty()) {
    auto unread = co_await core.store().read(
        [&](store::Reader& reader) { return reports::list_unread(reader, asked.since, kUnread); });
    for (auto& one : unread) co_await call.item(describe(one));
  }
  co_return object{{"count", summaries.size()}};
}

Task<Answer> show_failures(Core& core, ControlCall& call) {
  CO_TRY(auto asked, wanted(core, call));
  CO_TRY(auto most, call.number("most", 50));
  auto failures = co_await core.store().read([&](store::Reader& reader) {
    return reports::list_failures(reader, asked.since, std::min<std::uint64_t>(most, 10'000),
                                  [&](auto& failure) { return asked.matches(failure.domain); });
  });
  for (auto& failure : failures) {
    object shown{{"time", format_rfc3339(failure.when)},
                 {"domain", json_text(failure.domain)},
                 {"source", failure.source ? failure.source->to_string() : ""},
                 {"failure", json_text(failure.auth_failure)},
                 {"result", json_text(failure.delivery_result)},
                 {"mail_from", json_text(failure.mail_from)},
                 {"from", json_text(failure.header_from)},
                 {"to", json_text(failure.rcpt_to)},
                 {"subject", json_text(failure.subject)},
                 {"reporter", json_text(failure.reporter)},
                 {"authentication_results", json_text(failure.results)},
                 {"incidents", failure.incidents}};
    if (failure.sender.state != reports::Sender::State::Unrecorded) {
      shown["reporter_domain"] = json_text(failure.sender.domain);
      shown["proof"] = to_string(failure.sender.state);
    }
    co_await call.item(std::move(shown));
  }
  if (failures.empty() && !asked.domain.empty())
    CO_TRY_DO(co_await check_ours(core, asked.domain, call.request().language));
  co_return object{{"count", failures.size()}};
}

}  // namespace

void add_report_commands(ControlTable& table, Core& core, dns::Resolver* resolver) {
  table.add({.verb = "reports.dmarc", .run = [&core, resolver](ControlCall& call) {
               return show_reports(core, resolver, call);
             }});
  table.add({.verb = "reports.failure",
             .run = [&core](ControlCall& call) { return show_failures(core, call); }});
}

void add_report_sending_commands(ControlTable& table, ReportSender& sender) {
  table.add({.verb = "reports.send",
             .run = [&sender](ControlCall& call) { return send_reports(sender, call); }});
}

}  // namespace hikyaku::app
