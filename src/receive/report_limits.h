// ReportLimits: how many failure reports leave, and what was not told. Private to receive/.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/time.h"

namespace hikyaku::receive {

/// Counts by the hour of the clock, which only goes forward here: `now` is the present time, and an
/// earlier one counts in the newest hour. From any event loop.
class ReportLimits {
 public:
  ReportLimits(std::uint32_t per_domain, std::uint32_t total)
      : per_domain_(per_domain), total_(total) {}

  /// Whether one more may be tried for a destination's domain in this hour; it counts.
  bool may_try(const std::string& host, Time now);
  /// Whether one more may leave in this hour in all; it counts.
  bool may_leave(Time now);
  /// One for these hosts, counted at `counted`, did not leave after all.
  void did_not_leave(const std::vector<std::string>& hosts, Time counted);

  /// So many messages that `domain` wanted to hear of were not told: they are added to the next
  /// report's Incidents, unless a day passes before that (two at most).
  void withhold(const std::string& domain, std::uint64_t messages, Time now);
  /// How many there are; they are forgotten here.
  std::uint64_t take_withheld(const std::string& domain, Time now);

 private:
  using Untold = std::map<std::string, std::uint64_t>;

  void begin_hour(Time now);

  const std::uint32_t per_domain_;
  const std::uint32_t total_;
  std::mutex mutex_;  ///< for what follows
  std::int64_t hour_ = 0;
  std::uint32_t leaving_ = 0;
  std::map<std::string, std::uint32_t> tried_;  ///< by host
  Untold today_, yesterday_;
};

}  // namespace hikyaku::receive
