#include "store/committer.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace hikyaku::store {
namespace {

/// A group takes no more than so much, so that nobody waits long for the first byte of his answer.
constexpr std::uint64_t kMostSteps = 1000;
constexpr std::uint64_t kMostGroupBytes = 16 << 20;
/// After so many cold runs a step may read the disk on the committer: what was warmed is thrown out
/// faster than it can be used.
constexpr int kMostColdRuns = 4;

std::uint64_t add(std::uint64_t value, std::int64_t change) {
  auto sum = static_cast<std::int64_t>(value) + change;
  return sum < 0 ? 0 : static_cast<std::uint64_t>(sum);
}

Reserve kept_by(const TransactOptions& options) {
  return options.may_use_half_reserve ? Reserve::Half : Reserve::All;
}

}  // namespace

CommitAwaiter::~CommitAwaiter() {
  std::lock_guard lock(ticket_->running);
  ticket_->abandoned = true;
}

void CommitAwaiter::await_suspend(std::coroutine_handle<> waiting) {
  ticket_->home = Executor::current();
  assert(ticket_->home && "transact called outside an event loop");
  ticket_->waiting = waiting;
  committer_.submit(ticket_);
}

void Committer::Queue::push(std::shared_ptr<Ticket> ticket) {
  auto& waiting = accounts_[ticket->account];
  if (waiting.empty()) turns_.push_back(ticket->account);
  waiting.push_back(std::move(ticket));
  ++count_;
}

void Committer::Queue::push_front(std::shared_ptr<Ticket> ticket) {
  auto& waiting = accounts_[ticket->account];
  if (!waiting.empty()) std::erase(turns_, ticket->account);
  turns_.push_front(ticket->account);
  waiting.push_front(std::move(ticket));
  ++count_;
}

std::shared_ptr<Ticket> Committer::Queue::pop() {
  auto account = turns_.front();
  turns_.pop_front();
  auto waiting = accounts_.find(account);
  auto ticket = std::move(waiting->second.front());
  waiting->second.pop_front();
  if (waiting->second.empty()) {
    accounts_.erase(waiting);
  } else {
    turns_.push_back(account);
  }
  --count_;
  return ticket;
}

Committer::Committer(Context context, LogWriter log, JournalPosition position)
    : context_(std::move(context)), log_(std::move(log)), position_(position) {
  view_ = context_.index.view();
  open_segment_ = log_.segment();
  log_end_ = log_.end();
  if (auto next = view_->get(next_blob_key(), Reach::Disk)) group_.next_blob = decode_number(*next);
  group_.next_blob = std::max<BlobId>(group_.next_blob, 1);
  auto schema = view_->get(schema_key(), Reach::Disk);
  schema_unwritten_ = !schema || decode_number(*schema) != context_.options.schema;
  stored_next_blob_ = group_.next_blob;
  auto range = Key(kInstance, kSegmentTable).children();
  auto cursor = view_->cursor(range, Reach::Disk);
  for (cursor->seek(range.begin); cursor->valid(); cursor->next())
    uses_[key_fields(cursor->key()).u32_be()] = segment_use(std::string(cursor->value()));
  if (context_.options.own_thread) thread_ = std::thread([this] { run(); });
}

Committer::~Committer() {
  stop();
}

bool Committer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  lazy_timer_.reset();
  if (!context_.options.own_thread) run();
  // The index may still be flushing on a worker.
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return !flushing_; });
  return !dead_;
}

void Committer::submit(std::shared_ptr<Ticket> ticket) {
  std::unique_lock lock(mutex_);
  if (!stopping_) {
    queue_.push(std::move(ticket));
    lock.unlock();
    wake_.notify_one();
    if (!context_.options.own_thread) run_on_loop();
    return;
  }
  lock.unlock();
  ticket->result = fail(ErrorCode::Shutdown, "the store is closing");
  std::vector<std::shared_ptr<Ticket>> one{std::move(ticket)};
  settle(one);
}

std::shared_ptr<const IndexView> Committer::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

CommitterCounters Committer::counters() const {
  std::lock_guard lock(mutex_);
  auto counters = counters_;
  counters.waiting = queue_.size();
  return counters;
}

void Committer::run() {
  while (wait_for_work()) round();
}

void Committer::round() {
  // All of it: beside the journal's sync, a new segment, an index that takes no writes, or a step
  // that has to read can keep everybody waiting.
  WritesUnderWay::Write write(context_.writes);
  gather();
  settle(settled_);
  if (commit_needed()) commit();
}

