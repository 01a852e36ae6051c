// A DNS message as it comes from the network, any bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dns/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  if (!hikyaku::dns::is_referral(message)) return 0;
  // With an error, or cut before its last record, it says nothing of other servers.
  std::string failed(message);
  failed[3] = static_cast<char>(failed[3] | 3);
  if (hikyaku::dns::is_referral(failed)) std::abort();
  if (hikyaku::dns::is_referral(message.substr(0, 12))) std::abort();
  return 0;
}
