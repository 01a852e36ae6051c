// MessageSource: a message on its way out.
#pragma once

#include <string>

#include "base/result.h"
#include "base/task.h"

namespace hikyaku::client {

/// Where the bytes of a message come from, piece by piece.
class MessageSource {
 public:
  virtual ~MessageSource() = default;
  /// The next piece (CRLF line ends), empty at the end.
  virtual Task<Result<std::string>> next() = 0;
};

}  // namespace hikyaku::client
