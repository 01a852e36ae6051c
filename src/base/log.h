// Structured log lines: `event=noun.verb key=value …` (STYLE §9). Keys are registered in
// docs/log-keys.txt.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace hikyaku {

enum class LogLevel {
  Error,  ///< an operator must act
  Warn,   ///< something is odd or will become a problem
  Info,   ///< one line per connection end, message accepted, delivery attempt
  Debug,  ///< what the server decides
  Trace,  ///< protocol lines, without secrets and bodies
};

/// Where finished lines go. Implementations are called from every thread.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// `line` is "key=value key=value", without time, level or newline.
  virtual void write(LogLevel level, std::string_view line) = 0;
};

/// One `key=value`. Numbers and texts; texts are quoted when they need it and made printable.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
  LogField(std::string_view k, const char* v) : key(k), text(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), text(v) {}
  template <std::integral Number>
  LogField(std::string_view k, Number v)
      : key(k), number(static_cast<std::int64_t>(v)), is_number(true) {}

  std::string_view key;
  std::string_view text;
  std::int64_t number = 0;
  bool is_number = false;
};

/// A logger with fields that all its lines carry. Cheap to copy; `with` makes children:
/// listener -> connection -> user -> transaction -> attempt.
class Log {
 public:
  /// Drops everything (tests, tools).
  Log() = default;
  /// `sink` must outlive the Log and its children. Lines below `level` are not written.
  Log(LogSink& sink, LogLevel level) : sink_(&sink), level_(level) {}

  Log with(std::initializer_list<LogField> fields) const;
  bool enabled(LogLevel level) const { return sink_ && level <= level_; }

  void error(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void warn(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void trace(std::string_view event, std::initializer_list<LogField> fields = {}) const;

 private:
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const;

  LogSink* sink_ = nullptr;
  LogLevel level_ = LogLevel::Error;
  std::string inherited_;  ///< " key=value key=value", ready to append
};

}  // namespace hikyaku
