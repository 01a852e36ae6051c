#include <doctest/doctest.h>

#include "base/base64.h"
#include "net/tls_test.h"
#include "net/transcript.h"
#include "sasl/client.h"
#include "smtpd/server.h"
#include "testing/source_tree.h"
#include "testing/world.h"

namespace hikyaku::smtpd {
namespace {

using net::FakeStream;
using net::testing::Talker;
using net::testing::Transcript;
using testing::World;

const std::vector<std::string> kMechanisms{"SCRAM-SHA-256-PLUS",
                                           "SCRAM-SHA-1-PLUS",
                                           "SCRAM-SHA-256",
                                           "SCRAM-SHA-1",
                                           "CRAM-MD5",
                                           "PLAIN",
                                           "LOGIN"};

/// "! name=value" lines of a transcript.
Settings settings_for(const Transcript& script) {
  Settings settings;
  auto& protocol = settings.protocol;
  protocol.host_name = "mx.alpha.test";
  protocol.starttls = true;
  protocol.dsn = false;
  protocol.max_size = 100'000;
  for (auto& setting : script.settings) {
    auto equals = setting.find('=');
    auto name = setting.substr(0, equals);
    auto value = equals == std::string::npos ? "" : setting.substr(equals + 1);
    auto number = parse_decimal(value).value_or(0);
    if (name == "flavour") {
      protocol.flavour = value == "submission"    ? smtp::Flavour::Submission
                         : value == "submissions" ? smtp::Flavour::Submissions
                         : value == "local"       ? smtp::Flavour::Local
                                                  : smtp::Flavour::Mx;
      if (protocol.flavour == smtp::Flavour::Submission ||
          protocol.flavour == smtp::Flavour::Submissions)
        protocol.mechanisms_under_tls = kMechanisms;
    } else if (name == "auth") {
      protocol.mechanisms_under_tls = kMechanisms;
      if (value == "clear") protocol.mechanisms_in_clear = {"CRAM-MD5", "PLAIN", "LOGIN"};
    } else if (name == "max_size") {
      protocol.max_size = number;
    } else if (name == "max_recipients") {
      protocol.max_recipients = number;
    } else if (name == "max_errors") {
      protocol.max_errors = static_cast<int>(number);
    } else if (name == "max_junk") {
      protocol.max_junk = static_cast<int>(number);
    } else if (name == "binary_mime") {
      protocol.binary_mime = true;
    }
  }
  settings.protocol_on_loopback = protocol;
  return settings;
}

/// A World with one connection to it.
struct Fixture : World {
  Settings settings_of_listener;
  std::unique_ptr<FakeStream> server, client;
  net::ServerTls& server_tls = net::testing::server_tls();
  net::ClientTls& client_tls = net::testing::client_tls();
  Gate gate{end_process};

