// Names from peers and files: normal form and IDNA are stable.
#include <cstdlib>

#include "dns/name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::dns;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto name = normal_name(text)) {
    if (normal_name(*name) != *name) std::abort();
    std::size_t offset = 0;
    auto wire = name_to_wire(*name);
    if (wire.size() > kMaxWireName || name_from_wire(wire, offset) != *name) std::abort();
    if (!is_within(*name, parent(*name))) std::abort();
  }
  std::size_t offset = 0;
  if (auto name = name_from_wire(text, offset); name && normal_name(*name) != *name) std::abort();
  if (auto ascii = to_ascii(text)) {
    if (!is_domain_name(*ascii) || to_ascii(*ascii) != *ascii) std::abort();
  }
  to_unicode(text.substr(0, 1000));
  return 0;
}
