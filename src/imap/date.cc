#include "imap/date.h"

#include <array>
#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku::imap {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Exactly `count` digits from the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  auto value = parse_decimal(text.substr(0, count));
  if (!value) return std::nullopt;
  text.remove_prefix(count);
  return static_cast<int>(*value);
}

bool take_char(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// "Feb-1994" after the day and its "-".
std::optional<Day> take_month_and_year(std::string_view& text, int day) {
  if (text.size() < 8) return std::nullopt;
  unsigned month = 0;
  for (unsigned i = 0; i < kMonths.size(); ++i) {
    if (iequals(kMonths[i], text.substr(0, 3))) month = i + 1;
  }
  text.remove_prefix(3);
  if (month == 0 || !take_char(text, '-')) return std::nullopt;
  auto year = take_digits(text, 4);
  if (!year) return std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(month),
                                   std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  return Day(date);
}

char* put_two(char* at, unsigned value) {
  *at++ = static_cast<char>('0' + value / 10);
  *at++ = static_cast<char>('0' + value % 10);
  return at;
}

}  // namespace

std::optional<Day> parse_date(std::string_view text) {
  auto dash = text.find('-');
  if (dash == std::string_view::npos || dash == 0 || dash > 2) return std::nullopt;
  auto day = take_digits(text, dash);
  if (!day || !take_char(text, '-')) return std::nullopt;
  auto date = take_month_and_year(text, *day);
  return text.empty() ? date : std::nullopt;
}

std::string format_date(Day day) {
  std::chrono::year_month_day date(day);
  return fmt::format("{}-{}-{:04}", static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()));
}

std::optional<Time> parse_date_time(std::string_view text) {
  take_char(text, ' ');
  // RFC 9051 §9 wants two characters; imapflow leaves the blank away.
  auto day = take_digits(text, text.find('-') == 1 ? 1 : 2);
  if (!day || !take_char(text, '-')) return std::nullopt;
  auto date = take_month_and_year(text, *day);
  if (!date || !take_char(text, ' ')) return std::nullopt;
  auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
  auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take_char(text, ':')) return std::nullopt;
  auto second = take_digits(text, 2);
  if (!second || *second > 60 || !take_char(text, ' ')) return std::nullopt;
  bool west = text.starts_with('-');
  if (!west && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  auto zone = take_digits(text, 4);
  if (!zone || *zone % 100 > 59 || *zone / 100 > 23 || !text.empty()) return std::nullopt;
  std::chrono::minutes offset(*zone / 100 * 60 + *zone % 100);
  Time local = *date;
  local += std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second);
  return west ? local + offset : local - offset;
}

std::string format_date_time(Time time) {
  std::string text;
  append_date_time(text, time);
  return text;
}

void append_date_time(std::string& out, Time time) {
  auto day = day_of(time);
  std::chrono::year_month_day date(day);
  auto second = static_cast<unsigned>(std::chrono::floor<seconds>(time - Time(day)).count());
  auto year = static_cast<int>(date.year());
  // The form has four digits; what lies beyond comes from corrupt records only.
  auto shown = static_cast<unsigned>(year < 0 ? 0 : year > 9999 ? 9999 : year);
  char text[26];
  char* at = put_two(text, static_cast<unsigned>(date.day()));
  *at++ = '-';
  for (char c : kMonths[static_cast<unsigned>(date.month()) - 1]) *at++ = c;
  *at++ = '-';
  at = put_two(put_two(at, shown / 100), shown % 100);
  *at++ = ' ';
  at = put_two(at, second / 3600);
  *at++ = ':';
  at = put_two(at, second / 60 % 60);
  *at++ = ':';
  at = put_two(at, second % 60);
  for (char c : std::string_view(" +0000")) *at++ = c;
  out.append(text, at);
}

Day day_of(Time time) {
  return std::chrono::floor<std::chrono::days>(time);
}

}  // namespace hikyaku::imap
