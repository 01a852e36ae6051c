// Which writes have begun and not ended: all that there is to see of a disk that hangs.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>

namespace hikyaku::store {

/// Since when threads have been writing. From any thread; nothing is locked.
class WritesUnderWay {
 public:
  using Clock = std::chrono::steady_clock;

  /// A write, for as long as it lives: whatever may wait for the disk until somebody's mail is
  /// safe.
  class Write {
   public:
    /// `all` outlives it.
    explicit Write(WritesUnderWay& all, Clock::time_point began = Clock::now());
    Write(const Write&) = delete;
    Write& operator=(const Write&) = delete;
    ~Write() {
      if (place_) place_->store(kFree, std::memory_order_relaxed);
    }

   private:
    std::atomic<Clock::rep>* place_ = nullptr;
  };

  /// How long the oldest has gone on at `now`; 0: there is none.
  std::chrono::nanoseconds oldest(Clock::time_point now = Clock::now()) const;

 private:
  static constexpr Clock::rep kFree = 0;
  /// More than there are threads that write. Who finds no place is not seen; those before are.
  static constexpr std::size_t kMost = 64;

  std::array<std::atomic<Clock::rep>, kMost> began_{};
};

}  // namespace hikyaku::store
