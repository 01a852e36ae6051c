#include "smtpd/metrics.h"

#include "base/activity.h"

namespace hikyaku::smtpd {
namespace {

/// The verbs that have no name of their own share one.
std::string name_of(smtp::Verb verb) {
  switch (verb) {
    case smtp::Verb::Obsolete:
      return "OBSOLETE";
    case smtp::Verb::Foreign:
      return "FOREIGN";
    case smtp::Verb::Unknown:
      return "UNKNOWN";
    default:
      return std::string(smtp::to_string(verb));
  }
}

/// From 1 KB to 64 MB, each four times the one before.
constexpr metrics::Buckets kSizes{1024, 2, 9};

}  // namespace

Metrics::Metrics(metrics::Registry& registry, const std::string& protocol) {
  for (std::size_t i = 0; i < kVerbs; ++i)
    commands[i] = command_histogram(registry, protocol, name_of(static_cast<smtp::Verb>(i)));
  auto by_reply = [&](const char* name, const char* help) {
    auto counter = [&](const char* reply) {
      return registry.counter(name, help, {{"protocol", protocol}, {"reply", reply}});
    };
    return ByReply{counter("2yz"), counter("4yz"), counter("5yz")};
  };
  recipients = by_reply("hikyaku_recipients_total", "RCPT commands by the class of their reply.");
  messages = by_reply("hikyaku_messages_total",
                      "Messages whose data has come, by the class of the reply: accepted, to be "
                      "tried again, refused.");
  message_bytes =
      registry.counter("hikyaku_message_bytes_total", "Bytes of accepted messages as they came.",
                       {{"protocol", protocol}});
  acceptance = registry.histogram(
      "hikyaku_message_accept_seconds",
      "Time from the last byte of a message to the reply: checks, the transaction, its sync.",
      metrics::Unit::Seconds, metrics::kFineTimes, {{"protocol", protocol}});
  sizes = registry.histogram("hikyaku_message_size_bytes", "Sizes of accepted messages.",
                             metrics::Unit::Bytes, kSizes, {{"protocol", protocol}});
}

}  // namespace hikyaku::smtpd
