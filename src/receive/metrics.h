// What receiving counts.
#pragma once

#include <array>

#include "base/metrics.h"
#include "dmarc/failure_report.h"

namespace hikyaku::receive {

class Metrics {
 public:
  /// Counts nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  /// Failure reports (RFC 9991), one for each address of a domain that asked for one.
  const metrics::Counter& reports(dmarc::ReportOutcome outcome) const {
    return reports_[static_cast<std::size_t>(outcome)];
  }

 private:
  std::array<metrics::Counter, dmarc::kReportOutcomes> reports_;
};

}  // namespace hikyaku::receive
