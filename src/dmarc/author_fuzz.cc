// Headers from anywhere: an author without findings has domains, each of them valid.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dmarc/author.h"
#include "dns/name.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (auto& author : {dmarc::find_author(bytes), dmarc::read_author(bytes)}) {
    if (author.is_plain() && (author.domains.empty() || !author.other_domains.empty()))
      std::abort();
    for (auto& domain : author.domains)
      if (!dns::is_domain_name(domain)) std::abort();
  }
  return 0;
}
