// TLS on our streams: what was agreed, trust, names, and how it fails.
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "base/async.h"
#include "net/conversation_test.h"
#include "net/served.h"
#include "net/tls.h"

namespace hikyaku::net {
namespace {

using namespace std::chrono_literals;
using testing::Served;

std::unique_ptr<ServerTls> server_tls(std::vector<std::string> names = {"mx.example.org"},
                                      KeyType type = KeyType::EcP256) {
  return ServerTls::create({*make_self_signed(names, type)}).value();
}

/// Which certificate a server shows to one who asks for a name.
class ShownCertificate {
 public:
  explicit ShownCertificate(ServerTls& tls)
      : served_(1, [&tls](std::unique_ptr<Stream> stream) -> Task<void> {
          if (co_await stream->start_tls(tls)) co_await echo(std::move(stream));
        }) {}

  std::string operator()(const std::string& name) {
    std::string subject;
    served_.client([&](Stream& stream) -> Task<void> {
      auto info = co_await stream.start_tls(*client_, name);
      REQUIRE(info);
      subject = info->peer_subject;
    });
    return subject;
  }

 private:
  std::unique_ptr<ClientTls> client_ = ClientTls::create({}).value();
  Served served_;
};

}  // namespace

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
    Gate gate{end_process};
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
  ShownCertificate subject_for(*tls);
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

TEST_CASE("TLS: a certificate is shown for the names that it was given for, not for its own") {
  auto first = *make_self_signed({"mx.example.org"}, KeyType::EcP256);
  auto second = *make_self_signed({"imap.example.org"}, KeyType::EcP256);
  second.names = {"Alias.example.org", "*.example.net"};
  auto tls = ServerTls::create({first, second}).value();
  ShownCertificate subject_for(*tls);
  CHECK(subject_for("alias.example.org") == "CN=imap.example.org");
  CHECK(subject_for("x.example.net") == "CN=imap.example.org");
  CHECK(subject_for("imap.example.org") == "CN=mx.example.org");
  CHECK(subject_for("") == "CN=mx.example.org");

  // As a reload may say otherwise.
  first.names = {"other.example.org"};
  second.names.clear();
  REQUIRE(tls->reload({first, second}));
  CHECK(subject_for("imap.example.org") == "CN=imap.example.org");
  CHECK(subject_for("alias.example.org") == "CN=mx.example.org");  // the first is for the unknown
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

}  // namespace hikyaku::net
