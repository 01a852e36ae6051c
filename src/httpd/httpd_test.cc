#include <doctest/doctest.h>

#include "base/async.h"
#include "base/gate.h"
#include "httpd/server.h"
#include "net/fake_stream.h"
#include "testing/test_loop.h"

namespace hikyaku::httpd {
namespace {

using net::FakeStream;
using namespace std::chrono_literals;

struct FixedClock final : Clock {
  Time now() const override { return Time(milliseconds(784'111'777'000)); }
};

Task<http::Response> hello(const http::Request& request) {
  co_return http::Response{.body = "hello " + request.query};
}
Task<http::Response> defect(const http::Request&) {
  throw std::runtime_error("a defect");
  co_return http::Response{};
}

/// One connection to a server with the routes /hello and /defect.
struct Fixture {
  testing::TestLoop loop;
  FixedClock clock;
  metrics::Registry registry;
  Metrics counted{registry};
  Router router;
  Settings settings;
  Gate gate{end_process};
  std::unique_ptr<FakeStream> client;

  Fixture() {
    router.add("/hello", hello);
    router.add("/defect", defect);
    settings.max_requests = 3;
  }
  ~Fixture() {
    client->close();
    bool ended = false;
    gate.close([&] { ended = true; });
    while (!ended && loop.run_ready()) {
    }
    CHECK(ended);
  }
  void connect() {
    auto [server, other] = FakeStream::pair();
    client = std::move(other);
    gate.spawn(serve(std::move(server), settings, {router, clock, &counted, nullptr}, Log()));
    loop.run_ready();
  }
  /// What the server says to these bytes, Date and Content-Type left out.
  std::string say(std::string_view bytes) {
    gate.spawn(client->write(bytes));
    loop.run_ready();
    return heard();
  }
  std::string heard() {
    loop.run_ready();
    std::string all;
    char buffer[4096];
    while (auto got = client->try_read(buffer)) {
      all += *got == 0 ? "(end)" : std::string_view(buffer, *got);
      if (*got == 0) break;
    }
    for (auto name : {"Date: ", "Content-Type: "}) {
      for (auto at = all.find(name); at != all.npos; at = all.find(name))
        all.erase(at, all.find('\n', at) + 1 - at);
    }
    return all;
  }
};

constexpr std::string_view kGet = "GET /hello?you HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_CASE("requests on one connection are answered in their order, up to a limit") {
  Fixture fixture;
  fixture.connect();
  constexpr std::string_view kAnswer =
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\nhello you";
  CHECK(fixture.say(kGet) == kAnswer);
  auto both = fixture.say(std::string(kGet) + std::string(kGet));
  CHECK(both.starts_with(kAnswer));
  CHECK(both.find("Connection: close\r\n\r\nhello you") != both.npos);
  CHECK(both.ends_with("(end)"));
  CHECK(fixture.counted.ok.value() == 3);
}

TEST_CASE("HEAD, unknown paths, other methods") {
  Fixture fixture;
  fixture.connect();
  CHECK(fixture.say("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: keep-alive\r\n\r\n");
  CHECK(fixture.say("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 "));
  auto refusal = fixture.say("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(refusal.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"));
  CHECK(fixture.counted.client_error.value() == 2);
}

TEST_CASE("what is no request gets its answer and the connection ends") {
  Fixture fixture;
  fixture.connect();
  auto answer = fixture.say("EHLO there\r\n" + std::string(kGet));
  CHECK(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(answer.ends_with("(end)"));
  CHECK(answer.find("200 OK") == answer.npos);
}

TEST_CASE("a body is not taken where none is expected") {
  Fixture fixture;
  fixture.connect();
  auto answer = fixture.say("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(answer.starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a request that comes a byte at a time is given up in the end, an idle connection too") {
  Fixture fixture;
  fixture.connect();
  fixture.say("G");
  for (int i = 0; i < 29; ++i) {
    fixture.loop.run(sleep_for(1s));
    CHECK(fixture.say("E") == "");
  }
  fixture.loop.run(sleep_for(2s));
  auto answer = fixture.heard();
  CHECK(answer.starts_with("HTTP/1.1 408 "));
  fixture.client->close();

  fixture.connect();
  fixture.loop.run(sleep_for(61s));
  CHECK(fixture.heard() == "(end)");
}

TEST_CASE("a defect in a handler is an answer too") {
  Fixture fixture;
  fixture.connect();
  CHECK(fixture.say("GET /defect HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500 "));
}

TEST_CASE("a peer that vanishes at any moment does no harm") {
  for (int fail_at = 1; fail_at <= 6; ++fail_at) {
    testing::TestLoop loop;
    FixedClock clock;
    Router router;
    router.add("/hello", hello);
    Settings settings;
    auto [server, client] = FakeStream::pair();
    server->fail_at(fail_at);
    server->receive(std::string(kGet) + std::string(kGet));
    server->receive_end();
    loop.run(serve(std::move(server), settings, {router, clock}, Log()));
  }
}

}  // namespace
}  // namespace hikyaku::httpd
