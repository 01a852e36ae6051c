#include "auth/metrics.h"

#include "sasl/mechanisms.h"

namespace hikyaku::auth {
namespace {

/// Passwords in clear without SASL (IMAP LOGIN, POP3 PASS) count as PLAIN.
constexpr std::string_view kApop = "APOP";

}  // namespace

Metrics::Metrics(metrics::Registry& registry) {
  auto add = [&](std::string_view mechanism) {
    auto counter = [&](const char* outcome) {
      return registry.counter(
          "hikyaku_logins_total",
          "Logins by mechanism and outcome: throttled ones were not looked at, crowded ones "
          "have too many sessions already.",
          {{"mechanism", std::string(mechanism)}, {"outcome", outcome}});
    };
    mechanisms_.emplace(mechanism, ByOutcome{counter("ok"), counter("failed"), counter("throttled"),
                                             counter("crowded")});
  };
  for (auto& info : sasl::mechanisms()) add(info.name);
  add(kApop);
  hashing = registry.histogram("hikyaku_login_hash_seconds",
                               "Time for one password hash, the wait for its turn included.",
                               metrics::Unit::Seconds, metrics::kTimes);
}

void Metrics::add(std::string_view mechanism, Outcome outcome) const {
  auto found = mechanisms_.find(mechanism);
  if (found == mechanisms_.end()) return;
  auto& counters = found->second;
  switch (outcome) {
    case Outcome::Ok:
      return counters.ok.add();
    case Outcome::Failed:
      return counters.failed.add();
    case Outcome::Throttled:
      return counters.throttled.add();
    case Outcome::Crowded:
      return counters.crowded.add();
  }
}

}  // namespace hikyaku::auth
