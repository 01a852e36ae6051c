// Memory of coroutine frames (base/task.h): most of what a question, a command or a delivery
// allocates are frames that live for moments, a few sizes again and again.
#pragma once

#include <cstddef>

namespace hikyaku::frame_pool {

/// What one thread keeps at most for frames to come, in bytes.
constexpr std::size_t kMostKept = 128 * 1024;

/// As operator new. Any thread may give back what another one got.
void* allocate(std::size_t size);
/// `size` as it was allocated. Kept, it is wiped here; else by the program's delete, up to 4 KB.
void release(void* frame, std::size_t size) noexcept;

}  // namespace hikyaku::frame_pool