/// Without a thread: what waits is worked off once the loop has run what it has to run.
void Committer::run_on_loop() {
  loop_ = Executor::current();
  if (std::exchange(posted_, true)) return;
  loop_->post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    posted_ = false;
    lazy_timer_.reset();
    while (!queue_.empty()) round();
    if (group_.empty()) return;
    lazy_timer_ = loop_->after(context_.options.lazy_delay, [this] {
      group_full_ = true;  // no longer to be waited with
      if (commit_needed()) commit();
    });
  });
}

/// False when everything is done and the store is closing.
bool Committer::wait_for_work() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (!queue_.empty()) return true;
    if (stopping_ && warming_ == 0) return !group_.empty();
    if (group_.empty()) {
      wake_.wait(lock);
    } else if (wake_.wait_until(lock, lazy_since_ + context_.options.lazy_delay) ==
               std::cv_status::timeout) {
      return true;
    }
  }
}

void Committer::gather() {
  group_full_ = false;
  group_steps_ = 0;
  while (group_steps_ < kMostSteps &&
         group_.rows.encoded_bound() + group_bodies_ < kMostGroupBytes) {
    std::shared_ptr<Ticket> ticket;
    {
      std::lock_guard lock(mutex_);
      if (queue_.empty()) return;
      ticket = queue_.pop();
    }
    if (take(ticket) == Taken::GroupFull) {
      std::lock_guard lock(mutex_);
      queue_.push_front(std::move(ticket));
      return;
    }
    ++group_steps_;
  }
  group_full_ = true;
}

/// Runs a step and, if it succeeds, makes it part of the group. GroupFull: the group must be
/// committed first.
Committer::Taken Committer::take(const std::shared_ptr<Ticket>& ticket) {
  std::unique_lock running(ticket->running);
  if (ticket->abandoned) return Taken::Done;
  auto finish = [&](Result<void> result) {
    ticket->result = std::move(result);
    // Even an error may rest on what others of this group wrote, so it is told after them.
    waiting_.push_back(ticket);
    return Taken::Done;
  };
  if (dead_) return finish(fail(ErrorCode::Io, "the journal has failed"));
  if (!ticket->options.may_use_reserve)
    if (auto space = context_.space.check(kept_by(ticket->options)); !space)
      return finish(std::move(space));

  auto reach = ticket->cold_runs < kMostColdRuns ? Reach::Memory : Reach::Disk;
  auto now = context_.clock.now();
  StepTransaction transaction({group_, *view_, reach, context_.segments.epoch(), now});
  bool cold = false;
  auto result = run_step(*ticket, transaction, cold);
#ifdef HIKYAKU_DEBUG
  if (!cold) {
    StepTransaction second({group_, *view_, reach, context_.segments.epoch(), now});
    auto again = run_step(*ticket, second, cold);
    if (!cold &&
        (again.has_value() != result.has_value() ||
         (result && (!(second.writes().rows == transaction.writes().rows) ||
                     second.writes().uses != transaction.writes().uses ||
                     second.writes().notifications != transaction.writes().notifications)))) {
      std::fputs("store: a step did not do the same when it was run again\n", stderr);
      std::abort();
    }
  }
#endif
  if (cold) {
    running.unlock();
    warm(ticket);
    return Taken::Done;
  }
  if (!result) return finish(std::move(result));

  auto& writes = transaction.writes();
  if (!writes.empty()) {
    auto bodies = writes.body_bytes();
    auto rows = group_.rows.encoded_bound() + writes.rows.encoded_bound();
    if (auto bytes = LogWriter::bound(rows, group_bodies_ + bodies); !log_.fits(bytes)) {
      if (!group_.empty()) {
        group_full_ = true;
        return Taken::GroupFull;
      }
      // Space is taken before anything is written or promised: a full disk ends here.
      if (auto rolled = roll(ticket->options, bytes); !rolled) {
        if (rolled.error().code != ErrorCode::NoSpace) fail_everything(rolled.error());
        return finish(std::move(rolled));
      }
    }
    group_bodies_ += bodies;
    if (group_.empty()) lazy_since_ = std::chrono::steady_clock::now();
  }
  group_.merge(std::move(writes));
  ++group_transactions_;
  if (ticket->options.durability == Durability::Lazy) {
    ticket->result = {};
    settled_.push_back(ticket);
    return Taken::Done;
  }
  return finish({});
}

