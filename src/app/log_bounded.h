// The server's log when its reader is slow, or reads no more: lines are lost rather than mail.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "config/config.h"
#include "net/fd.h"

namespace hikyaku::app {

/// Holds nobody up for long: event loops write lines. A line may wait a moment for the reader of
/// the log; all of them together wait half of the time at most, and none while lines are being
/// lost. How many were, is told by the line before the next one that is taken (log.lost).
class BoundedSink : public LogSink {
 public:
  /// A reader that lives takes much more in less.
  static constexpr std::chrono::milliseconds kPatience{100};

  /// `lost` counts the lost lines.
  explicit BoundedSink(metrics::Counter lost) : lost_ever_(lost) {}

  void write(LogLevel level, std::string_view line) final;

  /// The last word, or words of others follow: what was taken in part is completed, and what was
  /// lost told, for which it waits so long at most.
  void finish(std::chrono::milliseconds wait);

 protected:
  using Steady = std::chrono::steady_clock;

  /// Writes a line if it is taken within `wait`: all of it or nothing. By one thread at a time.
  virtual bool offer(LogLevel level, std::string_view line, std::chrono::milliseconds wait) = 0;
  /// Completes the line that was taken in part, if there is one.
  virtual void complete(std::chrono::milliseconds) {}

 private:
  bool tell_lost(std::chrono::milliseconds wait);
  bool take(LogLevel level, std::string_view line);
  std::chrono::milliseconds patience(Steady::time_point now) const;

  metrics::Counter lost_ever_;
  /// Held while a line waits: who queues for it finds afterwards that no patience is left, so that
  /// waits do not add up.
  std::mutex mutex_;
  std::uint64_t lost_ = 0;            ///< since lines were last taken
  std::chrono::nanoseconds left_{0};  ///< of the patience, at `waited_`
  Steady::time_point waited_{};       ///< when a wait last ended
};

/// Standard error of a server: a pipe, a terminal, a socket or a file. Programs that soon end by
/// themselves wait for their reader (StandardErrorSink).
class BoundedErrorSink final : public BoundedSink {
 public:
  /// `clock` must outlive the sink. Before the sandbox is entered. Another `fd` for tests.
  BoundedErrorSink(config::LogFormat format, const Clock& clock, metrics::Counter lost,
                   int fd = STDERR_FILENO);

 protected:
  bool offer(LogLevel level, std::string_view line, std::chrono::milliseconds wait) override;
  void complete(std::chrono::milliseconds wait) override { write_rest(Steady::now() + wait); }

 private:
  bool write_rest(Steady::time_point until);
  ssize_t write_now(std::string_view bytes) const;

  config::LogFormat format_;
  const Clock& clock_;
  int fd_;
  bool is_socket_ = false;
  net::UniqueFd own_;  ///< the same pipe or terminal, opened anew to write without blocking
  std::string rest_;   ///< of a line that was taken in part: nothing comes before it
};

}  // namespace hikyaku::app
