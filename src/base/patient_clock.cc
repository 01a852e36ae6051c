#include "base/patient_clock.h"

#include <utility>

namespace hikyaku {

PatientClock::PatientClock(const Clock& wall, Steady steady)
    : wall_(wall),
      steady_(std::move(steady)),
      anchor_(wall.now()),
      anchored_(steady_()),
      seen_(anchor_),
      seen_at_(anchored_),
      even_since_(anchored_) {}

Time PatientClock::now() const {
  std::lock_guard lock(mutex_);
  return settle(wall_.now());
}

bool PatientClock::is_settled() const {
  std::lock_guard lock(mutex_);
  settle(wall_.now());
  return seen_at_ - even_since_ >= kBelievedAfter;
}

void PatientClock::look_for_leap(Time wall, std::chrono::steady_clock::time_point steady) const {
  auto expected = seen_ + std::chrono::floor<milliseconds>(steady - seen_at_);
  if (wall > expected + kSlack || wall < expected - kSlack) even_since_ = steady;
  seen_ = wall;
  seen_at_ = steady;
}

milliseconds PatientClock::ahead() const {
  std::lock_guard lock(mutex_);
  auto wall = wall_.now();
  return wall - settle(wall);
}

Time PatientClock::settle(Time wall) const {
  auto steady = steady_();
  look_for_leap(wall, steady);
  auto expected = anchor_ + std::chrono::floor<milliseconds>(steady - anchored_);
  bool leapt = wall > expected + kSlack;
  if (leapt) {
    if (!ahead_since_) ahead_since_ = steady;
    if (steady - *ahead_since_ < kBelievedAfter) return expected;
  }
  ahead_since_.reset();
  anchor_ = wall;
  anchored_ = steady;
  return wall;
}

}  // namespace hikyaku
