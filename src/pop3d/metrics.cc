#include "pop3d/metrics.h"

#include "base/activity.h"

namespace hikyaku::pop3d {

Metrics::Metrics(metrics::Registry& registry) {
  for (std::size_t i = 0; i < kVerbs; ++i) {
    auto verb = static_cast<pop3::Verb>(i);
    auto name = verb == pop3::Verb::Unknown ? "UNKNOWN" : pop3::name_of(verb);
    commands[i] = command_histogram(registry, "pop3", name);
  }
}

}  // namespace hikyaku::pop3d
