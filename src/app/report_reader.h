// ReportReader: reads the reports about our domains that were taken in with deliveries, one after
// the other, behind them.
#pragma once

#include "app/core.h"
#include "base/gate.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "reports/received.h"

namespace hikyaku::app {

/// Lives on one event loop. `core` must outlive it.
class ReportReader {
 public:
  explicit ReportReader(Core& core) : core_(core) {}

  void start();
  void stop(Callback stopped);

 private:
  Task<void> run();
  Task<void> read_all();
  Task<void> read(const reports::Taken& taken);
  Task<Result<std::string>> whole_mail(store::BlobId body);
  Task<void> keep(const reports::Taken& taken, reports::ReadReport read, Log log);
  Task<bool> keep_rows(const reports::ReceivedReport& report,
                       const std::vector<dmarc::ReportRecord>& rows);
  Task<bool> is_ours(std::string domain);
  Task<void> finish(const reports::Taken& taken);
  Task<void> trim();

  Core& core_;
  Gate gate_;
  Wakeup wakeup_;
  std::unique_ptr<store::Subscription> subscription_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
