// Real sockets on the loopback interface: what drivers rely on.
#include <atomic>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <future>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/async.h"
#include "net/connect.h"
#include "net/cores.h"
#include "net/input.h"
#include "net/linger.h"
#include "net/listener.h"
#include "net/output.h"
#include "net/served.h"
#include "net/signals.h"
#include "net/tls.h"
#include "net/worker_pool.h"

namespace hikyaku::net {
namespace {

using namespace std::chrono_literals;
using testing::Served;

std::string why(const Disconnected& gone) {
  switch (gone.why()) {
    case Disconnected::Why::Closed:
      return "closed";
    case Disconnected::Why::Timeout:
      return "timeout";
    case Disconnected::Why::Shutdown:
      return "shutdown";
    case Disconnected::Why::Tls:
      return "tls";
  }
  return "?";
}

/// Runs a task and says how the connection ended: "fine", or why not.
template <class Made>
Task<std::string> ending(Made task) {
  try {
    co_await std::move(task);
  } catch (const Disconnected& gone) {
    co_return why(gone);
  }
  co_return "fine";
}

Task<std::string> read_all(Stream& stream) {
  Input input(stream);
  std::string all;
  while (co_await input.fill() == Input::Filled::Bytes) {
    all += input.available();
    input.consume(input.available().size());
  }
  co_return all;
}

Task<std::string> read_exactly(Stream& stream, std::size_t size) {
  Input input(stream);
  std::string all;
  while (all.size() < size && co_await input.fill() == Input::Filled::Bytes) {
    all += input.available();
    input.consume(input.available().size());
  }
  co_return all;
}

Task<void> echo(std::unique_ptr<Stream> stream) {
  Input input(*stream);
  while (co_await input.fill() == Input::Filled::Bytes) {
    co_await stream->write(input.available());
    input.consume(input.available().size());
  }
  stream->finish();
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
  return bytes;
}

std::unique_ptr<ServerTls> server_tls(std::vector<std::string> names = {"mx.example.org"},
                                      KeyType type = KeyType::EcP256) {
  return ServerTls::create({*make_self_signed(names, type)}).value();
}

/// One client's whole conversation with the echo server: sends, closes its side, gives what came
/// back.
Task<std::string> converse(Stream& stream, const std::string& bytes) {
  co_await stream.write(bytes);
  stream.finish();
  co_return co_await read_all(stream);
}

}  // namespace

TEST_CASE("plain: bytes come back, half-close works, counters and endpoints are right") {
  Served served(2, echo);
  auto bytes = pattern(100'000);
  served.client([&](Stream& stream) -> Task<void> {
    CHECK(stream.peer() == served.listener().endpoint());
    CHECK(stream.local().address == stream.peer().address);
    CHECK(stream.tls() == nullptr);
    CHECK(stream.channel_bindings().tls_exporter.empty());
    CHECK_FALSE(stream.peer_process());
    CHECK(co_await converse(stream, bytes) == bytes);
    CHECK(stream.bytes_in() == bytes.size());
    CHECK(stream.bytes_out() == bytes.size());
  });
}

TEST_CASE("a wait ends by its time limit") {
  Served served(1,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.client([](Stream& stream) -> Task<void> {
    stream.set_timeout(30ms);
    auto begun = std::chrono::steady_clock::now();
    CHECK(co_await ending(stream.wait_readable()) == "timeout");
    CHECK(std::chrono::steady_clock::now() - begun >= 29ms);
    stream.set_timeout(10s);
    stream.set_total_timeout(20ms);
    CHECK(co_await ending(stream.wait_readable()) == "timeout");
    CHECK(co_await ending(stream.write("x")) == "timeout");  // the total is used up
    stream.set_total_timeout(0ms);
    CHECK(co_await ending(stream.write("x")) == "fine");
  });
}

TEST_CASE("a peer that does not read holds its writer up, and only until the time limit") {
  Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
    stream->set_timeout(1s);
    co_await sleep_for(300ms);
    CHECK((co_await read_all(*stream)).size() > 0);
  });
  auto bytes = pattern(16 * 1024 * 1024);
  served.client([&](Stream& stream) -> Task<void> {
    stream.set_timeout(50ms);
    CHECK(co_await ending(stream.write(bytes)) == "timeout");
    CHECK(stream.bytes_out() < bytes.size());
    stream.close();
  });
}

TEST_CASE("wake ends a wait, also one that has not begun") {
  Served served(1,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.client([](Stream& stream) -> Task<void> {
    stream.wake();
    stream.wake();
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    auto timer = Executor::current()->after(5ms, [&] { stream.wake(); });
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    stream.set_timeout(20ms);
    CHECK(co_await ending(stream.wait_readable()) == "timeout");  // no wake is left over
    Input input(stream);
    stream.wake();
    CHECK(co_await input.fill() == Input::Filled::Woken);
  });
}

TEST_CASE("shut_down ends reading at once, and leaves time to say goodbye") {
  Served served(1, [](std::unique_ptr<Stream> stream) -> Task<void> {
    CHECK(co_await read_all(*stream) == "bye");
  });
  served.client([](Stream& stream) -> Task<void> {
    auto timer = Executor::current()->after(5ms, [&] { stream.shut_down(1s); });
    CHECK(co_await ending(stream.wait_readable()) == "shutdown");
    char byte;
    bool threw = false;
    try {
      stream.try_read({&byte, 1});
    } catch (const Disconnected& gone) {
      threw = gone.why() == Disconnected::Why::Shutdown;
    }
    CHECK(threw);
    CHECK(co_await ending(stream.wait_readable()) == "shutdown");
    co_await stream.write("bye");
    stream.finish();
  });
}

namespace {

Task<PeerSide> side_becomes(Stream& stream, PeerSide wanted) {
  for (int i = 0; i < 200 && stream.peer_side() != wanted; ++i) co_await sleep_for(10ms);
  co_return stream.peer_side();
}

}  // namespace

TEST_CASE("who does not read is told all the same that the peer has gone") {
  std::promise<PeerSide> ended, after_a_word;
  std::atomic<bool> open = false;
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    open = stream->peer_side() == PeerSide::Open;
    ended.set_value(co_await side_becomes(*stream, PeerSide::Ended));
    co_await stream->write("are you there?");
    after_a_word.set_value(co_await side_becomes(*stream, PeerSide::Gone));
    CHECK_FALSE(stream->out_of_grace());
    stream->shut_down(0ms);
    CHECK(stream->out_of_grace());
  });
  served.client([](Stream& stream) -> Task<void> {
    co_await sleep_for(50ms);
    stream.close();
  });
  CHECK(open);
  CHECK(ended.get_future().get() == PeerSide::Ended);
  CHECK(after_a_word.get_future().get() == PeerSide::Gone);
}

