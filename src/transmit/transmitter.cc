#include "transmit/transmitter.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "base/async.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/wakeup.h"
#include "queue/queue.h"
#include "store/index_error.h"
#include "story/story.h"
#include "transmit/job.h"
#include "transmit/running_attempts.h"
#include "transmit/source.h"

namespace hikyaku::transmit {
namespace {

/// However far off the next entry is, the schedule is looked at this often (the clock may be set).
constexpr seconds kLookAgain{60};
constexpr std::chrono::hours kLease{2};
/// After what could not be done, before it is tried again.
constexpr seconds kAfterFailure{5};
/// How often what a crash cut off is tried to be taken up, if rows that say so are damaged.
constexpr int kRecoveries = 3;
/// Entries that could not be read are left alone for so long: a device error may pass.
constexpr std::chrono::minutes kUnreadableFor{10};
/// Entries behind the window of their destination are looked at after the first time, each a step
/// later, none later than the last.
constexpr seconds kPostponed{30};
constexpr milliseconds kPostponedStep{60};
constexpr std::chrono::minutes kPostponedMost{15};

class Service final : public Transmitter {
 public:
  Service(Settings settings, Services services, Log log)
      : settings_(std::move(settings)),
        services_(services),
        log_(std::move(log)),
        attempts_(
            services.store, services.clock,
            Settler(services.store, services.injector, services.clock,
                    services.ages ? *services.ages : services.clock, services.random,
                    settings_.schedule, settings_.connect.host_name, settings_.language, log_),
            log_),
        rounds_(log_, "queue"),
        gate_([this](std::exception_ptr error) { rounds_.tell(error); }) {}

  void start() override {
    subscription_ =
        services_.store.subscribe(store::kInstance, queue::kTopicQueue, [this] { wakeup_.wake(); });
    gate_.spawn(schedule());
  }

  void stop(milliseconds grace, Callback stopped) override {
    stopping_ = true;
    wakeup_.wake();
    streams_.close_unused();
    cut_ = Executor::current()->after(grace, [this] { streams_.close_all(); });
    give_up_ = Executor::current()->after(grace + RunningAttempts::kLastTries,
                                          [this] { attempts_.give_up(); });
    gate_.close([this, stopped = std::move(stopped)]() mutable {
      cut_.reset();
      give_up_.reset();
      subscription_.reset();
      stopped();
    });
  }

  std::size_t connections() const override { return streams_.size(); }
  std::size_t attempting() const override { return attempts_.size(); }

 private:
  struct Destination {
    std::deque<Job> jobs;
    std::size_t entries = 0;  ///< in `jobs` and being sent
    std::size_t workers = 0;
    bool waiting = false;    ///< stands in waiting_
    Time postponed_until{};  ///< where the entries behind the window have got to
  };

  void report(std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const store::IndexError&) {
      rounds_.tell(error);
    } catch (const std::exception& defect) {
      log_.error("transmit.defect", {{"err", defect.what()}});
    }
  }

  // --- the schedule ---

  Task<void> schedule() {
    co_await recover();
    while (!stopping_) {
      // What cannot be read now may be readable later, and new mail comes all the time.
      auto wait = co_await rounds_.run(look(), std::chrono::nanoseconds(kAfterFailure));
      if (wait.count() > 0 && !stopping_) co_await wakeup_.wait(wait);
    }
    // Jobs that no worker has taken up: as if they had not been begun.
    while (!destinations_.empty()) {
      auto idle = std::ranges::find_if(destinations_,
                                       [](auto& entry) { return entry.second.workers == 0; });
      if (idle == destinations_.end()) break;
      auto jobs = std::move(idle->second);
      destinations_.erase(idle);
      co_await fail_all(jobs, abandoned());
    }
    while (workers_ > 0) co_await wakeup_.wait();
    co_await attempts_.settle_at_last();
  }

  /// What damaged rows keep from being taken up stays as it is: all other mail does not wait for
  /// it.
  Task<void> recover() {
    for (int i = 1; !stopping_; ++i) {
      auto recovered = co_await rounds_.run(attempts_.recover(),
                                            Result<void>(fail(ErrorCode::Corrupt, "it threw")));
      if (recovered || (recovered.error().code == ErrorCode::Corrupt && i >= kRecoveries))
        co_return;
      co_await wakeup_.wait(kAfterFailure);
    }
  }

