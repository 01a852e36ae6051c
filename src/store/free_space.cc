#include "store/free_space.h"

#include <algorithm>

namespace hikyaku::store {

Result<void> FreeSpace::check(Reserve kept) {
  auto needed = kept == Reserve::All ? reserve_ : reserve_ / 2;
  // What was given up is for those who make room.
  if (ballast_.missing()) needed = std::max(needed, Ballast::kRoom);
  if (needed == 0) return {};
  std::lock_guard lock(mutex_);
  auto now = std::chrono::steady_clock::now();
  if (now - asked_ >= std::chrono::milliseconds(100) || asked_ == decltype(asked_){}) {
    asked_ = now;
    // When it cannot be told, writing goes on: the write itself will tell.
    auto free = files_.free_space(directory_);
    free_ = free ? std::optional(*free) : std::nullopt;
  }
  if (free_ && *free_ < needed)
    return fail(ErrorCode::NoSpace, "less than {} MB of disk space are free", needed >> 20);
  return {};
}

}  // namespace hikyaku::store
