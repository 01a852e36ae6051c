// What sending counts.
#pragma once

#include "base/metrics.h"
#include "transmit/outcome.h"

namespace hikyaku::transmit {

struct Metrics {
  /// Counts nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  metrics::Counter delivered, deferred, failed;
  metrics::Histogram attempts;

  void add(const Outcome& outcome) const;
};

}  // namespace hikyaku::transmit
