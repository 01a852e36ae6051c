// ImapClient against scripted servers.
#include "client/imap_client.h"

#include <doctest/doctest.h>

#include "client/script_test.h"

namespace hikyaku::client {
namespace {

using testing::Script;
using testing::ScriptServer;

const std::string kGreeting =
    "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN UIDPLUS MULTIAPPEND IDLE MOVE "
    "ENABLE UNSELECT NAMESPACE SPECIAL-USE LIST-EXTENDED CREATE-SPECIAL-USE] hello";

/// Greeting first; `talk` gets a client that has read it.
template <class Talk>
void with(Script script, Talk talk, Observer observer = {}) {
  for (bool byte_by_byte : {false, true}) {
    auto whole = script;
    if (whole.front().find("CAPABILITY") == std::string::npos && whole.front().starts_with("S:"))
      whole.insert(whole.begin() + 1, {"C: a1 CAPABILITY", "S: a1 OK"});
    ScriptServer server(whole, byte_by_byte);
    server.client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
      ImapClient client(std::move(stream), {}, observer);
      auto greeted = co_await client.greet();
      CHECK(greeted.has_value());
      co_await talk(client);
    });
  }
}

Script greeted(Script rest) {
  rest.insert(rest.begin(), kGreeting);
  return rest;
}

struct Gather final : FetchSink {
  Task<void> message(const imap::Response& response) override {
    log += "message " + std::to_string(response.number.value_or(0)) + "\n";
    co_return;
  }
  Task<void> begin(const imap::FetchData& so_far, std::string_view label,
                   std::uint64_t size) override {
    log += fmt::format("begin {} {} {}\n", so_far.uid.value_or(0), label, size);
    co_return;
  }
  Task<void> data(std::string_view bytes) override {
    content += bytes;
    co_return;
  }
  Task<void> end() override {
    log += "end\n";
    co_return;
  }
  std::string log;
  std::string content;
};

TEST_CASE("imap client: a server that never ends its answer is left") {
  const ImapReplyLimits few{.kept = 1'000, .fetched = 2'000};
  auto outcome = [&](std::string response, std::size_t times) {
    Script script{kGreeting, "C: a1 NOOP"};
    for (std::size_t i = 0; i < times; ++i) script.push_back("S: " + response);
    script.push_back("S: a1 OK");
    std::string said = "ok";
    ScriptServer(script).client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
      ImapClient client(std::move(stream), {}, {}, few);
      try {
        (void)co_await client.greet();
        (void)co_await client.command("NOOP");
      } catch (const net::Disconnected& gone) {
        said = gone.what();
      }
    });
    return said;
  };
  const std::string list = "* LIST () \"/\" " + std::string(80, 'x');  // 100 bytes with CRLF
  const std::string fetch = "* 1 FETCH (FLAGS (" + std::string(78, 'y') + "))";
  CHECK(outcome(list, 5) == "ok");
  CHECK(outcome(list, 15) == "the answer to one command has more than 1000 bytes");
  CHECK(outcome(fetch, 15) == "ok");
  CHECK(outcome(fetch, 25) == "the answer to one command has more than 2000 bytes");
}

TEST_CASE("imap client: greetings") {
  struct Row {
    std::string greeting;
    std::string outcome;
  };
  const Row rows[] = {
      {"S: * OK [CAPABILITY IMAP4rev1] hello", "ok"},
      {"S: * PREAUTH [CAPABILITY IMAP4rev1] hello tunnel", "logged in"},
      {"S: * BYE [UNAVAILABLE] too many connections", "BYE [UNAVAILABLE] too many connections"},
      {"S: 220 smtp.example ESMTP", "not IMAP"},
      {"close", "the server closed the connection"},
  };
  for (auto& row : rows) {
    CAPTURE(row.greeting);
    ScriptServer({row.greeting}).client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
      ImapClient client(std::move(stream));
      std::string outcome = "ok";
      try {
        auto greeted = co_await client.greet();
        if (!greeted)
          outcome = greeted.error().describe();
        else if (client.is_logged_in())
          outcome = "logged in";
      } catch (const net::Disconnected& gone) {
        outcome = gone.what();
      }
      CHECK(outcome.starts_with(row.outcome));
    });
  }
}

