// A stored problem, any text: in English it is what it was, in Japanese something of bounded length
// (the tables of dkim/ are within those of arc/).
#include <cstdlib>

#include "arc/problem.h"
#include "dkim/problem.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto problem_in : {arc::problem_in, dkim::problem_in}) {
    if (problem_in(text, Language::English) != text) std::abort();
    // A phrase of one letter becomes some sentence at worst.
    if (problem_in(text, Language::Japanese).size() > 1000 + 200 * size) std::abort();
  }
  return 0;
}
