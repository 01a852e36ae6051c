#include "receive/metrics.h"

namespace hikyaku::receive {

Metrics::Metrics(metrics::Registry& registry) {
  auto by_outcome = [&](const char* outcome) {
    return registry.counter("hikyaku_failure_reports_total",
                            "DMARC failure reports that a domain asked for, one for each address.",
                            {{"outcome", outcome}});
  };
  reports_sent = by_outcome("sent");
  reports_limited = by_outcome("limited");
  reports_refused = by_outcome("refused");
  reports_unasked = by_outcome("unasked");
}

}  // namespace hikyaku::receive
