// Listening and connecting, by TCP and by sockets of the file system.
#include "net/listener.h"

#include <atomic>
#include <doctest/doctest.h>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <future>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/async.h"
#include "base/gate.h"
#include "net/connect.h"
#include "net/conversation_test.h"
#include "net/cores.h"
#include "net/served.h"

namespace hikyaku::net {

using namespace std::chrono_literals;
using testing::Served;

TEST_CASE("Listener: mistakes are told in words") {
  auto first = Listener::bind({*IpAddress::parse("127.0.0.1"), 0}).value();
  auto taken = Listener::bind(first->endpoint());
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == ErrorCode::Conflict);
  CHECK(taken.error().text.starts_with(
      fmt::format("port {} on 127.0.0.1 is taken (by test_net, process ", first->endpoint().port)));
  auto foreign = Listener::bind({*IpAddress::parse("192.0.2.1"), 0});
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().text ==
        "cannot listen on 192.0.2.1:0: this machine does not have the address 192.0.2.1");
}

TEST_CASE("Listener: a caller may be refused with a word, and stop() ends the listening") {
  std::atomic<bool> refuse{true};
  Served served(2, echo, [&](const Endpoint& peer) {
    CHECK(peer.address.is_loopback());
    return Listener::Admission{!refuse, "421 too many\r\n"};
  });
  served.client(
      [](Stream& stream) -> Task<void> { CHECK(co_await read_all(stream) == "421 too many\r\n"); });
  refuse = false;
  served.client(
      [](Stream& stream) -> Task<void> { CHECK(co_await converse(stream, "hi") == "hi"); });
  CHECK(served.listener().counters().refused == 1);
  CHECK(served.listener().counters().accepted == 1);
  auto endpoint = served.listener().endpoint();
  served.stop_listening();
  auto refused = served.cores().run(0, [&] { return connect(endpoint, {}, 1s); });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::Unavailable);
  CHECK(refused.error().text == endpoint.to_string() + ": connection refused");
}

TEST_CASE("Listener: connections are spread over the loops") {
  Served served(2,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.cores().run(0, [&]() -> Task<void> {
    std::vector<std::unique_ptr<Stream>> clients;
    for (int i = 0; i < 10; ++i)
      clients.push_back((co_await connect(served.listener().endpoint(), {}, 1s)).value());
    co_await sleep_for(50ms);
    // Ten clients live on loop 0; the server's ends go where less is going on.
    CHECK(served.cores().connections(0) + served.cores().connections(1) == 20);
    CHECK(served.cores().connections(1) >= 6);
  });
}

TEST_CASE("Listener: without file descriptors callers are turned away, and service returns") {
  Served served(1, echo);
  served.cores().run(0, [&]() -> Task<void> {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    std::vector<std::unique_ptr<Stream>> warm;
    warm.push_back((co_await connect(served.listener().endpoint(), {}, 1s)).value());
    co_await sleep_for(10ms);
    int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rlimit tight{static_cast<rlim_t>(client + 1), limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    testing::connect_raw(client, served.listener().endpoint());
    co_await sleep_for(50ms);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    char byte;
    CHECK(::recv(client, &byte, 1, MSG_DONTWAIT) == 0);  // closed by the server
    ::close(client);
    CHECK(served.listener().counters().dropped == 1);
    auto again = co_await connect(served.listener().endpoint(), {}, 1s);
    REQUIRE(again);
    CHECK(co_await converse(**again, "back") == "back");
  });
}

TEST_CASE("IPv6: a listener of its own, beside IPv4 on the same port") {
  auto v6 = Listener::bind({*IpAddress::parse("::1"), 0});
  if (!v6) {
    MESSAGE("skipped: no IPv6 here: ", v6.error().text);
    return;
  }
  auto any = Listener::bind({*IpAddress::parse("::"), 0});
  REQUIRE(any);
  CHECK(Listener::bind({*IpAddress::parse("0.0.0.0"), (*any)->endpoint().port}));
  Cores cores(1);
  cores.start();
  auto stream = cores.run(0, [&] { return connect((*v6)->endpoint(), {}, 1s); });
  REQUIRE(stream);
  cores.call(0, [&] {
    CHECK((*stream)->peer().to_string() == fmt::format("[::1]:{}", (*v6)->endpoint().port));
    stream->reset();
  });
}

TEST_CASE("Unix-domain sockets: for the owner only, and the peer is known") {
  auto path =
      (std::filesystem::temp_directory_path() / fmt::format("hikyaku-test-{}.sock", ::getpid()))
          .string();
  Cores cores(1);
  cores.start();
  Gate gate{end_process};
  std::optional<PeerProcess> peer;
  {
    auto dead = Listener::bind_unix(path).value();
    CHECK_FALSE(Listener::bind_unix(path));  // somebody listens there
    struct stat file{};
    ::stat(path.c_str(), &file);
    CHECK((file.st_mode & 0777) == 0600);
  }
  auto listener = Listener::bind_unix(path).value();
  listener->start(cores, [&](std::unique_ptr<Stream> stream) {
    peer = stream->peer_process();
    gate.spawn(echo(std::move(stream)));
  });
  cores.run(0, [&]() -> Task<void> {
    auto stream = (co_await connect_unix(path, 1s)).value();
    CHECK(co_await converse(*stream, "hello") == "hello");
  });
  REQUIRE(peer);
  CHECK(peer->uid == ::getuid());
  CHECK(peer->pid == ::getpid());
  std::promise<void> stopped;
  listener->stop([&] { stopped.set_value(); });
  stopped.get_future().wait();
  auto gone = cores.run(0, [&] { return connect_unix(path, 1s); });
  CHECK(gone.error().code == ErrorCode::NotFound);
  std::ofstream(path) << "a file";
  CHECK(Listener::bind_unix(path).error().code == ErrorCode::Exists);
  std::filesystem::remove(path);
  CHECK(Listener::bind_unix("/" + std::string(200, 'x')).error().code == ErrorCode::Invalid);
}

TEST_CASE("connect: from an address of one's own, and only from such") {
  Served served(1, echo);
  auto to = served.listener().endpoint();
  served.cores().run(0, [&]() -> Task<void> {
    auto own = co_await connect(to, IpAddress::parse("127.0.0.7"), 1s);
    REQUIRE(own);
    CHECK((*own)->local().address.to_string() == "127.0.0.7");
    auto foreign = co_await connect(to, IpAddress::parse("192.0.2.1"), 1s);
    REQUIRE_FALSE(foreign);
    CHECK(foreign.error().code == ErrorCode::Invalid);
  });
}

}  // namespace hikyaku::net
