#include <doctest/doctest.h>

#include "base/base64.h"
#include "net/tls_test.h"
#include "net/transcript.h"
#include "pop3d/server.h"
#include "sasl/apop.h"
#include "sasl/client.h"
#include "testing/source_tree.h"
#include "testing/world.h"

namespace hikyaku::pop3d {
namespace {

using net::FakeStream;
using net::testing::Talker;
using net::testing::Transcript;
using testing::World;

const std::vector<std::string> kMechanisms{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1",
                                           "CRAM-MD5",           "PLAIN",         "LOGIN"};

/// anna has three messages: 1 with dots, 2 with a long body, 3 without any.
struct Fixture : World {
  Settings listener;
  MaildropLocks locks;
  Activity* activity = nullptr;  ///< of the next session
  Gate gate{end_process};

  explicit Fixture(const Transcript& script) {
    listener.host_name = "mx.alpha.test";
    listener.capabilities.mechanisms = kMechanisms;
    listener.capabilities.apop = !script.has("no_apop");
    listener.implicit_tls = script.has("pop3s");
    listener.plaintext_on_loopback = script.has("loopback");
    listener.lock = !script.has("no_lock");
    listener.max_errors = script.has("max_errors=3") ? 3 : 50;
    deliver("Subject: one\r\n\r\n.\r\n..dots\r\nend");
    deliver("Subject: two\r\n\r\n1\r\n2\r\n3\r\n4\r\n");
    deliver("Subject: three\r\n");
    if (script.has("full_disk")) store.fail_with(ErrorCode::NoSpace);
    if (script.has("broken_disk")) store.fail_with(ErrorCode::Io);
  }
  ~Fixture() {
    bool ended = false;
    gate.close([&] { ended = true; });
    while (!ended && loop.run_ready()) {
    }
    CHECK(ended);
  }
  void deliver(const std::string& message) {
    mailbox::NewMessage mail;
    mail.body = store::MemoryTransaction::stage(message);
    mail.prefix = "Delivered-To: anna@alpha.test\r\n";
    change([&](store::Transaction& tx) {
      auto inbox = mailbox::find_role(tx, anna.id, mailbox::Role::Inbox);
      return mailbox::deliver(tx, anna.id, inbox->id, mail, loop.now());
    });
  }
  /// A connection that is being served; its client's end.
  std::unique_ptr<FakeStream> connect(std::size_t read_limit = SIZE_MAX,
                                      std::size_t window = SIZE_MAX, int fail_at = 0) {
    auto [server, client] = FakeStream::pair(
        {IpAddress(std::array<std::uint8_t, 4>{192, 0, 2, 1}), 110},
        {listener.plaintext_on_loopback ? *IpAddress::parse("127.0.0.1")
                                        : IpAddress(std::array<std::uint8_t, 4>{192, 0, 2, 99}),
         40000});
    server->set_read_limit(read_limit);
    server->set_window(window);
    if (fail_at) server->fail_at(fail_at);
    server->set_channel_bindings({"exported", "", ""});
    if (listener.implicit_tls)
      REQUIRE(loop.run(client->start_tls(net::testing::client_tls(), "mx.alpha.test")));
    gate.spawn(serve(std::move(server), listener,
                     {store, *authenticator, loop, random, locks, &net::testing::server_tls(),
                      nullptr, activity},
                     {}));
    return std::move(client);
  }
  std::string play(const Transcript& script, std::size_t read_limit, std::size_t window,
                   int fail_at = 0) {
    auto client = connect(read_limit, window, fail_at);
    auto problem = loop.run(net::testing::play(script, *client, net::testing::client_tls()));
    client->close();
    while (loop.run_ready()) {
    }
    return problem;
  }
};

TEST_CASE("dialogues") {
  auto scripts = net::testing::read_transcripts(testing::source_tree() / "src/pop3d/testdata");
  REQUIRE(scripts.size() > 10);
  for (auto& script : scripts) {
    CAPTURE(script.name);
    auto run = [&](std::size_t read_limit, std::size_t window) {
      Fixture f(script);
      auto problem = f.play(script, read_limit, window);
      return std::pair(problem, f.inbox(f.anna.id).size());
    };
    auto whole = run(SIZE_MAX, SIZE_MAX);
    CHECK(whole.first == "");
    for (auto& setting : script.settings) {
      if (setting.starts_with("left=")) CHECK(whole.second == parse_decimal(setting.substr(5)));
    }
    if (script.has("whole")) continue;
    CHECK(run(3, SIZE_MAX) == whole);
    CHECK(run(50, SIZE_MAX) == whole);
    CHECK(run(1, 1) == whole);
  }
}

TEST_CASE("wherever the connection breaks, messages go at QUIT and together") {
  auto scripts = net::testing::read_transcripts(testing::source_tree() / "src/pop3d/testdata");
  auto script = std::ranges::find(scripts, "deletes_at_quit", &Transcript::name);
  REQUIRE(script != scripts.end());
  for (int n = 1;; ++n) {
    REQUIRE(n < 200);
    Fixture f(*script);
    auto whole = f.play(*script, SIZE_MAX, SIZE_MAX, n) == "";
    auto left = f.inbox(f.anna.id).size();
    CHECK((left == 3 || left == 1));
    CHECK(f.locks.try_lock(f.anna.id));
    if (whole) break;
  }
}

Task<std::string> log_in(Talker& talker, sasl::Mechanism mechanism, std::string password) {
  sasl::ClientSettings settings;
  settings.authcid = "anna@alpha.test";
  settings.password = crypto::Secret(password);
  settings.nonce = "0123456789abcdef";
  settings.channel_binding_offered = true;
  settings.bindings = {{sasl::BindingType::TlsExporter, "exported"}};
  auto client = sasl::make_client(mechanism, std::move(settings)).value();
  auto first = client->initial();
  std::string line = "AUTH " + std::string(sasl::info(mechanism).name);
  if (first) line += " " + (first->empty() ? "=" : base64_encode(*first));
  co_await talker.send(line + "\r\n");
  while (true) {
    auto reply = co_await talker.line();
    if (!reply.starts_with("+ ")) co_return reply;
    auto answer = client->respond(base64_decode(reply.substr(2)).value());
    co_await talker.send((answer ? base64_encode(*answer) : "*") + "\r\n");
  }
}

TEST_CASE("every mechanism logs in, and refuses others") {
  Transcript script;
  script.settings = {"pop3s"};
  for (auto& name : kMechanisms) {
    for (bool right : {true, false}) {
      CAPTURE(name);
      Fixture f(script);
      auto client = f.connect();
      auto said =
          f.loop.run([](FakeStream& on, sasl::Mechanism with, bool good) -> Task<std::string> {
            Talker talker(on);
            co_await talker.line();
            co_return co_await log_in(talker, with, good ? "secret" : "wrong");
          }(*client, sasl::find_mechanism(name).value(), right));
      CHECK(said.starts_with(right ? "+OK" : "-ERR [AUTH]"));
      client->close();
    }
  }
}

TEST_CASE("APOP signs the timestamp of the greeting") {
  for (bool right : {true, false}) {
    Fixture f({});
    auto client = f.connect();
    auto said = f.loop.run([](FakeStream& on, bool good) -> Task<std::string> {
      Talker talker(on);
      auto greeting = co_await talker.line();
      auto timestamp = greeting.substr(greeting.find('<'));
      auto digest = sasl::apop_digest(timestamp, crypto::Secret(good ? "secret" : "wrong"));
      co_await talker.send("APOP anna@alpha.test " + digest + "\r\n");
      co_return co_await talker.line();
    }(*client, right));
    CHECK(said.starts_with(right ? "+OK" : "-ERR [AUTH]"));
    client->close();
  }
}

/// USER and PASS over TLS.
Task<std::string> user_pass(Talker& talker) {
  co_await talker.line();
  co_await talker.send("USER anna@alpha.test\r\nPASS secret\r\n");
  co_await talker.line();
  co_return co_await talker.line();
}

Task<std::string> ask(Talker& talker, std::string command) {
  co_await talker.send(command + "\r\n");
  co_return co_await talker.line();
}

TEST_CASE(
    "a maildrop takes little more than eight bytes a message, and is refused beyond the limit") {
  Transcript script;
  script.settings = {"pop3s"};
  Fixture f(script);
  constexpr std::size_t kMany = 8'500;  // more than every connection may always hold
  mailbox::NewMessage mail;
  mail.body = store::MemoryTransaction::stage("Subject: x\r\n\r\n");
  f.change([&](store::Transaction& tx) -> Result<void> {
    auto inbox = mailbox::find_role(tx, f.anna.id, mailbox::Role::Inbox);
    for (std::size_t i = 3; i < kMany; ++i)
      TRY_DO(mailbox::deliver(tx, f.anna.id, inbox->id, mail, f.loop.now()));
    return {};
  });
  auto open = [&](std::uint64_t most) {
    return f.loop.run(Maildrop::open(f.store, f.anna.id, most));
  };
  auto drop = open(UINT64_MAX);
  REQUIRE(drop);
  CHECK(drop->size() == kMany);
  CHECK(drop->memory() < kMany * 8.3);
  CHECK(open(drop->memory()));
  auto refused = open(kMany * 8);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::TooLarge);

