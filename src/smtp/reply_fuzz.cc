// Replies of other servers, fed whole and octet by octet; what they offer and mean.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "smtp/client.h"

namespace {
std::string read(std::string_view bytes, std::size_t step) {
  hikyaku::smtp::ReplyParser parser({.line = 100, .lines = 10, .total = 500});
  std::string seen;
  while (!bytes.empty() && !parser.error()) {
    bytes.remove_prefix(parser.feed(bytes.substr(0, step)));
    if (!parser.ready()) continue;
    auto reply = parser.take();
    (void)hikyaku::smtp::parse_ehlo(reply);
    (void)hikyaku::smtp::judge(hikyaku::smtp::Stage::Rcpt, reply);
    seen += hikyaku::smtp::format(reply);
  }
  return seen;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (read(bytes, size + 1) != read(bytes, 1)) std::abort();
  return 0;
}
