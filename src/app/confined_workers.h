// ConfinedWorkers: gets bytes of strangers read in processes that have nothing to lose.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>

#include "app/confined_process.h"
#include "app/confined_protocol.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/semaphore.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "net/fd_watch.h"
#include "net/stream.h"

namespace hikyaku::app {

struct ConfinedMetrics {
  ConfinedMetrics() = default;  ///< counts nothing
  explicit ConfinedMetrics(metrics::Registry& registry);

  metrics::Counter answered, refused, crashed, out_of_time, lost;
  metrics::Gauge running, available;
  metrics::Histogram times;
};

/// Lives on the first of `cores`; everything is called there, but the making and destroying.
class ConfinedWorkers {
 public:
  ConfinedWorkers(ConfinedProcess process, net::Cores& cores, ConfinedMetrics metrics, Log log,
                  ConfinedLimits limits = {});
  ConfinedWorkers(const ConfinedWorkers&) = delete;
  ConfinedWorkers& operator=(const ConfinedWorkers&) = delete;

  /// The answer of a worker of its own, of at most ConfinedLimits::reply_bytes; to be read as a
  /// stranger's. Waits while ConfinedLimits::jobs others run. Invalid: it cannot be done, in the
  /// worker's words. TooLarge: it took too long. Internal: the worker crashed or did not answer as
  /// agreed (logged). Not the request's fault are Unavailable (the spawner is gone, until the
  /// server is started again; or no process could be started now) and Shutdown.
  Task<Result<std::string>> run(ConfinedJob job, std::string request);

  /// Every run() ends now, with Shutdown.
  void stop();

  /// So many run() at once; others wait.
  std::size_t at_once() const { return limits_.jobs; }
  /// False: the spawner is gone. From any thread.
  bool available() const { return available_; }

 private:
  struct Running {
    net::Stream* stream = nullptr;
    Wakeup ended;
    std::optional<SpawnerNote> how;
  };

  Task<Result<std::string>> run_now(ConfinedJob job, const std::string& request);
  Task<Result<void>> talk(net::Stream& stream, ConfinedJob job, const std::string& request,
                          ConfinedReply& reply);
  Result<void> order(std::uint64_t number, int socket);
  Task<Error> why_ended(Running& running);
  Error count(ConfinedJob job, Error error);
  void read_notes();
  void lose();

  ConfinedProcess process_;
  ConfinedMetrics metrics_;
  Log log_;
  ConfinedLimits limits_;
  Semaphore permits_;
  std::map<std::uint64_t, Running*> running_;
  std::uint64_t next_ = 1;
  bool stopping_ = false;
  std::atomic<bool> available_{true};
  std::optional<net::FdWatch> watch_;
};

}  // namespace hikyaku::app
