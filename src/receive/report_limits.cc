#include "receive/report_limits.h"

#include <utility>

namespace hikyaku::receive {
namespace {

/// Domains that are counted; strangers name them.
constexpr std::size_t kMostDomains = 10'000;
constexpr std::int64_t kHoursOfDay = 24;

std::int64_t hour_of(Time time) {
  return time.time_since_epoch() / std::chrono::hours(1);
}

}  // namespace

void ReportLimits::begin_hour(Time now) {
  auto hour = hour_of(now);
  // Never back: messages that are on their way for long, or a clock that is set, must not begin an
  // hour again.
  if (hour <= hour_) return;
  auto days = hour / kHoursOfDay - hour_ / kHoursOfDay;
  if (days > 0) {
    yesterday_ = days == 1 ? std::exchange(today_, {}) : Untold();
    today_.clear();
  }
  hour_ = hour;
  leaving_ = 0;
  tried_.clear();
}

bool ReportLimits::may_try(const std::string& host, Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (leaving_ >= total_) return false;
  if (tried_.size() >= kMostDomains && !tried_.contains(host)) return false;
  auto& tried = tried_[host];
  if (tried >= per_domain_) return false;
  ++tried;
  return true;
}

bool ReportLimits::may_leave(Time now) {
  std::lock_guard lock(mutex_);
  begin_hour(now);
  if (leaving_ >= total_) return false;
  ++leaving_;
  return true;
}

void ReportLimits::did_not_leave(const std::vector<std::string>& hosts, Time counted) {
  std::lock_guard lock(mutex_);
  if (hour_of(counted) != hour_) return;
  if (leaving_ > 0) --leaving_;
  for (auto& host : hosts)
    if (auto tried = tried_.find(host); tried != tried_.end() && tried->second > 0) --tried->second;
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
