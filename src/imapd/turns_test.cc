// Commands that cost much let the other sessions of their loop go on.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/async.h"
#include "imapd/fixture_test.h"
#include "mailbox/intents.h"

namespace hikyaku::imapd::testing {
namespace {

/// How many turns others get on the loop while a command runs whose answer is short.
std::size_t turns_during(Server& server, Client& client, const std::string& command) {
  std::size_t turns = 0;
  bool over = false;
  auto count = [](net::FakeStream& stream, std::size_t& count, bool& done) -> Task<void> {
    auto before = stream.bytes_out();
    for (; stream.bytes_out() == before; ++count) co_await yield_now();
    done = true;
  };
  client.send("t " + command + "\r\n");
  server.gate.spawn(count(client.stream(), turns, over));
  auto answer = client.answer("t");
  CHECK_MESSAGE((answer.starts_with("OK ") || answer == "* SEARCH\nOK Searched\n"), answer);
  server.until([&] { return over; });
  return turns;
}

TEST_CASE("a SEARCH with many keys takes turns by what they cost") {
  Server server;
  Client client(server);
  client.login();
  std::string append = "APPEND INBOX";
  for (int i = 0; i < 900; ++i) append += " {3+}\r\nabc";
  for (int i = 0; i < 6; ++i) CHECK(client(append).starts_with("OK [APPENDUID"));
  client("SELECT INBOX");
  auto few = turns_during(server, client, "SEARCH LARGER 5");
  auto many = turns_during(server, client, "SEARCH" + repeat(" SMALLER 5", 1'990) + " LARGER 5");
  MESSAGE("turns: ", few, " of one key, ", many, " of 1,991");
  CHECK(many > few + 2);
}

TEST_CASE("a LIST with costly patterns takes turns, and so does LSUB") {
  Server server;
  std::string above = "p/" + repeat(std::string(230, 'a') + "/", 4);
  for (int i = 0; i < 150; ++i) {
    server.transact([&](store::Transaction& tx) -> Result<void> {
      auto path = above + "leaf" + std::to_string(i);
      TRY_DO(mailbox::create_mailbox(tx, Server::kAccount, path, mailbox::Role::None,
                                     server.loop.now()));
      TRY_DO(mailbox::subscribe_mailbox(tx, Server::kAccount, path, true, server.loop.now()));
      return {};
    });
  }
  Client client(server);
  client.login();
  auto costly = repeat("*a", 480) + "*z";
  auto few = turns_during(server, client, "LIST \"\" %/%/nothing");
  auto many = turns_during(server, client, "LIST \"\" (" + repeat(costly + " ", 39) + costly + ")");
  MESSAGE("turns: ", few, " of a cheap pattern, ", many, " of 40 costly ones");
  CHECK(many > few + 3);
  CHECK(turns_during(server, client, "LSUB \"\" " + costly) >= few);
}

TEST_CASE("the messages of a large mailbox go behind the answer to DELETE") {
  Server server;
  Client client(server);
  client.login();
  std::string append = "APPEND Box";
  for (int i = 0; i < 900; ++i) append += " {3+}\r\nabc";
  auto deleted = [&] {
    client("CREATE Box");
    CHECK(client(append).starts_with("OK [APPENDUID"));
    CHECK(client("DELETE Box") == "OK Deleted\n");
    CHECK(client("STATUS Box (MESSAGES)").starts_with("NO [NONEXISTENT]"));
    bool left = false;
    server.transact([&](store::Transaction& tx) -> Result<void> {
      left = mailbox::has_intents(tx, Server::kAccount);
      return {};
    });
    return left;
  };
  CHECK_FALSE(deleted());
  CHECK(server.taken_up.empty());
  server.settings.delete_waits = {};
  CHECK(deleted());
  CHECK(server.taken_up == std::vector{Server::kAccount});
}

TEST_CASE("a server that ends waits for no command that would take minutes") {
  for (std::string_view command : {"EXPUNGE", "DELETE Box"}) {
    CAPTURE(command);
    Server server;
    Client client(server);
    client.login();
    client("CREATE Box");
    std::string append = "APPEND Box";
    for (int i = 0; i < 900; ++i) append += " (\\Deleted) {3+}\r\nabc";
    for (int i = 0; i < 4; ++i) CHECK(client(append).starts_with("OK [APPENDUID"));
    client("SELECT Box");
    auto listening = server.store->subscribe(Server::kAccount, store::Store::kEveryTopic,
                                             [&] { client.stream().shut_down(seconds(0)); });
    client.send("t " + std::string(command) + "\r\n");
    client.read_until("* BYE ");
    listening.reset();
    std::size_t left = 0;
    server.transact([&](store::Transaction& tx) -> Result<void> {
      if (auto box = mailbox::find_mailbox(tx, Server::kAccount, "Box"))
        left = mailbox::get_counters(tx, Server::kAccount, box->id).total;
      else
        left = mailbox::work_off(tx, Server::kAccount, server.loop.now()) ? 0 : 1;
      return {};
    });
    CHECK(left > 0);
  }
}

TEST_CASE("those of an account wait for each other when many messages have gone, and only then") {
  Server server;
  Client client(server), other(server);
  client.login();
  std::string append = "APPEND INBOX";
  for (int i = 0; i < 900; ++i) append += " {3+}\r\nabc";
  CHECK(client(append).starts_with("OK [APPENDUID"));
  client("SELECT INBOX");
  for (int messages = 900; messages < 22'000; messages *= 2)
    CHECK(client("COPY 1:* INBOX").find("OK [COPYUID") != std::string::npos);
  other.login();
  other("SELECT INBOX");
  using Permit = Semaphores<store::AccountId>::Permit;
  auto take = [&] {
    return std::make_unique<Permit>(
        server.loop.run(server.large_updates.acquire(Server::kAccount)));
  };

  auto permit = take();
  CHECK(client("STORE 7 +FLAGS (\\Seen)").starts_with("* 7 FETCH (UID 7 FLAGS (\\Seen"));
  CHECK(other("NOOP").starts_with("* 7 FETCH (UID 7 FLAGS (\\Seen"));
  CHECK(client("STORE 1:* +FLAGS.SILENT (\\Deleted)") == "OK Stored\n");
  CHECK(other("NOOP").starts_with("* 1 FETCH (UID 1 FLAGS (\\Deleted"));
  permit.reset();

  CHECK(client("EXPUNGE").starts_with("* 28800 EXPUNGE\n* 28799 EXPUNGE\n"));
  permit = take();
  other.send("t NOOP\r\n");
  auto said = other.stream().bytes_out();
  for (int i = 0; i < 20; ++i) {
    while (server.loop.run_ready()) continue;
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(other.stream().bytes_out() == said);
  permit.reset();
  CHECK(other.answer("t").starts_with("* 28800 EXPUNGE\n"));
  CHECK(server.large_updates.size() == 0);
}

TEST_CASE("more mailboxes and subscriptions than one read takes are listed all, in order") {
  Server server;
  constexpr int kMany = 1'050;
  auto path = [](std::string_view above, int i) { return fmt::format("{}/{:04}", above, i); };
  for (int begin = 0; begin < kMany; begin += 50) {
    server.transact([&](store::Transaction& tx) -> Result<void> {
      auto now = server.loop.now();
      for (int i = begin; i < begin + 50; ++i) {
        TRY_DO(mailbox::create_mailbox(tx, Server::kAccount, path("gone", i), mailbox::Role::None,
                                       now));
        TRY_DO(mailbox::subscribe_mailbox(tx, Server::kAccount, path("gone", i), true, now));
        TRY_DO(mailbox::create_mailbox(tx, Server::kAccount, path("here", kMany - i),
                                       mailbox::Role::None, now));
        TRY_DO(mailbox::delete_mailbox(tx, Server::kAccount, path("gone", i), now));
      }
      return {};
    });
  }
  std::string here, gone;
  for (int i = 0; i < kMany; ++i) {
    here += "* LIST (\\HasNoChildren) \"/\" " + path("here", i + 1) + "\n";
    // As many as are kept: one whole read, and another that finds no more.
    if (static_cast<std::size_t>(i) < mailbox::kMostOrphanedSubscriptions)
      gone += "* LSUB (\\Noselect) \"/\" " + path("gone", i) + "\n";
  }
  Client client(server);
  client.login();
  CHECK(client("LIST \"\" here/%") == here + "OK Listed\n");
  CHECK(client("LSUB \"\" gone/*") == gone + "OK Listed\n");
}

}  // namespace
}  // namespace hikyaku::imapd::testing
