// Many destinations at once, and what a server says about how much it takes.
#include <doctest/doctest.h>

#include "transmit/sending_test.h"
#include "transmit/transmitter.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a slow destination neither fills the window nor keeps every worker") {
  Fixture f;
  f.settings_of_transmitter.window = 40;
  f.settings_of_transmitter.window_per_destination = 20;
  f.settings_of_transmitter.connections = 2;
  f.servers["192.0.2.1"].answers["MAIL"] = "SILENCE";
  f.servers["192.0.2.11"];
  f.settings_of_transmitter.connections_per_destination = 1;
  for (int i = 0; i < 200; ++i) f.submit({"x@beta.test"});
  f.start();
  f.run_for(10s);
  auto begin = f.loop.now();
  f.submit({"x@gamma.test"});
  f.run_until([&] { return !f.servers["192.0.2.11"].messages.empty(); });
  CHECK(f.loop.now() - begin < 1min);
  CHECK(f.transmitter->attempting() <= 20);
}

TEST_CASE("more busy destinations than workers: each gets its turn") {
  Fixture f;
  f.settings_of_transmitter.connections = 1;
  f.settings_of_transmitter.messages_per_connection = 2;
  f.servers["192.0.2.1"];
  f.servers["192.0.2.11"];
  for (int i = 0; i < 20; ++i) f.submit({"x@beta.test"});
  f.submit({"x@gamma.test"});
  f.start();
  f.run_until([&] { return !f.servers["192.0.2.11"].messages.empty(); });
  REQUIRE(f.tried.size() > 1);
  CHECK(f.tried[1] == "192.0.2.11");
  f.run_until_idle();
  CHECK(f.queued().empty());
}

TEST_CASE("limits that a server tells are kept") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.offers = {"PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=2"};
  f.submit({"a@beta.test", "b@beta.test", "c@beta.test", "d@beta.test", "e@beta.test"});
  f.start();
  f.run_until_idle();
  CHECK(beta.messages.size() == 3);
  CHECK(beta.connections == 2);
  CHECK(f.queued().empty());
}

}  // namespace
}  // namespace hikyaku::transmit
