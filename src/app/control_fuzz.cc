// Any line is refused, or means something that is written and read back as the same thing. (The
// digits of fractions may differ: the JSON library rounds; no argument is one.)
#include <cstdlib>

#include "app/control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::app;
  auto line = decode_control_line({reinterpret_cast<const char*>(data), size});
  if (!line) return 0;
  auto written = encode_control_line(*line);
  auto again = decode_control_line(written);
  if (!again || again->index() != line->index() || written.contains('\n')) std::abort();
  if (auto request = std::get_if<ControlRequest>(&*line))
    if (std::get<ControlRequest>(*again).verb != request->verb) std::abort();
  return 0;
}
