#include "transmit/job.h"

#include <algorithm>
#include <utility>

#include "smtp/received.h"
#include "transmit/source.h"

namespace hikyaku::transmit {
namespace {

/// Recipients in one SMTP transaction (RFC 5321 §4.5.3.1.8: every server takes 100).
constexpr std::size_t kRecipientsPerJob = 100;
constexpr smtp::PathRules kAnyAddress{.characters = smtp::Characters::Utf8,
                                      .limits = smtp::kReversePathLimits};

Outcome about(const Connection& connection, const queue::Entry& entry) {
  Outcome outcome;
  outcome.entry = entry;
  outcome.host = connection.host;
  outcome.endpoint = connection.endpoint;
  outcome.tls = connection.client ? connection.client->tls_summary() : "";
  outcome.findings = connection.findings;
  return outcome;
}

}  // namespace

void add_to_jobs(store::Reader& reader, std::vector<Job>& jobs, queue::Entry entry) {
  for (auto& job : jobs) {
    auto& first = job.entries.front();
    if (first.message == entry.message && first.destination == entry.destination &&
        first.delivered_to == entry.delivered_to && job.entries.size() < kRecipientsPerJob) {
      job.entries.push_back(std::move(entry));
      return;
    }
  }
  auto message = queue::get_message(reader, entry.message);
  if (!message) return;
  if (!entry.delivered_to.empty()) {
    auto field = smtp::format_delivered_to(entry.delivered_to);
    message->prefix.insert(0, field);
    message->size += field.size();
  }
  jobs.push_back({std::move(*message), {std::move(entry)}});
}

Job take_next(std::deque<Job>& jobs, const Connection& connection) {
  auto job = std::move(jobs.front());
  jobs.pop_front();
  auto most = std::max<std::size_t>(
      connection.client->offers().max_recipients.value_or(kRecipientsPerJob), 1);
  if (job.entries.size() <= most) return job;
  auto cut = job.entries.begin() + static_cast<std::ptrdiff_t>(most);
  jobs.push_front({job.message, {cut, job.entries.end()}});
  job.entries.erase(cut, job.entries.end());
  return job;
}

Task<std::vector<Outcome>> send(const Job& job, Connection& connection, store::Store& store,
                                Metrics& metrics) {
  smtp::Outgoing outgoing;
  if (!job.message.mail_from.empty()) {
    if (auto from = smtp::parse_mailbox(job.message.mail_from, kAnyAddress))
      outgoing.from.mailbox = std::move(*from);
  }
  outgoing.size = job.message.size;
  outgoing.has_8bit = job.message.eight_bit;
  outgoing.has_utf8_header = job.message.smtputf8;
  outgoing.ret = job.message.ret;
  if (!job.message.envelope_id.empty()) outgoing.envid = job.message.envelope_id;
  std::vector<client::SmtpClient::Recipient> recipients;
  for (auto& entry : job.entries) {
    auto to = smtp::parse_mailbox(entry.recipient, kAnyAddress);
    recipients.push_back({to ? std::move(*to) : smtp::Mailbox{},
                          {queue::notify_of(entry), queue::original_recipient(entry)}});
    outgoing.has_utf8_recipient |= recipients.back().to.needs_utf8();
  }
  QueuedSource source(store, job.message);
  metrics::Timer timer(metrics.attempts);
  auto results = co_await connection.client->send(std::move(outgoing), recipients, source);

  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto judgement = smtp::judge(results[i].stage, results[i].reply);
    auto outcome = about(connection, job.entries[i]);
    outcome.status = judgement.status;
    outcome.words = results[i].reply.to_string();
    // A go-ahead that was not followed by the end of data is no delivery.
    auto delivered =
        judgement.meaning == smtp::Meaning::GoOn && results[i].stage == smtp::Stage::EndOfData;
    outcome.kind = delivered                                       ? Outcome::Kind::Delivered
                   : judgement.meaning == smtp::Meaning::Permanent ? Outcome::Kind::Failed
                                                                   : Outcome::Kind::Deferred;
    outcome.relayed = !connection.client->offers().dsn;
    outcomes.push_back(std::move(outcome));
  }
  co_return outcomes;
}

std::vector<Outcome> deferred(const Job& job, const Connection& connection,
                              smtp::EnhancedStatus status, const std::string& words) {
  std::vector<Outcome> outcomes;
  for (auto& entry : job.entries) {
    auto outcome = about(connection, entry);
    outcome.status = status;
    outcome.words = words;
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

std::vector<Outcome> unreadable(const Job& job, const Error& error) {
  auto damaged = error.code == ErrorCode::Corrupt || error.code == ErrorCode::NotFound;
  std::vector<Outcome> outcomes;
  for (auto& entry : job.entries) {
    Outcome outcome;
    outcome.entry = entry;
    outcome.kind = damaged ? Outcome::Kind::Held : Outcome::Kind::Deferred;
    outcome.status = {4, 3, 0};
    outcome.words =
        damaged ? std::string(queue::kUnreadable) : "cannot read the message: " + error.describe();
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

std::vector<Outcome> lost(const Job& job, const Connection& connection,
                          const net::Disconnected& gone) {
  auto outcomes =
      deferred(job, connection, {4, 4, 2}, std::string("the connection was lost: ") + gone.what());
  if (gone.why() == net::Disconnected::Why::Shutdown)
    for (auto& outcome : outcomes) outcome.kind = Outcome::Kind::Abandoned;
  return outcomes;
}

Outcome no_way(const Route& route) {
  Outcome outcome;
  outcome.kind =
      route.kind == Route::Kind::Permanent ? Outcome::Kind::Failed : Outcome::Kind::Deferred;
  outcome.status = route.status;
  outcome.words = route.problem;
  outcome.findings = route.findings;
  return outcome;
}

Outcome unreachable(const Connection& connection) {
  Outcome outcome;
  outcome.kind = connection.permanent ? Outcome::Kind::Failed : Outcome::Kind::Deferred;
  outcome.status = connection.status;
  outcome.host = connection.host;
  outcome.endpoint = connection.endpoint;
  outcome.words = connection.problem;
  outcome.findings = connection.findings;
  return outcome;
}

Outcome abandoned() {
  Outcome outcome;
  outcome.kind = Outcome::Kind::Abandoned;
  return outcome;
}

std::vector<Outcome> for_all(const Job& job, const Outcome& outcome) {
  std::vector<Outcome> outcomes;
  for (auto& entry : job.entries) {
    outcomes.push_back(outcome);
    outcomes.back().entry = entry;
  }
  return outcomes;
}

std::vector<Outcome> told(const Job& job) {
  std::vector<Outcome> outcomes;
  for (auto& entry : job.entries) {
    Outcome outcome;
    outcome.entry = entry;
    auto failed = entry.notice == queue::Notice::Failed;
    outcome.kind = failed ? Outcome::Kind::Failed : Outcome::Kind::Confirmed;
    outcome.host = entry.last_host;
    outcome.words = entry.last_reply;
    // "552 5.2.2 The mailbox is full"
    auto words = std::string_view(entry.last_reply)
                     .substr(std::min<std::size_t>(4, entry.last_reply.size()));
    outcome.status =
        smtp::EnhancedStatus::parse(words.substr(0, words.find(' ')))
            .value_or(failed ? smtp::EnhancedStatus{5, 0, 0} : smtp::EnhancedStatus{2, 0, 0});
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace hikyaku::transmit
