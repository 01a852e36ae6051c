#include "app/log_sink.h"

#include <cerrno>
#include <unistd.h>

#include "base/text.h"

namespace hikyaku::app {
namespace {

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::Error:
      return "error";
    case LogLevel::Warn:
      return "warn";
    case LogLevel::Info:
      return "info";
    case LogLevel::Debug:
      return "debug";
    case LogLevel::Trace:
      return "trace";
  }
  return "error";
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  // base/log.h made it printable: there are no control characters and no bytes but UTF-8.
  for (auto c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

/// The next value of a "key=value" line, without its quotes and escapes.
std::string take_value(std::string_view& line, bool& was_quoted) {
  std::string value;
  was_quoted = line.starts_with('"');
  if (!was_quoted) {
    auto end = line.find(' ');
    value = line.substr(0, end);
    line.remove_prefix(value.size());
    return value;
  }
  std::size_t at = 1;
  for (; at < line.size() && line[at] != '"'; ++at) {
    if (line[at] == '\\' && at + 1 < line.size()) ++at;
    value += line[at];
  }
  line.remove_prefix(std::min(at + 1, line.size()));
  return value;
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  // JSON has no leading zeros; 15 digits survive every reader's floating point.
  if (text.empty() || text.size() > 15 || (text.size() > 1 && text[0] == '0')) return false;
  return parse_decimal(text).has_value();
}

std::string json_line(Time time, LogLevel level, std::string_view line) {
  std::string out = "{\"time\":";
  append_json(out, format_rfc3339(time));
  out += ",\"level\":";
  append_json(out, name_of(level));
  while (auto field = take_log_field(line)) {
    out += ',';
    append_json(out, field->key);
    out += ':';
    if (!field->was_quoted && is_number(field->value))
      out += field->value;
    else
      append_json(out, field->value);
  }
  return out + "}\n";
}

}  // namespace

std::optional<LogFieldText> take_log_field(std::string_view& line) {
  auto equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  LogFieldText field;
  field.key = line.substr(0, equals);
  line.remove_prefix(equals + 1);
  field.value = take_value(line, field.was_quoted);
  if (line.starts_with(' ')) line.remove_prefix(1);
  return field;
}

std::string format_log_line(config::LogFormat format, Time time, LogLevel level,
                            std::string_view line) {
  if (format == config::LogFormat::Json) return json_line(time, level, line);
  std::string out = format_rfc3339(time);
  out += ' ';
  out += name_of(level);
  out += ' ';
  out += line;
  return out + '\n';
}

StandardErrorSink::StandardErrorSink(config::LogFormat format, const Clock& clock)
    : format_(format), clock_(clock) {}

void StandardErrorSink::write(LogLevel level, std::string_view line) {
  auto text = format_log_line(format_, clock_.now(), level, line);
  std::string_view left = text;
  std::lock_guard lock(mutex_);
  while (!left.empty()) {
    auto written = ::write(STDERR_FILENO, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody will ever read it
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace hikyaku::app
