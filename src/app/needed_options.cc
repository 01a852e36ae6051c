#include "app/needed_options.h"

#include <algorithm>
#include <fmt/core.h>

namespace hikyaku::app {
namespace {

constexpr Phrase kMissing{"missing: {}. `{} {} --help` has examples.",
                          "足りないもの: {}。例は `{} {} --help` にあります。"};
constexpr Phrase kBounce{"{} (\"\" for a bounce)", "{}(バウンスなら \"\")"};

/// "--ip A".
std::string as_written(const Verb& verb, std::string_view name) {
  auto found = std::ranges::find(verb.options, name, &OptionSpec::name);
  if (found == verb.options.end() || found->value.empty()) return std::string(name);
  return fmt::format("{} {}", name, found->value);
}

}  // namespace

std::optional<Exit> complain_of_missing(const Invocation& invocation,
                                        std::initializer_list<std::string_view> options,
                                        Terminal& terminal) {
  std::string missing;
  for (auto name : options) {
    if (invocation.has(name)) continue;
    if (!missing.empty()) missing += ", ";
    auto written = as_written(invocation.verb(), name);
    missing += name == "--mail-from" ? say(terminal.language(), kBounce, written) : written;
  }
  if (missing.empty()) return std::nullopt;
  terminal.complain(kMissing, missing, terminal.program(), invocation.verb().name);
  return Exit::Usage;
}

}  // namespace hikyaku::app
