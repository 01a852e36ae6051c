// Spell: a trouble that comes and goes, and is to be told once when it begins and once when it is
// over.
#pragma once

#include <chrono>
#include <optional>

namespace hikyaku::app {

class Spell {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Change { None, Began, Ended };

  /// Without the trouble for `calm` it is over, so that one that goes up and down around a limit is
  /// one.
  explicit Spell(Clock::duration calm) : calm_(calm) {}

  /// How it is at `now`. Of a new one: it began `since` ago.
  Change look(bool trouble, Clock::time_point now, Clock::duration since = {}) {
    if (trouble) {
      auto is_new = !begun_;
      if (is_new) begun_ = now - since;
      seen_ = now;
      return is_new ? Change::Began : Change::None;
    }
    if (!begun_ || now - seen_ < calm_) return Change::None;
    lasted_ = std::chrono::floor<std::chrono::milliseconds>(seen_ - *begun_);
    begun_.reset();
    return Change::Ended;
  }
  /// Of the one that has ended last: from its beginning to when it was last seen.
  std::chrono::milliseconds lasted() const { return lasted_; }

 private:
  Clock::duration calm_;
  std::optional<Clock::time_point> begun_;
  Clock::time_point seen_;
  std::chrono::milliseconds lasted_{0};
};

}  // namespace hikyaku::app
