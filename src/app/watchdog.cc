#include "app/watchdog.h"

#include <cstdlib>
#include <unistd.h>

#include "base/text.h"

namespace hikyaku::app {
namespace {

std::optional<std::uint64_t> number_of(const char* variable) {
  auto text = std::getenv(variable);
  return text ? parse_decimal(text) : std::nullopt;
}

}  // namespace

std::optional<std::chrono::microseconds> watchdog_limit() {
  if (std::getenv("WATCHDOG_PID") &&
      number_of("WATCHDOG_PID") != static_cast<std::uint64_t>(::getpid()))
    return std::nullopt;
  auto limit = number_of("WATCHDOG_USEC");
  constexpr std::uint64_t kMost = std::chrono::microseconds(std::chrono::days(365)).count();
  if (!limit || *limit == 0 || *limit > kMost) return std::nullopt;
  return std::chrono::microseconds(*limit);
}

void Watchdog::ask() {
  missing_ = loops_.size();
  due_ = false;
  auto* home = loops_.front();
  for (auto* loop : loops_)
    loop->post([this, home, alive = std::weak_ptr(alive_)] {
      home->post([this, alive] {
        if (!alive.expired()) answered();
      });
    });
  timer_ = home->after(every_, [this] {
    due_ = true;
    if (missing_ == 0) give_sign();
  });
}

/// One that was merely busy is made up for at once: there is yet as much time again.
void Watchdog::answered() {
  if (--missing_ == 0 && due_) give_sign();
}

void Watchdog::give_sign() {
  give_sign_();
  ask();
}

}  // namespace hikyaku::app
