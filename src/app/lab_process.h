// ServerProcess: one `hikyaku serve` as a process of its own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/fd.h"

namespace hikyaku::app::lab {

/// A running server. It ends with this object, and with this process even when that is killed.
class ServerProcess {
 public:
  /// Starts this very program as `serve --dir DIR`; its log goes to the end of `log`. Does not
  /// wait.
  static Result<std::unique_ptr<ServerProcess>> spawn(const std::filesystem::path& directory,
                                                      const std::filesystem::path& log);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() { stop(); }

  /// Waits for the line "ready". The error has the server's own complaint (a taken port by name).
  Result<void> wait_ready(milliseconds patience);
  /// SIGTERM, a bounded wait, SIGKILL.
  void stop();

  pid_t pid() const { return pid_; }

 private:
  ServerProcess(pid_t pid, net::UniqueFd output, std::filesystem::path log,
                std::uintmax_t log_start)
      : pid_(pid), output_(std::move(output)), log_(std::move(log)), log_start_(log_start) {}
  bool ended_within(milliseconds patience);
  Error complaint() const;

  pid_t pid_;
  net::UniqueFd output_;  ///< the server's standard output
  std::filesystem::path log_;
  std::uintmax_t log_start_;  ///< where its own lines begin
};

/// What this very program prints when it is called so, as one types it; its complaints, too.
Result<std::string> run_program(const std::vector<std::string>& words);

}  // namespace hikyaku::app::lab
