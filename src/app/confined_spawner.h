// The spawner, and the workers that it starts: the other side of confined_process.h. Everything
// here runs in processes of its own.
#pragma once

#include "app/confined_protocol.h"

namespace hikyaku::app {

/// Whether the server insists.
enum class Confine { Required, IfPossible };

/// Confines this process, says so on `control` (a SOCK_SEQPACKET socket), and starts a worker for
/// every job that comes, until the other side is gone. It never reads a byte of a job itself.
[[noreturn]] void run_spawner(int control, ConfinedJobs jobs, const ConfinedLimits& limits,
                              Confine confine);

}  // namespace hikyaku::app
