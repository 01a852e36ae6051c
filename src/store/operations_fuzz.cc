// The operation list of a record group: any bytes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/operations.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::store;
  auto writes = decode_operations({reinterpret_cast<const char*>(data), size});
  if (!writes) return 0;
  // What was understood says the same when it is written again.
  auto again = decode_operations(encode_operations(*writes));
  if (!again || !(*again == *writes)) std::abort();
  return 0;
}
