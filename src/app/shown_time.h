// How a moment is shown to people: to the minute, in UTC.
#pragma once

#include <string>
#include <string_view>

namespace hikyaku::app {

/// "2026-11-21 22:44" of an RFC 3339 time in UTC, for columns whose heading says "(UTC)". What is
/// none (empty) stays as it is.
inline std::string minute_of(std::string_view rfc3339) {
  if (rfc3339.size() < 16) return std::string(rfc3339);
  return std::string(rfc3339.substr(0, 10)) + ' ' + std::string(rfc3339.substr(11, 5));
}

/// "2026-11-21 22:44 UTC", for sentences.
inline std::string minute_in_utc(std::string_view rfc3339) {
  return minute_of(rfc3339) + (rfc3339.size() < 16 ? "" : " UTC");
}

}  // namespace hikyaku::app
