// Buffers of command lines, which may have held a password.
#pragma once

#include <string>

namespace hikyaku {

/// Empties the text, keeps its memory, and leaves nothing of what stood there, also when it was so
/// short that it stood in the object itself. For secrets themselves there is crypto::Secret.
inline void forget(std::string& text) {
  text.assign(text.size() < 15 ? 15 : text.size(), '\0');
  text.clear();
}

}  // namespace hikyaku