  /// Does what there is to do now. Gives how long to wait then.
  Task<std::chrono::nanoseconds> look() {
    co_await attempts_.settle_again();
    co_await attempts_.sweep();
    auto now = services_.clock.now();
    auto taken = attempts_.size();
    auto room = settings_.window > taken ? settings_.window - taken : 0;
    std::chrono::nanoseconds wait = kLookAgain;
    if (room > 0) {
      auto due = co_await find_due(now, std::min<std::size_t>(room, 500));
      if (due.last > now + longest_wait() || due.low_water > now + kClockSlack) {
        co_await draw_back(now);
        co_return kAtOnce;
      }
      set_back_ = false;
      if (!due.entries.empty()) {
        co_await postpone(due.entries);
        co_await begin(std::move(due.entries));
        co_return kAtOnce;
      }
      // Those behind them.
      if (!due.unreadable.empty()) co_return kAtOnce;
      auto at = std::min<Time>(due.next.value_or(now + kLookAgain), now + kLookAgain);
      wait = std::max<std::chrono::nanoseconds>(at - now, milliseconds(1));
      co_await move_low_water(due.next.value_or(now));
      co_await attempts_.tell_held();
    }
    if (auto again = attempts_.next()) {
      auto until = std::max<std::chrono::nanoseconds>(*again - now, milliseconds(1));
      wait = std::min(wait, until);
    }
    co_return wait;
  }
  static constexpr std::chrono::nanoseconds kAtOnce{0};

  Task<queue::Due> find_due(Time now, std::size_t most) {
    if (now >= forget_unreadable_at_ || forget_unreadable_at_ > now + kUnreadableFor) {
      unreadable_.clear();
      forget_unreadable_at_ = now + kUnreadableFor;
    }
    auto due = co_await services_.store.read(
        [&](store::Reader& reader) { return queue::due(reader, now, most, unreadable_); });
    pass_over(due.unreadable);
    co_return due;
  }

  /// The others go on without these.
  void pass_over(const std::set<queue::EntryId>& unreadable) {
    if (unreadable.empty()) return;
    unreadable_.insert(unreadable.begin(), unreadable.end());
    log_.error("queue.unreadable", {{"mid", story::to_text(unreadable.begin()->first)},
                                    {"untold", unreadable.size() - 1}});
  }

  /// Nothing is put off for longer, as long as the clock goes on.
  milliseconds longest_wait() const {
    milliseconds longest = kPostponedMost;
    for (auto wait : settings_.schedule.retry) longest = std::max(longest, wait);
    return longest + kLookAgain;
  }

  /// The clock was set back: what was put off by the one that was ahead would wait until then. Told
  /// once, however often the store has to be asked.
  Task<void> draw_back(Time now) {
    bool first = !std::exchange(set_back_, true);
    if (first)
      log_.warn("queue.clock", {{"err", "the clock was set back: what was to wait for it is due"}});
    else
      co_await wakeup_.wait(seconds(1));
    low_water_ = {};
    auto drawn = co_await store::erase_in_pieces(
        services_.store, store::kInstance,
        [now, latest = now + longest_wait()](store::Transaction& tx) {
          return queue::draw_back(tx, now, latest, kDrawnAtOnce);
        },
        [this] { return stopping_; });
    if (drawn) co_return;
    if (first) log_.error("queue.clock", {{"err", drawn.error().describe()}});
    co_await wakeup_.wait(seconds(5));
  }
  static constexpr std::size_t kDrawnAtOnce = 500;
  static constexpr seconds kClockSlack{5};

  /// Erased schedule rows cost every look at the schedule: step over them for good now and then.
  Task<void> move_low_water(Time next) {
    auto now = services_.clock.now();
    auto safe = std::min(next, now);
    if (safe < low_water_ + kLookAgain) co_return;
    low_water_ = safe;
    co_await services_.store.transact(
        {store::kInstance},
        [safe](store::Transaction& tx) -> Result<void> {
          queue::set_low_water(tx, safe);
          return {};
        },
        {.durability = store::Durability::Lazy, .may_use_reserve = true});
  }

  /// What a destination has no room for is looked at later, so that those behind it get their turn.
  /// The waits grow with the number of entries: each is rewritten rarely, however many there are.
  Task<void> postpone(std::vector<queue::Entry>& entries) {
    auto now = services_.clock.now();
    std::map<std::string, std::size_t> taken;
    std::vector<std::pair<queue::Entry, Time>> later;
    std::erase_if(entries, [&](queue::Entry& entry) {
      auto found = destinations_.find(entry.destination);
      auto there = found == destinations_.end() ? 0 : found->second.entries;
      if (there + ++taken[entry.destination] <= settings_.window_per_destination) return false;
      auto& until = destinations_[entry.destination].postponed_until;
      until = std::min(std::max(until, now + kPostponed) + kPostponedStep, now + kPostponedMost);
      later.emplace_back(std::move(entry), until);
      return true;
    });
    if (later.empty()) co_return;
    auto postponed = co_await services_.store.transact(
        {store::kInstance},
        [&](store::Transaction& tx) -> Result<void> {
          for (auto& [entry, until] : later) {
            // Whoever dropped it meanwhile has the last word.
            if (!queue::postpone(tx, entry.message, entry.number, until)) continue;
          }
          return {};
        },
        {.may_use_reserve = true});
    if (postponed) co_return;
    log_.error("queue.postpone", {{"err", postponed.error().describe()}});
    co_await wakeup_.wait(seconds(5));
  }

