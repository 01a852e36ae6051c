// Watch: looks at what is too dear to be looked at on every question: the queue, the journal's
// size, whether names can be resolved.
#pragma once

#include <mutex>
#include <string>

#include "app/core.h"
#include "app/full_disk.h"
#include "app/heap_trim.h"
#include "app/hung_disk.h"
#include "app/server_metrics.h"
#include "base/cancellation.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "dns/resolver.h"
#include "transmit/transmitter.h"

namespace hikyaku::app {

/// Lives on one event loop (the transmitter's). What it is given outlives it.
class Watch {
 public:
  struct Services {
    Core& core;
    dns::Resolver& resolver;
    transmit::Transmitter& transmitter;
    WatchedMetrics metrics;
  };
  explicit Watch(Services services)
      : services_(std::move(services)),
        heap_trim_(services_.core.memory().trim_above),
        hung_disk_(services_.core.log()),
        full_disk_(services_.core.log()),
        rounds_(services_.core.log(), "watch") {}

  void start();
  /// `stopped` runs when the present piece of work has ended.
  void stop(Callback stopped);

  /// What was seen last. From any thread.
  struct Seen {
    std::size_t waiting = 0;
    std::size_t held = 0;
    milliseconds oldest{};   ///< age of the oldest entry that is not held
    milliseconds overdue{};  ///< how long the most patient one waits beyond its time
    std::uint64_t journal_bytes = 0;
    std::string resolver_problem;  ///< empty: it answers
  };
  Seen seen() const;

 private:
  Task<void> run();
  Task<void> look_at_disk();
  Task<void> look_at_space();
  std::uint64_t needed_for_ballast() const;
  Task<void> look_at_queue();
  Task<void> look_at_journal();
  Task<void> look_at_resolver();
  Task<void> look_at_memory();

  Services services_;
  HeapTrim heap_trim_;
  HungDisk hung_disk_;
  FullDisk full_disk_;
  Rounds rounds_;
  Gate gate_{[this](std::exception_ptr error) { rounds_.tell(error); }};
  Wakeup wakeup_;
  Wakeup disk_wakeup_;
  Wakeup space_wakeup_;
  Cancellation given_up_;
  bool stopping_ = false;
  mutable std::mutex mutex_;
  Seen seen_;
};

}  // namespace hikyaku::app