TEST_CASE("imap client: logins, and what an observer sees of them") {
  struct Row {
    const char* why;
    Script script;
    std::optional<sasl::Mechanism> mechanism;
    std::string outcome;
    std::string seen;
  };
  const Row rows[] = {
      {"PLAIN with initial response; capabilities come with the reply",
       {"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN AHUAcCJ3",
        "S: a1 OK [CAPABILITY IMAP4rev1 IDLE] in"},
       {},
       "ok",
       "a1 AUTHENTICATE PLAIN ***\n"},
      {"PLAIN without; capabilities are asked for",
       {"S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN", "S: + ",
        "C: AHUAcCJ3", "S: a1 OK in", "C: a2 CAPABILITY", "S: * CAPABILITY IMAP4rev1 IDLE",
        "S: a2 OK"},
       {},
       "ok",
       "a1 AUTHENTICATE PLAIN\n***\na2 CAPABILITY\n"},
      {"the LOGIN mechanism where asked for",
       {"S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN] x", "C: a1 AUTHENTICATE LOGIN",
        "S: + VXNlcm5hbWU6", "C: dQ==", "S: + UGFzc3dvcmQ6", "C: cCJ3",
        "S: a1 OK [CAPABILITY IMAP4rev1 IDLE] in"},
       sasl::Mechanism::Login,
       "ok",
       "a1 AUTHENTICATE LOGIN\n***\n***\n"},
      {"the LOGIN command where there is no mechanism",
       {"S: * OK [CAPABILITY IMAP4rev1] x", "C: a1 LOGIN u \"p\\\"w\"",
        "S: a1 OK [CAPABILITY IMAP4rev1 IDLE] in"},
       {},
       "ok",
       "a1 LOGIN *** ***\n"},
      {"LOGINDISABLED is respected",
       {"S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x", "quiet"},
       {},
       "the server offers no login",
       ""},
      {"a refused password",
       {"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x", "C* a1 AUTHENTICATE PLAIN ",
        "S: a1 NO [AUTHENTICATIONFAILED] wrong"},
       {},
       "NO [AUTHENTICATIONFAILED] wrong",
       "a1 AUTHENTICATE PLAIN ***\n"},
      {"a challenge that is none ends the exchange",
       {"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256] x",
        "C* a1 AUTHENTICATE SCRAM-SHA-256 ", "S: + %%%", "C: *", "S: a1 BAD cancelled"},
       {},
       "the server's challenge is no base64",
       "a1 AUTHENTICATE SCRAM-SHA-256 ***\n*\n"},
      {"a server that goes on asking",
       {"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256] x",
        "C* a1 AUTHENTICATE SCRAM-SHA-256 ", "S: + %%%", "C: *", "S: + %%%"},
       {},
       "the server's challenge is no base64",
       "a1 AUTHENTICATE SCRAM-SHA-256 ***\n*\n"},
      {"a server that says OK before it has proven itself",
       {"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256] x",
        "C* a1 AUTHENTICATE SCRAM-SHA-256 ", "S: a1 OK come in"},
       {},
       "the server",
       "a1 AUTHENTICATE SCRAM-SHA-256 ***\n"},
  };
  for (auto& row : rows) {
    CAPTURE(row.why);
    std::string seen;
    ScriptServer(row.script).client([&](std::unique_ptr<net::Stream> stream) -> Task<void> {
      ImapClient client(std::move(stream), {}, [&](bool by_client, std::string_view line) {
        if (by_client) seen += std::string(line) + "\n";
      });
      CHECK(co_await client.greet());
      Login login{.user = "u", .password = crypto::Secret("p\"w"), .mechanism = row.mechanism};
      auto done = co_await client.log_in(login);
      auto outcome = done ? std::string("ok") : done.error().describe();
      CHECK_MESSAGE(outcome.starts_with(row.outcome), outcome);
      CHECK(client.is_logged_in() == done.has_value());
      if (done) CHECK(client.has("IDLE"));
    });
    CHECK(seen == row.seen);
  }
}