  // Marks change nothing but what they mark.
  auto octets = drop->octets();
  auto size = drop->find(kMany)->size;
  drop->mark_retrieved(1);
  drop->mark_deleted(kMany);
  CHECK(drop->octets() == octets - size);
  CHECK(drop->count() == kMany - 1);
  CHECK_FALSE(drop->find(kMany));
  CHECK(drop->find(1));
  drop->undelete_all();
  CHECK(drop->octets() == octets);
  CHECK(drop->count() == kMany);

  SessionMemory memory;
  Activity session;
  session.memory_of_all = &memory;
  f.activity = &session;
  auto answer = [&](std::uint64_t most) {
    memory.set_limits({.per_session = most});
    auto client = f.connect();
    auto said = f.loop.run([](FakeStream& on) -> Task<std::string> {
      Talker talker(on);
      co_return co_await user_pass(talker);
    }(*client));
    client->close();
    while (f.loop.run_ready()) {
    }
    return said;
  };
  CHECK(answer(64 * 1024) ==
        "-ERR [SYS/PERM] the inbox has 8500 messages, more than one connection may hold here "
        "(limits.memory_per_connection): use IMAP");
  CHECK(answer(200 * 1024).starts_with("+OK anna@alpha.test has 8500 messages"));
}

TEST_CASE("one session at a time, unless that is switched off") {
  for (bool lock : {true, false}) {
    Transcript script;
    script.settings = {"pop3s"};
    if (!lock) script.settings.push_back("no_lock");
    Fixture f(script);
    auto one = f.connect();
    auto two = f.connect();
    f.loop.run([](FakeStream& first, FakeStream& second, Fixture& on, bool locked) -> Task<void> {
      Talker a(first);
      Talker b(second);
      CHECK((co_await user_pass(a)).starts_with("+OK"));
      auto said = co_await user_pass(b);
      if (locked) {
        CHECK(said.starts_with("-ERR [IN-USE]"));
        // The other one goes: now it is free.
        CHECK((co_await ask(a, "QUIT")).starts_with("+OK"));
        CHECK((co_await ask(b, "USER anna@alpha.test")).starts_with("+OK"));
        CHECK((co_await ask(b, "PASS secret")).starts_with("+OK"));
        co_return;
      }
      CHECK(said.starts_with("+OK"));
      // Each keeps its numbers; what is gone is told.
      CHECK((co_await ask(a, "DELE 1")).starts_with("+OK"));
      CHECK((co_await ask(a, "QUIT")).starts_with("+OK"));
      CHECK(co_await ask(b, "STAT") == "+OK 3 167");
      CHECK((co_await ask(b, "RETR 1")).starts_with("-ERR"));
      CHECK((co_await ask(b, "TOP 1 0\r\nTOP 2 0\r\nTOP 1 0")).starts_with("-ERR"));
      CHECK((co_await b.line()).starts_with("+OK"));
      while (co_await b.line() != ".") {
      }
      CHECK((co_await b.line()).starts_with("-ERR"));
      CHECK((co_await ask(b, "DELE 1")).starts_with("+OK"));
      CHECK((co_await ask(b, "DELE 2")).starts_with("+OK"));
      CHECK((co_await ask(b, "QUIT")).starts_with("+OK"));
      CHECK(on.inbox(on.anna.id).size() == 1);
    }(*one, *two, f, lock));
    one->close();
    two->close();
  }
}

TEST_CASE("what was fetched whole is seen after QUIT, what was looked at is not") {
  Transcript script;
  script.settings = {"pop3s"};
  Fixture f(script);
  auto client = f.connect();
  f.loop.run([](FakeStream& on) -> Task<void> {
    Talker talker(on);
    co_await user_pass(talker);
    co_await talker.send("RETR 1\r\nTOP 2 1\r\nQUIT\r\n");
    while (co_await talker.line() != "END") {
    }
  }(*client));
  auto inbox = mailbox::find_role(f.store.keys(), f.anna.id, mailbox::Role::Inbox);
  auto flags = [&](mailbox::Uid uid) {
    return mailbox::get_summary(f.store.keys(), f.anna.id, inbox->id, uid)->flags;
  };
  CHECK((flags(1) & mailbox::kSeen) != 0);
  CHECK((flags(2) & mailbox::kSeen) == 0);
}

TEST_CASE("messages that wait for a client who does not read count as the session's memory") {
  for (bool bounded : {false, true}) {
    Transcript script;
    script.settings = {"pop3s"};
    SessionMemory all;
    Activity activity;
    activity.memory_of_all = &all;
    Fixture f(script);
    std::string message = "Subject: large\r\n\r\n";
    for (int line = 0; line < 400; ++line) message += std::string(70, 'x') + "\r\n";
    for (int i = 0; i < 5; ++i) f.deliver(message);
    f.activity = &activity;
    auto client = f.connect(SIZE_MAX, 1000);
    f.loop.run([](FakeStream& on, Activity& seen, SessionMemory& memory, bool few) -> Task<void> {
      Talker talker(on);
      CHECK((co_await user_pass(talker)).starts_with("+OK"));
      CHECK((co_await ask(talker, "NOOP")).starts_with("+OK"));
      auto before = seen.memory;
      if (few) memory.set_limits({.per_session = 100'000});
      co_await talker.send("RETR 4\r\nRETR 5\r\nRETR 6\r\nRETR 7\r\nRETR 8\r\n");
      auto said = co_await talker.line();
      if (few) {
        while (!said.starts_with("-ERR") && said != "END" && said != "NOTHING")
          said = co_await talker.line();
        CHECK(said.contains("more memory"));
        co_return;
      }
      CHECK(said.starts_with("+OK"));
      CHECK(seen.memory > before + 5 * 400 * 72);
      for (int left = 5; left > 0;)
        if (co_await talker.line() == ".") --left;
      co_await talker.send("NOOP\r\n");
      co_await talker.line();
      CHECK(seen.memory < before + 40'000);
    }(*client, activity, all, bounded));
    client->close();
  }
}

}  // namespace
}  // namespace hikyaku::pop3d
