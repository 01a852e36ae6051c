// SmtpClient against scripted servers.
#include "client/smtp_client.h"

#include <doctest/doctest.h>

#include "client/script_test.h"

namespace hikyaku::client {
namespace {

using testing::Script;
using testing::ScriptServer;

struct Text final : MessageSource {
  explicit Text(std::vector<std::string> given) : pieces(std::move(given)) {}
  Task<Result<std::string>> next() override {
    if (at == pieces.size()) co_return std::string();
    if (pieces[at] == "fail") co_return fail(ErrorCode::Io, "the disk is gone");
    co_return pieces[at++];
  }
  std::vector<std::string> pieces;
  std::size_t at = 0;
};

Script greeted(std::vector<std::string> offers, Script rest) {
  Script script{"S: 220-mx.example", "S: 220 ready", "C: EHLO client.example"};
  offers.insert(offers.begin(), "mx.example");
  for (auto& offer : offers)
    script.push_back((&offer == &offers.back() ? "S: 250 " : "S: 250-") + offer);
  script.insert(script.end(), rest.begin(), rest.end());
  return script;
}

template <class Talk>
void with(Script script, Talk talk, Observer observer = {}) {
  for (bool byte_by_byte : {false, true}) {
    ScriptServer(script, byte_by_byte)
        .client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
          SmtpClient client(std::move(stream), "client.example", {}, observer);
          auto greeted = co_await client.greet();
          CHECK(greeted.has_value());
          co_await talk(client);
        });
  }
}

/// What send() says of each recipient: "RCPT TO 250", "DATA 554 …".
Task<std::vector<std::string>> send(SmtpClient& client, std::vector<std::string> to,
                                    std::vector<std::string> text, smtp::Outgoing message = {}) {
  message.from = smtp::parse_reverse_path("<a@client.example>").value();
  std::vector<SmtpClient::Recipient> recipients;
  for (auto& address : to) recipients.push_back({smtp::parse_mailbox(address).value(), {}});
  Text source(std::move(text));
  auto results = co_await client.send(std::move(message), recipients, source);
  std::vector<std::string> said;
  for (auto& result : results)
    said.push_back(fmt::format("{} {}", smtp::to_string(result.stage), result.reply.code));
  co_return said;
}

smtp::Outgoing outgoing(std::uint64_t size, bool has_8bit) {
  smtp::Outgoing message;
  message.size = size;
  message.has_8bit = has_8bit;
  return message;
}

using Said = std::vector<std::string>;

TEST_CASE("smtp client: the greeting, and HELO for old servers") {
  with(greeted({"PIPELINING", "SIZE 1000", "AUTH PLAIN"}, {}),
       [](SmtpClient& client) -> Task<void> {
         CHECK(client.offers().pipelining);
         CHECK(client.offers().max_size == 1000);
         CHECK(client.offers().name == "mx.example");
         co_return;
       });
  with({"S: 220 x", "C: EHLO client.example", "S: 502 what", "C: HELO client.example",
        "S: 250 old.example"},
       [](SmtpClient& client) -> Task<void> {
         CHECK(client.offers().name == "old.example");
         co_return;
       });
  ScriptServer({"S: 554-no", "S: 554 not here"})
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        SmtpClient client(std::move(stream), "client.example");
        auto greeted = co_await client.greet();
        CHECK(greeted.error().stage == smtp::Stage::Greeting);
        CHECK(greeted.error().reply.code == 554);
      });
}

TEST_CASE("smtp client: a message, pipelined and not") {
  // Everything is there before the first answer.
  with(
      greeted({"PIPELINING", "8BITMIME", "SIZE"},
              {"C: MAIL FROM:<a@client.example> SIZE=20 BODY=8BITMIME", "C: RCPT TO:<b@mx.example>",
               "C: RCPT TO:<c@mx.example>", "C: DATA", "S: 250 2.1.0 ok", "S: 250 2.1.5 ok",
               "S: 550-5.1.1 no", "S: 550 5.1.1 such user", "S: 354 go", "C: gr\xc3\xbc\xc3\x9f",
               "C: ..", "C: ..dot", "C: .", "S: 250 2.0.0 kept", "C: QUIT", "S: 221 bye"}),
      [](SmtpClient& client) -> Task<void> {
        auto said =
            co_await send(client, {"b@mx.example", "c@mx.example"},
                          {"gr\xc3\xbc\xc3\x9f\r\n.", "\r\n.do", "t\r\n"}, outgoing(20, true));
        CHECK(said == Said{"end of data 250", "RCPT TO 550"});
        co_await client.quit();
      });
  // One at a time.
  with(greeted({}, {"C: MAIL FROM:<a@client.example>", "quiet", "S: 250 ok",
                    "C: RCPT TO:<b@mx.example>", "quiet", "S: 250 ok", "C: DATA", "quiet",
                    "S: 354 go", "C: x", "C: .", "S: 250 kept"}),
       [](SmtpClient& client) -> Task<void> {
         auto said = co_await send(client, {"b@mx.example"}, {"x\r\n"});
         CHECK(said == Said{"end of data 250"});
       });
}

