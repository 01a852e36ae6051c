// Where OpenSSL's record buffers live.
//
// Each TLS connection takes buffers of 4 and 17 to 22 KB for its handshake and to read or write,
// and gives them back when it is idle. In malloc's heap, long-lived small objects soon sit in the
// holes that they leave: measured at 2,000 idle connections, 40 KB each, of which 17 KB were used.
// Buffers of that size therefore come from an address range of their own.
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <utility>
#include <vector>

#include "net/tls.h"

namespace hikyaku::net {
namespace {

constexpr std::size_t kRange = 16ull * 1024 * 1024 * 1024;  // addresses, not memory
constexpr std::size_t kSpare = 64;                          // free blocks that keep their memory

/// Blocks of one size, for what is a little smaller.
class Blocks {
 public:
  Blocks(std::size_t smallest, std::size_t block) : smallest_(smallest), block_(block) {}

  bool open() {
    void* mapped = ::mmap(nullptr, kRange, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return false;
    begin_ = fresh_ = static_cast<char*>(mapped);
    return true;
  }

  bool owns(const void* pointer) const {
    auto* at = static_cast<const char*>(pointer);
    return at >= begin_ && at < begin_ + kRange;
  }

  bool fits(std::size_t size) const { return size >= smallest_ && size <= block_; }
  std::size_t block() const { return block_; }

  /// Null when the range is used up.
  void* take() {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      void* block = free_.back();
      free_.pop_back();
      return block;
    }
    if (fresh_ + block_ > begin_ + kRange) return nullptr;
    return std::exchange(fresh_, fresh_ + block_);
  }

  void give_back(void* block) {
    std::lock_guard lock(mutex_);
    if (free_.size() >= kSpare) ::madvise(block, block_, MADV_DONTNEED);
    free_.push_back(block);
  }

 private:
  std::size_t smallest_;
  std::size_t block_;
  char* begin_ = nullptr;
  char* fresh_ = nullptr;
  std::mutex mutex_;
  std::vector<void*> free_;
};

/// For the process, as OpenSSL's allocator is; never destroyed, because OpenSSL frees at exit.
struct Pools {
  Blocks small{3 * 1024 + 512, 4 * 1024};
  Blocks large{12 * 1024, 24 * 1024};

  Blocks* owner(const void* pointer) {
    if (large.owns(pointer)) return &large;
    return small.owns(pointer) ? &small : nullptr;
  }
};
Pools& pools() {
  static auto* pools = new Pools;
  return *pools;
}

void* allocate(std::size_t size, const char*, int) {
  for (auto* blocks : {&pools().small, &pools().large})
    if (blocks->fits(size))
      if (void* block = blocks->take()) return block;
  return std::malloc(size);
}

void release(void* pointer, const char*, int) {
  if (auto* owner = pools().owner(pointer))
    owner->give_back(pointer);
  else
    std::free(pointer);
}

void* reallocate(void* pointer, std::size_t size, const char* file, int line) {
  if (!pointer) return allocate(size, file, line);
  auto* owner = pools().owner(pointer);
  if (!owner) return std::realloc(pointer, size);
  if (size > 0 && size <= owner->block()) return pointer;
  void* moved = size > 0 ? allocate(size, file, line) : nullptr;
  if (size > 0 && !moved) return nullptr;
  if (moved) std::memcpy(moved, pointer, owner->block());
  owner->give_back(pointer);
  return moved;
}

}  // namespace

bool separate_tls_buffers() {
  return pools().small.open() && pools().large.open() &&
         CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

}  // namespace hikyaku::net
