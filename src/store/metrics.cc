#include "store/metrics.h"

namespace hikyaku::store {

Metrics::Metrics(metrics::Registry& registry)
    : sync(registry.histogram("hikyaku_store_sync_seconds",
                              "Time to write a group of transactions to the journal and sync it.",
                              metrics::Unit::Seconds, metrics::kFineTimes)),
      group(registry.histogram("hikyaku_store_batch_transactions",
                               "Transactions that shared one write and sync.", metrics::Unit::Count,
                               metrics::kCounts)) {}

}  // namespace hikyaku::store
