#include "transmit/connector.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "testing/test_loop.h"

namespace hikyaku::transmit {
namespace {

TEST_CASE("so many addresses are tried and no more, however many hosts a zone names") {
  testing::TestLoop loop;
  Route route;
  route.kind = Route::Kind::Hosts;
  for (int host = 1; host <= 5; ++host) {
    Host one{fmt::format("h{}.test", host), {}};
    for (int i = 1; i <= 4 * host; ++i)
      one.addresses.push_back(*IpAddress::parse(fmt::format("192.0.{}.{}", host, i)));
    route.hosts.push_back(std::move(one));
  }
  std::vector<std::string> tried;
  ConnectSettings settings;
  settings.open = [&](Endpoint to, std::optional<IpAddress>,
                      milliseconds) -> Task<Result<std::unique_ptr<net::Stream>>> {
    tried.push_back(to.address.to_string());
    co_return fail(ErrorCode::Io, "nobody there");
  };
  auto tls = net::ClientTls::create({}).value();
  OpenStreams streams;
  auto connection = loop.run(connect_to(route, settings, *tls, streams, Log()));
  CHECK(connection.client == nullptr);
  CHECK_FALSE(connection.permanent);
  REQUIRE(tried.size() == kMaxAddresses);
  CHECK(tried.front() == "192.0.1.1");
  CHECK(tried.back() == "192.0.2.6");
}

}  // namespace
}  // namespace hikyaku::transmit
