// The store when no server runs, opened by a process of its own.
#pragma once

#include <memory>

#include "app/forked.h"
#include "app/instance.h"
#include "base/result.h"
#include "config/config.h"
#include "net/stream.h"

namespace hikyaku::app {

/// That process becomes the server's user, so what it writes belongs to that user; we keep our
/// rights, for the files that whoever calls us has named. It answers as a server answers on its
/// control socket, without what only a running one can do. While this lives, the store is open (and
/// locked).
class StoreProcess {
 public:
  /// Whether opening the store in this process would take rights from it: root, with server.user.
  static bool keeps_rights(const config::Config& config);

  /// `instance` as the configuration places it. No other threads may run. Blocks. NotFound, Denied,
  /// NoSpace, Io; Conflict: the store is open elsewhere.
  static Result<std::unique_ptr<StoreProcess>> start(const Instance& instance,
                                                     const config::Config& config);
  StoreProcess(const StoreProcess&) = delete;
  StoreProcess& operator=(const StoreProcess&) = delete;
  /// Closes the store and waits until that is done. Its connections have been closed.
  ~StoreProcess() = default;

  /// A new connection to it, on the loop that asks. Unavailable: it is gone.
  Result<std::unique_ptr<net::Stream>> connect();

 private:
  StoreProcess(std::unique_ptr<Forked> process, net::UniqueFd channel)
      : process_(std::move(process)), channel_(std::move(channel)) {}

  std::unique_ptr<Forked> process_;
  net::UniqueFd channel_;  ///< closed before the process is waited for: it ends by that
};

}  // namespace hikyaku::app
