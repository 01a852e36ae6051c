#include "imapd/metrics.h"

#include "base/activity.h"
#include "imap/rules.h"

namespace hikyaku::imapd {

Metrics::Metrics(metrics::Registry& registry) {
  for (std::size_t i = 0; i < kVerbs; ++i) {
    auto verb = static_cast<imap::Verb>(i);
    auto name = verb == imap::Verb::Unknown ? "UNKNOWN" : imap::rule_of(verb).name;
    commands[i] = command_histogram(registry, "imap", name);
  }
}

}  // namespace hikyaku::imapd
