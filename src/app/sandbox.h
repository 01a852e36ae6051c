// The sandbox: what the running server gives up once its ports are open and its user is changed.
// From then on whoever takes the process over can neither run another program, nor watch another
// process, nor see a file that is not the instance's own (docs/security.md).
#pragma once

#include <string>

#include "app/instance.h"
#include "app/landlock.h"
#include "base/result.h"
#include "config/config.h"

namespace hikyaku::app {

/// What an instance needs: its data, its configuration and certificates to read them again, and
/// what the C library, OpenSSL and the resolver open late. Paths that do not exist are left out.
SandboxPaths sandbox_paths(const Instance& instance, const config::Config& config);

/// Those that there are now, as the kernel finds them: rules hold for what a name led to when the
/// sandbox was entered.
SandboxPaths resolved(const SandboxPaths& paths);

/// Whether a sandbox of these resolved paths lets `file` be read, as far as its name says.
bool lets_read(const SandboxPaths& paths, const std::filesystem::path& file);

/// What the kernel gave.
struct SandboxState {
  int landlock_abi =
      0;  ///< 0: this kernel has no Landlock: any file that the user may read can be seen
  bool seccomp = false;
  /// One line for the log: "landlock 7, seccomp, no capabilities".
  std::string describe() const;
};

/// For good, and for every thread that is started later: to be called while there is only one.
/// Drops all capabilities, sets no_new_privs, no core dumps, then Landlock and seccomp. Unavailable
/// if the kernel refuses what it has.
Result<SandboxState> enter_sandbox(const SandboxPaths& paths);

}  // namespace hikyaku::app
