// What the IMAP server counts.
#pragma once

#include <array>

#include "base/metrics.h"
#include "imap/command.h"

namespace hikyaku::imapd {

struct Metrics {
  /// Counts nothing.
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);

  static constexpr std::size_t kVerbs = static_cast<std::size_t>(imap::Verb::Unsubscribe) + 1;
  std::array<metrics::Histogram, kVerbs> commands;

  const metrics::Histogram& of(imap::Verb verb) const {
    return commands[static_cast<std::size_t>(verb)];
  }
};

}  // namespace hikyaku::imapd
