// Progress: one line on standard error about work that takes long.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "app/terminal.h"

namespace hikyaku::app {

/// "import: 12,000 of 50,000 (24 %), 3,100/s, 12s left", rewritten a few times a second while a
/// person looks on; nothing at all otherwise. The line is cleared when it is destroyed.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  /// `total` 0: not known. `terminal` must outlive it.
  Progress(Terminal& terminal, std::string label, std::uint64_t total,
           Clock::time_point now = Clock::now());
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// So much is done by now. Cheap: call it for every item.
  void set(std::uint64_t done, Clock::time_point now = Clock::now());

 private:
  std::string line(std::uint64_t done, Clock::time_point now) const;

  Terminal& terminal_;
  std::string label_;
  std::uint64_t total_;
  Clock::time_point begun_, shown_;
  bool visible_ = false;
};

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);

}  // namespace hikyaku::app
