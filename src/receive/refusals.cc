#include "receive/refusals.h"

#include <fmt/core.h>

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
                              std::vector<reports::Evaluation> evaluations) {
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
  if (!told && evaluations.empty()) co_return;
  // Nobody waits for the story of a refusal; losing it in a crash is no harm.
  co_await services_.store.transact({store::kInstance},
                                    [&](store::Transaction& tx) -> Result<void> {
                                      if (told) story::record_refusal(tx, id, arrival, outcomes);
                                      for (auto& evaluation : evaluations)
                                        reports::record_evaluation(tx, evaluation);
                                      return {};
                                    },
                                    {.durability = store::Durability::Lazy});
}

}  // namespace hikyaku::receive
