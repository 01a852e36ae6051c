#include "app/ended_sessions.h"

namespace hikyaku::app {
namespace {

std::int64_t window_of(EndedSessions::Moment now) {
  return now.time_since_epoch() / EndedSessions::kRecent;
}

}  // namespace

void EndedSessions::add(const std::string& name, std::uint64_t commands, std::uint64_t bytes,
                        Moment now) {
  if (name.empty()) return;
  auto* known = kept_.find(name);
  auto sum = known ? *known : Kept{};
  auto window = window_of(now);
  if (window != sum.window) {
    sum.in_last = window == sum.window + 1 ? sum.in_window : 0;
    sum.in_window = 0;
    sum.window = window;
  }
  sum.commands += commands;
  sum.bytes += bytes;
  sum.in_window += commands;
  // The youngest now: others make room.
  kept_.renew(name) = sum;
}

void EndedSessions::add_to(std::map<std::string, Sum>& sums, Moment now) const {
  auto window = window_of(now);
  for (auto& [name, kept] : kept_) {
    std::uint64_t recent = 0;
    if (kept.window == window) recent = kept.in_window + kept.in_last;
    if (kept.window == window - 1) recent = kept.in_window;
    sums[name] += {kept.commands, kept.bytes, recent};
  }
}

}  // namespace hikyaku::app
