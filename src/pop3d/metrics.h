// What the POP3 server counts.
#pragma once

#include <array>

#include "base/metrics.h"
#include "pop3/command.h"

namespace hikyaku::pop3d {

struct Metrics {
  /// Counts nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  static constexpr std::size_t kVerbs = static_cast<std::size_t>(pop3::Verb::Utf8) + 1;
  std::array<metrics::Histogram, kVerbs> commands;

  const metrics::Histogram& of(pop3::Verb verb) const {
    return commands[static_cast<std::size_t>(verb)];
  }
};

}  // namespace hikyaku::pop3d
