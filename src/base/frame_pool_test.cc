#include "base/frame_pool.h"

#include <algorithm>
#include <cstring>
#include <doctest/doctest.h>
#include <string_view>
#include <thread>
#include <vector>

namespace hikyaku {
namespace {

TEST_CASE("frames of all sizes hold what they were asked for, and may end on another thread") {
  for (std::size_t size = 1; size < 5000; size += 37) {
    auto* frame = frame_pool::allocate(size);
    std::memset(frame, 0x5a, size);
    std::thread([&] { frame_pool::release(frame, size); }).join();
  }
  // More than are kept, of one size.
  std::vector<void*> many;
  for (int i = 0; i < 10'000; ++i) many.push_back(frame_pool::allocate(300));
  std::ranges::sort(many);
  CHECK(std::ranges::adjacent_find(many) == many.end());
  for (auto* frame : many) frame_pool::release(frame, 300);
}

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
TEST_CASE("a frame is taken again, and nothing of what stood in it is left") {
  constexpr std::string_view kSecret = "a passphrase that went through a command";
  auto* frame = static_cast<char*>(frame_pool::allocate(1000));
  std::memcpy(frame + 100, kSecret.data(), kSecret.size());
  frame_pool::release(frame, 1000);
  auto* again = static_cast<char*>(frame_pool::allocate(1001));  // of the same class
  CHECK(again == frame);
  CHECK(std::all_of(again + 100, again + 200, [](char c) { return c == 0; }));
  frame_pool::release(again, 1001);
}
#endif

}  // namespace
}  // namespace hikyaku
