// Server: one running instance, everything wired together.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/control.h"
#include "app/core.h"

namespace hikyaku::app {

struct ServerMetrics;

class Server {
 public:
  /// Binds every listener (as root, if that is who we are), gives up root, opens the store, starts.
  /// `say` gets lines for people ("listening on …"). `metrics` must outlive the server. The error
  /// tells what to do.
  static Result<std::unique_ptr<Server>> start(Instance instance, config::Config config, Log log,
                                               std::function<void(std::string)> say,
                                               ServerMetrics& metrics,
                                               WhichStore which = WhichStore::Existing);
  virtual ~Server() = default;

  /// Runs until SIGTERM or SIGINT, then ends cleanly: listeners, sessions, what is being sent,
  /// store. SIGHUP reloads certificates and configuration.
  virtual void run() = 0;
};

}  // namespace hikyaku::app
