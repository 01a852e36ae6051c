// Paths and mailboxes: what is taken must come back the same from its own written form.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "smtp/path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::smtp;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const PathRules rules{Characters::Utf8, kReversePathLimits};
  if (auto mailbox = parse_mailbox(text, rules)) {
    auto again = parse_mailbox(mailbox->to_string(), rules);
    if (!again || *again != *mailbox) std::abort();
    (void)mailbox->canonical();
    (void)mailbox->literal();
  }
  (void)parse_reverse_path(text, rules);
  (void)parse_forward_path(text);
  return 0;
}
