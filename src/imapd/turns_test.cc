// Commands that cost much let the other sessions of their loop go on.
#include <doctest/doctest.h>

#include "base/async.h"
#include "imapd/fixture_test.h"

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
  for (int i = 0; i < 3; ++i) CHECK(client(append).starts_with("OK [APPENDUID"));
  client("SELECT INBOX");
  auto few = turns_during(server, client, "SEARCH LARGER 5");
  auto many = turns_during(server, client, "SEARCH" + repeat(" SMALLER 5", 1'990) + " LARGER 5");
  MESSAGE("turns: ", few, " of one key, ", many, " of 1,991");
  CHECK(many > few + 5);
}

}  // namespace
}  // namespace hikyaku::imapd::testing