TEST_CASE("shut_down cuts a writer off after the grace time") {
  Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await sleep_for(200ms);
    stream->close();
  });
  auto bytes = pattern(16 * 1024 * 1024);
  served.client([&](Stream& stream) -> Task<void> {
    auto timer = Executor::current()->after(5ms, [&] { stream.shut_down(30ms); });
    CHECK(co_await ending(stream.write(bytes)) == "shutdown");
  });
}

TEST_CASE("a closed stream says so, to who waits and to later calls") {
  Served served(1,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.client([](Stream& stream) -> Task<void> {
    auto timer = Executor::current()->after(5ms, [&] { stream.close(); });
    CHECK(co_await ending(stream.wait_readable()) == "closed");
    CHECK(co_await ending(stream.write("x")) == "closed");
    CHECK(co_await ending(stream.wait_readable()) == "closed");
    stream.close();
    stream.finish();
  });
}

TEST_CASE("a connection that the peer resets is lost, not ended") {
  Served served(1, [](std::unique_ptr<Stream> stream) -> Task<void> {
    // Closing with unread bytes resets.
    co_await stream->wait_readable();
    stream->close();
  });
  served.client([](Stream& stream) -> Task<void> {
    co_await stream.write("unread");
    CHECK(co_await ending(read_all(stream)) == "closed");
  });
}

TEST_CASE("linger: the last reply arrives although the peer goes on talking") {
  Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await stream->wait_readable();
    co_await stream->write("421 enough\r\n");
    co_await linger(*stream);
    CHECK(co_await ending(stream->write("x")) == "closed");
  });
  served.client([](Stream& stream) -> Task<void> {
    co_await stream.write(pattern(100'000));
    co_await sleep_for(20ms);
    CHECK(co_await read_all(stream) == "421 enough\r\n");
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

TEST_CASE("a coroutine that is destroyed while it waits leaves nothing behind") {
  Served served(1, [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await stream->write("hello");
    co_await read_all(*stream);
  });
  served.client([](Stream& stream) -> Task<void> {
    CHECK(co_await read_exactly(stream, 5) == "hello");
    struct Eager {
      struct promise_type {
        Eager get_return_object() {
          return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
      };
      std::coroutine_handle<promise_type> handle;
    };
    auto start = [](Stream& on) -> Eager { co_await on.wait_readable(); };
    auto waiting = start(stream);
    waiting.handle.destroy();
    stream.wake();
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    waiting = start(stream);
    stream.wake();
    waiting.handle.destroy();
    co_await yield_now();
    stream.set_timeout(10ms);
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    CHECK(co_await ending(stream.wait_readable()) == "timeout");
  });
}

TEST_CASE("TLS: large data both ways, what was agreed, and the same bindings at both ends") {
  auto tls = server_tls();
  auto client = ClientTls::create({}).value();
  ChannelBindings at_server;
  Served served(2, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    auto info = co_await stream->start_tls(*tls);
    REQUIRE(info);
    CHECK(info->sni == "mx.example.org");
    CHECK(info->version == "TLSv1.3");
    CHECK(info->group == "x25519");
    at_server = stream->channel_bindings();
    co_await echo(std::move(stream));
  });
  auto bytes = pattern(3'000'000);
  served.client([&](Stream& stream) -> Task<void> {
    auto info = co_await stream.start_tls(*client, "mx.example.org");
    REQUIRE(info);
    CHECK(info->verify_error == "self-signed certificate");
    CHECK(info->peer_subject == "CN=mx.example.org");
    CHECK(info->cipher_bits >= 128);
    CHECK(stream.tls()->cipher == info->cipher);
    // Both ends write and read at once: neither buffer could hold it all.
    Gate gate;
    std::string back;
    Completion<bool> done;
    auto reader = [](Stream& on, std::string& into, Completion<bool>::Giver give) -> Task<void> {
      into = co_await read_all(on);
      give(true);
    };
    gate.spawn(reader(stream, back, done.giver()));
    co_await stream.write(bytes);
    stream.finish();
    co_await done;
    CHECK(back == bytes);
    CHECK(stream.bytes_in() == bytes.size());
    auto ours = stream.channel_bindings();
    CHECK(ours.tls_exporter.size() == 32);
    CHECK(ours.tls_exporter == at_server.tls_exporter);
    CHECK(ours.tls_server_end_point.size() == 32);
    CHECK(ours.tls_server_end_point == at_server.tls_server_end_point);
    CHECK(ours.tls_unique.empty());
  });
}

TEST_CASE("TLS: bytes that OpenSSL holds already count as readable") {
  auto tls = server_tls();
  auto client = ClientTls::create({}).value();
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    if (!co_await stream->start_tls(*tls)) co_return;
    co_await stream->write("one record");
    co_await ending(read_all(*stream));
  });
  served.client([&](Stream& stream) -> Task<void> {
    REQUIRE(co_await stream.start_tls(*client, "mx.example.org"));
    stream.set_timeout(1s);
    std::string got;
    while (got.size() < 10) {
      REQUIRE(co_await stream.wait_readable() == Wake::Readable);
      char byte;
      if (stream.try_read({&byte, 1})) got += byte;  // the rest stays inside
    }
    CHECK(got == "one record");
  });
}

TEST_CASE("TLS: trust is checked when required") {
  auto trusted =
      make_self_signed({"mx.example.org", "*.example.net", "127.0.0.1"}, KeyType::EcP256);
  auto tls = ServerTls::create({*trusted}).value();
  auto with_root =
      ClientTls::create({ClientTls::Verify::Require, trusted->certificate, {}}).value();
  auto with_system = ClientTls::create({ClientTls::Verify::Require, {}, {}}).value();
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    auto info = co_await stream->start_tls(*tls);
    if (info) co_await echo(std::move(stream));
  });
  struct Case {
    const ClientTls& client;
    const char* name;
    const char* problem;  // "" = the handshake succeeds
  };
  for (auto& row : std::initializer_list<Case>{
           {*with_root, "mx.example.org", ""},
           {*with_root, "MX.example.org.", ""},
           {*with_root, "a.example.net", ""},
           {*with_root, "127.0.0.1", ""},
           {*with_root, "a.b.example.net", "hostname mismatch"},
           {*with_root, "127.0.0.2", "IP address mismatch"},
           {*with_root, "", "name is missing"},
           {*with_system, "mx.example.org", "self-signed certificate"},
       }) {
    CAPTURE(row.name);
    served.client([&](Stream& stream) -> Task<void> {
      auto info = co_await stream.start_tls(row.client, row.name);
      CHECK(info.has_value() == std::string_view(row.problem).empty());
      if (!info) {
        CHECK(info.error().code == ErrorCode::Invalid);
        CHECK_MESSAGE(info.error().text.find(row.problem) != std::string::npos, info.error().text);
      }
    });
  }
}