  /// Notes the attempts durably, then hands the jobs to their destinations.
  Task<void> begin(std::vector<queue::Entry> entries) {
    std::vector<Job> jobs;
    auto begun = co_await note_begun(entries, jobs);
    if (!begun && begun.error().code == ErrorCode::Corrupt && co_await leave_unreadable(entries))
      begun = co_await note_begun(entries, jobs);
    if (!begun) {
      log_.error("queue.begin", {{"err", begun.error().describe()}});
      co_await wakeup_.wait(kAfterFailure);
      co_return;
    }
    for (auto& job : jobs) {
      for (auto& entry : job.entries) attempts_.begin(entry);
      auto domain = job.entries.front().destination;
      auto& destination = destinations_[domain];
      destination.entries += job.entries.size();
      destination.jobs.push_back(std::move(job));
      wait_in_line(domain, destination);
    }
    start_workers();
    // Nothing could be begun though it is due: do not ask again at once.
    if (jobs.empty() && !entries.empty()) co_await wakeup_.wait(seconds(1));
  }

  /// True: some were, and are not among `entries` any more.
  Task<bool> leave_unreadable(std::vector<queue::Entry>& entries) {
    auto found = co_await services_.store.read([&](store::Reader& reader) {
      std::set<queue::EntryId> unreadable;
      for (auto& entry : entries) {
        try {
          queue::get_entry(reader, entry.message, entry.number);
          queue::get_message(reader, entry.message);
        } catch (const store::IndexError&) {
          unreadable.insert({entry.message, entry.number});
        }
      }
      return unreadable;
    });
    std::erase_if(entries,
                  [&](auto& entry) { return found.contains({entry.message, entry.number}); });
    pass_over(found);
    co_return !found.empty();
  }

  Task<Result<void>> note_begun(const std::vector<queue::Entry>& entries, std::vector<Job>& jobs) {
    auto lease = services_.clock.now() + kLease;
    co_return co_await services_.store.transact(
        {store::kInstance},
        [&](store::Transaction& tx) -> Result<void> {
          jobs.clear();
          for (auto& entry : entries) {
            // Whoever held or dropped it meanwhile has the last word.
            if (!queue::begin_attempt(tx, entry.message, entry.number, lease)) continue;
            add_to_jobs(tx, jobs, *queue::get_entry(tx, entry.message, entry.number));
          }
          return {};
        },
        {.may_use_reserve = true});
  }

  // --- destinations ---

  /// First come, first served: whoever sends without end goes to the end of the line between two
  /// connections.
  void wait_in_line(const std::string& domain, Destination& destination) {
    if (std::exchange(destination.waiting, true)) return;
    waiting_.push_back(domain);
  }

  void start_workers() {
    while (!waiting_.empty() && workers_ < settings_.connections) {
      auto domain = std::move(waiting_.front());
      waiting_.pop_front();
      auto& destination = destinations_[domain];
      destination.waiting = false;
      // One worker first; another only when there is more than one has to do.
      while (!destination.jobs.empty() &&
             destination.workers < settings_.connections_per_destination &&
             workers_ < settings_.connections) {
        ++destination.workers;
        ++workers_;
        if (!gate_.spawn(work(domain))) {
          // Shutting down: schedule() gives the jobs back.
          --destination.workers;
          --workers_;
          return;
        }
        if (destination.workers * kJobsPerWorker >= destination.jobs.size()) break;
      }
      forget_idle(domain);
    }
  }
  static constexpr std::size_t kJobsPerWorker = 10;

  void forget_idle(const std::string& domain) {
    auto found = destinations_.find(domain);
    if (found == destinations_.end()) return;
    auto& destination = found->second;
    if (destination.workers == 0 && destination.jobs.empty() && !destination.waiting)
      destinations_.erase(found);
  }

  /// Serves one destination.
  Task<void> work(std::string domain) {
    auto& destination = destinations_[domain];
    // Who starts workers goes on first: this one may end and forget the destination.
    co_await yield_now();
    try {
      co_await serve(domain, destination);
    } catch (const std::exception&) {
      report(std::current_exception());
    }
    if (stopping_) co_await fail_all(destination, abandoned());
    --destination.workers;
    --workers_;
    if (!destination.jobs.empty() && !stopping_) wait_in_line(domain, destination);
    forget_idle(domain);
    if (!stopping_) start_workers();
    wakeup_.wake();
  }