TEST_CASE("smtp client: every kind of refusal") {
  struct Row {
    const char* why;
    std::vector<std::string> offers;
    Script script;
    Said said;
  };
  const std::string mail = "C: MAIL FROM:<a@client.example>";
  const std::string rcpt_b = "C: RCPT TO:<b@mx.example>";
  const std::string rcpt_c = "C: RCPT TO:<c@mx.example>";
  const Row rows[] = {
      {"MAIL, one at a time",
       {},
       {mail, "S: 451 later", "quiet"},
       {"MAIL FROM 451", "MAIL FROM 451"}},
      {"MAIL, pipelined: the other answers are read",
       {"PIPELINING"},
       {mail, rcpt_b, rcpt_c, "C: DATA", "S: 550 no", "S: 503 x", "S: 503 x", "S: 503 x", "C: NOOP",
        "S: 250 still here"},
       {"MAIL FROM 550", "MAIL FROM 550"}},
      {"every recipient, one at a time: no DATA",
       {},
       {mail, "S: 250 ok", rcpt_b, "S: 550 no", rcpt_c, "S: 452 full", "quiet"},
       {"RCPT TO 550", "RCPT TO 452"}},
      {"every recipient, pipelined: DATA is refused too",
       {"PIPELINING"},
       {mail, rcpt_b, rcpt_c, "C: DATA", "S: 250 ok", "S: 550 no", "S: 550 no", "S: 503 nobody"},
       {"RCPT TO 550", "RCPT TO 550"}},
      {"every recipient, but the server takes data: an empty message",
       {"PIPELINING"},
       {mail, rcpt_b, rcpt_c, "C: DATA", "S: 250 ok", "S: 550 no", "S: 550 no", "S: 354 go", "C: .",
        "S: 554 nobody"},
       {"RCPT TO 550", "RCPT TO 550"}},
      {"DATA: only those that were accepted",
       {},
       {mail, "S: 250 ok", rcpt_b, "S: 250 ok", rcpt_c, "S: 550 no", "C: DATA", "S: 451 later"},
       {"DATA 451", "RCPT TO 550"}},
      {"the message itself",
       {},
       {mail, "S: 250 ok", rcpt_b, "S: 250 ok", rcpt_c, "S: 250 ok", "C: DATA", "S: 354 go", "C: x",
        "C: .", "S: 554-5.7.1 spam", "S: 554 5.7.1 says the filter"},
       {"end of data 554", "end of data 554"}},
      {"421 in the middle ends it for all that follow",
       {},
       {mail, "S: 250 ok", rcpt_b, "S: 421 4.3.2 going down", "close"},
       {"RCPT TO 421", "RCPT TO 421"}},
  };
  for (auto& row : rows) {
    CAPTURE(row.why);
    with(greeted(row.offers, row.script), [&](SmtpClient& client) -> Task<void> {
      auto said = co_await send(client, {"b@mx.example", "c@mx.example"}, {"x\r\n"});
      CHECK(said == row.said);
      if (row.script[row.script.size() - 2] == "C: NOOP") {
        auto reply = co_await client.command("NOOP");
        CHECK(reply.positive());
      }
    });
  }
}

TEST_CASE("smtp client: what the server says it cannot take is not sent") {
  with(greeted({"SIZE 100"}, {"quiet"}), [](SmtpClient& client) -> Task<void> {
    auto said = co_await send(client, {"b@mx.example"}, {"x\r\n"}, outgoing(101, false));
    CHECK(said == Said{"MAIL FROM 552"});
  });
}

TEST_CASE("smtp client: a message that cannot be read is never half delivered") {
  with(greeted({}, {"C: MAIL FROM:<a@client.example>", "S: 250 ok", "C: RCPT TO:<b@mx.example>",
                    "S: 250 ok", "C: DATA", "S: 354 go", "C: (end)"}),
       [](SmtpClient& client) -> Task<void> {
         auto said = co_await send(client, {"b@mx.example"}, {"x\r\n", "fail"});
         CHECK(said == Said{"end of data 451"});
       });
}

TEST_CASE("smtp client: the connection is lost, or was never SMTP") {
  const Script scripts[] = {
      {"close"},
      {"S: * OK IMAP4rev1"},
      greeted({}, {"C: MAIL FROM:<a@client.example>", "close"}),
      greeted({}, {"C: MAIL FROM:<a@client.example>", "S: 250 ok", "C: RCPT TO:<b@mx.example>",
                   "S: 250 ok", "C: DATA", "S: 354 go", "C: x", "C: .", "close"}),
  };
  for (auto& script : scripts) {
    ScriptServer(script).client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
      SmtpClient client(std::move(stream), "client.example");
      bool lost = false;
      try {
        auto greeted = co_await client.greet();
        CHECK(greeted.has_value());
        (void)co_await send(client, {"b@mx.example"}, {"x\r\n"});
      } catch (const net::Disconnected&) {
        lost = true;
      }
      CHECK(lost);
    });
  }
}

