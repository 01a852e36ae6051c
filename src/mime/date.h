// The Date field (RFC 5322 §3.3 and §4.3) and what stands in for it in old and broken mail.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace hikyaku::mime {

/// A moment with the zone that the writer gave.
struct Date {
  Time time;                       ///< the moment
  std::chrono::minutes offset{0};  ///< of the writer's clock from UTC
  bool zone_known = true;          ///< false for "-0000", a military or an unknown zone

  /// The date on the writer's calendar: what IMAP's SENTSINCE compares (RFC 9051 §6.4.4).
  std::chrono::year_month_day local_day() const;
};

/// Reads a Date value: comments, obsolete zones, two-digit years, missing weekday, seconds or zone,
/// "Tue Jan  1 00:00:00 2002" and names in any case; rubbish after a whole date is ignored.
/// nullopt when there is no day, month, year and time of day, or one is out of range.
std::optional<Date> parse_date(std::string_view value);

/// "Sat, 21 Nov 2026 23:02:57 +0900".
std::string format_date(Time time, std::chrono::minutes offset = std::chrono::minutes(0));

}  // namespace hikyaku::mime
