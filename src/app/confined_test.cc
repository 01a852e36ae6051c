// Confined workers, for real: processes that try what they must not be able to do.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <poll.h>
#include <semaphore>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "app/confined_jobs.h"
#include "app/confined_workers.h"
#include "app/confinement.h"
#include "base/text.h"
#include "net/cores.h"
#include "reports/digest.h"
#include "testing/every_split.h"

using namespace hikyaku;
using namespace hikyaku::app;

namespace {

// --- jobs: what a worker that is in a stranger's hands would do ---

std::string outcome(bool done) {
  return done ? "done" : "no";
}

int g_inherited = -1;  ///< a file that was open when the process was started
std::string g_secret;

Result<std::string> echo(std::string_view request) {
  return std::string(request);
}
Result<std::string> escape(std::string_view how) {
  if (how == "open") return outcome(::open("/etc/passwd", O_RDONLY) >= 0);
  if (how == "create") return outcome(::open("/tmp/hikyaku-escape", O_WRONLY | O_CREAT, 0600) >= 0);
  if (how == "proc") return outcome(::open("/proc/self/mem", O_RDWR) >= 0);
  if (how == "socket") return outcome(::socket(AF_INET, SOCK_STREAM, 0) >= 0);
  if (how == "unix") return outcome(::socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
  if (how == "pipe") {
    int fds[2];
    return outcome(::pipe(fds) == 0);
  }
  if (how == "exec") {
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    ::execv(name, arguments);
    return outcome(false);
  }
  if (how == "fork") {
    auto child = ::fork();
    if (child == 0) ::_exit(0);
    return outcome(child > 0);
  }
  if (how == "kill") return outcome(::kill(::getppid(), SIGCONT) == 0);
  if (how == "ptrace") return outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
  if (how == "code")
    return outcome(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  if (how == "more time") {
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    auto blocked = ::sigprocmask(SIG_BLOCK, &alarm, nullptr) == 0;
    return outcome(blocked || ::signal(SIGALRM, SIG_IGN) != SIG_ERR);
  }
  if (how == "inherited") {
    char byte;
    return outcome(::pread(g_inherited, &byte, 1, 0) == 1);
  }
  if (how == "environment") return outcome(std::getenv("PATH") != nullptr);
  return fail(ErrorCode::Invalid, "what is {}?", how);
}
Result<std::string> misbehave(std::string_view how) {
  if (how == "crash") ::raise(SIGSEGV);
  if (how == "abort") std::abort();
  if (how == "exit") ::_exit(7);
  if (how == "spin")
    for (volatile int i = 0;; i = i + 1) {
    }
  if (how == "sleep") std::binary_semaphore(0).acquire();
  if (how == "memory") return std::string(1ull << 30, 'x');
  if (how == "large") return std::string(2 * 1024 * 1024, 'x');
  if (how == "refuse") return fail(ErrorCode::Invalid, "it is\x1b[31m red");
  return outcome(false);
}
/// Writes to every descriptor that there may be, and ends.
Result<std::string> speak(std::string_view words) {
  // Its one file; a sanitizer's worker has the usual three besides.
  for (int fd = has_sanitizer() ? 3 : 0; fd < 64; ++fd)
    if (::write(fd, words.data(), words.size()) > 0) break;
  ::_exit(0);
}
Result<std::string> remember(std::string_view secret) {
  auto before = g_secret;
  g_secret = secret;
  return before;
}

constexpr auto kEcho = static_cast<ConfinedJob>(101);
constexpr auto kEscape = static_cast<ConfinedJob>(102);
constexpr auto kMisbehave = static_cast<ConfinedJob>(103);
constexpr auto kSpeak = static_cast<ConfinedJob>(104);
constexpr auto kRemember = static_cast<ConfinedJob>(105);
constexpr std::array<ConfinedJobEntry, 5> kJobs{{{kEcho, echo},
                                                 {kEscape, escape},
                                                 {kMisbehave, misbehave},
                                                 {kSpeak, speak},
                                                 {kRemember, remember}}};

ConfinedLimits small_limits() {
  ConfinedLimits limits;
  limits.reply_bytes = 1024 * 1024;
  limits.deadline = std::chrono::seconds(2);
  return limits;
}

class Confined {
 public:
  explicit Confined(ConfinedJobs jobs = kJobs, ConfinedLimits limits = small_limits()) {
    auto process = ConfinedProcess::fork_with(jobs, limits);
    REQUIRE(process);
    pid = process->pid();
    state = process->state();
    workers.emplace(std::move(*process), cores, ConfinedMetrics(registry), Log(), limits);
    cores.start();
  }
  ~Confined() {
    cores.call(0, [&] { workers.reset(); });
    cores.stop();
    cores.join();
    ::waitpid(pid, nullptr, 0);
  }
  Result<std::string> run(ConfinedJob job, std::string request) {
    return cores.run(0, [&] { return workers->run(job, request); });
  }
  /// The answer, or the words why there is none.
  std::string say(ConfinedJob job, std::string request) {
    auto answer = run(job, std::move(request));
    return answer ? *answer : answer.error().describe();
  }
  double count(const std::string& outcome) {
    return registry.by_label("hikyaku_confined_jobs_total", "outcome")[outcome];
  }

  metrics::Registry registry;
  net::Cores cores{1};
  std::optional<ConfinedWorkers> workers;
  pid_t pid = 0;
  std::string state;
};

}  // namespace

TEST_CASE("a confined worker answers, and can do nothing else") {
  g_inherited = ::open("/etc/passwd", O_RDONLY);
  REQUIRE(g_inherited >= 0);
  Confined confined;
  CHECK(confined.say(kEcho, "hello") == "hello");
  CHECK(confined.say(kEcho, "") == "");
  auto large = std::string(900'000, 'x');
  CHECK(confined.say(kEcho, large) == large);
  for (auto how : {"create", "proc", "socket", "unix", "pipe", "exec", "fork", "kill", "ptrace",
                   "code", "more time", "open", "inherited", "environment"}) {
    CAPTURE(how);
    // Without seccomp only what has a file or a right of its own is refused.
    bool by_seccomp = std::string_view("fork kill ptrace code more time").contains(how);
    if (has_sanitizer() && by_seccomp) continue;
    CHECK(confined.say(kEscape, how) == "no");
  }
  CHECK(confined.count("crashed") == 0);
  ::close(g_inherited);
}

TEST_CASE("each job has a worker of its own: nothing of one is there for the next") {
  Confined confined;
  CHECK(confined.say(kRemember, "the first one's") == "");
  CHECK(confined.say(kRemember, "the second one's") == "");
}

TEST_CASE("a worker that does not do as agreed costs its own job only") {
  Confined confined;
  struct Case {
    ConfinedJob job;
    std::string request, words, counted;
  };
  std::string too_large = encode_reply_header(true, 2'000'000);
  for (auto& c : std::vector<Case>{
           {kMisbehave, "refuse", "it is\\x1b[31m red", "refused"},
           {kMisbehave, "large", "what is in it has more than 1048576 bytes", "refused"},
           {static_cast<ConfinedJob>(9), "x", "there is no such job", "refused"},
           {kMisbehave, "exit", "ended without an answer (exit code 7)", "crashed"},
           {kMisbehave, "sleep", "took longer than 2 seconds", "timeout"},
           {kSpeak, "\x07nonsense", "the worker's reply is malformed", "crashed"},
           {kSpeak, too_large, "has 2000000 bytes, more than 1048576", "crashed"},
           {kSpeak, encode_reply_header(true, 3) + "four", "longer than it says", "crashed"},
           {kSpeak, encode_reply_header(true, 5) + "four", "ended without an answer", "crashed"},
           {kSpeak, "\x01", "ended without an answer", "crashed"},
       }) {
    CAPTURE(c.request);
    auto before = confined.count(c.counted);
    CHECK(confined.say(c.job, c.request).contains(c.words));
    CHECK(confined.count(c.counted) == before + 1);
    CHECK(confined.say(kEcho, "still here") == "still here");
  }
}

TEST_CASE("a worker that crashes, runs away or is greedy is ended by the kernel" *
          doctest::skip(has_sanitizer())) {  // which has its own ideas of signals and memory
  Confined confined;
  CHECK(confined.say(kMisbehave, "crash").contains("signal 11"));
  CHECK(confined.say(kMisbehave, "abort").contains("signal 6"));
  CHECK(confined.say(kMisbehave, "memory").contains("needs more than 192 MB of memory"));
  CHECK(confined.count("crashed") == 2);
  CHECK(confined.say(kEcho, "still here") == "still here");
  CHECK(confined.state.contains("seccomp, no capabilities"));

  ConfinedLimits limits;
  limits.processor = std::chrono::seconds(1);
  Confined impatient(kJobs, limits);
  CHECK(impatient.say(kMisbehave, "spin").contains("more than 1 seconds of processor time"));
  CHECK(impatient.count("timeout") == 1);
}

TEST_CASE("jobs beyond the limit wait their turn") {
  Confined confined;
  std::vector<std::string> answers;
  std::promise<void> ended;
  Gate gate{end_process};
  auto one = [&](int number) -> Task<void> {
    auto answer = co_await confined.workers->run(kEcho, std::to_string(number));
    answers.push_back(answer ? *answer : answer.error().describe());
  };
  confined.cores.call(0, [&] {
    for (int i = 0; i < 20; ++i) gate.spawn(one(i));
    gate.close([&] { ended.set_value(); });
  });
  ended.get_future().wait();
  std::ranges::sort(answers, {}, [](auto& text) { return std::stoi(text); });
  REQUIRE(answers.size() == 20);
  for (int i = 0; i < 20; ++i) CHECK(answers[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("the server's end is not the job's fault, nor is the end of the spawner") {
  auto code_of = [](Confined& confined, auto interrupt) {
    std::promise<ErrorCode> ended;
    Gate gate{end_process};
    auto job = [&]() -> Task<void> {
      auto answer = co_await confined.workers->run(kMisbehave, "sleep");
      ended.set_value(answer.error().code);
    };
    confined.cores.call(0, [&] { gate.spawn(job()); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    interrupt();
    auto code = ended.get_future().get();
    confined.cores.call(0, [&] { gate.close([] {}); });
    return code;
  };
  Confined confined;
  CHECK(code_of(confined, [&] { confined.cores.call(0, [&] { confined.workers->stop(); }); }) ==
        ErrorCode::Shutdown);
  CHECK(confined.run(kEcho, "x").error().code == ErrorCode::Shutdown);

  Confined other;
  CHECK(code_of(other, [&] { ::kill(other.pid, SIGKILL); }) == ErrorCode::Unavailable);
  CHECK(other.run(kEcho, "x").error().code == ErrorCode::Unavailable);
  CHECK_FALSE(other.workers->available());
}

TEST_CASE("the spawner ends with the server, and not by its signals") {
  auto process = ConfinedProcess::fork_with(kJobs, small_limits());
  REQUIRE(process);
  auto pid = process->pid();
  for (int number : {SIGTERM, SIGINT, SIGHUP}) ::kill(pid, number);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(::waitpid(pid, nullptr, WNOHANG) == 0);
  {
    auto gone = std::move(*process);
  }
  int status = 0;
  CHECK(::waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
}

TEST_CASE("a report is read behind the wall as before it") {
  Confined confined(confined_jobs(), {});
  auto answer = confined.run(ConfinedJob::ReadReport, "Subject: x\r\n\r\nno report\r\n");
  REQUIRE(answer);
  auto digest = reports::decode_digest(*answer);
  REQUIRE(digest);
  CHECK(digest->problem == "there is no report in the mail");
}

TEST_CASE("replies and notes in pieces") {
  auto whole = encode_reply_header(true, 5) + "bytes";
  testing::every_split(whole, [](std::string_view first, std::string_view second) {
    ConfinedReply reply(5);
    REQUIRE(reply.feed(first));
    REQUIRE(reply.feed(second));
    REQUIRE(reply.complete());
    CHECK(*reply.take() == "bytes");
  });
  ConfinedReply small(4);
  CHECK_FALSE(small.feed(whole));
  ConfinedReply none(4);
  CHECK(none.feed(encode_reply_header(true, 0)));
  CHECK(none.complete());

  SpawnerNote note{SpawnerNote::Kind::Killed, 7, 9, "words"};
  auto bytes = encode_note(note);
  auto read = decode_note(bytes);
  REQUIRE(read);
  CHECK(read->job == 7);
  CHECK(read->value == 9);
  CHECK(read->words == "words");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_note(std::string_view(bytes).substr(0, size)));
  CHECK_FALSE(decode_note(bytes + "x"));
  bytes[0] = 9;
  CHECK_FALSE(decode_note(bytes));

  auto header = decode_job_header(encode_job_header(ConfinedJob::ReadReport, 77));
  REQUIRE(header);
  CHECK(header->job == ConfinedJob::ReadReport);
  CHECK(header->bytes == 77);
  CHECK_FALSE(decode_job_header("short"));
}