TEST_CASE("smtp client: a reply that trickles in is not waited for beyond its time") {
  net::testing::Served served(1, [](std::unique_ptr<net::Stream> stream) -> Task<void> {
    try {
      for (int i = 0; i < 200; ++i) {
        co_await stream->write(i == 0 ? "2" : i == 1 ? "2" : i == 2 ? "0" : i == 3 ? "-" : "x");
        co_await sleep_for(milliseconds(20));
      }
    } catch (const net::Disconnected&) {
      // As it should be.
    }
  });
  served.cores().run(0, [&]() -> Task<void> {
    auto stream = co_await net::connect(served.listener().endpoint(), {}, seconds(5));
    SmtpClient client(std::move(*stream), "client.example", {.greeting = milliseconds(200)});
    auto why = net::Disconnected::Why::Closed;
    try {
      (void)co_await client.greet();
    } catch (const net::Disconnected& gone) {
      why = gone.why();
    }
    CHECK(why == net::Disconnected::Why::Timeout);
  });
}

TEST_CASE("smtp client: TLS") {
  with(greeted({"STARTTLS"}, {"C: STARTTLS", "S: 220 go", "tls", "C: EHLO client.example",
                              "S: 250-mx.example", "S: 250 AUTH PLAIN"}),
       [](SmtpClient& client) -> Task<void> {
         auto secured = co_await client.start_tls(testing::client_tls(), "mx.example");
         CHECK(secured.ok());
         CHECK_FALSE(client.offers().starttls);
         CHECK(client.offers().auth == std::vector<std::string>{"PLAIN"});
       });
  ScriptServer({"tls", "S: 220 x", "C: EHLO client.example", "S: 250 x"})
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        SmtpClient client(std::move(stream), "client.example");
        auto secured = co_await client.secure(testing::client_tls(), "mx.example");
        CHECK(secured.ok());
        CHECK(co_await client.greet());
      });
}

TEST_CASE("smtp client: logins, and what an observer sees of them") {
  struct Row {
    const char* why;
    std::string offer;
    Script script;
    std::optional<sasl::Mechanism> mechanism;
    int code;
    std::string seen;
  };
  const Row rows[] = {
      {"PLAIN",
       "AUTH PLAIN LOGIN",
       {"C: AUTH PLAIN AHUAcHc=", "S: 235 2.7.0 in"},
       {},
       0,
       "AUTH PLAIN ***\n"},
      {"LOGIN, asked for",
       "AUTH PLAIN LOGIN",
       {"C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: dQ==", "S: 334 UGFzc3dvcmQ6",
        "C: cHc=", "S: 235 in"},
       sasl::Mechanism::Login,
       0,
       "AUTH LOGIN\n***\n***\n"},
      {"a refused password",
       "AUTH PLAIN",
       {"C* AUTH PLAIN ", "S: 535 5.7.8 no"},
       {},
       535,
       "AUTH PLAIN ***\n"},
      {"nothing in common", "AUTH GSSAPI", {"quiet"}, {}, 504, ""},
      {"a challenge that is none",
       "AUTH SCRAM-SHA-256",
       {"C* AUTH SCRAM-SHA-256 ", "S: 334 %%", "C: *", "S: 501 cancelled"},
       {},
       535,
       "AUTH SCRAM-SHA-256 ***\n*\n"},
      {"a server that goes on asking",
       "AUTH SCRAM-SHA-256",
       {"C* AUTH SCRAM-SHA-256 ", "S: 334 %%", "C: *", "S: 334 %%"},
       {},
       535,
       "AUTH SCRAM-SHA-256 ***\n*\n"},
      {"a server that has proven nothing",
       "AUTH SCRAM-SHA-256",
       {"C* AUTH SCRAM-SHA-256 ", "S: 235 in"},
       {},
       535,
       "AUTH SCRAM-SHA-256 ***\n"},
  };
  for (auto& row : rows) {
    CAPTURE(row.why);
    std::string seen;
    ScriptServer(greeted({row.offer}, row.script))
        .client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
          SmtpClient client(std::move(stream), "client.example", {},
                            [&](bool by_client, std::string_view line) {
                              if (by_client && !line.starts_with("EHLO"))
                                seen += std::string(line) + "\n";
                            });
          CHECK(co_await client.greet());
          Login login{.user = "u", .password = crypto::Secret("pw"), .mechanism = row.mechanism};
          auto done = co_await client.log_in(login);
          CHECK((done ? 0 : done.error().reply.code) == row.code);
        });
    CHECK(seen == row.seen);
  }
}

}  // namespace
}  // namespace hikyaku::client