Result<void> Committer::roll(const TransactOptions& options, std::uint64_t bytes) {
  auto roll = [&] { return log_.roll(position_.lsn + 1, bytes); };
  return options.may_use_reserve ? with_ballast(context_.ballast, roll) : roll();
}

Result<void> Committer::run_step(Ticket& ticket, StepTransaction& transaction, bool& cold) {
  Result<void> result;
  try {
    result = ticket.step(transaction);
  } catch (const ColdRead&) {
    cold = true;
  } catch (const IndexError& error) {
    result = fail(ErrorCode::Corrupt, "the index cannot be read: {}", error.what());
  } catch (const std::exception& error) {
    result = fail(ErrorCode::Internal, "a transaction failed: {}", error.what());
  } catch (...) {
    result = fail(ErrorCode::Internal, "a transaction failed");
  }
  // Also when the step has caught what it must not catch.
  cold = cold || transaction.went_cold();
  if (!cold && !result) {
    std::lock_guard lock(mutex_);
    ++counters_.failed_steps;
  }
  return result;
}

/// Runs the step for nothing on a worker, where it may wait for the disk; what it read is in memory
/// then, and it is queued again.
void Committer::warm(std::shared_ptr<Ticket> ticket) {
  {
    std::lock_guard lock(mutex_);
    ++warming_;
    ++counters_.cold_runs;
  }
  context_.workers.submit(
      [this, ticket = std::move(ticket), view = view_, next_blob = group_.next_blob] {
        bool abandoned = false;
        {
          std::lock_guard running(ticket->running);
          abandoned = ticket->abandoned;
          if (!abandoned) {
            ++ticket->cold_runs;
            Writes nothing;
            nothing.next_blob = next_blob;
            StepTransaction dry(
                {nothing, *view, Reach::Disk, context_.segments.epoch(), context_.clock.now()});
            bool cold = false;
            (void)run_step(*ticket, dry, cold);
          }
        }
        std::lock_guard lock(mutex_);
        if (!abandoned) queue_.push(ticket);
        --warming_;
        wake_.notify_one();
      });
}

bool Committer::commit_needed() {
  if (group_.empty()) {
    // Nothing to write: answers and notifications alone.
    Deliveries deliveries;
    context_.subscriptions.notify(std::exchange(group_.notifications, {}), deliveries);
    deliveries.post();
    seal_if_wanted();
    settle(waiting_);
    return false;
  }
  if (!waiting_.empty() || group_full_) return true;
  bool stopping = false;
  {
    std::lock_guard lock(mutex_);
    stopping = stopping_;
  }
  if (stopping || !context_.options.own_thread) return stopping;  // without a thread a timer tells
  return std::chrono::steady_clock::now() >= lazy_since_ + context_.options.lazy_delay;
}

/// The rows that the store itself keeps: one for each group, not one for each step.
void Committer::add_own_rows() {
  if (group_.next_blob != stored_next_blob_) {
    group_.rows.put(next_blob_key(), encode_number(group_.next_blob));
    stored_next_blob_ = group_.next_blob;
  }
  if (std::exchange(schema_unwritten_, false))
    group_.rows.put(schema_key(), encode_number(context_.options.schema));
  std::set<SegmentNumber> touched;
  for (const auto& change : group_.uses) {
    auto segment = change.segment ? change.segment : log_.segment();
    auto [known, fresh] = uses_.try_emplace(segment);
    auto& use = known->second;
    if (fresh && change.blob != 0) use = {0, 0, change.blob, change.blob};
    if (change.blob != 0) {
      use.first = std::min(use.first, change.blob);
      use.last = std::max(use.last, change.blob);
    }
    use.live = add(use.live, change.live);
    use.retained = add(use.retained, change.retained);
    touched.insert(segment);
  }
  for (auto segment : touched) group_.rows.put(segment_use_key(segment), encode(uses_[segment]));
}

