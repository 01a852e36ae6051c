#include "app/full_disk.h"

namespace hikyaku::app {
namespace {

/// With room for so long: it is over.
constexpr std::chrono::seconds kCalm{10};

}  // namespace

void FullDisk::look(std::uint64_t free, std::uint64_t needed, Clock::time_point now) {
  if (free < needed) {
    if (!lack_) {
      lack_.emplace(now, now);
      log_.error("store.no_space", {{"free", free}, {"needed", needed}});
    }
    lack_->seen = now;
  } else if (lack_ && now - lack_->seen >= kCalm) {
    auto lasted = std::chrono::floor<std::chrono::milliseconds>(lack_->seen - lack_->began);
    log_.warn("store.space_again", {{"free", free}, {"needed", needed}, {"ms", lasted.count()}});
    lack_.reset();
  }
}

}  // namespace hikyaku::app
