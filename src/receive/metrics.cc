#include "receive/metrics.h"

namespace hikyaku::receive {

Metrics::Metrics(metrics::Registry& registry) {
  for (std::size_t i = 0; i < reports_.size(); ++i) {
    auto outcome = dmarc::to_string(static_cast<dmarc::ReportOutcome>(i));
    reports_[i] =
        registry.counter("hikyaku_failure_reports_total",
                         "DMARC failure reports that a domain asked for, one for each address.",
                         {{"outcome", std::string(outcome)}});
  }
}

}  // namespace hikyaku::receive
