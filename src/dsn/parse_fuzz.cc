// Reports from anywhere: read without a crash; what is read can be written and read again.
#include <cstdint>
#include <string_view>

#include "dsn/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)hikyaku::dsn::parse_delivery_status(bytes);
  auto message = hikyaku::mime::parse_message(bytes);
  (void)hikyaku::dsn::find_report(message);
  return 0;
}