  /// Until it has no more jobs, or others are to have their turn.
  Task<void> serve(const std::string& domain, Destination& destination) {
    while (!destination.jobs.empty() && !stopping_) {
      if (domain == queue::kNotice) {
        co_await tell_all(destination);
        continue;
      }
      auto found = co_await unless_cancelled(
          streams_.cancellation(),
          find_route(services_.resolver, domain, settings_.self, services_.random));
      if (!found) co_return;  // shutdown
      auto& route = *found;
      if (route.kind != Route::Kind::Hosts) {
        co_await fail_all(destination, no_way(route));
        continue;
      }
      auto connection =
          co_await connect_to(route, settings_.connect, services_.tls, streams_, log_);
      if (connection.aborted) co_return;
      auto findings = std::move(route.findings);
      findings.insert(findings.end(), connection.findings.begin(), connection.findings.end());
      connection.findings = std::move(findings);
      if (!connection.client) {
        co_await fail_all(destination, unreachable(connection));
        continue;
      }
      co_await use(destination, connection);
      if (!waiting_.empty() && workers_ >= settings_.connections) co_return;
    }
  }

  /// Sends jobs over one connection.
  Task<void> use(Destination& destination, Connection& connection) {
    std::size_t sent = 0;
    auto most = std::min(settings_.messages_per_connection,
                         connection.client->offers().max_mails.value_or(SIZE_MAX));
    while (!destination.jobs.empty() && sent < std::max<std::size_t>(most, 1) && !stopping_) {
      auto job = take_next(destination.jobs, connection);
      std::vector<Outcome> outcomes;
      auto usable = false;
      try {
        // Before the other server is told that something comes.
        auto whole = co_await check_body(services_.store, job.message);
        outcomes = whole ? co_await send(job, connection, services_.store, services_.metrics)
                         : unreadable(job, whole.error());
        usable = connection.client->usable();
      } catch (const net::Disconnected& gone) {
        outcomes = lost(job, connection, gone);
      } catch (const std::exception& defect) {
        report(std::current_exception());
        outcomes = deferred(job, connection, {4, 3, 0}, defect.what());
      }
      co_await finish(destination, std::move(job), std::move(outcomes));
      ++sent;
      if (!usable) co_return;
    }
    co_await connection.client->quit();
  }

  /// The same outcome for everything that waits for this destination: it would not fare better one
  /// by one.
  Task<void> fail_all(Destination& destination, Outcome outcome) {
    auto jobs = std::exchange(destination.jobs, {});
    for (auto& job : jobs) {
      auto outcomes = for_all(job, outcome);
      co_await finish(destination, std::move(job), std::move(outcomes));
    }
  }

  /// Entries that are not for sending: their sender is told what became of them.
  Task<void> tell_all(Destination& destination) {
    auto jobs = std::exchange(destination.jobs, {});
    for (auto& job : jobs) {
      auto outcomes = told(job);
      co_await finish(destination, std::move(job), std::move(outcomes));
    }
  }

  Task<void> finish(Destination& destination, Job job, std::vector<Outcome> outcomes) {
    auto count = job.entries.size();
    // What is not for sending is no attempt.
    for (auto& outcome : outcomes)
      if (outcome.entry.destination != queue::kNotice) services_.metrics.add(outcome);
    co_await attempts_.settle({std::move(job.message), std::move(outcomes)});
    destination.entries -= count;
    wakeup_.wake();
  }

  Settings settings_;
  Services services_;
  Log log_;
  RunningAttempts attempts_;
  Rounds rounds_;
  Gate gate_;
  Wakeup wakeup_;
  std::unique_ptr<store::Subscription> subscription_;
  std::unique_ptr<Executor::Timer> cut_;
  std::unique_ptr<Executor::Timer> give_up_;
  std::map<std::string, Destination> destinations_;
  std::deque<std::string> waiting_;  ///< destinations that may need (another) worker
  OpenStreams streams_;
  std::size_t workers_ = 0;
  Time low_water_{};
  std::set<queue::EntryId> unreadable_;  ///< not looked at until then:
  Time forget_unreadable_at_{};
  bool set_back_ = false;  ///< the clock, as the last look at the schedule saw it
  bool stopping_ = false;
};

}  // namespace

std::unique_ptr<Transmitter> make_transmitter(Settings settings, Services services, Log log) {
  return std::make_unique<Service>(std::move(settings), services, std::move(log));
}

}  // namespace hikyaku::transmit
