// The program: one verb of the table in verbs.cc.
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "app/cli.h"
#include "app/confined_process.h"
#include "app/open_files.h"
#include "app/sendmail_options.h"
#include "app/verbs.h"
#include "base/text.h"
#include "net/tls.h"

namespace {

/// What is printed for copying must work: a program that the shell does not find by its name is
/// shown as it was called.
std::string program_name(std::string called) {
  if (!called.contains('/')) return "hikyaku";
  const char* search = std::getenv("PATH");
  std::string_view path = search ? search : "";
  for (auto directory : hikyaku::split(path, ':')) {
    std::error_code none;
    if (std::filesystem::equivalent(std::filesystem::path(directory) / "hikyaku", "/proc/self/exe",
                                    none))
      return "hikyaku";
  }
  return called;
}

/// Where standard input, output or error was closed, the next file that is opened would take the
/// place, and get what is meant for them. Reading or writing there fails, as it did.
void keep_standard_files() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0)
      ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // the lowest that is free
}

/// As a program ends that does not ignore SIGPIPE: its reader wanted no more, which shells know.
void end_by_closed_pipe() {
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr);
  std::raise(SIGPIPE);
}

}  // namespace

int main(int count, char** arguments) {
  using namespace hikyaku::app;
  if (count == 3 && std::string_view(arguments[0]) == kConfinedProgram)
    confined_main(arguments[1], arguments[2]);
  keep_standard_files();
  // Before anything uses OpenSSL: idle TLS connections cost half as much.
  hikyaku::net::separate_tls_buffers();
  // What a limit of file sizes (ulimit -f) refuses is an error of write(), like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  allow_open_files();
  // Mail and keys are for their owner alone; what others need as well gets its mode by name.
  ::umask(077);
  std::vector<std::string> words(arguments + (count > 0 ? 1 : 0), arguments + count);
  if (count > 0) words = words_for_name(arguments[0], std::move(words));
  auto verbs = all_verbs();
  auto terminal = Terminal::for_process();
  if (count > 0) terminal.set_program(program_name(arguments[0]));
  auto exit = run_command_line(words, verbs, terminal);
  if (exit == Exit::Io && terminal.reader_left()) end_by_closed_pipe();
  return static_cast<int>(exit);
}
