#include "receive/refusals.h"

#include <algorithm>
#include <iterator>

#include "receive/report_beside.h"

namespace hikyaku::receive {

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
  Together all;
  all.report = report;
  all.also = [&](store::Transaction& tx) -> Result<void> {
    auto whole = arrival;
    if (report) std::ranges::move(report->findings(), std::back_inserter(whole.findings));
    if (told) story::record_refusal(tx, id, whole, outcomes);
    for (auto& evaluation : beside.evaluations) reports::record_evaluation(tx, evaluation);
    return {};
  };
  // Nobody waits for the story of a refusal; losing it in a crash is no harm.
  all.options.durability = store::Durability::Lazy;
  auto written = co_await commit(services_.store, std::move(all), log);
  // The message is refused all the same, and the log has that.
  if (written || !report) co_return;
  report->drop(written.error());
  report->settle(log);
}

}  // namespace hikyaku::receive
