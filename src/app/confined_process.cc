#include "app/confined_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "app/confined_jobs.h"
#include "app/system_user.h"

namespace hikyaku::app {
namespace {

/// The spawner finds its socket there.
constexpr int kControl = 3;
constexpr int kStartTimeoutMilliseconds = 20'000;
constexpr const char* kRequired = "required";
constexpr const char* kIfPossible = "if-possible";

Result<std::pair<net::UniqueFd, net::UniqueFd>> control_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    return std::unexpected(errno_error("cannot start the confined process", errno));
  return std::pair(net::UniqueFd(fds[0]), net::UniqueFd(fds[1]));
}

/// In the child, between fork and the new program. Files but its socket close behind it.
[[noreturn]] void execute(int control, const char* user, const char* confine) {
  if (control == kControl)
    ::fcntl(control, F_SETFD, 0);
  else
    ::dup2(control, kControl);
  // execve takes them as they are and changes nothing.
  std::array arguments{const_cast<char*>(kConfinedProgram), const_cast<char*>(user),
                       const_cast<char*>(confine), static_cast<char*>(nullptr)};
  char* no_environment[] = {nullptr};
  ::execve("/proc/self/exe", arguments.data(), no_environment);
  ::_exit(127);
}

}  // namespace

Result<ConfinedProcess> ConfinedProcess::start(const std::string& user, Confine confine) {
  TRY(auto pair, control_pair());
  auto pid = ::fork();
  if (pid < 0) return std::unexpected(errno_error("cannot start the confined process", errno));
  if (pid == 0)
    execute(pair.second.get(), user.c_str(),
            confine == Confine::Required ? kRequired : kIfPossible);
  pair.second.reset();
  ConfinedProcess process(std::move(pair.first), pid);
  TRY_DO(process.wait_until_ready());
  return process;
}

Result<ConfinedProcess> ConfinedProcess::fork_with(ConfinedJobs jobs,
                                                   const ConfinedLimits& limits) {
  TRY(auto pair, control_pair());
  // Under ThreadSanitizer _exit() writes what is still in a stream's buffer: if that goes to a
  // file, the limit of written files (0 bytes) ends the child for it.
  std::fflush(nullptr);
  auto pid = ::fork();
  if (pid < 0) return std::unexpected(errno_error("cannot start the confined process", errno));
  if (pid == 0) run_spawner(pair.second.get(), jobs, limits, Confine::Required);
  pair.second.reset();
  ConfinedProcess process(std::move(pair.first), pid);
  TRY_DO(process.wait_until_ready());
  return process;
}

Result<void> ConfinedProcess::wait_until_ready() {
  pollfd wait{control_.get(), POLLIN, 0};
  int ready;
  do ready = ::poll(&wait, 1, kStartTimeoutMilliseconds);
  while (ready < 0 && errno == EINTR);
  std::array<char, kMostNoteBytes> bytes;
  auto got = ready > 0 ? ::recv(control_.get(), bytes.data(), bytes.size(), 0) : -1;
  auto note = got > 0 ? decode_note({bytes.data(), static_cast<std::size_t>(got)}) : std::nullopt;
  if (!note) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    return fail(ErrorCode::Unavailable,
                "cannot start the confined process, which reads what is dangerous to read "
                "(/proc/self/exe): it ended or is silent");
  }
  if (note->kind == SpawnerNote::Kind::Failed) {
    ::waitpid(pid_, nullptr, 0);
    return fail(ErrorCode::Unavailable,
                "the process that reads what is dangerous to read could not be confined: {}. "
                "server.sandbox = false lets it run without",
                note->words);
  }
  confined_ = note->kind == SpawnerNote::Kind::Ready;
  state_ = std::move(note->words);
  return {};
}

void confined_main(const std::string& user, const std::string& confine) {
  // The name in ps and top; by /proc/self/exe it would be "exe".
  ::prctl(PR_SET_NAME, kConfinedProgram, 0, 0, 0);
  auto became = become_user(user);
  if (!became) {
    auto note = encode_note({SpawnerNote::Kind::Failed, 0, 0, became.error().describe()});
    ::send(kControl, note.data(), note.size(), MSG_NOSIGNAL);
    ::_exit(1);
  }
  // After the change of user, which would take it back.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  run_spawner(kControl, confined_jobs(), {},
              confine == kRequired ? Confine::Required : Confine::IfPossible);
}

}  // namespace hikyaku::app
