#include "mime/date.h"

#include <array>
#include <fmt/core.h>
#include <vector>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

using std::chrono::minutes;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct Zone {
  std::string_view name;
  int minutes;
};
// RFC 5322 §4.3; the zones behind the first ten are no standard, but unambiguous in mail.
constexpr Zone kZones[] = {
    {"ut", 0},     {"utc", 0},        {"gmt", 0},        {"z", 0},          {"est", -300},
    {"edt", -240}, {"cst", -360},     {"cdt", -300},     {"mst", -420},     {"mdt", -360},
    {"pst", -480}, {"pdt", -420},     {"jst", 540},      {"kst", 540},      {"cet", 60},
    {"cest", 120}, {"met", 60},       {"mest", 120},     {"mesz", 120},     {"mez", 60},
    {"eet", 120},  {"eest", 180},     {"wet", 0},        {"west", 60},      {"bst", 60},
    {"msk", 180},  {"msd", 240},      {"hst", -600},     {"akst", -540},    {"akdt", -480},
    {"aest", 600}, {"aedt", 660},     {"nzst", 720},     {"nzdt", 780},     {"sgt", 480},
    {"hkt", 480},  {"est5edt", -300}, {"cst6cdt", -360}, {"mst7mdt", -420}, {"pst8pdt", -480},
};

/// The words of a date: comments and commas are space; a sign begins a word where it can be a
/// zone's. At most kWords.
std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::size_t kWords = 16;
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  int depth = 0;
  auto end_word = [&](std::size_t end) {
    if (end > begin && words.size() < kWords) words.push_back(text.substr(begin, end - begin));
    begin = end;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    bool space = is_ascii_space(c) || c == '\r' || c == '\n' || c == ',' || c == '\0';
    if (c == '(') {
      if (depth++ == 0) end_word(i);
      continue;
    }
    if (depth > 0) {
      if (c == '\\') ++i;
      if (c == ')') --depth;
      begin = i + 1;
      continue;
    }
    if (space) {
      end_word(i);
      begin = i + 1;
    } else if (c == '+' && i > begin) {
      end_word(i);  // "11:51+0900"
    } else if (c == '-' && i > begin && text.substr(begin, i - begin).find(':') != text.npos) {
      end_word(i);
    }
  }
  if (depth == 0 && begin < text.size()) end_word(text.size());
  return words;
}

std::optional<unsigned> month_number(std::string_view word) {
  if (word.size() < 3) return std::nullopt;
  for (unsigned i = 0; i < kMonths.size(); ++i)
    if (istarts_with(word, kMonths[i])) return i + 1;
  return std::nullopt;
}

/// "HH:MM[:SS[.frac]]" with "." taken for ":" as RFC 7103's samples have it.
std::optional<std::chrono::milliseconds> time_of_day(std::string_view word) {
  std::array<std::uint64_t, 3> numbers{};
  std::size_t count = 0;
  while (count < 3) {
    std::size_t digits = 0;
    while (digits < word.size() && is_ascii_digit(word[digits])) ++digits;
    auto number = digits > 0 && digits <= 2 ? parse_decimal(word.substr(0, digits)) : std::nullopt;
    if (!number) return std::nullopt;
    numbers[count++] = *number;
    word.remove_prefix(digits);
    if (word.empty() || (word.front() != ':' && (word.front() != '.' || count == 3))) break;
    word.remove_prefix(1);
  }
  if (count < 2 || numbers[0] > 24 || numbers[1] > 59 || numbers[2] > 60) return std::nullopt;
  if (numbers[0] == 24 && numbers[1] + numbers[2] > 0) return std::nullopt;
  if (numbers[2] == 60) numbers[2] = 59;  // a leap second has no number of its own here
  auto total = (numbers[0] * 60 + numbers[1]) * 60 + numbers[2];
  return std::chrono::milliseconds(total * 1000);
}

/// "+HHMM" and what stands for it; nullopt when the word is no zone.
std::optional<minutes> numeric_zone(std::string_view word) {
  if (word.size() < 2 || (word[0] != '+' && word[0] != '-')) return std::nullopt;
  std::string digits;
  for (char c : word.substr(1)) {
    if (c == ':' && digits.size() == 2) continue;
    if (!is_ascii_digit(c) || digits.size() == 4) break;
    digits += c;
  }
  if (digits.size() == 1 || digits.size() == 3) digits.insert(0, "0");
  if (digits.size() == 2) digits += "00";
  auto number = parse_decimal(digits);
  if (!number) return std::nullopt;
  auto total = static_cast<int>(*number / 100 * 60 + *number % 100);
  if (*number % 100 > 59 || *number / 100 > 24) return minutes(0);
  return minutes(word[0] == '-' ? -total : total);
}

