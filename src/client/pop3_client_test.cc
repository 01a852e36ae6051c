// Pop3Client against scripted servers.
#include "client/pop3_client.h"

#include <doctest/doctest.h>

#include "client/script_test.h"

namespace hikyaku::client {
namespace {

using testing::Script;
using testing::ScriptServer;

/// A server with these capabilities, then `rest`.
Script greeted(std::vector<std::string> capabilities, Script rest,
               std::string greeting = "S: +OK <17.3@pop.example> ready") {
  Script script{std::move(greeting), "C: CAPA", "S: +OK"};
  for (auto& line : capabilities) script.push_back("S: " + line);
  script.push_back("S: .");
  script.insert(script.end(), rest.begin(), rest.end());
  return script;
}

template <class Talk>
void with(Script script, Talk talk, Observer observer = {}) {
  for (bool byte_by_byte : {false, true}) {
    ScriptServer(script, byte_by_byte)
        .client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
          Pop3Client client(std::move(stream), {}, observer);
          CHECK(co_await client.greet());
          co_await talk(client);
        });
  }
}

struct Gather final : MailSink {
  Task<void> begin(std::uint32_t number) override {
    log += fmt::format("[{}]", number);
    co_return;
  }
  Task<void> data(std::string_view bytes) override {
    log += bytes;
    co_return;
  }
  Task<void> refused(std::uint32_t number, const pop3::Status& status) override {
    log += fmt::format("[{} refused: {}]", number, status.text);
    co_return;
  }
  std::string log;
};

TEST_CASE("pop3 client: greetings and capabilities") {
  with(greeted({"TOP", "UIDL", "SASL PLAIN SCRAM-SHA-256", "PIPELINING"}, {}),
       [](Pop3Client& client) -> Task<void> {
         CHECK(client.timestamp() == "<17.3@pop.example>");
         CHECK(client.has("sasl"));
         CHECK_FALSE(client.has("STLS"));
         co_return;
       });
  with({"S: +OK old server", "C: CAPA", "S: -ERR what"}, [](Pop3Client& client) -> Task<void> {
    CHECK(client.timestamp().empty());
    CHECK(client.capabilities().empty());
    co_return;
  });
  ScriptServer({"S: -ERR [SYS/TEMP] busy"})
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        Pop3Client client(std::move(stream));
        auto greeted = co_await client.greet();
        CHECK(greeted.error().describe() == "-ERR [SYS/TEMP] busy");
      });
}

TEST_CASE("pop3 client: logins, and what an observer sees of them") {
  struct Row {
    const char* why;
    Script script;
    std::optional<sasl::Mechanism> mechanism;
    std::string outcome;
    std::string seen;
  };
  const Row rows[] = {
      {"SASL",
       greeted({"SASL PLAIN"}, {"C: AUTH PLAIN AHUAcHc=", "S: +OK in"}),
       {},
       "ok",
       "CAPA\nAUTH PLAIN ***\n"},
      {"SASL without initial response",
       greeted({"SASL LOGIN"}, {"C: AUTH LOGIN", "S: + VXNlcm5hbWU6",
                                "C: dQ==", "S: + UGFzc3dvcmQ6", "C: cHc=", "S: +OK in"}),
       {},
       "ok",
       "CAPA\nAUTH LOGIN\n***\n***\n"},
      {"USER and PASS",
       greeted({"USER"}, {"C: USER u", "S: +OK", "C: PASS pw", "S: -ERR [AUTH] no"}),
       {},
       "-ERR [AUTH] no",
       "CAPA\nUSER u\nPASS ***\n"},
      {"a server that accepts a proof it was not given",
       greeted({"SASL SCRAM-SHA-256"}, {"C* AUTH SCRAM-SHA-256 ", "S: +OK in"}),
       {},
       "the server",
       "CAPA\nAUTH SCRAM-SHA-256 ***\n"},
  };
  for (auto& row : rows) {
    CAPTURE(row.why);
    std::string seen;
    ScriptServer(row.script).client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
      Pop3Client client(std::move(stream), {}, [&](bool by_client, std::string_view line) {
        if (by_client) seen += std::string(line) + "\n";
      });
      CHECK(co_await client.greet());
      Login login{.user = "u", .password = crypto::Secret("pw"), .mechanism = row.mechanism};
      auto done = co_await client.log_in(login);
      auto outcome = done ? std::string("ok") : done.error().describe();
      CHECK_MESSAGE(outcome.starts_with(row.outcome), outcome);
    });
    CHECK(seen == row.seen);
  }
}

