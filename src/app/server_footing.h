// What a server takes hold of while it has the rights to, and how it gives those up.
#pragma once

#include <optional>
#include <vector>

#include "app/confined_process.h"
#include "app/core.h"
#include "app/instance.h"
#include "app/listeners.h"
#include "app/local_sockets.h"
#include "app/open_files.h"
#include "app/sandbox.h"
#include "base/log.h"
#include "config/config.h"

namespace hikyaku::app {

struct Footing {
  OpenFiles files;
  ConfinedProcess confined;  ///< in whose children hostile formats are read
  std::vector<BoundListener> listeners;
  LocalSockets::Bound local;
  std::optional<SandboxPaths> readable;  ///< in the sandbox; nothing: every file
};

/// Binds everything (as root, if that is who we are), becomes the server's user, and enters the
/// sandbox. Before the first thread: what is given up holds for those that come.
Result<Footing> take_footing(const Instance& instance, const config::Config& config, const Log& log,
                             WhichStore which);

}  // namespace hikyaku::app
