#include "app/confinement.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/core.h"
#include "app/landlock.h"
#include "app/privileges.h"
#include "app/seccomp_filter.h"
#include "base/text.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HIKYAKU_HAS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HIKYAKU_HAS_SANITIZER
#endif

namespace hikyaku::app {
namespace {

/// Memory, the socket, time, ending.
constexpr std::string_view kWork =
    "brk munmap mremap madvise futex read write readv writev recvmsg sendmsg recvfrom sendto "
    "clock_gettime clock_getres gettimeofday time getrandom gettid getpid rt_sigreturn "
    "restart_syscall exit exit_group";
/// What the spawner needs beyond it: to start workers, hear of their end, and let them give up
/// more.
constexpr std::string_view kSpawn =
    "ppoll poll wait4 close close_range getppid set_robust_list rseq rt_sigaction rt_sigprocmask "
    "alarm setitimer setrlimit getrlimit prlimit64 seccomp tgkill";

Error failed(std::string_view what) {
  return errno_error(fmt::format("cannot confine a process ({})", what), errno);
}

Result<void> limit(__rlimit_resource resource, rlim_t most, rlim_t beyond = 0) {
  rlimit both{most, most + beyond};
  if (::setrlimit(resource, &both) != 0) return std::unexpected(failed("setrlimit"));
  return {};
}

/// The errors of a sanitizer are still told.
Result<void> close_all_but(int fd) {
  auto first = has_sanitizer() ? 3u : 0u;
  auto kept = static_cast<unsigned>(fd);
  bool closed = (kept <= first || ::close_range(first, kept - 1, 0) == 0) &&
                ::close_range(std::max(kept + 1, first), ~0u, 0) == 0;
  if (!closed) return std::unexpected(failed("close_range"));
  return {};
}

/// The strings themselves, too: what a program was called with may be a secret.
void forget_environment() {
  for (auto entry = environ; entry && *entry; ++entry) std::memset(*entry, 0, std::strlen(*entry));
  ::clearenv();
}

Result<rlim_t> mapped_bytes() {
  TRY(auto statm, read_file("/proc/self/statm", 4096));
  auto pages = parse_decimal(split(statm, ' ').front());
  if (!pages) return fail(ErrorCode::Unavailable, "/proc/self/statm cannot be read");
  return *pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

/// No memory becomes code.
void allow_memory(SeccompFilter& filter) {
  filter.allow_if("mmap", {2, 0, PROT_EXEC});
  filter.allow_if("mprotect", {2, 0, PROT_EXEC});
}

Result<void> restrict_spawner() {
  SeccompFilter filter;
  filter.allow(kWork);
  filter.allow(kSpawn);
  allow_memory(filter);
  // fork() of the C library, and nothing that makes threads or namespaces.
  constexpr std::uint64_t kSetTid = 0x01000000, kClearTid = 0x00200000;  // CLONE_CHILD_*
  filter.allow_if("clone", {0, SIGCHLD, ~(kSetTid | kClearTid)});
  for (std::uint64_t operation : {PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_SECCOMP, PR_GET_SECCOMP,
                                  PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, 0x53564d41})
    filter.allow_if("prctl", {0, operation});
  return filter.enter();
}

Result<void> restrict_worker() {
  SeccompFilter filter;
  filter.allow(kWork);
  allow_memory(filter);
  // abort() ends us, and nobody else.
  filter.allow_if("tgkill", {0, static_cast<std::uint64_t>(::getpid())});
  filter.allow_if("prctl", {0, 0x53564d41 /* PR_SET_VMA: names of memory */});
  return filter.enter();
}

}  // namespace

bool has_sanitizer() {
#ifdef HIKYAKU_HAS_SANITIZER
  return true;
#else
  return false;
#endif
}

Result<SandboxState> confine_spawner(int control, const ConfinedLimits& limits) {
  forget_environment();
  if (::chdir("/") != 0) return std::unexpected(failed("chdir"));
  if (!has_sanitizer()) {
    TRY(auto mapped, mapped_bytes());
    TRY_DO(limit(RLIMIT_AS, mapped + limits.memory));
  }
  TRY_DO(close_all_but(control));
  TRY_DO(limit(RLIMIT_FSIZE, 0));
  TRY_DO(limit(RLIMIT_MEMLOCK, 0));
  // Its own socket, and one for each job until its worker has it.
  TRY_DO(limit(RLIMIT_NOFILE, static_cast<rlim_t>(control) + 16));
  TRY_DO(give_up_privileges());
  SandboxState state;
  TRY(state.landlock_abi, restrict_files({}));
  if (!has_sanitizer()) {
    TRY_DO(restrict_spawner());
    state.seccomp = true;
  }
  return state;
}

Result<void> confine_worker(int socket, const ConfinedLimits& limits) {
  TRY_DO(close_all_but(socket));
  TRY_DO(limit(RLIMIT_NOFILE, 0));
  // SIGXCPU first, which tells why; SIGKILL a second later.
  TRY_DO(limit(RLIMIT_CPU, static_cast<rlim_t>(limits.processor.count()), 1));
  ::alarm(static_cast<unsigned>(limits.deadline.count()));
  if (!has_sanitizer()) TRY_DO(restrict_worker());
  return {};
}

}  // namespace hikyaku::app
