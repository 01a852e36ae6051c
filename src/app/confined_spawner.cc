#include "app/confined_spawner.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fmt/core.h>
#include <map>
#include <new>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/confinement.h"
#include "base/codec.h"
#include "net/fd.h"

namespace hikyaku::app {
namespace {

// --- worker -----------------------------------------------------------------

constexpr int kExitOk = 0;
constexpr int kExitNoRequest = 1;    ///< the server has gone, or does not speak our language
constexpr int kExitNotConfined = 2;  ///< then not a byte is read

bool read_exactly(int fd, char* into, std::size_t size) {
  while (size > 0) {
    auto got = ::read(fd, into, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

Result<std::string> answer(ConfinedJobs jobs, ConfinedJob job, std::string_view request,
                           const ConfinedLimits& limits) {
  auto entry = std::ranges::find(jobs, job, &ConfinedJobEntry::job);
  if (entry == jobs.end()) return fail(ErrorCode::Unsupported, "there is no such job");
  try {
    TRY(auto reply, entry->handler(request));
    if (reply.size() > limits.reply_bytes)
      return fail(ErrorCode::TooLarge, "what is in it has more than {} bytes", limits.reply_bytes);
    return reply;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::TooLarge, "reading it needs more than {} MB of memory",
                limits.memory >> 20);
  }
}

[[noreturn]] void work(int socket, ConfinedJobs jobs, const ConfinedLimits& limits,
                       Confine confine) {
  if (!confine_worker(socket, limits) && confine == Confine::Required) ::_exit(kExitNotConfined);
  std::string start(kJobHeaderBytes, '\0');
  if (!read_exactly(socket, start.data(), start.size())) ::_exit(kExitNoRequest);
  auto header = decode_job_header(start);
  if (!header || header->bytes > limits.request_bytes) ::_exit(kExitNoRequest);
  std::string request(header->bytes, '\0');
  if (!read_exactly(socket, request.data(), request.size())) ::_exit(kExitNoRequest);
  auto reply = answer(jobs, header->job, request, limits);
  auto words = reply ? std::string() : reply.error().describe();
  std::string_view body = reply ? *reply : words;
  if (net::write_all(socket, encode_reply_header(reply.has_value(), body.size())))
    net::write_all(socket, body);
  ::_exit(kExitOk);
}

// --- spawner ----------------------------------------------------------------

/// What the server wants: a worker at the other end of `socket`.
struct Order {
  std::uint64_t job = 0;
  int socket = -1;
};

class Spawner {
 public:
  Spawner(int control, ConfinedJobs jobs, const ConfinedLimits& limits, Confine confine)
      : control_(control), jobs_(jobs), limits_(limits), confine_(confine), pid_(::getpid()) {}

  [[noreturn]] void run() {
    prepare_signals();
    auto state = confine_spawner(control_, limits_);
    if (state)
      tell({SpawnerNote::Kind::Ready, 0, 0, state->describe()});
    else
      tell_problem(state.error().describe());
    for (;;) {
      tell_ended();
      pollfd wait{control_, POLLIN, 0};
      // SIGCHLD comes here only. A worker that has answered may still be on its way out.
      bool full = workers_.size() >= 2 * limits_.jobs;
      if (::ppoll(&wait, full ? 0 : 1, nullptr, &outside_) <= 0) continue;
      auto order = receive();
      if (!order) ::_exit(kExitOk);
      if (order->socket >= 0) start(*order);
    }
  }

 private:
  void prepare_signals() {
    // A terminal and systemd send them to all processes of a group; we end when the server does.
    for (int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(number, SIG_IGN);
    // They end a worker, whatever this program does about them elsewhere.
    for (int number : {SIGALRM, SIGXCPU, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS})
      if (!has_sanitizer() || number == SIGALRM || number == SIGXCPU) ::signal(number, SIG_DFL);
    struct sigaction heard{};
    heard.sa_handler = [](int) {};
    ::sigaction(SIGCHLD, &heard, nullptr);
    sigset_t ended;
    ::sigemptyset(&outside_);
    ::sigemptyset(&ended);
    ::sigaddset(&ended, SIGCHLD);
    ::sigprocmask(SIG_SETMASK, &ended, nullptr);
  }

  void tell_problem(std::string words) {
    if (confine_ == Confine::IfPossible)
      return tell({SpawnerNote::Kind::Unconfined, 0, 0, std::move(words)});
    tell({SpawnerNote::Kind::Failed, 0, 0, std::move(words)});
    ::_exit(kExitNotConfined);
  }

  void tell(const SpawnerNote& note) {
    auto bytes = encode_note(note);
    // There are never more notes on the way than jobs: they have room.
    if (::send(control_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 && errno == EPIPE)
      ::_exit(kExitOk);
  }

  void tell_ended() {
    for (;;) {
      int status = 0;
      auto pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return;
      auto worker = workers_.find(pid);
      if (worker == workers_.end()) continue;
      auto job = worker->second;
      workers_.erase(worker);
      if (WIFSIGNALED(status))
        tell({SpawnerNote::Kind::Killed, job, static_cast<std::uint32_t>(WTERMSIG(status)), {}});
      else
        tell({SpawnerNote::Kind::Exited, job, static_cast<std::uint32_t>(WEXITSTATUS(status)), {}});
    }
  }

  /// nullopt: the server has gone.
  std::optional<Order> receive() {
    char number[8];
    iovec into{number, sizeof number};
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &into;
    message.msg_iovlen = 1;
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    auto got = ::recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) return Order{};
    if (got <= 0) return std::nullopt;
    Order order;
    order.job = Decoder({number, static_cast<std::size_t>(got)}).u64_be();
    auto header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
      std::copy_n(reinterpret_cast<const char*>(CMSG_DATA(header)), sizeof(int),
                  reinterpret_cast<char*>(&order.socket));
    return order;
  }

  void start(const Order& order) {
    auto pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      if (::getppid() != pid_) ::_exit(kExitNoRequest);
      ::sigprocmask(SIG_SETMASK, &outside_, nullptr);
      work(order.socket, jobs_, limits_, confine_);
    }
    auto error = errno;
    ::close(order.socket);
    if (pid > 0)
      workers_.emplace(pid, order.job);
    else
      tell({SpawnerNote::Kind::NotStarted, order.job, static_cast<std::uint32_t>(error), {}});
  }

  int control_;
  ConfinedJobs jobs_;
  ConfinedLimits limits_;
  Confine confine_;
  pid_t pid_;
  sigset_t outside_{};  ///< what is blocked while it waits: nothing
  std::map<pid_t, std::uint64_t> workers_;
};

}  // namespace

void run_spawner(int control, ConfinedJobs jobs, const ConfinedLimits& limits, Confine confine) {
  Spawner(control, jobs, limits, confine).run();
}

}  // namespace hikyaku::app
