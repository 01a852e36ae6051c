// What counting, and checking who sent it, cost on the way of a message: sessions that accept
// messages, with and without, in turns. Processor time of the session's loop, no network, a store
// in memory, answers of the DNS from a map.
#include <algorithm>
#include <fmt/core.h>
#include <time.h>

#include "dns/fake_resolver.h"
#include "net/fake_stream.h"
#include "smtpd/server.h"
#include "testing/world.h"

using namespace hikyaku;

namespace {

constexpr int kRounds = 400;
constexpr int kMessages = 25;  ///< in a session

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string conversation() {
  std::string text = "EHLO bench.test\r\n";
  for (int i = 0; i < kMessages; ++i)
    text +=
        "MAIL FROM:<x@beta.test>\r\nRCPT TO:<anna@alpha.test>\r\nDATA\r\n"
        "From: x@beta.test\r\nSubject: bench\r\n\r\n" +
        std::string(2'000, 'x') + "\r\n.\r\n";
  return text + "QUIT\r\n";
}

/// Microseconds a message.
double one_session(const std::string& text, const smtpd::Metrics* metrics,
                   dns::Resolver* dns = nullptr) {
  testing::World world(testing::World::Passwords::None);
  world.settings.authentication.host_name = world.settings.host_name;
  world.receiver = receive::make_receiver(
      world.settings,
      {world.store, world.pool, world.loop, world.random, world.large_messages, dns}, {});
  smtpd::Settings settings;
  settings.protocol.host_name = "mx.alpha.test";
  auto [server, client] = net::FakeStream::pair();
  server->receive(text);
  server->receive_end();
  Activity activity;
  auto began = cpu_seconds();
  world.loop.run(smtpd::serve(
      std::move(server), settings,
      {*world.receiver, *world.authenticator, nullptr, metrics, metrics ? &activity : nullptr},
      {}));
  auto took = cpu_seconds() - began;
  client->close();
  return took / kMessages * 1e6;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

}  // namespace

int main() {
  metrics::Registry registry;
  smtpd::Metrics metrics(registry, "smtp");
  auto text = conversation();
  std::vector<double> without, with, difference;
  for (int round = 0; round < kRounds; ++round) {
    // Who comes first changes: neither always finds the caches warm.
    auto first = round % 2 == 0;
    auto a = one_session(text, first ? &metrics : nullptr);
    auto b = one_session(text, first ? nullptr : &metrics);
    with.push_back(first ? a : b);
    without.push_back(first ? b : a);
    difference.push_back(with.back() - without.back());
  }
  fmt::print(
      "accepting a message of 2 KB: {:.2f} us without metrics, {:.2f} us with; "
      "median of {} paired differences {:+.3f} us ({:+.2f} %)\n",
      median(without), median(with), kRounds, median(difference),
      median(difference) / median(without) * 100);

  without.clear();
  with.clear();
  difference.clear();
  for (int round = 0; round < kRounds; ++round) {
    dns::FakeResolver dns(
        "beta.test. TXT \"v=spf1 mx ip4:192.0.2.1 -all\"\nbeta.test. MX 10 mx.beta.test.\n"
        "mx.beta.test. A 192.0.2.2\n_dmarc.beta.test. TXT \"v=DMARC1; p=none\"\n");
    auto first = round % 2 == 0;
    auto a = one_session(text, nullptr, first ? &dns : nullptr);
    auto b = one_session(text, nullptr, first ? nullptr : &dns);
    with.push_back(first ? a : b);
    without.push_back(first ? b : a);
    difference.push_back(with.back() - without.back());
  }
  fmt::print(
      "the same, unsigned: {:.2f} us unchecked, {:.2f} us with SPF, DKIM, DMARC and iprev; "
      "median of {} paired differences {:+.3f} us\n",
      median(without), median(with), kRounds, median(difference));

  constexpr int kAdds = 20'000'000;
  auto counter = registry.counter("bench_total", "For the bench.");
  auto began = cpu_seconds();
  for (int i = 0; i < kAdds; ++i) counter.add();
  auto per_add = (cpu_seconds() - began) / kAdds * 1e9;
  auto histogram = registry.histogram("bench_seconds", "For the bench.", metrics::Unit::Seconds,
                                      metrics::kTimes);
  began = cpu_seconds();
  for (int i = 0; i < kAdds; ++i) histogram.observe(static_cast<std::uint64_t>(i));
  fmt::print("a counter: {:.1f} ns, a histogram: {:.1f} ns\n", per_add,
             (cpu_seconds() - began) / kAdds * 1e9);
}
