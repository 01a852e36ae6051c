// What the store measures beside Statistics: how long and how large, one by one.
#pragma once

#include "base/metrics.h"

namespace hikyaku::store {

struct Metrics {
  /// Measures nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  metrics::Histogram sync;   ///< each group: written and synced
  metrics::Histogram group;  ///< transactions in it
};

}  // namespace hikyaku::store
