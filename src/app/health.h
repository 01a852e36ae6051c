// Health: whether the server can do its work, for load balancers, containers and people.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/watch.h"
#include "base/time.h"
#include "http/response.h"
#include "store/store.h"

namespace hikyaku::app {

/// What health is judged by.
struct HealthFacts {
  store::Statistics store;
  std::uint64_t free_bytes = 0;  ///< of the disk that the store is on
  bool no_inodes = false;        ///< it takes no new files
  std::uint64_t reserve = 0;     ///< store.reserve
  Watch::Seen watch;
  std::optional<Time> certificate_end;  ///< the first to end; nullopt: there is none
  bool needs_dns = true;                ///< app/names_needed.h
  bool confined = true;                 ///< ConfinedWorkers::available
  Time now{};
};

struct HealthCheck {
  /// Warning: it works, somebody should look. Failing: mail is not accepted or not sent.
  enum class State { Ok, Warning, Failing };
  std::string_view name;  ///< "store", "disk", "queue", "certificate", "resolver", "confined"
  State state = State::Ok;
  std::string text;  ///< what is wrong, or was not looked at
};

std::vector<HealthCheck> check_health(const HealthFacts& facts);

/// {"status":"ok","checks":[…]}: 200, or 503 if something is failing.
http::Response health_response(const std::vector<HealthCheck>& checks);

}  // namespace hikyaku::app
