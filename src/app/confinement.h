// Confinement: what the processes that read hostile formats give up (docs/security.md): files,
// keys, network, other programs, and all of the kernel that their work does not need.
#pragma once

#include "app/confined_protocol.h"
#include "app/sandbox.h"
#include "base/result.h"

namespace hikyaku::app {

/// A sanitizer lives in this process: it needs more address space and more of the kernel than a
/// confined process has. It is confined without these two then.
bool has_sanitizer();

/// The spawner's, for good: of its files only `control` stays; it can start processes like itself
/// and nothing else. Unavailable: the kernel does not have it.
Result<SandboxState> confine_spawner(int control, const ConfinedLimits& limits);

/// A worker's, on top of the spawner's: of its files only `socket` stays. What is left is memory,
/// reading, writing and ending, and it ends by the limits of time.
Result<void> confine_worker(int socket, const ConfinedLimits& limits);

}  // namespace hikyaku::app