void Committer::commit() {
  auto began = std::chrono::steady_clock::now();
  auto before = log_.end();
  add_own_rows();
  auto appended = log_.append(group_, position_.lsn + 1, context_.clock.now());
  if (!appended) return fail_everything(appended.error());
  auto took = std::chrono::steady_clock::now() - began;
  context_.options.metrics.sync.observe(took);
  context_.options.metrics.group.observe(group_transactions_);
  if (!apply(group_.rows, *appended)) return;
  position_ = *appended;

  auto view = context_.index.view();
  {
    std::lock_guard lock(mutex_);
    view_ = std::move(view);
    ++counters_.groups;
    counters_.transactions += group_transactions_;
    counters_.largest_group = std::max(counters_.largest_group, group_transactions_);
    counters_.journal_bytes += log_.end() - before;
    counters_.sync_time += took;
    counters_.longest_sync = std::max<std::chrono::nanoseconds>(counters_.longest_sync, took);
    counters_.tail_bytes += group_.rows.encoded_bound();
    counters_.tail_records += group_.rows.entries().size() + group_.rows.ranges().size();
  }
  // Behind the view: who subscribes, or begins to look, before this collects, finds the change.
  Deliveries deliveries;
  context_.subscriptions.notify(group_.notifications, deliveries);
  auto next_blob = group_.next_blob;
  group_ = {};
  group_.next_blob = next_blob;
  group_bodies_ = 0;
  group_transactions_ = 0;
  seal_if_wanted();
  // Answers first: who is told of a change may look at once and must find it.
  settle(waiting_);
  deliveries.post();
  bound_tail();
}

/// Leaves the segment that is written on, when reclaiming wants to have it. Not being able to is no
/// harm.
void Committer::seal_if_wanted() {
  if (seal_wanted_.exchange(false) && !dead_ && log_.end() > kSegmentStart)
    if (auto rolled = log_.roll(position_.lsn + 1, 0);
        !rolled && rolled.error().code != ErrorCode::NoSpace)
      fail_everything(rolled.error());
  open_segment_ = log_.segment();
  log_end_ = log_.end();
}

/// The group is durable, so the index must take it, now or at the next start.
bool Committer::apply(const Overlay& rows, JournalPosition position) {
  for (int tries = 0;; ++tries) {
    auto applied = context_.index.apply(rows, position);
    if (applied) return true;
    context_.log.error("store.index_failed", {{"err", applied.error().describe()}});
    if (applied.error().code == ErrorCode::NoSpace && context_.ballast.give(applied.error()))
      continue;
    // What is damaged stays so: the next start makes the index again, at once.
    if (applied.error().code == ErrorCode::Corrupt || tries == context_.options.apply_tries) {
      fail_everything(applied.error());
      return false;
    }
    std::this_thread::sleep_for(context_.options.apply_pause);
  }
}

/// Flushes the index when a restart would have too much to replay; waits when even that falls
/// behind.
void Committer::bound_tail() {
  std::unique_lock lock(mutex_);
  const auto& options = context_.options;
  auto over = [&](std::uint64_t times) {
    return counters_.tail_bytes > times * options.most_tail_bytes ||
           counters_.tail_records > times * options.most_tail_records;
  };
  if (over(1) && !flushing_) {
    flushing_ = true;
    auto bytes = counters_.tail_bytes;
    auto records = counters_.tail_records;
    lock.unlock();
    // No write under way: nobody waits for it, however long it takes, but the round below.
    context_.workers.submit([this, bytes, records] {
      auto flushed = with_ballast(context_.ballast, [this] { return context_.index.flush(); });
      if (!flushed)
        context_.log.error("store.index_flush_failed", {{"err", flushed.error().describe()}});
      std::lock_guard again(mutex_);
      if (flushed) {
        counters_.tail_bytes -= bytes;
        counters_.tail_records -= records;
        ++counters_.index_flushes;
      }
      flushing_ = false;
      wake_.notify_all();
    });
    lock.lock();
  }
  if (over(4)) wake_.wait(lock, [&] { return !flushing_; });
}

void Committer::settle(std::vector<std::shared_ptr<Ticket>>& tickets) {
  Deliveries deliveries;
  for (auto& ticket : tickets) {
    auto& home = *ticket->home;
    deliveries.add(home, [ticket = std::move(ticket)] {
      // Abandoned is only ever set on this thread.
      if (!ticket->abandoned) ticket->waiting.resume();
    });
  }
  tickets.clear();
  deliveries.post();
}

/// What is on disk is unknown now. In production `failed` ends the process; a test goes on here
/// with a store that acknowledges nothing any more.
void Committer::fail_everything(const Error& error) {
  context_.log.error("store.journal_failed", {{"err", error.describe()}});
  context_.failed(error);
  dead_ = true;
  for (auto& ticket : waiting_) ticket->result = std::unexpected(error);
  settle(waiting_);
  auto next_blob = group_.next_blob;
  group_ = {};
  group_.next_blob = next_blob;
  group_bodies_ = 0;
  group_transactions_ = 0;
}

}  // namespace hikyaku::store
