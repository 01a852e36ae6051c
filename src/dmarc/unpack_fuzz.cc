// Archives from anywhere: never more than the limit comes out.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dmarc/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::dmarc;
  UnpackLimits limits;
  limits.bytes = 1 << 20;
  auto bytes = unpack(std::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (bytes && packing_of({reinterpret_cast<const char*>(data), size}) != Packing::Plain &&
      bytes->size() > limits.bytes)
    std::abort();
  return 0;
}
