// The single writer: runs steps one after another, writes what they did as groups, and tells them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/executor.h"
#include "base/log.h"
#include "store/ballast.h"
#include "store/free_space.h"
#include "store/group.h"
#include "store/index.h"
#include "store/log.h"
#include "store/metrics.h"
#include "store/notify.h"
#include "store/under_way.h"

namespace hikyaku::store {

/// A transaction that waits. Shared by the coroutine that waits for it and the committer.
struct Ticket {
  AccountId account = kInstance;
  Step step;
  TransactOptions options;
  Result<void> result;

  Executor* home = nullptr;
  std::coroutine_handle<> waiting;
  /// Held while the step runs: whoever destroys the waiting coroutine waits for that.
  std::mutex running;
  bool abandoned = false;  ///< under `running`; read on the home loop without
  int cold_runs = 0;
};

struct CommitterOptions {
  LogWriter::Sizes segment_sizes;
  /// The index is flushed when replaying would need more than this.
  std::uint64_t most_tail_bytes = 32ull << 20;
  std::uint64_t most_tail_records = 200'000;
  std::chrono::milliseconds lazy_delay{1000};
  /// How long to wait before the index is tried again after an error, and how often.
  std::chrono::milliseconds apply_pause{200};
  int apply_tries = 300;
  /// False: no thread of its own; works on the event loop that submits (which is then always the
  /// same one), so that a run can be repeated.
  bool own_thread = true;
  Metrics metrics = {};
  /// Written down with the first group, unless it is there.
  std::uint64_t schema = 1;
};

struct CommitterCounters {
  std::uint64_t transactions = 0;
  std::uint64_t failed_steps = 0;
  std::uint64_t cold_runs = 0;
  std::uint64_t groups = 0;
  std::uint64_t largest_group = 0;
  std::uint64_t journal_bytes = 0;
  std::chrono::nanoseconds sync_time{};
  std::chrono::nanoseconds longest_sync{};
  std::uint64_t tail_bytes = 0;
  std::uint64_t tail_records = 0;
  std::uint64_t index_flushes = 0;
  std::uint64_t waiting = 0;
};

class Committer {
 public:
  struct Context {
    Segments& segments;
    Index& index;
    Subscriptions& subscriptions;
    FreeSpace& space;
    Ballast& ballast;
    WritesUnderWay& writes;
    WorkerPool& workers;
    const Clock& clock;
    Log log;
    JournalFailure failed;
    CommitterOptions options;
  };
  /// `context`'s references outlive it. `log` stands behind `position`, the last group.
  Committer(Context context, LogWriter log, JournalPosition position);
  ~Committer();

  void submit(std::shared_ptr<Ticket> ticket);
  /// The newest durable state.
  std::shared_ptr<const IndexView> view() const;
  CommitterCounters counters() const;

  /// The log segment that is written on (or one before it, for a moment), and where it ends.
  SegmentNumber open_segment() const { return open_segment_; }
  std::uint64_t log_end() const { return log_end_; }
  /// The log goes on in a new segment with the next transaction.
  void seal() { seal_wanted_ = true; }

  /// Finishes what is queued and ends the thread. False if the journal has failed.
  bool stop();
  JournalPosition position() const { return position_; }
  LogWriter& log() { return log_; }

 private:
  /// Transactions that wait, one queue for each account; accounts take turns.
  class Queue {
   public:
    void push(std::shared_ptr<Ticket> ticket);
    void push_front(std::shared_ptr<Ticket> ticket);
    std::shared_ptr<Ticket> pop();
    bool empty() const { return count_ == 0; }
    std::size_t size() const { return count_; }

   private:
    std::unordered_map<AccountId, std::deque<std::shared_ptr<Ticket>>> accounts_;
    std::deque<AccountId> turns_;
    std::size_t count_ = 0;
  };
  enum class Taken { Done, GroupFull };

  void run();
  void round();
  void run_on_loop();
  bool wait_for_work();
  void gather();
  Taken take(const std::shared_ptr<Ticket>& ticket);
  Result<void> roll(const TransactOptions& options, std::uint64_t bytes);
  Result<void> run_step(Ticket& ticket, StepTransaction& transaction, bool& cold);
  void warm(std::shared_ptr<Ticket> ticket);
  bool commit_needed();
  void commit();
  void add_own_rows();
  void seal_if_wanted();
  bool apply(const Overlay& rows, JournalPosition position);
  void bound_tail();
  void settle(std::vector<std::shared_ptr<Ticket>>& tickets);
  void fail_everything(const Error& error);

  Context context_;
  LogWriter log_;
  JournalPosition position_;

  // The committer thread's own.
  Writes group_;
  std::uint64_t group_bodies_ = 0;        ///< bytes
  std::uint64_t group_steps_ = 0;         ///< taken in this round
  std::uint64_t group_transactions_ = 0;  ///< in the group
  bool group_full_ = false;
  std::vector<std::shared_ptr<Ticket>> waiting_;  ///< settled once the group is durable
  std::vector<std::shared_ptr<Ticket>> settled_;  ///< settled in any case
  std::chrono::steady_clock::time_point lazy_since_;
  std::unordered_map<SegmentNumber, SegmentUse> uses_;
  BlobId stored_next_blob_ = 1;
  bool dead_ = false;
  /// Without a thread: the loop, whether a run is posted, and the lazy group's end.
  Executor* loop_ = nullptr;
  bool posted_ = false;
  std::unique_ptr<Executor::Timer> lazy_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool schema_unwritten_ = false;

  std::atomic<SegmentNumber> open_segment_{0};
  std::atomic<std::uint64_t> log_end_{0};
  std::atomic<bool> seal_wanted_{false};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Queue queue_;
  std::shared_ptr<const IndexView> view_;
  CommitterCounters counters_;
  std::size_t warming_ = 0;
  bool flushing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

/// Awaits a ticket's end. Destroying it early abandons the ticket.
class CommitAwaiter {
 public:
  CommitAwaiter(Committer& committer, std::shared_ptr<Ticket> ticket)
      : committer_(committer), ticket_(std::move(ticket)) {}
  CommitAwaiter(const CommitAwaiter&) = delete;
  CommitAwaiter& operator=(const CommitAwaiter&) = delete;
  ~CommitAwaiter();

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting);
  Result<void> await_resume() { return std::move(ticket_->result); }

 private:
  Committer& committer_;
  std::shared_ptr<Ticket> ticket_;
};

}  // namespace hikyaku::store
