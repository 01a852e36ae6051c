#include "app/sandbox.h"

#include <algorithm>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/landlock.h"
#include "app/privileges.h"
#include "app/seccomp_filter.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

// --- seccomp ----------------------------------------------------------------

/// What the server, glibc, RocksDB, OpenSSL and libunbound call once it runs. All else gives
/// ENOSYS, for which libraries that try something newer first have another way.
constexpr std::string_view kAllowed =
    // memory and threads
    "brk mmap munmap mremap mprotect madvise futex futex_waitv set_robust_list "
    "get_robust_list rseq membarrier sched_yield sched_getaffinity sched_setaffinity "
    "sched_getparam sched_getscheduler set_tid_address exit exit_group gettid getpid "
    "getppid getcpu arch_prctl restart_syscall "
    // time and events
    "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time epoll_create1 "
    "epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6 eventfd2 "
    "timerfd_create timerfd_settime timerfd_gettime pipe2 "
    // files (which of them: Landlock)
    "open openat openat2 close close_range read write readv writev pread64 pwrite64 preadv "
    "pwritev preadv2 pwritev2 lseek fsync fdatasync sync_file_range ftruncate "
    "fallocate fadvise64 readahead copy_file_range sendfile flock fcntl dup dup2 dup3 stat "
    "fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 getdents64 "
    "getcwd mkdir mkdirat rename renameat renameat2 unlink unlinkat rmdir link linkat "
    "readlink readlinkat chmod fchmod fchmodat utimensat umask ioprio_set ioprio_get "
    // sockets (their families: below)
    "connect accept accept4 bind shutdown sendto sendmsg sendmmsg recvfrom recvmsg "
    "recvmmsg getsockname getpeername setsockopt getsockopt "
    // signals (to ourselves: below)
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack "
    // who and where we are
    "getuid geteuid getgid getegid getgroups getrandom uname sysinfo getrusage getrlimit "
    "prlimit64 times capget getpriority setpriority";
/// What somebody who took us over would try: a clear refusal.
constexpr std::string_view kRefused =
    "execve execveat ptrace process_vm_readv process_vm_writev fork vfork kill tkill mount "
    "umount2 chroot pivot_root setuid setgid setreuid setregid setresuid setresgid "
    "setgroups capset unshare setns bpf perf_event_open userfaultfd keyctl add_key "
    "request_key init_module finit_module kexec_load io_uring_setup personality swapon "
    "reboot memfd_create pidfd_open pidfd_getfd "
    // All that is to listen does so by now; another listener would be a back door.
    "listen "
    // By name: Landlock knows it only since Linux 6.2.
    "truncate";

Result<void> restrict_calls() {
  SeccompFilter filter;
  filter.allow(kAllowed);
  filter.refuse(kRefused);
  // Threads, but no processes. clone3 hides its flags in memory: glibc takes clone where it is
  // missing.
  constexpr std::uint64_t kThread = 0x00010000;  // CLONE_THREAD
  filter.allow_if("clone", {0, kThread, kThread});
  filter.allow_if("tgkill", {0, static_cast<std::uint64_t>(::getpid())});
  for (std::uint64_t family : {AF_UNIX, AF_INET, AF_INET6}) {
    filter.allow_if("socket", {0, family});
    filter.allow_if("socketpair", {0, family});
  }
  for (std::uint64_t request :
       {0x5421 /* FIONBIO */, 0x541b /* FIONREAD */, 0x5451 /* FIOCLEX */, 0x5401 /* TCGETS */})
    filter.allow_if("ioctl", {1, request});
  for (std::uint64_t operation :
       {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, 0x53564d41 /* PR_SET_VMA */})
    filter.allow_if("prctl", {0, operation});
  return filter.enter();
}

// --- paths ------------------------------------------------------------------

/// What the resolver, OpenSSL and the C library open when they need it.
constexpr std::string_view kOpenedLate =
    "/etc/resolv.conf /etc/hosts /etc/nsswitch.conf /etc/passwd /etc/group /etc/host.conf "
    "/etc/gai.conf /etc/services /etc/ssl/certs /etc/ssl/openssl.cnf /etc/localtime "
    "/etc/ld.so.cache /usr/share/ca-certificates /usr/local/share/ca-certificates "
    "/usr/share/dns /usr/share/zoneinfo /usr/share/publicsuffix /usr/lib /lib /lib64 "
    "/usr/lib64 /dev/null /dev/urandom /proc/self /proc/meminfo /proc/cpuinfo "
    "/sys/fs/cgroup /sys/devices/system/cpu";

/// The directory of a file that is read anew later, by its name and by where links lead today.
void add_directory_of(std::vector<fs::path>& paths, const fs::path& file) {
  std::error_code ignored;
  paths.push_back(file.parent_path());
  paths.push_back(fs::weakly_canonical(file, ignored).parent_path());
}

}  // namespace

std::string SandboxState::describe() const {
  std::string files = "no landlock in this kernel";
  if (landlock_abi > 0) {
    files = fmt::format("landlock {}", landlock_abi);
    if (landlock_abi < kLandlockOfAbstractSockets)
      files += " (this kernel does not fence abstract sockets)";
  }
  return files + (seccomp ? ", seccomp" : ", no seccomp") + ", no capabilities";
}

SandboxPaths sandbox_paths(const Instance& instance, const config::Config& config) {
  SandboxPaths paths;
  paths.writable = {instance.data};
  // Its sockets lie beside its keys: whoever could remove the ones could remove the others. So they
  // stay behind, and the next start removes them (net::Listener::bind_unix).
  auto& readable = paths.readable;
  // Configuration and keys are looked for by name again at SIGHUP, when an editor or certbot has
  // put new files in their place.
  add_directory_of(readable, instance.config);
  readable.insert(readable.end(), {instance.tls, instance.dkim, instance.secret_key});
  for (auto& certificate : config.tls.certificates) {
    add_directory_of(readable, certificate.cert);
    add_directory_of(readable, certificate.key);
  }
  readable.insert(readable.end(), {config.dns.zone_file, config.dns.trust_anchors});
  for (auto path : split(kOpenedLate, ' ')) readable.emplace_back(path);
  return paths;
}

SandboxPaths resolved(const SandboxPaths& paths) {
  auto all = paths;
  for (auto* list : {&all.writable, &all.readable}) {
    for (auto& path : *list) {
      std::error_code missing;
      path = path.empty() ? path : fs::canonical(path, missing);
      if (missing) path.clear();
    }
    std::erase(*list, fs::path());
  }
  return all;
}

bool lets_read(const SandboxPaths& paths, const fs::path& file) {
  std::error_code error;
  auto real = fs::weakly_canonical(file, error);
  if (error) return false;
  auto holds = [&](const fs::path& allowed) {
    auto [end, _] = std::ranges::mismatch(allowed, real);
    return end == allowed.end();
  };
  return std::ranges::any_of(paths.readable, holds) || std::ranges::any_of(paths.writable, holds);
}

Result<SandboxState> enter_sandbox(const SandboxPaths& paths) {
  // Who asks for a user later finds the modules of nsswitch.conf loaded.
  (void)::getpwuid(0);
  (void)::getpwnam("hikyaku-nobody-of-this-name");
  TRY_DO(give_up_privileges());
  SandboxState state;
  TRY(state.landlock_abi, restrict_files(paths));
  TRY_DO(restrict_calls());
  state.seccomp = true;
  return state;
}

}  // namespace hikyaku::app
