#include "app/sandbox.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

// Constants of Landlock that the headers of Debian 12 do not have yet (landlock(7)).
constexpr std::uint64_t kFsRefer = 1ull << 13;           // ABI 2
constexpr std::uint64_t kFsTruncate = 1ull << 14;        // ABI 3
constexpr std::uint64_t kFsIoctlDevice = 1ull << 15;     // ABI 5
constexpr std::uint64_t kNetBindTcp = 1ull << 0;         // ABI 4
constexpr std::uint64_t kScopeAbstractUnix = 1ull << 0;  // ABI 6
constexpr std::uint64_t kScopeSignal = 1ull << 1;        // ABI 6
constexpr int kRuleNetPort = 2;

struct RulesetAttributes {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scoped = 0;
};
struct NetPortAttributes {
  std::uint64_t allowed = 0;
  std::uint64_t port = 0;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRemove = LANDLOCK_ACCESS_FS_REMOVE_FILE;
constexpr std::uint64_t kWrite = kRead | kRemove | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | kFsRefer | kFsTruncate;
constexpr std::uint64_t kEverythingOfAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

Error failed(std::string_view what) {
  return errno_error(fmt::format("cannot enter the sandbox ({})", what), errno);
}

// --- capabilities -----------------------------------------------------------

Result<void> drop_capabilities() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // only root can, and only root needs to
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return std::unexpected(failed("capset"));
  return {};
}

// --- Landlock ---------------------------------------------------------------

int landlock_abi() {
  auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

std::uint64_t file_rights(int abi) {
  auto rights = kEverythingOfAbi1;
  if (abi >= 2) rights |= kFsRefer;
  if (abi >= 3) rights |= kFsTruncate;
  if (abi >= 5) rights |= kFsIoctlDevice;
  return rights;
}

/// A file that is not there needs no rule.
Result<void> allow(int ruleset, const fs::path& path, std::uint64_t rights) {
  if (path.empty()) return {};
  int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat info{};
  if (::fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
    rights &= kReadFile | LANDLOCK_ACCESS_FS_WRITE_FILE | kFsTruncate;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = fd;
  auto result = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  auto error = errno;
  ::close(fd);
  errno = error;
  if (result != 0) return std::unexpected(failed("landlock_add_rule " + path.string()));
  return {};
}

Result<void> allow_paths(int ruleset, const SandboxPaths& paths, std::uint64_t handled) {
  for (auto& path : paths.writable) TRY_DO(allow(ruleset, path, kWrite & handled));
  for (auto& path : paths.removable) TRY_DO(allow(ruleset, path, kRemove & handled));
  for (auto& path : paths.readable) TRY_DO(allow(ruleset, path, kRead & handled));
  return {};
}

Result<int> restrict_files(const SandboxPaths& paths) {
  int abi = landlock_abi();
  if (abi == 0) return 0;
  RulesetAttributes attributes;
  attributes.handled_fs = file_rights(abi);
  std::size_t size = sizeof attributes.handled_fs;
  if (abi >= 4) {
    attributes.handled_net = kNetBindTcp;
    size = offsetof(RulesetAttributes, scoped);
  }
  if (abi >= 6) {
    attributes.scoped = kScopeSignal;
    // systemd of some containers listens for readiness on an abstract socket.
    auto notify = std::getenv("NOTIFY_SOCKET");
    if (!notify || *notify != '@') attributes.scoped |= kScopeAbstractUnix;
    size = sizeof attributes;
  }
  auto ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) return std::unexpected(failed("landlock_create_ruleset"));
  auto added = allow_paths(ruleset, paths, attributes.handled_fs);
  if (added && abi >= 4) {
    // Connections to other servers may be bound to an address, never to a port of our choice.
    NetPortAttributes any{kNetBindTcp, 0};
    if (::syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &any, 0) != 0)
      added = std::unexpected(failed("landlock_add_rule for ports"));
  }
  if (added && ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
    added = std::unexpected(failed("landlock_restrict_self"));
  ::close(ruleset);
  if (!added) return std::unexpected(std::move(added).error());
  return abi;
}

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
    "pwritev preadv2 pwritev2 lseek fsync fdatasync sync_file_range ftruncate truncate "
    "fallocate fadvise64 readahead copy_file_range sendfile flock fcntl dup dup2 dup3 stat "
    "fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 getdents64 "
    "getcwd mkdir mkdirat rename renameat renameat2 unlink unlinkat rmdir link linkat "
    "readlink readlinkat chmod fchmod fchmodat utimensat umask ioprio_set ioprio_get "
    // sockets (their families: below)
    "connect accept accept4 bind listen shutdown sendto sendmsg sendmmsg recvfrom recvmsg "
    "recvmmsg getsockname getpeername setsockopt getsockopt "
    // signals to ourselves
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack tgkill "
    // who and where we are
    "getuid geteuid getgid getegid getgroups getrandom uname sysinfo getrusage getrlimit "
    "prlimit64 times capget getpriority setpriority";
/// What somebody who took us over would try: a clear refusal.
constexpr std::string_view kRefused =
    "execve execveat ptrace process_vm_readv process_vm_writev fork vfork kill tkill mount "
    "umount2 chroot pivot_root setuid setgid setreuid setregid setresuid setresgid "
    "setgroups capset unshare setns bpf perf_event_open userfaultfd keyctl add_key "
    "request_key init_module finit_module kexec_load io_uring_setup personality swapon "
    "reboot memfd_create pidfd_open pidfd_getfd";

class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS))) {}
  ~Filter() {
    if (context_) ::seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  bool made() const { return context_ != nullptr; }
  /// Calls that this machine's kernel does not know are left out.
  template <class... Conditions>
  void add(std::uint32_t action, std::string_view name, Conditions... conditions) {
    int number = ::seccomp_syscall_resolve_name(std::string(name).c_str());
    if (number < 0) return;
    std::array<scmp_arg_cmp, sizeof...(Conditions)> all{conditions...};
    int result = ::seccomp_rule_add_array(context_, action, number, all.size(), all.data());
    if (result < 0 && error_ == 0) error_ = -result;
  }
  /// 0 or an errno.
  int load() {
    if (error_ != 0) return error_;
    ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE,
                       2);  // a binary tree: this is on every call's way
    return -::seccomp_load(context_);
  }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