TEST_CASE("imap client: TLS, and what was said before it does not count") {
  ScriptServer({"S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] x", "C: a1 STARTTLS",
                "S: a1 OK begin", "tls", "C: a2 CAPABILITY", "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN",
                "S: a2 OK"})
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        ImapClient client(std::move(stream));
        CHECK(co_await client.greet());
        auto secured = co_await client.start_tls(testing::client_tls(), "mail.example");
        CHECK(secured.ok());
        CHECK(client.stream().tls() != nullptr);
        CHECK_FALSE(client.has("LOGINDISABLED"));
        CHECK(client.has("AUTH=PLAIN"));
      });
  ScriptServer({"S: * OK [CAPABILITY IMAP4rev1] x", "C: a1 STARTTLS", "S: a1 BAD what"})
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        ImapClient client(std::move(stream));
        CHECK(co_await client.greet());
        auto secured = co_await client.start_tls(testing::client_tls(), "mail.example");
        CHECK(secured.refusal->describe() == "BAD what");
      });
  ScriptServer({"tls", "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x"})
      .client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
        ImapClient client(std::move(stream));
        auto secured = co_await client.secure(testing::client_tls(), "mail.example");
        CHECK(secured.ok());
        CHECK(co_await client.greet());
        CHECK(client.has("AUTH=PLAIN"));
      });
}

TEST_CASE("imap client: mailboxes") {
  with(greeted({"C: a1 LIST \"\" \"*\" RETURN (SPECIAL-USE)",
                "S: * LIST (\\HasNoChildren) \"/\" inbox",
                "S: * LIST (\\Sent \\HasNoChildren) \"/\" \"Gesendete Gegenst&AOQ-nde\"",
                "S: * LIST (\\Noselect) \"/\" {4}",
                "S: a\"b/",
                "S: a1 OK",
                "C: a2 LIST (SUBSCRIBED) \"\" \"*\"",
                "S: * LIST (\\Subscribed) \".\" INBOX",
                "S: a2 OK",
                "C: a3 NAMESPACE",
                "S: * NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"Shared.\" \".\"))",
                "S: a3 OK",
                "C: a4 CREATE K&APY-ln (USE (\\Archive))",
                "S: a4 NO [ALREADYEXISTS] there",
                "C: a5 SUBSCRIBE INBOX",
                "S: a5 OK",
                "C: a6 STATUS INBOX (MESSAGES UIDNEXT)",
                "S: * STATUS INBOX (MESSAGES 7 UIDNEXT 12)",
                "S: a6 OK",
                "C: a7 SELECT INBOX",
                "S: * FLAGS (\\Seen $Forwarded)",
                "S: * 3 EXISTS",
                "S: * 0 RECENT",
                "S: * OK [UIDVALIDITY 77] x",
                "S: * OK [UIDNEXT 12] x",
                "S: * OK [PERMANENTFLAGS (\\Seen \\*)] x",
                "S: a7 OK [READ-WRITE] x",
                "C: a8 NOOP",
                "S: * 2 EXPUNGE",
                "S: * 5 EXISTS",
                "S: a8 OK",
                "C: a9 EXAMINE nowhere",
                "S: a9 NO [NONEXISTENT] no",
                "C: a10 LOGOUT",
                "S: * BYE bye",
                "S: a10 OK"}),
       [](ImapClient& client) -> Task<void> {
         auto listed = co_await client.list({.special_use = true});
         CHECK(listed->size() == 3);
         CHECK(listed->at(0).name == "INBOX");
         CHECK(listed->at(1).name == "Gesendete Gegenstände");
         CHECK(listed->at(1).has("\\sent"));
         CHECK(listed->at(2).name == "a\"b/");
         auto subscribed = co_await client.list({.subscribed = true});
         CHECK(subscribed->size() == 1);
         auto space = co_await client.personal_namespace();
         CHECK(space->prefix == "INBOX.");
         CHECK(space->separator == '.');
         auto created = co_await client.create("Köln", "\\Archive");
         CHECK(created.error().code == "ALREADYEXISTS");
         CHECK(co_await client.subscribe("INBOX"));
         auto status = co_await client.status("INBOX", "MESSAGES UIDNEXT");
         CHECK(status->messages == 7);
         CHECK(co_await client.select("INBOX"));
         CHECK(client.selected().exists == 3);
         CHECK(client.selected().uid_validity == 77);
         CHECK(client.selected().any_keyword);
         CHECK(client.selected().flags.has_keyword("$forwarded"));
         CHECK(co_await client.noop());
         CHECK(client.selected().exists == 5);
         auto nowhere = co_await client.select("nowhere", ImapClient::Access::ReadOnly);
         CHECK(nowhere.error().describe() == "NO [NONEXISTENT] no");
         CHECK(client.selected().name.empty());
         co_await client.log_out();
       });
}

