// ReportReader: reads the reports about our domains that were taken in with deliveries, behind
// them, a few at a time: one that takes long does not hold up the others.
#pragma once

#include <set>

#include "app/confined_workers.h"
#include "app/core.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/semaphore.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "reports/keep.h"

namespace hikyaku::app {

/// Lives on the loop of `confined`, in whose workers the reports are read. Both must outlive it.
class ReportReader {
 public:
  ReportReader(Core& core, ConfinedWorkers& confined)
      : core_(core),
        confined_(confined),
        rounds_(core.log(), "reading reports"),
        at_once_(confined.at_once()) {}

  void start();
  void stop(Callback stopped);

 private:
  Task<void> run();
  Task<void> read_all();
  Task<void> read(reports::Taken taken, Semaphore::Permit permit);
  Task<void> read_one(reports::Taken taken);
  Task<Result<reports::Digest>> digest(const reports::Taken& taken);
  Task<Result<std::string>> whole_mail(store::BlobId body);
  Task<Result<reports::Kept>> keep(const reports::Taken& taken);
  Task<bool> trim();

  Core& core_;
  ConfinedWorkers& confined_;
  Rounds rounds_;
  Gate gate_{[this](std::exception_ptr error) { rounds_.tell(error); }};
  Wakeup wakeup_;
  std::unique_ptr<store::Subscription> subscription_;
  Semaphore at_once_;
  std::set<story::MessageId> being_read_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
