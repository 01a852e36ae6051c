#include "app/maintenance.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "auth/directory.h"
#include "mailbox/bulk.h"
#include "mailbox/intents.h"
#include "story/story.h"

namespace hikyaku::app {
namespace {

constexpr std::chrono::hours kEvery{24};
/// Not at once: whoever starts the server has other things to look at.
constexpr std::chrono::minutes kFirst{10};
/// Looking for space to reclaim: while there is enough, and while there is not.
constexpr std::chrono::minutes kReclaimFirst{1};
constexpr std::chrono::minutes kReclaimEvery{10};
constexpr std::chrono::seconds kReclaimSoon{10};

Task<std::vector<auth::Account>> all_accounts(Core& core) {
  co_return co_await core.store().read(
      [](store::Reader& reader) { return auth::list_accounts(reader); });
}

Task<void> erase_removed_account(Core& core, store::AccountId account, const bool& stopping) {
  for (bool done = false; !done && !stopping;) {
    auto piece = co_await core.store().transact(
        {store::kInstance, account},
        [&, now = core.clock().now()](store::Transaction& tx) -> Result<void> {
          done = auth::erase_removed_account(tx, account, now);
          return {};
        },
        {.may_use_reserve = true});
    if (piece) continue;
    core.log().warn("account.erase", {{"err", piece.error().describe()}});
    co_return;
  }
}

using Begun = std::optional<std::vector<auth::Account>>;

Task<Begun> begun_among(Core& core, std::span<const auth::Account> accounts) {
  co_return co_await core.store().read([accounts](store::Reader& reader) {
    Begun begun(std::in_place);
    for (auto& account : accounts)
      if (mailbox::has_intents(reader, account.id)) begun->push_back(account);
    return begun;
  });
}

/// Those for which bulk work was begun. A row that cannot be read leaves out its account alone.
Task<std::vector<auth::Account>> begun_accounts(Core& core, Rounds& rounds) {
  auto accounts = co_await all_accounts(core);
  std::vector<auth::Account> begun;
  std::span<const auth::Account> rest(accounts);
  constexpr std::size_t kPerRead = 500;
  for (auto most = kPerRead; !rest.empty();) {
    auto some = rest.first(std::min(most, rest.size()));
    auto found = co_await rounds.run(begun_among(core, some), Begun());
    if (!found && some.size() > 1) {
      most = 1;
      continue;
    }
    if (found) std::ranges::move(*found, std::back_inserter(begun));
    rest = rest.subspan(some.size());
  }
  co_return begun;
}

Task<void> abandon_appends(Core& core, const auth::Account& account) {
  auto done = co_await core.store().transact({account.id},
                                             [&](store::Transaction& tx) -> Result<void> {
                                               mailbox::abandon_appends(tx, account.id);
                                               return {};
                                             },
                                             {.may_use_reserve = true});
  if (!done)
    core.log().error("account.recover",
                     {{"user", account.address}, {"err", done.error().describe()}});
}

}  // namespace

Task<void> Maintenance::recover(Core& core) {
  // A row that cannot be read keeps nobody from being served the rest.
  Rounds rounds(core.log(), "maintenance");
  for (auto& account : co_await rounds.run(begun_accounts(core, rounds), {}))
    co_await rounds.run(abandon_appends(core, account));
}

void Maintenance::start() {
  gate_.spawn(work_off());
  gate_.spawn(run());
  gate_.spawn(reclaim());
  gate_.spawn(scrub());
}

void Maintenance::stop(Callback stopped) {
  stopping_ = true;
  wakeup_.wake();
  reclaim_wakeup_.wake();
  begun_wakeup_.wake();
  scrubbing_.stop();
  gate_.close(std::move(stopped));
}

void Maintenance::take_up(store::AccountId account) {
  begun_.insert(account);
  begun_wakeup_.wake();
}

/// What is not done then, because the store could not, is tried again a day later.
Task<void> Maintenance::work_off() {
  while (!stopping_) {
    co_await rounds_.run(find_begun());
    do {
      while (!begun_.empty() && !stopping_)
        co_await rounds_.run(work_off(begun_.extract(begun_.begin()).value()));
      if (!stopping_) co_await begun_wakeup_.wait(kEvery);
    } while (!begun_.empty() && !stopping_);
  }
}

Task<void> Maintenance::find_begun() {
  for (auto& account : co_await begun_accounts(core_, rounds_)) begun_.insert(account.id);
}

Task<void> Maintenance::work_off(store::AccountId account) {
  auto done = co_await mailbox::work_off_bulk(
      {core_.store(), core_.clock(), [this] { return stopping_; }}, account);
  if (done || done.error().code == ErrorCode::Shutdown) co_return;
  auto of = co_await core_.store().read(
      [account](store::Reader& reader) { return auth::get_account(reader, account); });
  core_.log().error("account.recover",
                    {{"user", of ? of->address : std::string()}, {"err", done.error().describe()}});
}

Task<void> Maintenance::erase_removed() {
  auto removed = co_await core_.store().read(
      [](store::Reader& reader) { return auth::removed_accounts(reader); });
  for (auto account : removed)
    co_await rounds_.run(erase_removed_account(core_, account, stopping_));
}

Task<void> Maintenance::run() {
  co_await rounds_.run(erase_removed());
  if (!stopping_) co_await wakeup_.wait(kFirst);
  while (!stopping_) {
    co_await rounds_.run(trim_accounts());
    co_await rounds_.run(erase_removed());
    co_await rounds_.run(trim_stories());
    if (stopping_) co_return;
    co_await wakeup_.wait(kEvery);
  }
}

/// It ends when it is stopped; what it throws, it begins again.
Task<void> Maintenance::scrub() {
  while (!stopping_) co_await rounds_.run(scrubbing_.run());
}

bool Maintenance::short_of_space() const {
  std::error_code error;
  auto space = std::filesystem::space(core_.instance().data, error);
  return !error && space.available < 2 * core_.config().store.reserve.count;
}

Task<void> Maintenance::reclaim() {
  co_await reclaim_wakeup_.wait(kReclaimFirst);
  while (!stopping_) {
    tell_leap();
    bool urgent = short_of_space();
    bool failed = !co_await rounds_.run(reclaim_some(urgent), false);
    if (stopping_) co_return;
    co_await reclaim_wakeup_.wait(urgent && !failed ? kReclaimSoon : kReclaimEvery);
  }
}

void Maintenance::tell_leap() {
  auto ahead = core_.patient_clock().ahead();
  if (ahead > PatientClock::kSlack && !leap_told_)
    core_.log().warn("clock.ahead",
                     {{"err", "the clock has leapt ahead by " +
                                  format_duration(std::chrono::floor<seconds>(ahead))}});
  leap_told_ = ahead > PatientClock::kSlack;
}

/// All that there is to do now, with pauses so that it takes a fifth of the disk's time at most.
Task<bool> Maintenance::reclaim_some(bool urgent) {
  auto& clock = core_.patient_clock();
  store::ReclaimRules rules{.before = clock.now() - core_.config().store.retention};
  rules.clock_is_settled = clock.is_settled();
  if (urgent) {
    rules.least_age = {};
    rules.urgent = true;
  }
  store::Reclaimed total;
  bool failed = false;
  while (!stopping_) {
    auto began = std::chrono::steady_clock::now();
    auto done = co_await core_.store().reclaim(rules);
    if (!done) {
      core_.log().warn("store.reclaim_failed", {{"err", done.error().describe()}});
      failed = true;
      break;
    }
    total.bodies_forgotten += done->bodies_forgotten;
    total.bytes_moved += done->bytes_moved;
    total.segments_removed += done->segments_removed;
    total.bytes_returned += done->bytes_returned;
    if (!done->more) break;
    auto took = std::chrono::steady_clock::now() - began;
    if (!urgent) co_await reclaim_wakeup_.wait(4 * took);
  }
  if (total.bodies_forgotten + total.bytes_moved + total.segments_removed != 0)
    core_.log().info("store.reclaimed", {{"bodies", total.bodies_forgotten},
                                         {"moved", total.bytes_moved},
                                         {"segments", total.segments_removed},
                                         {"returned", total.bytes_returned}});
  co_return !failed;
}

Task<void> Maintenance::trim_accounts() {
  for (auto& account : co_await all_accounts(core_)) {
    if (stopping_) co_return;
    co_await rounds_.run(trim(account));
  }
}

Task<void> Maintenance::trim(const auth::Account& account) {
  auto& clock = core_.patient_clock();
  auto trimmed = co_await mailbox::trim_bulk(
      {core_.store(), core_.clock(), [this] { return stopping_; }}, account.id,
      {.clock_is_settled = clock.is_settled()}, clock.now() - core_.config().store.retention);
  if (!trimmed && trimmed.error().code != ErrorCode::Shutdown)
    core_.log().warn("account.trim",
                     {{"user", account.address}, {"err", trimmed.error().describe()}});
}

Task<void> Maintenance::trim_stories() {
  auto before = core_.patient_clock().now() - core_.config().store.history;
  auto trimmed = co_await store::erase_in_pieces(
      core_.store(), store::kInstance,
      [before](store::Transaction& tx) { return story::trim(tx, before); },
      [this] { return stopping_; });
  if (!trimmed) core_.log().warn("story.trim", {{"err", trimmed.error().describe()}});
}

}  // namespace hikyaku::app
