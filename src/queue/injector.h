// Injector: how messages that this server makes itself (bounces, delay notices) get on their way.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "store/store.h"

namespace hikyaku::queue {

/// A message of our own.
struct Injection {
  std::string mail_from;  ///< "" for notices: nobody answers them
  std::vector<std::string> recipients;
  std::string message;   ///< header and body, CRLF
  std::string protocol;  ///< for the story: "BOUNCE", "DELAY"
};

/// receive/ implements it, transmit/ uses it.
class Injector {
 public:
  virtual ~Injector() = default;
  /// Delivers or queues the message. `also` runs in the same transaction: what the notice is about
  /// ends in the moment in which the notice exists, so that a crash neither loses nor doubles it.
  /// Recipients that are unknown here are dropped (a notice about a notice helps nobody).
  using Also = std::function<Result<void>(store::Transaction&)>;
  virtual Task<Result<void>> inject(Injection injection, Also also) = 0;
};

}  // namespace hikyaku::queue
