// RunningAttempts: what is being attempted, until its outcome is stored; and attempts that nobody
// makes any more.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/task.h"
#include "base/time.h"
#include "queue/queue.h"
#include "store/store.h"
#include "transmit/settle.h"
#include "transmit/unsettled.h"

namespace hikyaku::transmit {

/// On one event loop. Store and clock must outlive it.
class RunningAttempts {
 public:
  RunningAttempts(store::Store& store, const Clock& clock, Settler settler, Log log)
      : store_(store), clock_(clock), settler_(std::move(settler)), log_(std::move(log)) {}

  /// How long after the connections were cut the store may go on refusing outcomes.
  static constexpr seconds kLastTries{5};

  /// Takes up what a crash cut off; owners of what is held by that are told. An error: that is
  /// still to be done.
  Task<Result<void>> recover();
  /// Takes up attempts that nobody makes, though their lease has run out: lost by a defect, or by a
  /// node that is gone. Looks now and then, however often it is called.
  Task<void> sweep();
  /// Tells the owners of what is held. Whom nobody can tell now (a full disk) is told later.
  Task<void> tell_held();

  /// An attempt is noted durably, and made now.
  void begin(const queue::Entry& entry);
  /// What the store does not take now is kept: what was sent must not be sent again.
  Task<void> settle(UnsettledJobs::Job job);
  /// What has been kept and is due.
  Task<void> settle_again();
  /// While shutting down, when nothing is attempted any more: everything a few times, all in one
  /// round, so that it takes no longer for many than for one. Then the rows go on saying
  /// "attempted", and the next start takes them up.
  Task<void> settle_at_last();
  /// The store is not asked any more: what is to be settled is left to the next start.
  void give_up() { given_up_ = true; }

  /// When something that is kept is due.
  std::optional<Time> next() const { return unsettled_.next(); }
  /// Entries that are attempted, or whose outcome is kept.
  std::size_t size() const { return running_.size(); }

 private:
  /// Owners of these are to be told.
  void note_held(const std::vector<queue::Entry>& held);
  /// Leaves in `job` what is still to be settled.
  Task<bool> is_settled(UnsettledJobs::Job& job);

  store::Store& store_;
  const Clock& clock_;
  Settler settler_;
  Log log_;
  queue::Attempts running_;
  UnsettledJobs unsettled_;
  Time sweep_at_{};
  std::vector<std::vector<queue::Entry>> untold_;  ///< held entries, a message each
  Time tell_held_at_{};
  bool given_up_ = false;
};

}  // namespace hikyaku::transmit
