// AccountSessions: IMAP connections to the accounts of an instance, without their passwords.
#pragma once

#include <memory>
#include <string>

#include "app/control_io.h"
#include "app/instance.h"
#include "app/store_process.h"
#include "base/result.h"
#include "base/task.h"
#include "config/config.h"
#include "net/stream.h"

namespace hikyaku::app {

/// Through the running server, or, when none runs, through a process that opens the store, and
/// keeps it open (and locked) until this object goes.
class AccountSessions {
 public:
  /// For the owner of the instance, which `config` places. Finds out whether the server runs. Not
  /// on a loop; no other threads may run. Denied: the instance is somebody else's; Conflict: the
  /// store is open elsewhere, by no server.
  /// `starting` is called on the loops of those who connect.
  static Result<std::unique_ptr<AccountSessions>> open(const Instance& instance,
                                                       const config::Config& config,
                                                       OnStarting starting);

  /// A connection on which an IMAP server greets with PREAUTH. On a loop. NotFound: no such
  /// account; Denied: the instance is somebody else's; Unavailable: the server, or that process, is
  /// gone.
  Task<Result<std::unique_ptr<net::Stream>>> connect(std::string address);

 private:
  AccountSessions(std::string socket, std::unique_ptr<StoreProcess> store, OnStarting starting)
      : socket_(std::move(socket)), store_(std::move(store)), starting_(std::move(starting)) {}

  std::string socket_;
  std::unique_ptr<StoreProcess> store_;  ///< none: the server is waited for, not replaced
  OnStarting starting_;
};

}  // namespace hikyaku::app
