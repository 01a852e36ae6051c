// Full disks and damaged bodies: said in the protocol's words, and the session lives.
#include <doctest/doctest.h>

#include "imapd/fixture_test.h"

namespace hikyaku::imapd::testing {
namespace {

std::string append(Client& client, const std::string& message) {
  return client("APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message);
}

TEST_CASE("a full disk: nothing is taken, reading goes on, deleting is possible") {
  Server server;
  Client client(server);
  client.login();
  append(client, "Subject: first\r\n\r\nbody\r\n");
  client("SELECT INBOX");
  server.fill_disk();
  CHECK(append(client, "Subject: second\r\n\r\nbody\r\n").starts_with("NO ["));
  CHECK(client("CREATE more").starts_with("NO ["));
  CHECK(client("STORE 1 +FLAGS (\\Seen)").starts_with("NO ["));
  CHECK(client("FETCH 1 BODY[TEXT]") == "* 1 FETCH (BODY[TEXT] {6}\nbody\n)\nOK Fetched\n");
  CHECK(client("STORE 1 +FLAGS.SILENT (\\Deleted)") == "OK Stored\n");
  CHECK(client("EXPUNGE") == "* 1 EXPUNGE\nOK Expunged\n");
  CHECK(client("DELETE Trash") == "OK Deleted\n");
}

TEST_CASE("a full disk: moving to Trash is possible while half of the reserve is left") {
  Server server;
  Client client(server);
  client.login();
  for (int i = 0; i < 3; ++i) append(client, "Subject: first\r\n\r\nbody\r\n");
  client("CREATE Other");
  client("SELECT INBOX");
  server.fill_disk(700 << 10);
  CHECK(append(client, "Subject: second\r\n\r\nbody\r\n").starts_with("NO ["));
  CHECK(client("COPY 1 Other").starts_with("NO ["));
  CHECK(client("MOVE 1 Other").ends_with("OK Done\n"));
  CHECK(client("MOVE 1 Trash").ends_with("OK Done\n"));
  CHECK(client("COPY 1 Trash").starts_with("OK [COPYUID"));
  server.fill_disk(400 << 10);
  CHECK(client("MOVE 1 Trash").starts_with("NO ["));
  CHECK(client("COPY 1 Trash").starts_with("NO ["));
  CHECK(client("STORE 1 +FLAGS.SILENT (\\Deleted)") == "OK Stored\n");
  CHECK(client("EXPUNGE") == "* 1 EXPUNGE\nOK Expunged\n");
}

TEST_CASE("a damaged body: its part is NIL, everything else is answered") {
  Server server;
  Client client(server);
  client.login();
  append(client, "Subject: good\r\n\r\nbody\r\n");
  append(client, "Subject: bad\r\n\r\nDAMAGED" + repeat("x", 1000) + "\r\n");
  client("SELECT INBOX");
  REQUIRE(server.damage("DAMAGED"));
  auto answer = client("FETCH 1:2 (BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[TEXT])");
  CHECK(answer.find("Subject: good") != std::string::npos);
  // In a user's words: where the body lies is for the log.
  CHECK(
      answer.ends_with("Subject: bad\n\n BODY[TEXT] NIL)\nNO [CORRUPTION] A message is damaged on "
                       "the server; the administrator has been told\n"));
  CHECK(client("NOOP") == "OK Nothing done\n");
}

TEST_CASE("bodies that wait for a client who does not read count as the session's memory") {
  Server server;
  SessionMemory all;
  Activity activity;
  activity.memory_of_all = &all;
  server.activity = &activity;
  Client client(server);
  client.login();
  for (int i = 0; i < 20; ++i)
    append(client, "Subject: one\r\n\r\n" + repeat("x", 12'000) + "\r\n");
  client("SELECT INBOX");
  auto before = activity.memory;
  client.stream().set_window(1000);
  SUBCASE("as many as it may have") {
    client.send("f FETCH 1:* BODY.PEEK[]\r\n");
    client.read_until("* 1 FETCH");
    CHECK(activity.memory > before + 20 * 12'000);
    CHECK(client.answer("f").ends_with("OK Fetched\n"));
    client("NOOP");
    CHECK(activity.memory < before + 20'000);
  }
  SUBCASE("fewer at once where it may have little") {
    all.set_limits({.per_session = 100'000});
    client.send("f FETCH 1:* BODY.PEEK[]\r\n");
    CHECK(client.answer("f").ends_with("OK Fetched\n"));
  }
  SUBCASE("and one that is too large by itself ends it") {
    client.stream().set_window(SIZE_MAX);
    append(client, "Subject: one\r\n\r\n" + repeat("x", 200'000) + "\r\n");
    client("NOOP");
    all.set_limits({.per_session = 100'000});
    client.stream().set_window(1000);
    client.send("f FETCH 21 BODY.PEEK[]\r\n");
    CHECK(client.end().contains("* BYE [LIMIT]"));
  }
}

}  // namespace
}  // namespace hikyaku::imapd::testing
