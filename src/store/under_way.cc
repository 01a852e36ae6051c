#include "store/under_way.h"

#include <algorithm>

namespace hikyaku::store {

WritesUnderWay::Write::Write(WritesUnderWay& all, Clock::time_point began) {
  for (auto& place : all.began_) {
    auto free = kFree;
    if (!place.compare_exchange_strong(free, began.time_since_epoch().count(),
                                       std::memory_order_relaxed))
      continue;
    place_ = &place;
    return;
  }
}

std::chrono::nanoseconds WritesUnderWay::oldest(Clock::time_point now) const {
  std::chrono::nanoseconds most{};
  for (auto& place : began_)
    if (auto began = place.load(std::memory_order_relaxed); began != kFree)
      most =
          std::max<std::chrono::nanoseconds>(most, now - Clock::time_point(Clock::duration(began)));
  return most;
}

}  // namespace hikyaku::store
