// Whatever is prepared is UTF-8, and so is what is prepared again.
#include <cstdlib>

#include "base/text.h"
#include "sasl/saslprep.h"

using namespace hikyaku;
using namespace hikyaku::sasl;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto once = saslprep(text, Prepared::Query);
  if (!once) return 0;
  if (!is_utf8(*once)) std::abort();
  if (once->size() > kMaxPrepared) return 0;
  auto twice = saslprep(*once, Prepared::Query);
  if (twice && !is_utf8(*twice)) std::abort();
  return 0;
}
