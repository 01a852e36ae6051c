// Whole conversations: states, logins, limits, what is wrong and what comes after it.
#include <doctest/doctest.h>

#include "base/async.h"
#include "base/base64.h"
#include "imapd/fixture_test.h"
#include "net/tls.h"

namespace hikyaku::imapd::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("greeting, capabilities before and after login, logout") {
  Server server;
  Client client(server);
  CHECK(client.greeting ==
        "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN] "
        "mx.a.test Hikyaku is ready\n");
  CHECK(client("CAPABILITY") ==
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR AUTH=PLAIN AUTH=LOGIN\n"
        "OK Capabilities listed\n");
  CHECK(client("LOGIN u wrong") == "NO [AUTHENTICATIONFAILED] User name or password is wrong\n");
  CHECK(client("LOGIN busy pw") == "NO [UNAVAILABLE] Too many failures: try again later\n");
  auto welcome = client("LOGIN u pw");
  CHECK(
      welcome.starts_with("OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE"));
  CHECK(welcome.ends_with("] Logged in\n"));
  CHECK(client("LOGIN u pw") == "BAD LOGIN: you are logged in already\n");
  CHECK(client("NAMESPACE") == "* NAMESPACE ((\"\" \"/\")) NIL NIL\nOK Namespaces listed\n");
  CHECK(client("ID (\"name\" \"test\" \"os\" NIL)") ==
        "* ID (\"name\" \"Hikyaku\")\nOK Pleased to meet you\n");
  CHECK(client("NOOP") == "OK Nothing done\n");
  CHECK(client("LOGOUT") == "* BYE Until next time\nOK Logged out\n");
  CHECK(client.end() == "");
}

TEST_CASE("without TLS no password is asked for") {
  Server server;
  Client client(server, false);
  CHECK(client.greeting ==
        "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR LOGINDISABLED] mx.a.test "
        "Hikyaku is ready\n");
  CHECK(client("LOGIN u pw") == "NO [PRIVACYREQUIRED] LOGIN needs TLS: STARTTLS first\n");
  // Not even the literal is.
  client.send("b LOGIN {1}\r\n");
  CHECK(client.answer("b") == "NO [PRIVACYREQUIRED] LOGIN needs TLS: STARTTLS first\n");
  CHECK(client("AUTHENTICATE PLAIN") ==
        "NO [PRIVACYREQUIRED] This mechanism needs TLS: STARTTLS first\n");
  CHECK(client("AUTHENTICATE GSSAPI") == "NO This mechanism is not offered here\n");
  CHECK(client("STARTTLS") == "BAD STARTTLS is not available here\n");
}

TEST_CASE("STARTTLS forgets what came in clear behind it") {
  Server server;
  auto tls = net::ServerTls::create(
                 {net::make_self_signed({"mx.a.test"}, net::KeyType::EcP256, 10).value()})
                 .value();
  Client client(server, false, tls.get());
  CHECK(client.greeting.find(" STARTTLS ") != std::string::npos);
  client.send("a STARTTLS\r\nb LOGOUT\r\n");
  CHECK(client.answer("a") == "OK Begin TLS now\n");
  CHECK(client("CAPABILITY") ==
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR AUTH=SCRAM-SHA-256-PLUS "
        "AUTH=PLAIN\nOK Capabilities listed\n");
  CHECK(client("STARTTLS") == "BAD STARTTLS: TLS is on already\n");
  CHECK(client("LOGIN u pw").ends_with("Logged in\n"));
}

