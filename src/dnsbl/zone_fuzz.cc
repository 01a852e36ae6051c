// A list of the configuration, from any text: what is accepted can be asked, and is the same when
// it is written again.
#include <cstdlib>
#include <fmt/format.h>

#include "dns/name.h"
#include "dnsbl/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  auto zone = dnsbl::parse_zone({reinterpret_cast<const char*>(data), size});
  if (!zone) return 0;
  if (!(zone->weight >= -100 && zone->weight <= 100)) std::abort();
  // {:f} of the shortest form would be rounded: as many digits as a double can have.
  auto again = dnsbl::parse_zone(fmt::format("{}={:.1100f}", zone->name, zone->weight));
  if (!again || *again != *zone) std::abort();
  for (auto* address : {"192.0.2.1", "2001:db8::1"})
    if (!dnsbl::query_name(*IpAddress::parse(address), zone->name).ends_with("." + zone->name))
      std::abort();
  return 0;
}