TEST_CASE("TLS: the certificate follows the name that the client asks for, and reload swaps it") {
  auto ec = make_self_signed({"mx.example.org"}, KeyType::EcP256);
  auto rsa = make_self_signed({"mx.example.org"}, KeyType::Rsa2048);
  auto other = make_self_signed({"imap.example.org", "*.example.net"}, KeyType::EcP256);
  auto tls = ServerTls::create({*ec, *rsa, *other}).value();
  auto client = ClientTls::create({}).value();
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    if (co_await stream->start_tls(*tls)) co_await echo(std::move(stream));
  });
  auto subject_for = [&](std::string name) {
    std::string subject;
    served.client([&](Stream& stream) -> Task<void> {
      auto info = co_await stream.start_tls(*client, name);
      REQUIRE(info);
      subject = info->peer_subject;
    });
    return subject;
  };
  CHECK(subject_for("mx.example.org") == "CN=mx.example.org");
  CHECK(subject_for("IMAP.example.org") == "CN=imap.example.org");
  CHECK(subject_for("x.example.net") == "CN=imap.example.org");
  CHECK(subject_for("x.y.example.net") == "CN=mx.example.org");
  CHECK(subject_for("unknown.test") == "CN=mx.example.org");
  CHECK(subject_for("") == "CN=mx.example.org");
  CHECK(tls->certificates().size() == 3);
  CHECK(tls->certificates()[0].key_type == "EC P-256");
  CHECK(tls->certificates()[1].key_type == "RSA 2048");
  CHECK(tls->certificates()[2].names ==
        std::vector<std::string>{"imap.example.org", "*.example.net"});

  CHECK_FALSE(tls->reload({*ec, {ec->certificate, other->key, "mixed.pem"}}));
  CHECK(subject_for("imap.example.org") == "CN=imap.example.org");  // nothing was lost
  CHECK(tls->reload({*make_self_signed({"new.example.org"}, KeyType::EcP256)}));
  CHECK(subject_for("imap.example.org") == "CN=new.example.org");
}

