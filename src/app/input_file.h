// The input of one-shot commands: a file, or standard input.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace hikyaku::app {

/// Larger inputs are refused: nobody sends such messages.
inline constexpr std::size_t kMaxInput = std::size_t{1} << 30;

/// All bytes of the file, or of standard input when `name` is "-" or empty. NotFound, Denied or Io
/// with the name in the text; TooLarge above `limit`.
Result<std::string> read_input(const std::string& name, std::size_t limit = kMaxInput);

}  // namespace hikyaku::app
