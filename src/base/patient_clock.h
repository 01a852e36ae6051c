// A clock for what is forgotten by its age.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>

#include "base/time.h"

namespace hikyaku {

/// Goes as another clock does, but does not follow it when it leaps ahead (set by mistake, a broken
/// battery, a wrong time server): then it goes on from where it was, and believes the leap only
/// once it has stayed for a day. Set back, it is at once what the other is. From any thread.
class PatientClock final : public Clock {
 public:
  using Steady = std::function<std::chrono::steady_clock::time_point()>;
  static constexpr std::chrono::minutes kSlack{1};
  static constexpr std::chrono::hours kBelievedAfter{24};

  /// `wall` must outlive it. `steady`: what no hand sets.
  explicit PatientClock(const Clock& wall, Steady steady = std::chrono::steady_clock::now);

  /// A leap between two calls is seen at the second one.
  Time now() const override;
  /// Whether the other has gone evenly for a day: then it is that one which is right, and not who
  /// wrote down a time in the future. (A machine that starts with a wrong clock mostly corrects it
  /// soon.)
  bool is_settled() const;
  /// How far the other is ahead that is not believed yet.
  milliseconds ahead() const;

 private:
  Time settle(Time wall) const;
  void look_for_leap(Time wall, std::chrono::steady_clock::time_point steady) const;

  const Clock& wall_;
  Steady steady_;
  mutable std::mutex mutex_;
  mutable Time anchor_;
  mutable std::chrono::steady_clock::time_point anchored_;
  mutable std::optional<std::chrono::steady_clock::time_point> ahead_since_;
  // The last look at the other, and since when it goes evenly.
  mutable Time seen_;
  mutable std::chrono::steady_clock::time_point seen_at_;
  mutable std::chrono::steady_clock::time_point even_since_;
};

}  // namespace hikyaku
