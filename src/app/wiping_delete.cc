// What the program frees is wiped first: a password that went through a command line, a string that
// grew, or a coroutine's frame does not stay behind in memory that nobody owns. Secrets that live
// longer are crypto::Secret; read buffers and what OpenSSL keeps are wiped by net/.
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

namespace {

/// Larger blocks hold mail and tables; wiping those would cost more than it protects.
constexpr std::size_t kLargest = 4096;

void wipe_and_free(void* block, std::size_t size) noexcept {
  if (block && size <= kLargest) {
    std::memset(block, 0, size);
    asm volatile("" : : "r"(block) : "memory");  // the compiler may not leave it out
  }
  std::free(block);
}

void wipe_and_free(void* block) noexcept {
  wipe_and_free(block, block ? ::malloc_usable_size(block) : 0);
}

}  // namespace

void operator delete(void* block) noexcept {
  wipe_and_free(block);
}
void operator delete(void* block, std::size_t size) noexcept {
  wipe_and_free(block, size);
}
void operator delete[](void* block) noexcept {
  wipe_and_free(block);
}
void operator delete[](void* block, std::size_t size) noexcept {
  wipe_and_free(block, size);
}

#endif
