// Maintenance: what must be done before the first session, and what is done once a day.
#pragma once

#include <memory>
#include <set>

#include "app/core.h"
#include "app/scrubbing.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/task.h"
#include "base/wakeup.h"

namespace hikyaku::app {

/// Lives on one event loop. `core` must outlive it.
class Maintenance {
 public:
  explicit Maintenance(Core& core)
      : core_(core), scrubbing_(core), rounds_(core.log(), "maintenance") {}

  /// Gives up what a crash cut off in the accounts: long appends.
  static Task<void> recover(Core& core);
  /// At once: what is left of mailboxes and accounts that were erased, and of what was given up.
  /// From now on, once a day: old changes, expunged messages and stories go. And all the time, at
  /// low priority: space that nobody needs any more returns to the disk, and the store is read
  /// through.
  void start();
  /// `stopped` runs when the present piece of work has ended.
  void stop(Callback stopped);
  /// There is bulk work for this account.
  void take_up(store::AccountId account);
  /// The configuration has changed.
  void look_again() { scrubbing_.look_again(); }

 private:
  Task<void> run();
  Task<void> work_off();
  Task<void> find_begun();
  Task<void> work_off(store::AccountId account);
  Task<void> erase_removed();
  Task<void> trim_accounts();
  Task<void> trim(const auth::Account& account);
  Task<void> trim_stories();
  Task<void> reclaim();
  Task<bool> reclaim_some(bool urgent);
  Task<void> scrub();
  bool short_of_space() const;
  void tell_leap();

  Core& core_;
  Wakeup wakeup_;
  Wakeup reclaim_wakeup_;
  Wakeup begun_wakeup_;
  std::set<store::AccountId> begun_;  ///< accounts with bulk work that was begun
  Scrubbing scrubbing_;
  Rounds rounds_;
  Gate gate_{[this](std::exception_ptr error) { rounds_.tell(error); }};
  bool leap_told_ = false;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
