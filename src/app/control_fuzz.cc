// Any line is refused, or means something that is written and read back the same.
#include <cstdlib>

#include "app/control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::app;
  auto line = decode_control_line({reinterpret_cast<const char*>(data), size});
  if (!line) return 0;
  auto written = encode_control_line(*line);
  auto again = decode_control_line(written);
  if (!again || encode_control_line(*again) != written) std::abort();
  return 0;
}