TEST_CASE("TLS: certificate mistakes are told in words") {
  auto good = *make_self_signed({"a.test"}, KeyType::EcP256);
  auto other = *make_self_signed({"b.test"}, KeyType::EcP256);
  auto problem = [](CertificatePem pem) {
    auto tls = ServerTls::create({pem});
    return tls ? "none" : tls.error().text;
  };
  CHECK(problem({good.certificate, other.key, "/tls/a.pem"}).find("does not belong") !=
        std::string::npos);
  CHECK(problem({"", good.key, "/tls/a.pem"}) == "/tls/a.pem: there is no PEM certificate in it");
  CHECK(problem({good.certificate, "hello", "/tls/a.pem"}).starts_with("the key of /tls/a.pem:"));
  CHECK(ServerTls::create({}).error().text == "TLS needs a certificate");
  CHECK(read_certificate("/nowhere/fullchain.pem", "/nowhere/privkey.pem").error().text ==
        "cannot read /nowhere/fullchain.pem: No such file or directory");

  auto directory = std::filesystem::temp_directory_path() / "hikyaku-net-test";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "fullchain.pem") << good.certificate;
  std::ofstream(directory / "privkey.pem") << good.key;
  auto read = read_certificate(directory / "fullchain.pem", directory / "privkey.pem");
  REQUIRE(read);
  CHECK(problem(*read) == "none");
  std::filesystem::remove_all(directory);
}

