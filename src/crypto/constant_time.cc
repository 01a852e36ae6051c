#include "crypto/constant_time.h"

#include <sodium/utils.h>

namespace hikyaku::crypto {

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace hikyaku::crypto
