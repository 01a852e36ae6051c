#include "smtp/trace.h"

#include "base/text.h"

namespace hikyaku::smtp {
namespace {

/// Calls `visit(line)` for each line of the header section, without its end.
template <class Visit>
void header_lines(std::string_view message, Visit visit) {
  while (!message.empty()) {
    auto end = message.find('\n');
    auto line = message.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) return;
    visit(line);
    if (end == std::string_view::npos) return;
    message.remove_prefix(end + 1);
  }
}

/// The value of a field line with this name; nullptr view if it is another one.
std::string_view value_of(std::string_view line, std::string_view name) {
  if (!istarts_with(line, name)) return {};
  line = trim_space(line.substr(name.size()));
  if (!line.starts_with(':')) return {};
  return line;
}

}  // namespace

std::size_t count_received(std::string_view message) {
  std::size_t count = 0;
  header_lines(message, [&](std::string_view line) {
    if (!value_of(line, "Received").empty()) ++count;
  });
  return count;
}

}  // namespace hikyaku::smtp
