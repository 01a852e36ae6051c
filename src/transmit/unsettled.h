// UnsettledJobs: outcomes that the store would not take, until it does.
#pragma once

#include <optional>
#include <vector>

#include "base/time.h"
#include "queue/queue.h"
#include "transmit/outcome.h"

namespace hikyaku::transmit {

/// What is known about messages that were sent, or refused, but is in memory only: as long as it is
/// kept, nothing is sent twice. Its size is bounded by the entries that are attempted at once.
class UnsettledJobs {
 public:
  struct Job {
    queue::Message message;
    std::vector<Outcome> outcomes;
    int failed = 0;  ///< so often
  };

  /// Tried again later; the more often it `failed`, the later (1 s, 2 s, 4 s, … 5 min).
  void add(Job job, Time now);
  /// Those whose time has come, taken out.
  std::vector<Job> take_due(Time now);
  std::vector<Job> take_all();
  /// When the next one's time comes.
  std::optional<Time> next() const;

 private:
  struct Waiting {
    Time at;
    Job job;
  };
  std::vector<Waiting> waiting_;
};

}  // namespace hikyaku::transmit
