// Landlock: which files a process can still reach (landlock(7)).
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace hikyaku::app {

/// The files that can still be reached; all others are as if they were not there (EACCES). Empty:
/// none at all.
struct SandboxPaths {
  /// Directories in which files may be made, written, renamed and removed.
  std::vector<std::filesystem::path> writable;
  /// Files and directories that may be read.
  std::vector<std::filesystem::path> readable;
};

/// Since this ABI (Linux 6.12) Landlock fences abstract sockets of processes outside.
inline constexpr int kLandlockOfAbstractSockets = 6;

/// What this kernel's Landlock knows; 0: it has none.
int landlock_abi();

/// For good; nor can the process bind a TCP port of its choice any more (ABI 4), or reach signals
/// and abstract sockets of processes outside (ABI 6). Needs no_new_privs. Gives the kernel's ABI;
/// 0: it has no Landlock, and nothing is restricted.
Result<int> restrict_files(const SandboxPaths& paths);

}  // namespace hikyaku::app
