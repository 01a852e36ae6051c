// HeapTrim: when free pages of the heap go back to the machine.
#pragma once

#include <chrono>
#include <cstdint>

namespace hikyaku::app {

/// Sessions that come and go leave holes in the heap; when memory is short, their pages can go
/// back. That takes a millisecond for every 20 MB, and nobody allocates from an arena meanwhile: so
/// it is done seldom, and hardly ever where it is of no use.
class HeapTrim {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::minutes kPause{1};
  /// After one that gave back less than a sixteenth: what is in use is in use.
  static constexpr std::chrono::minutes kLongPause{30};

  /// `above`: so many bytes in use are many.
  explicit HeapTrim(std::uint64_t above) : above_(above) {}

  bool is_due(std::uint64_t resident, Moment now) const {
    return resident > above_ && now >= next_;
  }
  /// It was done.
  void note(std::uint64_t before, std::uint64_t after, Moment now) {
    bool little = after > before - before / 16;
    next_ = now + (little ? kLongPause : kPause);
  }

 private:
  std::uint64_t above_;
  Moment next_{};
};

}  // namespace hikyaku::app