/// RFC 5322 §4.3: 00..49 is 2000.., 50..99 and three digits count from 1900.
int full_year(std::string_view word, std::uint64_t number) {
  auto year = static_cast<int>(number);
  if (word.size() <= 2) return year < 50 ? year + 2000 : year + 1900;
  if (year < 1000) return year + 1900;  // "102", and "0102" of programs that print four digits
  return year;
}

class DateParser {
 public:
  std::optional<Date> run(std::string_view value) {
    for (auto word : words_of(value.substr(0, 1000))) take(word);
    if (!day_ || !month_ || !year_ || !time_) return std::nullopt;
    auto date = std::chrono::year_month_day(std::chrono::year(*year_), std::chrono::month(*month_),
                                            std::chrono::day(*day_));
    if (!date.ok() || *year_ > 9999) return std::nullopt;
    if (!zone_) result_.zone_known = false;
    result_.time = Time(std::chrono::sys_days(date)) + *time_ + meridiem_ - result_.offset;
    return result_;
  }

 private:
  void take(std::string_view word) {
    if (!time_) {
      if (auto time = time_of_day(word)) {
        time_ = time;
        return;
      }
    } else if (take_meridiem(word)) {
      return;
    } else if ((!zone_ || universal_) && take_zone(word)) {
      return;
    }
    if (!month_) {
      if (auto month = month_number(word)) {
        month_ = month;
        return;
      }
    }
    if (take_dashed(word)) return;
    take_number(word);
  }

  bool take_meridiem(std::string_view word) {
    if (iequals(word, "am") || iequals(word, "pm")) {
      auto noon = std::chrono::hours(12);
      if (iequals(word, "pm") && *time_ < noon) meridiem_ = noon;
      if (iequals(word, "am") && *time_ >= noon && *time_ < noon + std::chrono::hours(1))
        meridiem_ = -noon;
      return true;
    }
    return false;
  }

  bool take_zone(std::string_view word) {
    if (auto offset = numeric_zone(word)) {
      result_.offset = *offset;
      result_.zone_known = !word.starts_with("-00") || offset->count() != 0;
      zone_ = true;
      universal_ = false;
      return true;
    }
    for (auto& zone : kZones) {
      if (!iequals(word, zone.name)) continue;
      result_.offset = minutes(zone.minutes);
      universal_ = !zone_ && zone.minutes == 0;  // "GMT+0900": the number behind it counts
      zone_ = true;
      return true;
    }
    // Military zones were defined with the wrong sign: they say nothing (RFC 5322 §4.3).
    if (word.size() == 1 && is_ascii_alpha(word[0])) {
      result_.zone_known = false;
      zone_ = true;
      return true;
    }
    return false;
  }

  /// "21-Nov-2026" and "2026-11-21".
  bool take_dashed(std::string_view word) {
    if (month_ || day_ || year_) return false;
    auto pieces = split(word, word.find('-') != word.npos ? '-' : '/');
    if (pieces.size() != 3) return false;
    auto first = parse_decimal(pieces[0], 9999), last = parse_decimal(pieces[2], 9999);
    if (!first || !last) return false;
    if (auto month = month_number(pieces[1])) {
      day_ = static_cast<unsigned>(*first);
      month_ = month;
      year_ = full_year(pieces[2], *last);
      return true;
    }
    auto month = parse_decimal(pieces[1], 12);
    if (!month || pieces[0].size() != 4) return false;
    year_ = static_cast<int>(*first);
    month_ = static_cast<unsigned>(*month);
    day_ = static_cast<unsigned>(*last);
    return true;
  }

  void take_number(std::string_view word) {
    auto number = parse_decimal(word, 9999);
    if (!number) return;
    if (!day_ && word.size() <= 2 && *number >= 1 && *number <= 31)
      day_ = static_cast<unsigned>(*number);
    else if (!year_)
      year_ = full_year(word, *number);
  }

  Date result_;
  std::optional<unsigned> day_, month_;
  std::optional<int> year_;
  std::optional<std::chrono::milliseconds> time_;
  std::chrono::hours meridiem_{0};
  bool zone_ = false;
  bool universal_ = false;  // the zone was GMT or the like
};

}  // namespace

std::chrono::year_month_day Date::local_day() const {
  return std::chrono::floor<std::chrono::days>(time + offset);
}

std::optional<Date> parse_date(std::string_view value) {
  return DateParser().run(value);
}

std::string format_date(Time time, minutes offset) {
  auto local = time + offset;
  auto day = std::chrono::floor<std::chrono::days>(local);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(local - day));
  auto month = std::string(kMonths[unsigned(date.month()) - 1]);
  month[0] = ascii_upper(month[0]);
  auto total = std::abs(offset.count());
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}",
                     kDays[std::chrono::weekday(day).c_encoding()], unsigned(date.day()), month,
                     int(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), offset.count() < 0 ? '-' : '+', total / 60,
                     total % 60);
}

}  // namespace hikyaku::mime
