// A DNS message as it comes from the network, any bytes.
#include <cstdint>
#include <cstdlib>

#include "dns/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  // What only says where to ask says so, whatever else of it is lost behind.
  if (hikyaku::dns::is_referral(message) && size < 12 + 11) std::abort();
  return 0;
}