TEST_CASE("imap client: enabled UTF-8 changes how names are written") {
  with(greeted({"C: a1 ENABLE UTF8=ACCEPT CONDSTORE", "S: * ENABLED UTF8=ACCEPT", "S: a1 OK",
                "C: a2 SUBSCRIBE \"Köln\"", "S: a2 OK"}),
       [](ImapClient& client) -> Task<void> {
         auto enabled = co_await client.enable({"UTF8=ACCEPT", "CONDSTORE"});
         CHECK(enabled->size() == 1);
         CHECK(co_await client.subscribe("Köln"));
       });
}

TEST_CASE("imap client: messages, streamed and gathered") {
  with(
      greeted({"C: a1 UID SEARCH UNSEEN",
               "S: * SEARCH 4 9",
               "S: a1 OK",
               "C: a2 UID FETCH 4,9 (UID BODY.PEEK[])",
               "S: * 1 FETCH (UID 4 BODY[] {8}",
               "S: one\r\n1\r\n)",
               "S: * 2 FETCH (UID 9 BODY[] {3}",
               "S: two)",
               "S: a2 OK",
               "C: a3 UID FETCH 1:* (UID FLAGS RFC822.SIZE)",
               "S: * 1 FETCH (UID 4 FLAGS (\\Seen work) RFC822.SIZE 8)",
               "S: a3 OK",
               "C: a4 UID FETCH 4 (UID BODY.PEEK[1])",
               "S: * 1 FETCH (UID 4 BODY[1] \"hello\")",
               "S: a4 OK",
               "C: a5 UID FETCH 5 (UID BODY.PEEK[1])",
               "S: a5 OK",
               "C: a6 UID FETCH 4 (UID BODY.PEEK[1])",
               "S: * 1 FETCH (UID 4 BODY[1] {5}",
               "S: hello)",
               "S: a6 OK",
               "C: a7 UID STORE 4 +FLAGS.SILENT (\\Seen work)",
               "S: a7 OK",
               "C: a8 UID COPY 4 Work",
               "S: a8 OK [COPYUID 55 4 101] done",
               "C: a9 UID MOVE 4 Work",
               "S: * OK [COPYUID 55 4 102] done",
               "S: * 1 EXPUNGE",
               "S: a9 OK",
               "C: a10 UID EXPUNGE 4",
               "S: a10 OK"}),
      [](ImapClient& client) -> Task<void> {
        auto found = co_await client.search("UNSEEN");
        CHECK(found->found.to_string() == "4,9");
        Gather gather;
        CHECK(co_await client.fetch("4,9", "(UID BODY.PEEK[])", gather));
        CHECK(gather.log == "begin 4 BODY[] 8\nend\nmessage 1\nbegin 9 BODY[] 3\nend\nmessage 2\n");
        CHECK(gather.content == "one\r\n1\r\ntwo");
        auto data = co_await client.fetch_data("1:*", "(UID FLAGS RFC822.SIZE)");
        CHECK(data->size() == 1);
        CHECK(data->front().flags->has_keyword("work"));
        auto quoted = co_await client.fetch_content(4, "BODY.PEEK[1]");
        CHECK(quoted.value() == "hello");
        auto gone = co_await client.fetch_content(5, "BODY.PEEK[1]");
        CHECK(gone.error().code == "NONEXISTENT");
        auto large = co_await client.fetch_content(4, "BODY.PEEK[1]", 4);
        CHECK(large.error().code == "TOOLARGE");
        CHECK(co_await client.store("4", "+FLAGS.SILENT", {imap::bit(imap::Flag::Seen), {"work"}}));
        auto copied = co_await client.copy("4", "Work");
        CHECK(copied->to == "101");
        auto moved = co_await client.move("4", "Work");
        CHECK(moved->to == "102");
        CHECK(co_await client.expunge("4"));
      });
}

