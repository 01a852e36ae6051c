// A zone file may be anything: it is read or refused, and what was read can be asked.
#include <cstdlib>

#include "dns/name.h"
#include "dns/zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::dns;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto zone = Zone::parse(text, "fuzz", {.bytes = 1 << 20, .records = 1000});
  if (!zone) return 0;
  for (auto& record : zone->records()) {
    auto found = zone->find(record.name, record.type);
    if (found.status != Status::Ok && found.status != Status::Failed) std::abort();
    zone->find("x." + record.name, Type::A);
    auto wire = name_to_wire(record.name);
    std::size_t offset = 0;
    if (name_from_wire(wire, offset) != record.name || offset != wire.size()) std::abort();
  }
  return 0;
}
