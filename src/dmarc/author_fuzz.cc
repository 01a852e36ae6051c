// Headers from anywhere: an author without findings has domains, each of them valid, and another
// parser finds nobody else in the field, before and after decoding.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dmarc/author.h"
#include "dns/name.h"
#include "mime/address.h"
#include "mime/encoded_word.h"

namespace {

/// Whether all that our forgiving parser takes for an address is within the author's domains.
/// `whole`: also what has no dot, or no domain name.
bool within(const hikyaku::dmarc::Author& author, std::string_view text, bool whole) {
  using namespace hikyaku;
  for (auto& address : mime::parse_address_list(text)) {
    if (address.domain.empty()) continue;
    auto domain = dns::to_ascii(address.domain);
    if (!whole && (!domain || !domain->contains('.') || domain->back() <= '9')) continue;
    if (!domain || std::ranges::find(author.domains, *domain) == author.domains.end()) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (auto& author : {dmarc::find_author(bytes), dmarc::read_author(bytes)}) {
    if (author.is_plain() && (author.domains.empty() || !author.other_domains.empty()))
      std::abort();
    for (auto& domain : author.domains)
      if (!dns::is_domain_name(domain)) std::abort();
  }
  auto author = dmarc::read_author(bytes);
  if (author.is_plain() &&
      (!within(author, bytes, true) || !within(author, mime::decode_words(bytes), false)))
    std::abort();
  return 0;
}
