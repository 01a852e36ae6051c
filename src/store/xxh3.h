// XXH3, the 64-bit hash with which RocksDB guards the blocks of its tables (xxhash.com, "xxHash
// fast digest algorithm", XXH3; seed 0 and the default secret).
#pragma once

#include <cstdint>
#include <string_view>

namespace hikyaku::store {

/// Shorter texts have forms of their own in XXH3. No block is so short.
constexpr std::size_t kShortestXxh3 = 17;

/// The hash of at least kShortestXxh3 bytes.
std::uint64_t xxh3(std::string_view bytes);

}  // namespace hikyaku::store
