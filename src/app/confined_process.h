// ConfinedProcess: the child of the server in whose own children hostile formats are read. Started
// before the server has read a key, opened a port or started a thread.
//
// The child (the spawner) is this program, executed anew: nothing of the server's memory is in it,
// not even the addresses at which its code lies. It confines itself, then forks a worker for each
// job and never sees a byte of it: the job's bytes go over a socket of the server and the worker.
// A worker serves one job, so nothing of one report is there when the next is read.
#pragma once

#include <string>
#include <sys/types.h>

#include "app/confined_spawner.h"
#include "base/result.h"
#include "net/fd.h"

namespace hikyaku::app {

class ConfinedProcess {
 public:
  /// To be called while there is one thread. Its user becomes `user`, if we are root and it is not
  /// empty. Returns when the child has confined itself; Unavailable: it cannot, and Required was
  /// asked.
  static Result<ConfinedProcess> start(const std::string& user, Confine confine);
  /// The same without executing the program anew, for tests: with jobs and limits of their own.
  static Result<ConfinedProcess> fork_with(ConfinedJobs jobs, const ConfinedLimits& limits);

  /// Orders go there, notes come from there; closing it ends the child.
  int control() const { return control_.get(); }
  pid_t pid() const { return pid_; }
  bool confined() const { return confined_; }
  /// What it has given up, or why it could not; for the log.
  const std::string& state() const { return state_; }

 private:
  ConfinedProcess(net::UniqueFd control, pid_t pid) : control_(std::move(control)), pid_(pid) {}
  Result<void> wait_until_ready();

  net::UniqueFd control_;
  pid_t pid_;
  bool confined_ = false;
  std::string state_;
};

/// By this name as its first word the program is the spawner.
inline constexpr const char* kConfinedProgram = "hikyaku-confined";
/// The words behind it.
[[noreturn]] void confined_main(const std::string& user, const std::string& confine);

}  // namespace hikyaku::app
