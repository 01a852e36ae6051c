// Findings from anywhere, "check\nresult\nreason": told in words without a crash, within a bound.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "story/checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  story::Finding finding;
  for (auto* part : {&finding.check, &finding.result}) {
    auto end = std::min(text.find('\n'), text.size());
    *part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  finding.reason = text;
  for (auto language : {Language::English, Language::Japanese}) {
    auto told = story::tell_check(finding, language);
    if (told && (told->empty() || told->back() != '\n')) std::abort();
    // Each value is told a few times at most, each byte of it as "\xNN" at worst.
    if (told && told->size() > 2000 + 20 * size) std::abort();
  }
  return 0;
}
