#include "base/frame_pool.h"

#include <array>
#include <cstring>
#include <new>

// The sanitizers shall see every frame end.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)

namespace hikyaku::frame_pool {

void* allocate(std::size_t size) {
  return ::operator new(size);
}
void release(void* frame, std::size_t size) noexcept {
  ::operator delete(frame, size);
}

}  // namespace hikyaku::frame_pool

#else

namespace hikyaku::frame_pool {
namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 32;  // up to 2 KB; larger ones are few

std::size_t class_of(std::size_t size) {
  return (size - 1) / kStep;
}
std::size_t bytes_of(std::size_t index) {
  return (index + 1) * kStep;
}

struct Free {
  Free* next;
};

/// Of one thread: each size has its part, so that many of one, which ended together, leave room for
/// others. Nothing in it is constructed, so that frames may end while the thread does.
struct Kept {
  std::array<Free*, kClasses> frames;
  std::array<std::size_t, kClasses> bytes;
  bool ended;
};
constinit thread_local Kept kept{};

/// Gives everything back when the thread ends.
struct AtEnd {
  AtEnd() = default;
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() {
    kept.ended = true;
    for (std::size_t i = 0; i < kClasses; ++i)
      while (auto* frame = kept.frames[i]) {
        kept.frames[i] = frame->next;
        ::operator delete(frame, bytes_of(i));
      }
  }
};

void keep(Free* frame, std::size_t index) {
  thread_local AtEnd at_end;
  frame->next = kept.frames[index];
  kept.frames[index] = frame;
  kept.bytes[index] += bytes_of(index);
}

}  // namespace

void* allocate(std::size_t size) {
  auto index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  if (auto* frame = kept.frames[index]) {
    kept.frames[index] = frame->next;
    kept.bytes[index] -= bytes_of(index);
    return frame;
  }
  return ::operator new(bytes_of(index));
}

void release(void* frame, std::size_t size) noexcept {
  auto index = class_of(size);
  if (index >= kClasses) return ::operator delete(frame, size);
  if (kept.ended || kept.bytes[index] + bytes_of(index) > kMostKept / kClasses)
    return ::operator delete(frame, bytes_of(index));
  std::memset(frame, 0, size);
  asm volatile("" : : "r"(frame) : "memory");  // the compiler may not leave it out
  keep(::new (frame) Free, index);
}

}  // namespace hikyaku::frame_pool

#endif
