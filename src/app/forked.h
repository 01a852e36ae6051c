// A process of our own making that does one thing with less rights, and tells what came of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "base/result.h"
#include "net/fd.h"

namespace hikyaku::app {

/// While it lives, the process is there. No other threads may run when it is started.
class Forked {
 public:
  /// The other side's two ways to us.
  class Parent {
   public:
    Parent(net::UniqueFd answer, net::UniqueFd hold)
        : answer_(std::move(answer)), hold_(std::move(hold)) {}
    /// Once.
    void tell(std::string_view words);
    /// Returns when the parent's Forked has gone, or the parent itself.
    void wait_until_released();

   private:
    net::UniqueFd answer_, hold_;
  };

  /// Runs `work` there; the process ends when it returns. Io.
  static Result<std::unique_ptr<Forked>> start(const std::function<void(Parent&)>& work);
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  /// Lets the process go on from wait_until_released(), and waits for its end.
  ~Forked();

  /// What it told; "" if it ended before.
  std::string answer();

 private:
  Forked(pid_t child, net::UniqueFd answer, net::UniqueFd hold)
      : child_(child), answer_(std::move(answer)), hold_(std::move(hold)) {}

  pid_t child_;
  net::UniqueFd answer_, hold_;
};

}  // namespace hikyaku::app
