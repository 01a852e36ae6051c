// How log lines look, and standard error for those of commands; a server's: log_bounded.h.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"
#include "config/config.h"

namespace hikyaku::app {

/// Text: "2026-11-21T22:44:10.123Z info event=… key=value". JSON: {"time":…,"level":…,"event":…},
/// numbers as numbers. Each line is written at once; from every thread. Waits for who reads them,
/// as long as that takes: for commands that end by themselves (`hikyaku verify 2>&1 | less`).
class StandardErrorSink final : public LogSink {
 public:
  /// `clock` must outlive the sink.
  StandardErrorSink(config::LogFormat format, const Clock& clock);

  void write(LogLevel level, std::string_view line) override;

 private:
  config::LogFormat format_;
  const Clock& clock_;
  std::mutex mutex_;
};

/// The next "key=value" of a line, which becomes what follows; nullopt at its end. Values without
/// their quotes and escapes.
struct LogFieldText {
  std::string_view key;
  std::string value;
  bool was_quoted = false;
};
std::optional<LogFieldText> take_log_field(std::string_view& line);

/// One line, with its newline, as the sink writes it.
std::string format_log_line(config::LogFormat format, Time time, LogLevel level,
                            std::string_view line);

}  // namespace hikyaku::app
