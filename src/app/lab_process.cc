#include "app/lab_process.h"

#include <array>
#include <boost/json.hpp>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "app/core.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

using std::chrono::steady_clock;

/// A server ends what it accepted within its own grace of ten seconds.
constexpr milliseconds kForTerm = std::chrono::seconds(15);
constexpr milliseconds kPoll{5};
constexpr std::size_t kMostLog = 16 << 20;

/// What a line of the server's log says to people: why there is no server, or words outside the
/// log. Other log lines are for the log, which is named where it helps.
std::string said_in(std::string_view line) {
  constexpr std::string_view kOurs = "hikyaku: ";
  if (line.starts_with('{')) {
    boost::system::error_code failed;
    auto entry = boost::json::parse(line, failed);
    if (failed || !entry.is_object()) return "";
    auto event = entry.as_object().if_contains("event"), why = entry.as_object().if_contains("err");
    if (!event || *event != "server.fail" || !why || !why->is_string()) return "";
    return std::string(why->as_string());
  }
  if (line.contains("event=")) return "";
  if (line.starts_with(kOurs)) line.remove_prefix(kOurs.size());
  return std::string(trim(line));
}

/// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become_server(pid_t parent, const char* directory, int output, int log) {
  // When the lab is killed, its servers get SIGTERM from the kernel.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  // Ctrl-C is for the lab, which ends its servers in order.
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execl("/proc/self/exe", "hikyaku", "serve", "--lang", "en", "--dir", directory, nullptr);
  ::_exit(127);
}

/// Likewise.
[[noreturn]] void become_command(pid_t parent, char* const* words, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execv("/proc/self/exe", words);
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::spawn(const std::filesystem::path& directory,
                                                            const std::filesystem::path& log) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return std::unexpected(errno_error("cannot make a pipe", errno));
  net::UniqueFd read_end(ends[0]), write_end(ends[1]);
  net::UniqueFd log_file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log_file.get() < 0)
    return std::unexpected(errno_error("cannot write " + log.string(), errno));
  auto start = std::filesystem::file_size(log);
  auto path = directory.string();
  auto parent = ::getpid();
  auto child = ::fork();
  if (child < 0) return std::unexpected(errno_error("cannot start a process", errno));
  if (child == 0) become_server(parent, path.c_str(), write_end.get(), log_file.get());
  return std::unique_ptr<ServerProcess>(new ServerProcess(child, std::move(read_end), log, start));
}

Result<void> ServerProcess::wait_ready(milliseconds patience) {
  auto deadline = steady_clock::now() + patience;
  std::string text;
  while (!text.starts_with("ready\n") && !text.contains("\nready\n")) {
    auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
    pollfd waiting{output_.get(), POLLIN, 0};
    auto woken = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (woken < 0 && errno == EINTR) continue;
    if (woken <= 0) {
      stop();
      return fail(ErrorCode::Unavailable, "the server did not become ready; see {}", log_.string());
    }
    std::array<char, 4096> piece;
    auto got = ::read(output_.get(), piece.data(), piece.size());
    if (got <= 0) {
      stop();
      return std::unexpected(complaint());
    }
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return {};
}

Error ServerProcess::complaint() const {
  auto bytes = read_file(log_, kMostLog);
  std::string words;
  if (bytes && bytes->size() > log_start_) {
    for (auto line : split(std::string_view(*bytes).substr(log_start_), '\n')) {
      auto said = said_in(line);
      if (!said.empty()) words += (words.empty() ? "" : "\n") + said;
    }
  }
  if (words.empty()) words = "the server ended without a word; see " + log_.string();
  auto code = words.contains(" is taken") ? ErrorCode::Conflict : ErrorCode::Unavailable;
  return {code, std::move(words), nullptr};
}

void ServerProcess::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  if (!ended_within(kForTerm)) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
}

bool ServerProcess::ended_within(milliseconds patience) {
  auto deadline = steady_clock::now() + patience;
  while (true) {
    auto ended = ::waitpid(pid_, nullptr, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) return true;
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

Result<std::string> run_program(const std::vector<std::string>& words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return std::unexpected(errno_error("cannot make a pipe", errno));
  net::UniqueFd read_end(ends[0]), write_end(ends[1]);
  std::vector<std::string> kept{"hikyaku"};
  kept.insert(kept.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (auto& word : kept) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  auto parent = ::getpid();
  auto child = ::fork();
  if (child < 0) return std::unexpected(errno_error("cannot start a process", errno));
  if (child == 0) become_command(parent, pointers.data(), write_end.get());
  write_end = net::UniqueFd();
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t got = 1; got > 0 || errno == EINTR;) {
    errno = 0;
    got = ::read(read_end.get(), piece.data(), piece.size());
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  return fail(ErrorCode::Unavailable, "{}: {}", join(kept, " "), trim(text));
}

}  // namespace hikyaku::app::lab
