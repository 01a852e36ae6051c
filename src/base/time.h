// Wall-clock time, and its one written form in logs, JSON and the command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hikyaku {

/// A moment in UTC with milliseconds; what is stored is its count since 1970.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Where "now" comes from. Services take a reference, so that tests can set the time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  Time now() const override;
};

/// "2026-11-21T22:44:10.123Z" (RFC 3339 §5.6, UTC).
std::string format_rfc3339(Time time);
/// Reads what format_rfc3339 writes, with any or no fraction and any offset; also a date alone
/// (midnight UTC).
std::optional<Time> parse_rfc3339(std::string_view text);

/// "90s", "15m", "4h", "5d", "500ms", "1h30m" and so on; a bare number is no duration. Used in
/// configuration.
std::optional<milliseconds> parse_duration(std::string_view text);
/// The shortest such form: "5d", "1h30m", "0s".
std::string format_duration(milliseconds duration);

}  // namespace hikyaku
