// The end of the transmitter: what is on the wire may end, nothing else is waited for.
#include <doctest/doctest.h>

#include "base/async.h"
#include "dns/resolver.h"
#include "transmit/sending_test.h"
#include "transmit/transmitter.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;

/// Answers nothing for half a minute.
struct SilentResolver final : dns::Resolver {
  template <class Record>
  static Task<dns::Answer<Record>> later() {
    co_await sleep_for(30s);
    co_return dns::Answer<Record>{};
  }
  Task<dns::Answer<dns::Mx>> mx(std::string) override { return later<dns::Mx>(); }
  Task<dns::Answer<IpAddress>> a(std::string) override { return later<IpAddress>(); }
  Task<dns::Answer<IpAddress>> aaaa(std::string) override { return later<IpAddress>(); }
  Task<dns::Answer<std::string>> txt(std::string) override { return later<std::string>(); }
  Task<dns::Answer<std::string>> ptr(IpAddress) override { return later<std::string>(); }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { return later<dns::Tlsa>(); }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { return later<dns::Srv>(); }
  Task<dns::Answer<std::string>> cname(std::string) override { return later<std::string>(); }
};

Task<Result<std::unique_ptr<net::Stream>>> no_answer(milliseconds timeout) {
  co_await sleep_for(timeout);
  co_return fail(ErrorCode::Unavailable, "no answer");
}

TEST_CASE("shutdown: what is on the wire may end, the rest waits as if it had not been tried") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["."] = "SILENCE";
  f.settings_of_transmitter.connections_per_destination = 1;
  for (int i = 0; i < 3; ++i) f.submit({"x@beta.test"});
  f.submit({"x@gamma.test"});
  f.servers["192.0.2.11"].answers[""] = "SILENCE";
  f.start();
  f.run_for(10s);
  auto begin = f.loop.now();
  f.stop(5s);
  CHECK(f.loop.now() - begin < 10s);
  auto left = f.queued();
  REQUIRE(left.size() == 4);
  for (auto& entry : left) {
    CHECK(!entry.attempting);
    CHECK(entry.attempts == 0);
    CHECK(entry.interrupted == 0);
  }
  beta.answers.clear();
  f.servers["192.0.2.11"].answers.clear();
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
}

TEST_CASE("shutdown does not wait for a server that does not answer, nor for the DNS") {
  for (bool dns_is_silent : {false, true}) {
    Fixture f;
    SilentResolver silent;
    f.settings_of_transmitter.connect.open =
        [](Endpoint, std::optional<IpAddress>,
           milliseconds timeout) -> Task<Result<std::unique_ptr<net::Stream>>> {
      return no_answer(timeout);
    };
    auto& resolver = dns_is_silent ? static_cast<dns::Resolver&>(silent) : f.dns;
    f.submit({"x@beta.test"});
    f.submit({"x@gamma.test"});
    f.transmitter = make_transmitter(
        f.settings_of_transmitter,
        {f.store, *f.receiver, resolver, net::testing::client_tls(), f.loop, f.random}, {});
    f.transmitter->start();
    f.run_for(5s);
    REQUIRE(f.transmitter->attempting() == 2);
    auto begin = f.loop.now();
    f.stop(10s);
    CHECK(f.loop.now() - begin < 2s);
    REQUIRE(f.queued().size() == 2);
    for (auto& entry : f.queued()) {
      CHECK(!entry.attempting);
      CHECK(entry.attempts == 0);
    }
  }
}

TEST_CASE("shutdown waits for the message that is being sent") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["."] = "SLOW 250 2.0.0 ok";
  f.settings_of_transmitter.connections_per_destination = 1;
  f.submit({"x@beta.test"});
  f.submit({"y@beta.test"});
  f.start();
  f.run_for(5s);
  f.stop(30s);
  CHECK(beta.messages.size() == 1);
  REQUIRE(f.queued().size() == 1);
  CHECK(!f.queued()[0].attempting);
}

TEST_CASE("shutdown with a store that refuses takes no longer for many messages than for one") {
  // What was sent and could not be settled, and what is given back.
  for (bool sent : {true, false}) {
    CAPTURE(sent);
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    if (!sent) beta.answers["."] = "SILENCE";
    f.settings_of_transmitter.connections_per_destination = 1;
    for (int i = 0; i < 30; ++i) f.submit({"x@beta.test"});
    bool refusing = false;
    f.store.before_step = [&] {
      auto refuses = refusing || (sent && !beta.messages.empty());
      f.store.fail_with(refuses ? std::optional(ErrorCode::Io) : std::nullopt);
    };
    f.start();
    f.run_for(10s);
    REQUIRE(f.transmitter->attempting() == 30);
    refusing = true;
    auto begin = f.loop.now();
    f.stop(1s);
    CHECK(f.loop.now() - begin < 10s);
    f.store.before_step = {};
    f.store.fail_with({});
    CHECK(f.queued().size() == 30);
  }
}

TEST_CASE("shutdown settles what the store takes at the second try") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  for (int i = 0; i < 30; ++i) f.submit({"x@beta.test"});
  std::optional<Time> stopped;
  f.store.before_step = [&] {
    auto refuses = !beta.messages.empty() && (!stopped || f.loop.now() < *stopped + 500ms);
    f.store.fail_with(refuses ? std::optional(ErrorCode::Io) : std::nullopt);
  };
  f.start();
  f.run_for(10s);
  REQUIRE(f.transmitter->attempting() == 30);
  stopped = f.loop.now();
  f.stop(1s);
  CHECK(f.queued().size() < 30);
  for (auto& entry : f.queued()) CHECK(!entry.attempting);
}

}  // namespace
}  // namespace hikyaku::transmit
