// What was refused is remembered too: in the log always, in the story within a limit. Private to
// receive/.
#pragma once

#include <mutex>

#include "receive/receiver.h"
#include "reports/evaluation.h"

namespace hikyaku::receive {

class ReportBeside;

/// What is recorded however many refusals there are.
struct BesideRefusal {
  std::vector<reports::Evaluation> evaluations = {};  ///< for the reports
  ReportBeside* report = nullptr;                     ///< about it, its mail written
};

/// One for all sessions; from any event loop.
class Refusals {
 public:
  /// `most_per_minute`: stories of refusals that other servers got; users and programs have no
  /// limit.
  Refusals(Services services, std::size_t most_per_minute)
      : services_(services), most_per_minute_(most_per_minute) {}

  /// Ends when the story is written; a crash may take it along. Fields of the header are told if
  /// `arrival` has them.
  Task<void> remember(story::MessageId id, story::Arrival arrival, std::vector<Refused> recipients,
                      const Log& log, BesideRefusal beside = {});

 private:
  bool within_limit(const story::Arrival& arrival);

  Services services_;
  std::size_t most_per_minute_;
  std::mutex mutex_;  ///< for what follows
  std::int64_t minute_ = 0;
  std::size_t this_minute_ = 0;
};

}  // namespace hikyaku::receive
