#include "receive/report_limits.h"

#include <utility>

namespace hikyaku::receive {
namespace {

/// Domains of which it is known that something was not told; strangers name them.
constexpr std::size_t kMostDomains = 10'000;
constexpr std::int64_t kHoursOfDay = 24;

std::int64_t hour_of(Time time) {
  return time.time_since_epoch() / std::chrono::hours(1);
}

std::uint32_t count_of(const std::map<std::string, std::uint32_t>& counts,
                       const std::string& name) {
  auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

void ReportLimits::begin_hour(Time now) {
  auto hour = hour_of(now);
  // Not back: messages that are on their way for long, or a clock that is set, must not begin an
  // hour again. Unless the clock was far ahead: then it would be that hour for long.
  if (hour <= hour_ && hour_ - hour <= kHoursOfDay) return;
  auto days = hour / kHoursOfDay - hour_ / kHoursOfDay;
  if (days != 0) {
    yesterday_ = days == 1 ? std::exchange(today_, {}) : Untold();
    today_.clear();
  }
  hour_ = hour;
  leaving_ = 0;
  asked_ = 0;
  for (auto* counts : {&to_, &about_, &asked_about_}) counts->clear();
}

bool ReportLimits::fits(const Leaving& one) const {
  return leaving_ < total_ && count_of(to_, one.host) < per_domain_ &&
         count_of(about_, one.about) < most_about();
}

bool ReportLimits::has_room(const Leaving& one, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  return fits(one);
}

bool ReportLimits::may_leave(const Leaving& one, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (!fits(one)) return false;
  ++leaving_;
  ++to_[one.host];
  ++about_[one.about];
  return true;
}

bool ReportLimits::may_ask(const std::string& about, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (asked_ >= kMostAsked || count_of(asked_about_, about) >= most_about()) return false;
  ++asked_;
  ++asked_about_[about];
  return true;
}

void ReportLimits::did_not_leave(const std::vector<Leaving>& those, Time counted) {
  std::lock_guard lock(mutex_);
  if (hour_of(counted) != hour_) return;
  auto take_back = [](Counts& counts, const std::string& name) {
    if (auto found = counts.find(name); found != counts.end() && --found->second == 0)
      counts.erase(found);
  };
  for (auto& one : those) {
    if (leaving_ > 0) --leaving_;
    take_back(to_, one.host);
    take_back(about_, one.about);
  }
}

void ReportLimits::withhold(const std::string& domain, std::uint64_t messages, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (messages == 0) return;
  if (today_.size() < kMostDomains || today_.contains(domain)) today_[domain] += messages;
}

std::uint64_t ReportLimits::take_withheld(const std::string& domain, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  std::uint64_t messages = 0;
  for (auto* untold : {&today_, &yesterday_})
    if (auto found = untold->extract(domain)) messages += found.mapped();
  return messages;
}

}  // namespace hikyaku::receive
