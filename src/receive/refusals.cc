#include "receive/refusals.h"

#include <fmt/core.h>

#include "receive/incoming.h"

namespace hikyaku::receive {

story::Arrival arrival_of(const Peer& peer) {
  story::Arrival arrival;
  arrival.protocol = peer.with;
  if (peer.kind == Peer::Kind::Server || peer.kind == Peer::Kind::User)
    arrival.peer = peer.endpoint.to_string();
  arrival.peer_name = peer.reverse_name;
  arrival.helo = peer.hello;
  arrival.tls = peer.tls;
  if (peer.login)
    arrival.login = fmt::format("{} ({})", peer.login->address, peer.login->mechanism);
  if (peer.kind == Peer::Kind::Program) arrival.login = peer.program;
  return arrival;
}

bool Refusals::within_limit(const story::Arrival& arrival) {
  if (!arrival.login.empty()) return true;
  auto minute = services_.clock.now().time_since_epoch() / std::chrono::minutes(1);
  std::lock_guard lock(mutex_);
  if (minute != minute_) {
    minute_ = minute;
    this_minute_ = 0;
  }
  return this_minute_++ < most_per_minute_;
}

Task<void> Refusals::remember(story::MessageId id, story::Arrival arrival,
                              std::vector<Refused> recipients, const Log& log,
                              BesideRefusal beside) {
  std::vector<story::RecipientOutcome> outcomes;
  for (auto& [recipient, reply] : recipients) {
    log.info("message.refuse", {{"user", arrival.login},
                                {"from", arrival.mail_from},
                                {"rcpt", recipient},
                                {"status", reply.code},
                                {"reply", reply.to_string()}});
    outcomes.push_back(
        {std::move(recipient), story::RecipientOutcome::Kind::Refused, reply.to_string()});
  }
  auto told = within_limit(arrival);
  auto* report = beside.report;
  if (!told && beside.evaluations.empty() && !report) co_return;
  auto step = [&](store::Transaction& tx) -> Result<void> {
    if (told) story::record_refusal(tx, id, arrival, outcomes);
    for (auto& evaluation : beside.evaluations) reports::record_evaluation(tx, evaluation);
    if (report) return report->put(tx);
    return {};
  };
  for (int plans = 0; plans < kMaxPlans; ++plans) {
    // A report that cannot leave does not keep the rest from being told.
    if (report && !co_await report->prepare()) report = nullptr;
    std::vector<store::AccountId> accounts{store::kInstance};
    if (report) report->add_accounts(accounts);
    // Nobody waits for the story of a refusal; losing it in a crash is no harm.
    auto told_now =
        co_await services_.store.transact(accounts, step, {.durability = store::Durability::Lazy});
    if (told_now || !report) co_return;
    if (told_now.error().code != ErrorCode::Conflict) report = nullptr;
  }
}

}  // namespace hikyaku::receive