TEST_CASE("pop3 client: APOP") {
  // The example of RFC 1939 §7.
  ScriptServer(greeted({"USER"}, {"C: APOP mrose c4c9334bac560ecc979e58001b3e22fb", "S: +OK"},
                       "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>"))
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        Pop3Client client(std::move(stream));
        CHECK(co_await client.greet());
        Login login{.user = "mrose", .password = crypto::Secret("tanstaaf")};
        CHECK(co_await client.log_in_by_apop(login));
      });
}

TEST_CASE("pop3 client: TLS") {
  Script script = greeted(
      {"STLS"}, {"C: STLS", "S: +OK begin", "tls", "C: CAPA", "S: +OK", "S: SASL PLAIN", "S: ."});
  ScriptServer(script).client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
    Pop3Client client(std::move(stream));
    CHECK(co_await client.greet());
    auto secured = co_await client.start_tls(testing::client_tls(), "mail.example");
    CHECK(secured.ok());
    CHECK(client.stream().tls() != nullptr);
    CHECK(client.has("SASL"));
  });
}

TEST_CASE("pop3 client: the maildrop") {
  with(greeted({"UIDL"}, {"C: STAT",    "S: +OK 2 320",
                          "C: LIST",    "S: +OK 2 messages",
                          "S: 1 120",   "S: 2 200",
                          "S: .",       "C: UIDL",
                          "S: +OK",     "S: 1 abc",
                          "S: 2 d.e",   "S: .",
                          "C: RETR 1",  "S: +OK 10 octets",
                          "S: one",     "S: ..dot",
                          "S: ",        "S: .",
                          "C: RETR 3",  "S: -ERR no such message",
                          "C: TOP 1 0", "S: +OK",
                          "S: one",     "S: .",
                          "C: RETR 1",  "S: +OK",
                          "S: one",     "S: .",
                          "C: DELE 1",  "S: +OK",
                          "C: DELE 1",  "S: -ERR gone",
                          "C: RSET",    "S: +OK",
                          "C: QUIT",    "S: -ERR [SYS/TEMP] some not deleted"}),
       [](Pop3Client& client) -> Task<void> {
         auto stat = co_await client.stat();
         CHECK(stat->messages == 2);
         CHECK(stat->size == 320);
         auto sizes = co_await client.list();
         CHECK(sizes->at(1).size == 200);
         auto uids = co_await client.uidl();
         CHECK(uids->at(1).uid == "d.e");
         Gather gather;
         CHECK(co_await client.retr(1, gather));
         CHECK_FALSE(co_await client.retr(3, gather));
         CHECK(gather.log == "[1]one\r\n.dot\r\n\r\n[3 refused: no such message]");
         Gather top;
         CHECK(co_await client.top(1, 0, top));
         CHECK(top.log == "[1]one\r\n");
         auto text = co_await client.retr_text(1);
         CHECK(text.value() == "one\r\n");
         CHECK(co_await client.dele(1));
         auto again = co_await client.dele(1);
         CHECK_FALSE(again.has_value());
         CHECK(co_await client.rset());
         auto quit = co_await client.quit();
         CHECK(quit.error().code == "SYS/TEMP");
       });
}

TEST_CASE("pop3 client: many messages, in one go where the server pipelines") {
  with(greeted({"PIPELINING"}, {"C: RETR 1", "C: RETR 2", "C: RETR 3", "S: +OK", "S: a", "S: .",
                                "S: -ERR gone", "S: +OK", "S: c", "S: ."}),
       [](Pop3Client& client) -> Task<void> {
         Gather gather;
         auto found = co_await client.retr_all({1, 2, 3}, gather);
         CHECK(found == 2);
         CHECK(gather.log == "[1]a\r\n[2 refused: gone][3]c\r\n");
       });
  with(greeted({}, {"C: RETR 1", "quiet", "S: +OK", "S: a", "S: .", "C: RETR 2", "S: +OK", "S: b",
                    "S: ."}),
       [](Pop3Client& client) -> Task<void> {
         Gather gather;
         auto found = co_await client.retr_all({1, 2}, gather);
         CHECK(found == 2);
       });
}

TEST_CASE("pop3 client: the connection is lost, or was never POP3") {
  const Script scripts[] = {
      greeted({}, {"C: NOOP", "close"}),
      greeted({}, {"C: NOOP", "S: 250 ok"}),
      greeted({}, {"C: NOOP", "S: + challenge"}),
      greeted({}, {"C: NOOP", "S: +OK " + std::string(9000, 'x')}),
  };
  for (auto& script : scripts) {
    ScriptServer(script).client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
      Pop3Client client(std::move(stream));
      CHECK(co_await client.greet());
      CHECK_THROWS_AS(co_await client.noop(), net::Disconnected);
    });
  }
}

}  // namespace
}  // namespace hikyaku::client
