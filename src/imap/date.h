// The dates of IMAP (RFC 9051 §9 date and date-time).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace hikyaku::imap {

/// A day without time and zone, for SEARCH.
using Day = std::chrono::sys_days;

/// date-text: "1-Feb-1994", "01-feb-1994". nullopt for anything else, also for 31-Feb.
std::optional<Day> parse_date(std::string_view text);
/// "1-Feb-1994".
std::string format_date(Day day);

/// date-time without its quotes: "17-Jul-1996 02:44:25 -0700", " 1-Jul-1996 …", also without
/// the blank. nullopt for anything else.
std::optional<Time> parse_date_time(std::string_view text);
/// The same in UTC: "17-Jul-1996 09:44:25 +0000". Always 26 characters.
std::string format_date_time(Time time);
void append_date_time(std::string& out, Time time);

/// The day of a moment in UTC, which is our idea of the "internal date disregarding time and
/// timezone" (RFC 9051 §6.4.4).
Day day_of(Time time);

}  // namespace hikyaku::imap