  explicit Fixture(const Transcript& script) : settings_of_listener(settings_for(script)) {
    std::tie(server, client) = FakeStream::pair();
    if (script.has("program")) server->set_peer_process({.uid = 1000, .gid = 1000, .pid = 1});
    if (script.has("small_header")) {
      settings.max_header = 1000;
      make_receiver();
    }
    if (script.has("full_disk")) store.fail_with(ErrorCode::NoSpace);
    if (script.has("full_mailbox")) {
      change([&](store::Transaction& tx) {
        bob.quota = 1000;
        return auth::update_account(tx, bob);
      });
    }
  }
  void begin() {
    // The fake handshake takes no time: the client's comes first, or it would see the greeting.
    if (settings_of_listener.protocol.flavour == smtp::Flavour::Submissions)
      REQUIRE(loop.run(client->start_tls(client_tls, "mx.alpha.test")));
    gate.spawn(serve(std::move(server), settings_of_listener,
                     {*receiver, *authenticator, &server_tls}, {}));
  }
  ~Fixture() {
    client->close();
    bool ended = false;
    gate.close([&] { ended = true; });
    while (!ended && loop.run_ready()) {
    }
    CHECK(ended);
  }
};

struct Outcome {
  std::string problem;
  std::size_t anna = 0, bob = 0, queued = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const Transcript& script, std::size_t read_limit, std::size_t window) {
  Fixture fixture(script);
  fixture.server->set_read_limit(read_limit);
  fixture.server->set_window(window);
  fixture.begin();
  Outcome outcome;
  outcome.problem = fixture.loop.run(play(script, *fixture.client, fixture.client_tls));
  outcome.anna = fixture.inbox(fixture.anna.id).size();
  outcome.bob = fixture.inbox(fixture.bob.id).size();
  outcome.queued = fixture.queued().size();
  return outcome;
}

TEST_CASE("dialogues") {
  auto scripts = net::testing::read_transcripts(testing::source_tree() / "src/smtpd/testdata");
  REQUIRE(scripts.size() > 20);
  for (auto& script : scripts) {
    CAPTURE(script.name);
    auto whole = run(script, SIZE_MAX, SIZE_MAX);
    CHECK(whole.problem == "");
    for (auto& setting : script.settings) {
      if (setting.starts_with("anna=")) CHECK(whole.anna == parse_decimal(setting.substr(5)));
      if (setting.starts_with("bob=")) CHECK(whole.bob == parse_decimal(setting.substr(4)));
      if (setting.starts_with("queued=")) CHECK(whole.queued == parse_decimal(setting.substr(7)));
    }
    // However the network cuts what the client says, and however slowly it reads.
    if (script.has("whole")) continue;
    for (std::size_t piece : {3, 50}) CHECK(run(script, piece, SIZE_MAX) == whole);
    CHECK(run(script, 1, 1) == whole);
  }
}

/// AUTH with a mechanism of sasl/; the last reply.
Task<std::string> log_in(Talker& talker, sasl::Mechanism mechanism, std::string password,
                         bool initial) {
  sasl::ClientSettings settings;
  settings.authcid = "anna@alpha.test";
  settings.password = crypto::Secret(password);
  settings.nonce = "0123456789abcdef";
  settings.channel_binding_offered = true;
  settings.bindings = {{sasl::BindingType::TlsExporter, "exported"}};
  auto client = sasl::make_client(mechanism, std::move(settings)).value();
  auto first = client->initial();
  std::string line = "AUTH " + std::string(sasl::info(mechanism).name);
  if (first && initial)
    line += " " + (first->empty() ? "=" : base64_encode(*std::exchange(first, {})));
  co_await talker.send(line + "\r\n");
  while (true) {
    auto reply = co_await talker.line();
    if (!reply.starts_with("334 ")) co_return reply;
    auto challenge = base64_decode(reply.substr(4)).value();
    std::string answer;
    if (first && challenge.empty()) {
      answer = *std::exchange(first, {});
    } else {
      auto response = client->respond(challenge);
      if (!response) {
        co_await talker.send("*\r\n");
        continue;
      }
      answer = *response;
    }
    co_await talker.send(base64_encode(answer) + "\r\n");
  }
}

Task<void> skip_reply(Talker& talker) {
  while ((co_await talker.line()).substr(3, 1) == "-") {
  }
}

TEST_CASE("every mechanism logs in, with and without an initial response, and refuses others") {
  Transcript script;
  script.settings = {"flavour=submissions"};
  for (auto& name : kMechanisms) {
    CAPTURE(name);
    auto mechanism = sasl::find_mechanism(name).value();
    for (bool initial : {true, false}) {
      for (bool right : {true, false}) {
        if (!right && !initial) continue;
        Fixture f(script);
        f.server->set_channel_bindings({"exported", "", ""});
        f.begin();
        auto said = f.loop.run(
            [](Fixture& on, sasl::Mechanism with, bool first, bool good) -> Task<std::string> {
              Talker talker(*on.client);
              co_await skip_reply(talker);
              co_await talker.send("EHLO c\r\n");
              co_await skip_reply(talker);
              auto reply = co_await log_in(talker, with, good ? "secret" : "wrong", first);
              co_await talker.send("MAIL FROM:<anna@alpha.test>\r\n");
              co_return reply.substr(0, 9) + " / " + (co_await talker.line()).substr(0, 9);
            }(f, mechanism, initial, right));
        CHECK(said == (right ? "235 2.7.0 / 250 2.1.0" : "535 5.7.8 / 530 5.7.0"));
      }
    }
  }
}

TEST_CASE("a client that fails too often is put off, the right password notwithstanding") {
  Transcript script;
  script.settings = {"flavour=submissions"};
  Fixture f(script);
  f.begin();
  f.loop.run([](Fixture& on) -> Task<void> {
    Talker talker(*on.client);
    co_await skip_reply(talker);
    co_await talker.send("EHLO c\r\n");
    co_await skip_reply(talker);
    for (int i = 0; i < 10; ++i)
      CHECK((co_await log_in(talker, sasl::Mechanism::CramMd5, "wrong", true)).starts_with("535"));
    auto reply = co_await log_in(talker, sasl::Mechanism::CramMd5, "secret", true);
    CHECK(reply.starts_with("454 4.7.0"));
  }(f));
}

TEST_CASE("every operation of the connection may fail") {
  auto scripts = net::testing::read_transcripts(testing::source_tree() / "src/smtpd/testdata");
  for (auto& script : scripts) {
    if (!script.has("fail_everywhere")) continue;
    for (int n = 1;; ++n) {
      Fixture f(script);
      f.server->fail_at(n);
      f.begin();
      // Without a failure, the whole dialogue is as it is written.
      auto server_failed = f.loop.run(play(script, *f.client, f.client_tls)) != "";
      // The message was accepted once or not at all; what was said does not matter here.
      CHECK(f.inbox(f.anna.id).size() <= 1);
      if (!server_failed) break;
      REQUIRE(n < 200);
    }
  }
}

TEST_CASE("shutdown between commands and within a message is told with 421") {
  for (std::string sent : {"", "EHLO c\r\n", "EHLO c\r\nMAIL FROM:<a@b.test>\r\n",
                           "HELO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<anna@alpha.test>\r\nDATA\r\n"
                           "Subject: x\r\n"}) {
    Fixture f({});
    auto* server = f.server.get();
    f.begin();
    f.loop.run([](FakeStream& on, std::string bytes) -> Task<void> { co_await on.write(bytes); }(
                                                         *f.client, sent));
    while (f.loop.run_ready()) {
    }
    server->shut_down(seconds(5));
    while (f.loop.run_ready()) {
    }
    std::string said(10'000, 0);
    said.resize(f.client->try_read(said).value_or(0));
    auto last = said.rfind("\r\n", said.size() - 3);
    CHECK(said.substr(last + 2).starts_with("421 4.3.2"));
    CHECK(f.inbox(f.anna.id).empty());
  }
}

}  // namespace
}  // namespace hikyaku::smtpd
