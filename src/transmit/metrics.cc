#include "transmit/metrics.h"

namespace hikyaku::transmit {

Metrics::Metrics(metrics::Registry& registry) {
  auto by_outcome = [&](const char* outcome) {
    return registry.counter("hikyaku_deliveries_total",
                            "Attempts to send to other servers, one for each recipient.",
                            {{"outcome", outcome}});
  };
  delivered = by_outcome("delivered");
  deferred = by_outcome("deferred");
  failed = by_outcome("failed");
  attempts = registry.histogram(
      "hikyaku_delivery_seconds",
      "Time to hand a message over on an open connection, from MAIL to the last reply.",
      metrics::Unit::Seconds, metrics::kTimes);
}

void Metrics::add(const Outcome& outcome) const {
  switch (outcome.kind) {
    case Outcome::Kind::Delivered:
      return delivered.add();
    case Outcome::Kind::Deferred:
      return deferred.add();
    case Outcome::Kind::Failed:
      return failed.add();
    case Outcome::Kind::Confirmed:  // a notice: no attempt
    case Outcome::Kind::Held:
    case Outcome::Kind::Abandoned:
      return;
  }
}

}  // namespace hikyaku::transmit
