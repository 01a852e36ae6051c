// AccountSessions: IMAP connections to the accounts of an instance, without their passwords.
#pragma once

#include <memory>
#include <string>

#include "app/instance.h"
#include "base/result.h"
#include "base/task.h"
#include "config/config.h"
#include "net/stream.h"

namespace hikyaku::app {

/// Through the running server, or, when none runs, on the store, which this object then opens and
/// keeps (and locks) until it goes.
class AccountSessions {
 public:
  /// For the owner of the instance. `config` is the instance's.
  AccountSessions(Instance instance, config::Config config);
  /// Not on a loop; the sessions have ended by then.
  ~AccountSessions();

  /// A connection on which an IMAP server greets with PREAUTH. On one loop, always the same.
  /// NotFound: no such account; Denied: the instance is somebody else's; Conflict: the store is
  /// open elsewhere, by no server; Unavailable: the server that has answered before is gone.
  Task<Result<std::unique_ptr<net::Stream>>> connect(std::string address);
  /// Waits until the sessions on the store have ended; on the loop, after all streams are closed.
  Task<void> end();

 private:
  class Offline;

  Instance instance_;
  config::Config config_;
  std::unique_ptr<Offline> offline_;
  bool asked_ = false;  ///< the server has answered: it is waited for, not replaced
};

}  // namespace hikyaku::app
