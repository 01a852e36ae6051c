// Rounds: what a loop of the server does again and again. One round that fails does not end it.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/task.h"

namespace hikyaku {

/// Who looks after something until the server ends: what a round throws (an index that cannot be
/// read, a defect) is told, and the loop waits and goes on with the next. Belongs to one loop, and
/// is used on its event loop only.
class Rounds {
 public:
  /// `what` names the work in the log; a literal. Of failures one is told in `tell_every`, with how
  /// many were not.
  Rounds(Log log, std::string_view what,
         std::chrono::milliseconds tell_every = std::chrono::minutes(10))
      : log_(std::move(log)), what_(what), tell_every_(tell_every) {}

  /// Awaits one piece of the work. False: it threw, which is told. Go on with the next piece, and
  /// wait before this one is tried again.
  Task<bool> run(Task<void> piece);

  /// The same for a piece that gives a value; `otherwise` when it threw.
  template <class T>
  Task<T> run(Task<T> piece, T otherwise) {
    try {
      co_return co_await std::move(piece);
    } catch (...) {
      tell(std::current_exception());
    }
    co_return otherwise;
  }

  /// For what a task threw that nobody waits for (Gate::OnError).
  void tell(const std::exception_ptr& error);

 private:
  Log log_;
  std::string_view what_;
  std::chrono::milliseconds tell_every_;
  std::optional<std::chrono::steady_clock::time_point> told_;
  std::int64_t untold_ = 0;
};

}  // namespace hikyaku