/// The condition that an argument of a call has a value in the bits of `mask`.
scmp_arg_cmp argument(unsigned number, scmp_datum_t value, scmp_datum_t mask = ~scmp_datum_t{0}) {
  return {number, SCMP_CMP_MASKED_EQ, mask, value};
}

Result<void> restrict_calls() {
  Filter filter;
  if (!filter.made()) return fail(ErrorCode::Unavailable, "cannot enter the sandbox: seccomp_init");
  constexpr auto kAllow = SCMP_ACT_ALLOW;
  constexpr auto kDeny = SCMP_ACT_ERRNO(EPERM);
  for (auto name : split(kAllowed, ' ')) filter.add(kAllow, name);
  for (auto name : split(kRefused, ' ')) filter.add(kDeny, name);
  // Threads, but no processes. clone3 hides its flags in memory: glibc takes clone where it is
  // missing.
  constexpr scmp_datum_t kThread = 0x00010000;  // CLONE_THREAD
  filter.add(kAllow, "clone", argument(0, kThread, kThread));
  for (scmp_datum_t family : {AF_UNIX, AF_INET, AF_INET6}) {
    filter.add(kAllow, "socket", argument(0, family));
    filter.add(kAllow, "socketpair", argument(0, family));
  }
  for (scmp_datum_t request :
       {0x5421 /* FIONBIO */, 0x541b /* FIONREAD */, 0x5451 /* FIOCLEX */, 0x5401 /* TCGETS */})
    filter.add(kAllow, "ioctl", argument(1, request));
  for (scmp_datum_t operation :
       {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, 0x53564d41 /* PR_SET_VMA */})
    filter.add(kAllow, "prctl", argument(0, operation));
  if (auto error = filter.load(); error != 0) {
    errno = error;
    return std::unexpected(failed("seccomp"));
  }
  return {};
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
  auto files = landlock_abi > 0 ? fmt::format("landlock {}", landlock_abi)
                                : std::string("no landlock in this kernel");
  return files + (seccomp ? ", seccomp" : ", no seccomp") + ", no capabilities";
}

SandboxPaths sandbox_paths(const Instance& instance, const config::Config& config) {
  SandboxPaths paths;
  paths.writable = {instance.data};
  paths.removable = {instance.control_socket.parent_path()};
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

Result<SandboxState> enter_sandbox(const SandboxPaths& paths) {
  // Who asks for a user later finds the modules of nsswitch.conf loaded.
  (void)::getpwuid(0);
  (void)::getpwnam("hikyaku-nobody-of-this-name");
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return std::unexpected(failed("setrlimit"));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return std::unexpected(failed("PR_SET_DUMPABLE"));
  TRY_DO(drop_capabilities());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(failed("PR_SET_NO_NEW_PRIVS"));
  SandboxState state;
  TRY(state.landlock_abi, restrict_files(paths));
  TRY_DO(restrict_calls());
  state.seccomp = true;
  return state;
}

}  // namespace hikyaku::app
