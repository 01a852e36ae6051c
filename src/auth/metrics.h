// What logging in counts.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/metrics.h"

namespace hikyaku::auth {

struct Metrics {
  /// Counts nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  enum class Outcome { Ok, Failed, Throttled, Crowded };
  /// Rare beside everything else: looks the mechanism up among those that there are.
  void add(std::string_view mechanism, Outcome outcome) const;
  metrics::Histogram hashing;

 private:
  struct ByOutcome {
    metrics::Counter ok, failed, throttled, crowded;
  };
  std::map<std::string, ByOutcome, std::less<>> mechanisms_;
};

}  // namespace hikyaku::auth