TEST_CASE("imap client: APPEND, with and without waiting, several at once, refused") {
  auto date = std::chrono::sys_days(std::chrono::year(1996) / 7 / 17) +
              std::chrono::seconds(2 * 3600 + 44 * 60 + 25);
  with(greeted({"C: a1 APPEND K&APY-ln (\\Seen work) \"17-Jul-1996 02:44:25 +0000\" {6+}", "C: 1",
                "C: 2", "C: ", "S: a1 OK [APPENDUID 9 3] x",
                // Two at once; a refusal that comes when all is sent.
                "C: a2 APPEND W () {3+}", "C: 1", "C:  () {3+}", "C: 2",
                "C: ", "S: a2 OK [APPENDUID 9 7:8] x", "C: a3 APPEND W () {3+}", "C: 1",
                "C: ", "S: a3 NO [TRYCREATE] no such mailbox"}),
       [&](ImapClient& client) -> Task<void> {
         ImapClient::NewMessage message{{imap::bit(imap::Flag::Seen), {"work"}}, date};
         auto done = co_await client.append_text("Köln", message, "1\r\n2\r\n");
         CHECK(done->uids == std::vector<std::uint32_t>{3});
         CHECK(done->uid_validity == 9);
         CHECK(co_await client.begin_append("W", {.size = 3}));
         co_await client.append_data("1\r\n");
         CHECK(co_await client.begin_append("W", {.size = 3}));
         co_await client.append_data("2\r\n");
         auto both = co_await client.end_append();
         CHECK(both->uids == std::vector<std::uint32_t>{7, 8});
         auto refused = co_await client.append_text("W", {}, "1\r\n");
         CHECK(refused.error().code == "TRYCREATE");
       });
  // Without LITERAL+ the server is asked first, and may refuse before it has anything.
  with({"S: * OK [CAPABILITY IMAP4rev1 LITERAL-] x", "C: a1 APPEND W () {5000}", "quiet", "S: + go",
        "C* xxxx", "S: a1 OK done", "C: a2 APPEND W () {5000}", "S: a2 NO [TOOBIG] no",
        "C: a3 APPEND W () {3+}", "C: 1", "C: ", "S: a3 OK done"},
       [](ImapClient& client) -> Task<void> {
         auto done = co_await client.append_text("W", {}, std::string(5000, 'x'));
         CHECK(done->uids.empty());
         auto refused = co_await client.append_text("W", {}, std::string(5000, 'x'));
         CHECK(refused.error().code == "TOOBIG");
         CHECK(co_await client.append_text("W", {}, "1\r\n"));
       });
}

TEST_CASE("imap client: a message that is not as long as announced is not appended") {
  struct Short final : MessageSource {
    Task<Result<std::string>> next() override { co_return std::exchange(text, {}); }
    std::string text = "12";
  };
  with(greeted({"C: (end)"}), [](ImapClient& client) -> Task<void> {
    Short source;
    auto done = co_await client.append("W", {.size = 3}, source);
    CHECK(done.error().kind == ImapClient::Refusal::Kind::Ours);
  });
}

TEST_CASE("imap client: IDLE") {
  with(greeted(
           {"C: a1 IDLE", "S: + idling", "S: * 4 EXISTS", "S: * 1 EXPUNGE", "C: DONE", "S: a1 OK"}),
       [](ImapClient& client) -> Task<void> {
         CHECK(co_await client.idle());
         auto first = co_await client.idle_event(seconds(5));
         CHECK(first->is("EXISTS"));
         auto second = co_await client.idle_event(seconds(5));
         CHECK(second->is("EXPUNGE"));
         auto nothing = co_await client.idle_event(milliseconds(20));
         CHECK_FALSE(nothing.has_value());
         CHECK(co_await client.idle_done());
       });
}

TEST_CASE("imap client: the connection is lost, or was never IMAP") {
  const Script scripts[] = {
      greeted({"C: a1 NOOP", "close"}),
      greeted({"C: a1 NOOP", "S: * BYE shutting down", "close"}),
      greeted({"C: a1 NOOP", "S: * 1 FETCH (BODY[] {99999999999999999999}"}),
      greeted({"C: a1 NOOP", "S: 250 what"}),
  };
  for (auto& script : scripts) {
    ScriptServer(script).client([](std::unique_ptr<net::Stream> stream) -> Task<void> {
      ImapClient client(std::move(stream));
      CHECK(co_await client.greet());
      CHECK_THROWS_AS(co_await client.noop(), net::Disconnected);
    });
  }
}

}  // namespace
}  // namespace hikyaku::client