TEST_CASE("TLS: what is not TLS fails with a reason, and so does a peer that goes away") {
  auto tls = server_tls();
  auto client = ClientTls::create({}).value();
  SUBCASE("garbage to the server") {
    std::string problem;
    Served served(2, [&](std::unique_ptr<Stream> stream) -> Task<void> {
      auto info = co_await stream->start_tls(*tls);
      problem = info ? "none" : info.error().text;
    });
    served.client([](Stream& stream) -> Task<void> {
      co_await stream.write("GET / HTTP/1.1\r\n\r\n");
      co_await ending(read_all(stream));
    });
    served.settle();
    CHECK(problem == "TLS handshake: http request");
  }
  SUBCASE("a server that speaks in clear") {
    Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
      co_await stream->write("220 mx.example.org ESMTP\r\n");
      co_await ending(read_all(*stream));
    });
    served.client([&](Stream& stream) -> Task<void> {
      auto info = co_await stream.start_tls(*client, "mx.example.org");
      REQUIRE_FALSE(info);
      CHECK(info.error().text == "TLS handshake: wrong version number");
    });
  }
  SUBCASE("a client that leaves") {
    ErrorCode code = ErrorCode::Internal;
    Served served(2, [&](std::unique_ptr<Stream> stream) -> Task<void> {
      auto info = co_await stream->start_tls(*tls);
      REQUIRE_FALSE(info);
      code = info.error().code;
    });
    served.client([](Stream&) -> Task<void> { co_return; });
    served.settle();
    CHECK(code == ErrorCode::Unavailable);
  }
  SUBCASE("a client that says nothing") {
    std::string how;
    Served served(2, [&](std::unique_ptr<Stream> stream) -> Task<void> {
      stream->set_timeout(20ms);
      how = co_await ending(stream->start_tls(*tls));
    });
    served.client([](Stream& stream) -> Task<void> { co_await ending(read_all(stream)); });
    served.settle();
    CHECK(how == "timeout");
  }
}

TEST_CASE("TLS: a connection cut off without close_notify is lost, not ended") {
  auto tls = server_tls();
  auto client = ClientTls::create({}).value();
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    if (!co_await stream->start_tls(*tls)) co_return;
    co_await stream->write("half of it");
    stream->close();
  });
  served.client([&](Stream& stream) -> Task<void> {
    REQUIRE(co_await stream.start_tls(*client, "mx.example.org"));
    CHECK(co_await ending(read_all(stream)) == "closed");
  });
}

TEST_CASE("STARTTLS: what came in clear before the handshake does not count under TLS") {
  auto tls = server_tls();
  auto client = ClientTls::create({}).value();
  std::string commands;
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    Input input(*stream);
    while (input.available().find("STARTTLS\r\n") == std::string_view::npos)
      REQUIRE(co_await input.fill() == Input::Filled::Bytes);
    input.drop();  // with the injected command behind it
    co_await stream->write("220 go\r\n");
    REQUIRE(co_await stream->start_tls(*tls));
    while (co_await input.fill() == Input::Filled::Bytes) {
    }
    commands = input.available();
  });
  served.client([&](Stream& stream) -> Task<void> {
    co_await stream.write("STARTTLS\r\nINJECTED\r\n");
    CHECK(co_await read_exactly(stream, 8) == "220 go\r\n");
    REQUIRE(co_await stream.start_tls(*client, "mx.example.org"));
    co_await stream.write("EHLO\r\n");
    stream.finish();
    co_await ending(read_all(stream));
  });
  served.settle();
  CHECK(commands == "EHLO\r\n");
}

