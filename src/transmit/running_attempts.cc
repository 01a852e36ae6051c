#include "transmit/running_attempts.h"

#include <algorithm>
#include <utility>

#include "base/async.h"
#include "queue/queue.h"
#include "story/story.h"

namespace hikyaku::transmit {
namespace {

/// How often attempts are looked for that nobody makes, though their lease has run out.
constexpr std::chrono::minutes kSweep{10};
constexpr std::size_t kSweptAtOnce = 100;
/// When owners of held entries who could not be told are told again.
constexpr std::chrono::minutes kTellHeldAgain{5};
constexpr int kSettleAtLast = 3;

queue::EntryId id_of(const queue::Entry& entry) {
  return {entry.message, entry.number};
}

}  // namespace

void RunningAttempts::begin(const queue::Entry& entry) {
  running_.insert_or_assign(id_of(entry), entry.attempts);
}

Task<Result<void>> RunningAttempts::recover() {
  std::vector<queue::Entry> held;
  auto now = clock_.now();
  auto recovered = co_await store_.transact(
      {store::kInstance},
      [&](store::Transaction& tx) -> Result<void> {
        held = queue::recover_interrupted(tx, now);
        for (auto& entry : held)
          story::record_note(tx, entry.message, "held: " + entry.hold_reason, now);
        return {};
      },
      {.may_use_reserve = true});
  if (!recovered) {
    log_.error("queue.recover", {{"err", recovered.error().describe()}});
    co_return recovered;
  }
  note_held(held);
  co_await tell_held();
  co_return Result<void>{};
}

void RunningAttempts::note_held(const std::vector<queue::Entry>& held) {
  for (auto& entry : held) {
    log_.error("queue.hold", {{"mid", story::to_text(entry.message)},
                              {"rcpt", entry.recipient},
                              {"err", entry.hold_reason}});
    if (untold_.empty() || untold_.back().front().message != entry.message) untold_.emplace_back();
    untold_.back().push_back(entry);
  }
}

Task<void> RunningAttempts::sweep() {
  auto now = clock_.now();
  if (now < sweep_at_ && sweep_at_ <= now + kSweep) co_return;
  sweep_at_ = now + kSweep;
  auto lost = co_await store_.read([now, running = running_](store::Reader& reader) {
    return queue::expired_attempts(reader, now, running, kSweptAtOnce);
  });
  if (lost.empty()) co_return;
  std::vector<queue::Entry> held;
  auto swept =
      co_await store_.transact({store::kInstance},
                               [&](store::Transaction& tx) -> Result<void> {
                                 held.clear();
                                 for (auto& [id, number] : lost) {
                                   auto entry = queue::end_expired_attempt(tx, id, number, now);
                                   if (!entry) continue;
                                   story::record_note(tx, id, "held: " + entry->hold_reason, now);
                                   held.push_back(std::move(*entry));
                                 }
                                 return {};
                               },
                               {.may_use_reserve = true});
  if (!swept) {
    log_.error("queue.recover", {{"err", swept.error().describe()}});
    co_return;
  }
  for (auto& [id, number] : lost)
    log_.error("queue.recover", {{"mid", story::to_text(id)}, {"err", "nobody makes it"}});
  note_held(held);
}

Task<void> RunningAttempts::tell_held() {
  auto now = clock_.now();
  auto waits = now < tell_held_at_ && tell_held_at_ <= now + kTellHeldAgain;
  if (untold_.empty() || waits) co_return;
  tell_held_at_ = now + kTellHeldAgain;
  for (auto& entries : std::exchange(untold_, {})) {
    Result<void> told;
    try {
      told = co_await settler_.tell_held(entries);
    } catch (const std::exception& thrown) {
      // Those behind it are told all the same, and this one later.
      told = fail(ErrorCode::Internal, "{}", thrown.what());
    }
    if (told) continue;
    log_.error("queue.notice", {{"mid", story::to_text(entries.front().message)},
                                {"err", told.error().describe()}});
    if (told.error().temporary()) untold_.push_back(std::move(entries));
  }
}

Task<void> RunningAttempts::settle(UnsettledJobs::Job job) {
  if (given_up_ || co_await is_settled(job)) co_return;
  unsettled_.add(std::move(job), clock_.now());
}

Task<void> RunningAttempts::settle_again() {
  for (auto& job : unsettled_.take_due(clock_.now())) co_await settle(std::move(job));
}

Task<void> RunningAttempts::settle_at_last() {
  for (int i = 0; i < kSettleAtLast && unsettled_.next(); ++i) {
    if (i > 0) co_await sleep_for(seconds(1));
    for (auto& job : unsettled_.take_all()) co_await settle(std::move(job));
  }
}

Task<bool> RunningAttempts::is_settled(UnsettledJobs::Job& job) {
  Unsettled left{job.outcomes, {}};
  try {
    left = co_await settler_.settle(job.message, job.outcomes);
  } catch (const std::exception& defect) {
    left.why.text = defect.what();
  }
  for (auto& outcome : job.outcomes) {
    // What was settled first may be attempted again already.
    auto found = running_.find(id_of(outcome.entry));
    if (found != running_.end() && found->second == outcome.entry.attempts) running_.erase(found);
  }
  std::vector<queue::Entry> held;
  for (auto& outcome : job.outcomes) {
    auto is_left = std::ranges::any_of(
        left.outcomes, [&](auto& other) { return other.entry.number == outcome.entry.number; });
    if (outcome.kind != Outcome::Kind::Held || is_left) continue;
    held.push_back(outcome.entry);
    held.back().hold_reason = outcome.words;
  }
  note_held(held);
  for (auto& outcome : left.outcomes)
    running_.emplace(id_of(outcome.entry), outcome.entry.attempts);
  job.outcomes = std::move(left.outcomes);
  if (job.outcomes.empty()) co_return true;
  log_.error("queue.settle",
             {{"mid", story::to_text(job.message.id)}, {"err", left.why.describe()}});
  co_return false;
}

}  // namespace hikyaku::transmit
