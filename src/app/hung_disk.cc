#include "app/hung_disk.h"

namespace hikyaku::app {
namespace {

/// Without a long write for so long: it is over. Longer than kLongWrite, or each of many slow
/// writes would have its lines.
constexpr std::chrono::seconds kCalm{10};

std::int64_t milliseconds_of(std::chrono::nanoseconds time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).count();
}

}  // namespace

void HungDisk::look(std::chrono::nanoseconds under_way, Clock::time_point now) {
  if (under_way >= kLongWrite) {
    if (!stall_) {
      stall_.emplace(now - under_way, now);
      log_.warn("store.write_hangs", {{"ms", milliseconds_of(under_way)}});
    }
    stall_->seen = now;
  } else if (stall_ && now - stall_->seen >= kCalm) {
    log_.warn("store.write_goes_on", {{"ms", milliseconds_of(stall_->seen - stall_->began)}});
    stall_.reset();
  }
}

}  // namespace hikyaku::app