TEST_CASE("AUTHENTICATE with and without an initial response, cancelled, malformed") {
  Server server;
  auto plain = base64_encode(std::string_view("\0u\0pw", 5));
  {
    Client client(server);
    CHECK(client("AUTHENTICATE PLAIN " + plain).ends_with("Logged in\n"));
  }
  {
    Client client(server);
    client.send("a AUTHENTICATE plain\r\n");
    CHECK(client.read_until("\r\n") == "+ \n");
    client.send("*\r\n");
    CHECK(client.answer("a") == "BAD Authentication cancelled\n");
    client.send("b AUTHENTICATE PLAIN\r\n");
    client.read_until("\r\n");
    client.send("!!\r\n");
    CHECK(client.answer("b") == "BAD The response is not base64\n");
    client.send("c AUTHENTICATE PLAIN\r\n");
    client.read_until("\r\n");
    client.send(repeat("A", 20'000) + "\r\n");
    CHECK(client.answer("c").starts_with("BAD [LIMIT] a line may have"));
    CHECK(client("AUTHENTICATE PLAIN =") == "BAD The response is malformed\n");
    client.send("d AUTHENTICATE PLAIN\r\n");
    client.read_until("\r\n");
    client.send(plain + "\r\n");
    CHECK(client.answer("d").ends_with("Logged in\n"));
  }
}

TEST_CASE("what is wrong gets its answer, and the connection lives, up to a limit") {
  Server server;
  server.settings.max_errors = 5;
  Client client(server);
  CHECK(client("FETCH 1 FLAGS") == "BAD FETCH: log in first\n");
  CHECK(client("XYZZY") == "BAD unknown command XYZZY\n");
  client.login();
  CHECK(client("FETCH 1 FLAGS") == "BAD FETCH: select a mailbox first\n");
  client.send("\r\n");
  CHECK(client.read_until("\r\n").starts_with("* BAD"));
  client.send("justatag\r\n");
  CHECK(client.answer("justatag").starts_with("BAD"));
  CHECK(client("NOOP") == "OK Nothing done\n");
  for (int i = 0; i < 4; ++i) CHECK(client("SELECT").starts_with("BAD"));
  CHECK(client("SELECT").starts_with("BAD"));
  CHECK(client.end() == "* BYE Too many errors\n");
}

TEST_CASE("a line that is too long, a literal that is too large") {
  Server server;
  Client client(server);
  client.login();
  client.send("a SELECT " + repeat("x", 100'000) + "\r\n");
  CHECK(client.answer("a").starts_with("BAD [LIMIT]"));
  client.send("b SELECT {999999999}\r\n");
  CHECK(client.answer("b").starts_with("NO [TOOBIG]"));
  client.send("c SELECT {100000+}\r\n" + repeat("x", 100'000) + "\r\n");
  CHECK(client.answer("c").starts_with("NO [TOOBIG]"));
  CHECK(client("SELECT " + repeat("(", 10'000)).starts_with("BAD"));
  CHECK(client("SEARCH " + repeat("NOT ", 5'000) + "SEEN").starts_with("NO [LIMIT]"));
  CHECK(client("NOOP") == "OK Nothing done\n");
  client.send("d APPEND INBOX {4294967296000+}\r\n");
  CHECK(client.end().find("* BYE [TOOBIG]") != std::string::npos);
}

TEST_CASE("time-outs: before login, between commands, within one; shutting down") {
  Server server;
  {
    Client client(server);
    auto begun = server.loop.now();
    server.loop.run(sleep_for(61s));
    CHECK(client.end() == "* BYE Logged out: nothing was heard for too long\n");
    CHECK(server.loop.now() - begun < 62s);
  }
  {
    Client client(server);
    client.login();
    server.loop.run(sleep_for(29min));
    CHECK(client("NOOP") == "OK Nothing done\n");
    server.loop.run(sleep_for(31min));
    CHECK(client.end() == "* BYE Logged out: nothing was heard for too long\n");
  }
  {
    Client client(server);
    client.login();
    client.send("a SELECT IN");
    server.loop.run(sleep_for(6min));
    CHECK(client.end() == "* BYE Logged out: nothing was heard for too long\n");
  }
  {
    Client client(server);
    client.login();
    client.stream().shut_down(5s);
    CHECK(client.end() == "* BYE [UNAVAILABLE] The server is going down\n");
  }
}

TEST_CASE("a command is understood at every split, with literals too") {
  Server server;
  std::string_view bytes = "a LOGIN {1+}\r\nu {2+}\r\npw\r\nb SELECT \"INBOX\"\r\nc NOOP\r\n";
  for (std::size_t limit : {1, 2, 3, 5, 7, 11}) {
    Client client(server);
    client.stream().set_read_limit(limit);
    client.send(bytes);
    CHECK(client.answer("a").ends_with("Logged in\n"));
    CHECK(client.answer("b").ends_with("OK [READ-WRITE] Opened\n"));
    CHECK(client.answer("c") == "OK Nothing done\n");
  }
}

TEST_CASE("literals are asked for, one after the other") {
  Server server;
  Client client(server);
  client.send("a LOGIN {1}\r\n");
  CHECK(client.read_until("\r\n") == "+ OK\n");
  client.send("u {2}\r\n");
  CHECK(client.read_until("\r\n") == "+ OK\n");
  client.send("pw\r\n");
  CHECK(client.answer("a").ends_with("Logged in\n"));
}

TEST_CASE("each operation of the connection may fail") {
  Server server;
  for (int n = 1; n < 200; ++n) {
    auto [mine, theirs] = net::FakeStream::pair();
    mine->fail_at(n);
    bool ended = false;
    mine->receive(
        "a LOGIN u pw\r\nb SELECT INBOX\r\nc APPEND INBOX {5}\r\nhello\r\nd FETCH 1:* BODY[]\r\n"
        "e IDLE\r\nDONE\r\nf LOGOUT\r\n");
    mine->receive_end();
    struct Run {
      static Task<void> one(std::unique_ptr<net::FakeStream> on, Server& at, bool& over) {
        co_await serve(std::move(on), at.settings, at.services(), {});
        over = true;
      }
    };
    server.gate.spawn(Run::one(std::move(mine), server, ended));
    server.until([&] { return ended; });
  }
}

}  // namespace
}  // namespace hikyaku::imapd::testing
