// Authentication-Results: what is read can be written and is then read as the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "mime/authentication_results.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::mime;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto& field : hikyaku::mime::HeaderView(text))
    (void)hikyaku::mime::is_claimed_results(field, "mail.example.org");
  auto first = parse_authentication_results(text);
  if (!first) return 0;
  if (first->authserv_id.empty()) return 0;
  auto again = parse_authentication_results(write_authentication_results(*first));
  if (!again || again->methods.size() != first->methods.size()) std::abort();
  // Ours is a host name; what others call themselves may have a semicolon between quotes.
  auto host = std::ranges::all_of(again->authserv_id, [](char c) {
    return hikyaku::is_ascii_alnum(c) || c == '-' || c == '.';
  });
  if (host && !claims_authserv_id(write_authentication_results(*again), again->authserv_id))
    std::abort();
  if (parse_authentication_results(write_authentication_results(*again)) != *again) std::abort();
  return 0;
}
