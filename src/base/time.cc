#include "base/time.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <fmt/core.h>
#include <limits>

namespace hikyaku {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes exactly `count` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// The milliseconds of ".fff…" (more digits than three are cut off), 0 without one.
std::optional<int> take_fraction(std::string_view& text) {
  if (!take_char(text, '.')) return 0;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  int millis = 0;
  int weight = 100;
  while (!text.empty() && is_digit(text.front())) {
    millis += (text.front() - '0') * weight;
    weight /= 10;
    text.remove_prefix(1);
  }
  return millis;
}

/// "Z" or "+hh:mm".
std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take_char(text, 'Z') || take_char(text, 'z')) return std::chrono::minutes(0);
  bool minus = !text.empty() && text.front() == '-';
  if (!minus && (text.empty() || text.front() != '+')) return std::nullopt;
  text.remove_prefix(1);
  auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take_char(text, ':')) return std::nullopt;
  auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::chrono::minutes offset(*hours * 60 + *minutes);
  return minus ? -offset : offset;
}

struct Unit {
  std::string_view name;
  std::int64_t millis;
};
constexpr std::array<Unit, 6> kUnits{{{"w", 7 * 86'400'000LL},
                                      {"d", 86'400'000},
                                      {"h", 3'600'000},
                                      {"m", 60'000},
                                      {"s", 1000},
                                      {"ms", 1}}};

}  // namespace

Time SystemClock::now() const {
  // std::chrono::system_clock counts nanoseconds, which end in 2262: a clock set beyond would be
  // one of the 17th century.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return Time(seconds(now.tv_sec) + milliseconds(now.tv_nsec / 1'000'000));
}

std::string format_rfc3339(Time time) {
  auto days = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(days);
  std::chrono::hh_mm_ss clock(time - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<Time> parse_rfc3339(std::string_view text) {
  auto year = take_digits(text, 4);
  if (!year || !take_char(text, '-')) return std::nullopt;
  auto month = take_digits(text, 2);
  if (!month || !take_char(text, '-')) return std::nullopt;
  auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(*year),
                                   std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  Time midnight = std::chrono::sys_days(date);
  if (text.empty()) return midnight;

  if (!take_char(text, 'T') && !take_char(text, 't') && !take_char(text, ' ')) return std::nullopt;
  auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
  auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take_char(text, ':')) return std::nullopt;
  auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;
  auto millis = take_fraction(text);
  if (!millis) return std::nullopt;
  auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return midnight + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second) +
         milliseconds(*millis) - *offset;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t number = 0;
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) {
      number = number * 10 + (text[digits] - '0');
      if (++digits > 12) return std::nullopt;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    const Unit* unit = nullptr;
    for (auto& candidate : kUnits) {
      if (candidate.name == text.substr(0, letters)) unit = &candidate;
    }
    if (!unit || number > std::numeric_limits<std::int64_t>::max() / 4 / unit->millis)
      return std::nullopt;
    total += number * unit->millis;
    if (total > std::numeric_limits<std::int64_t>::max() / 4) return std::nullopt;
    text.remove_prefix(letters);
  }
  return milliseconds(total);
}

std::string format_duration(milliseconds duration) {
  auto left = duration.count();
  if (left == 0) return "0s";
  std::string text;
  if (left < 0) {
    text = "-";
    left = -left;
  }
  for (auto& unit : kUnits) {
    // Weeks are read but not written: "7d" says it better to most.
    if (unit.name == "w" || left < unit.millis) continue;
    text += fmt::format("{}{}", left / unit.millis, unit.name);
    left %= unit.millis;
  }
  return text;
}

}  // namespace hikyaku
