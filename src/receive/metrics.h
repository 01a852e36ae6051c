// What receiving counts.
#pragma once

#include "base/metrics.h"

namespace hikyaku::receive {

struct Metrics {
  /// Counts nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  /// Failure reports (RFC 9991), one for each address of a domain that asked for one.
  metrics::Counter reports_sent, reports_limited, reports_refused, reports_unasked;
};

}  // namespace hikyaku::receive
