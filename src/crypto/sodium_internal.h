// What the sources of crypto/ share about libsodium. Included by nobody else.
#pragma once

#include <cstdlib>
#include <sodium/core.h>

namespace hikyaku::crypto {

/// Before the first use of anything in libsodium that draws randomness or picks an implementation.
inline void ensure_sodium() {
  static const int ready = sodium_init();
  if (ready < 0) std::abort();
}

}  // namespace hikyaku::crypto