TEST_CASE("ALPN: the server's preference, and no objection to clients without") {
  auto tls = ServerTls::create({*make_self_signed({"a.test"}, KeyType::EcP256)},
                               {.alpn = {"h2", "http/1.1"}})
                 .value();
  auto both = ClientTls::create({ClientTls::Verify::Record, {}, {"http/1.1", "h2"}}).value();
  auto strange = ClientTls::create({ClientTls::Verify::Record, {}, {"imap"}}).value();
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    if (co_await stream->start_tls(*tls)) co_await echo(std::move(stream));
  });
  served.client([&](Stream& stream) -> Task<void> {
    CHECK((co_await stream.start_tls(*both, "a.test"))->alpn == "h2");
  });
  served.client([&](Stream& stream) -> Task<void> {
    CHECK((co_await stream.start_tls(*strange, "a.test"))->alpn.empty());
  });
}

TEST_CASE("Input: an idle one holds nothing, a full one refuses to grow, bytes stay in order") {
  auto bytes = pattern(200'000);
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await stream->write(bytes);
    stream->finish();
    co_await read_all(*stream);
  });
  served.client([&](Stream& stream) -> Task<void> {
    Input input(stream);
    CHECK(input.available().empty());
    std::string got;
    while (co_await input.fill() == Input::Filled::Bytes) {
      // Take an odd part, so that the rest has to move.
      while (input.fill_now()) {
      }
      auto take = std::max<std::size_t>(1, input.available().size() * 3 / 4);
      got += input.available().substr(0, take);
      input.consume(take);
    }
    got += input.available();
    CHECK(got == bytes);
  });
}

TEST_CASE("Output: small pieces are gathered, large ones pass, in order") {
  Served served(1, echo);
  served.client([](Stream& stream) -> Task<void> {
    Output output(stream);
    std::string expected;
    for (int i = 0; i < 40; ++i) {
      auto piece = pattern(static_cast<std::size_t>(i) * 997);
      expected += piece;
      co_await output.write(piece);
      if (i < 4) CHECK(stream.bytes_out() == 0);  // gathered
    }
    output.append("end");
    co_await output.flush();
    CHECK(output.empty());
    stream.finish();
    CHECK(co_await read_all(stream) == expected + "end");
  });
}

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

TEST_CASE("Unix-domain sockets: for the owner only, and the peer is known") {
  auto path =
      (std::filesystem::temp_directory_path() / fmt::format("hikyaku-test-{}.sock", ::getpid()))
          .string();
  Cores cores(1);
  cores.start();
  Gate gate;
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

TEST_CASE("timers: fire in order, and not when destroyed") {
  Cores cores(1);
  cores.start();
  std::string order;
  cores.run(0, [&]() -> Task<void> {
    auto* loop = Executor::current();
    auto second = loop->after(10ms, [&] { order += '2'; });
    auto first = loop->after(1ms, [&] { order += '1'; });
    auto never = loop->after(5ms, [&] { order += 'x'; });
    auto late = loop->after(0ms, [&] { order += 'y'; });
    late = nullptr;
    never = nullptr;
    co_await sleep_for(20ms);
  });
  CHECK(order == "12");
}

TEST_CASE("ThreadPool: runs everything, also what is queued at the end") {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(2);
    for (int i = 0; i < 1000; ++i) pool.submit([&] { ++ran; });
    CHECK(pool.load().threads == 2);
    CHECK(pool.load().longest >= 1);
  }
  CHECK(ran == 1000);
  Cores cores(1);
  cores.start();
  ThreadPool pool(1);
  CHECK(cores.run(0, [&] { return run_on(pool, [] { return Executor::current() == nullptr; }); }));
}

TEST_CASE("a loop may be destroyed as soon as a worker's last words are heard") {
  // What fails without it, ThreadSanitizer sees: the worker is still inside post().
  ThreadPool pool(1);
  for (int i = 0; i < 200; ++i) {
    Cores cores(1);
    cores.start();
    CHECK(cores.run(0, [&] { return run_on(pool, [] { return true; }); }));
  }
}

TEST_CASE("Signals arrive on the first loop") {
  Cores cores(2);
  std::promise<int> got;
  Executor* where = nullptr;
  Signals signals(cores, {SIGHUP}, [&](int number) {
    where = Executor::current();
    got.set_value(number);
  });
  cores.start();
  ::kill(::getpid(), SIGHUP);
  CHECK(got.get_future().get() == SIGHUP);
  CHECK(where == &cores[0]);
  cores.stop();
  cores.join();
}

}  // namespace hikyaku::net
