// What the SMTP server counts.
#pragma once

#include <array>
#include <string>

#include "base/metrics.h"
#include "smtp/command.h"
#include "smtp/reply.h"

namespace hikyaku::smtpd {

struct Metrics {
  /// Counts nothing.
  Metrics() = default;
  /// `protocol` is "smtp", "submission" or "local".
  Metrics(metrics::Registry& registry, const std::string& protocol);

  /// Answers by their first digit.
  struct ByReply {
    metrics::Counter positive, transient, permanent;
    void add(const smtp::Reply& reply) const {
      (reply.positive() ? positive : reply.permanent() ? permanent : transient).add();
    }
  };

  static constexpr std::size_t kVerbs = static_cast<std::size_t>(smtp::Verb::Unknown) + 1;
  std::array<metrics::Histogram, kVerbs> commands;
  ByReply recipients;
  ByReply messages;
  metrics::Counter message_bytes;
  metrics::Histogram acceptance;
  metrics::Histogram sizes;

  const metrics::Histogram& of(smtp::Verb verb) const {
    return commands[static_cast<std::size_t>(verb)];
  }
};

}  // namespace hikyaku::smtpd
