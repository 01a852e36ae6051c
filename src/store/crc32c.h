// CRC-32C (Castagnoli, RFC 3720 Appendix B.4), with the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace hikyaku::store {

/// The CRC of `bytes`, going on from `before`: crc32c(crc32c(s, a), b) == crc32c(s, a + b).
/// crc32c(0, "123456789") == 0xE3069283. Any other first value is a seed.
std::uint32_t crc32c(std::uint32_t before, std::string_view bytes);

/// The same without the instruction; for tests and other processors.
std::uint32_t crc32c_table(std::uint32_t before, std::string_view bytes);

}  // namespace hikyaku::store
