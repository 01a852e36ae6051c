#include "base/log.h"

#include <algorithm>

#include "base/text.h"

namespace hikyaku {
namespace {

bool needs_quotes(std::string_view text) {
  return text.empty() || std::ranges::any_of(text, [](char c) {
           return c == ' ' || c == '"' || c == '=' || c == '\\';
         });
}

void append_field(std::string& line, const LogField& field) {
  line += ' ';
  line += field.key;
  line += '=';
  if (field.is_number) {
    line += std::to_string(field.number);
    return;
  }
  auto value = printable(field.text);
  if (!needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += c;
  }
  line += '"';
}

}  // namespace

Log Log::with(std::initializer_list<LogField> fields) const {
  Log child = *this;
  if (!sink_) return child;
  for (auto& field : fields) append_field(child.inherited_, field);
  return child;
}

void Log::write(LogLevel level, std::string_view event,
                std::initializer_list<LogField> fields) const {
  if (!enabled(level)) return;
  std::string line = "event=";
  line += event;
  line += inherited_;
  for (auto& field : fields) append_field(line, field);
  sink_->write(level, line);
}

void Log::error(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::Error, event, fields);
}
void Log::warn(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::Warn, event, fields);
}
void Log::info(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::Info, event, fields);
}
void Log::debug(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::Debug, event, fields);
}
void Log::trace(std::string_view event, std::initializer_list<LogField> fields) const {
  write(LogLevel::Trace, event, fields);
}

}  // namespace hikyaku
