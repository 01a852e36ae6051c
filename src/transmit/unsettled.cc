#include "transmit/unsettled.h"

#include <algorithm>

namespace hikyaku::transmit {
namespace {
constexpr milliseconds kFirstWait = std::chrono::seconds(1);
constexpr milliseconds kLongestWait = std::chrono::minutes(5);
constexpr int kMostDoublings = 9;
}  // namespace

void UnsettledJobs::add(Job job, Time now) {
  auto doublings = std::min(job.failed++, kMostDoublings);
  auto wait = std::min(kFirstWait * (1 << doublings), kLongestWait);
  waiting_.push_back({now + wait, std::move(job)});
}

std::vector<UnsettledJobs::Job> UnsettledJobs::take_due(Time now) {
  std::vector<Job> due;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    // A clock that was set back keeps nobody waiting.
    if (waiting.at > now && waiting.at <= now + kLongestWait) return false;
    due.push_back(std::move(waiting.job));
    return true;
  });
  return due;
}

std::vector<UnsettledJobs::Job> UnsettledJobs::take_all() {
  std::vector<Job> all;
  for (auto& waiting : waiting_) all.push_back(std::move(waiting.job));
  waiting_.clear();
  return all;
}

std::optional<Time> UnsettledJobs::next() const {
  if (waiting_.empty()) return std::nullopt;
  return std::ranges::min(waiting_, {}, &Waiting::at).at;
}

}  // namespace hikyaku::transmit
