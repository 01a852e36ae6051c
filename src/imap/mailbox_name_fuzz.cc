// Mailbox names: one spelling in modified UTF-7 for each name; patterns against a plain matcher.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "imap/mailbox_name.h"

namespace {
/// LIST's matching by its definition, in quadratic space.
bool plain_match(std::string_view pattern, std::string_view name) {
  std::vector<std::vector<bool>> table(pattern.size() + 1, std::vector<bool>(name.size() + 1));
  table[0][0] = true;
  for (std::size_t p = 1; p <= pattern.size(); ++p) {
    char c = pattern[p - 1];
    for (std::size_t n = 0; n <= name.size(); ++n) {
      bool wild = c == '*' || c == '%';
      if (wild && table[p - 1][n]) table[p][n] = true;
      if (n == 0) continue;
      if (wild && table[p][n - 1] && (c == '*' || name[n - 1] != '/')) table[p][n] = true;
      if (!wild && table[p - 1][n - 1] && c == name[n - 1]) table[p][n] = true;
    }
  }
  return table[pattern.size()][name.size()];
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::imap;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto name = from_utf7(text)) {
    if (!is_utf8(*name) || to_utf7(*name) != text) std::abort();
  }
  if (is_utf8(text) && from_utf7(to_utf7(text)).value() != text) std::abort();
  (void)check_new_name(text);

  auto cut = text.find('\n');
  if (cut == std::string_view::npos || cut > 100 || size > 300) return 0;
  auto pattern = text.substr(0, cut), name = text.substr(cut + 1);
  if (name.find_first_of("*%") != std::string_view::npos) return 0;
  if (pattern_matches(pattern, name) != plain_match(pattern, name)) std::abort();
  ListPatterns patterns("", {std::string(pattern)});
  // But for INBOX and a leading separator, the prepared form says the same.
  if (!pattern.starts_with('/') && !istarts_with(pattern, "INBOX") && name != "INBOX" &&
      patterns.matches(name) != plain_match(pattern, name))
    std::abort();
  if (patterns.matches(name) && !parent_name(name).empty() && !name.ends_with('/') &&
      name != "INBOX" && !patterns.may_match_below(parent_name(name)))
    std::abort();
  return 0;
}
