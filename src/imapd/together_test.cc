// Several clients of one mailbox, IDLE, QRESYNC; and the commands on mailboxes.
#include <doctest/doctest.h>

#include "base/async.h"
#include "imapd/fixture_test.h"

namespace hikyaku::imapd::testing {
namespace {

using namespace std::chrono_literals;

void fill(Client& client, int count) {
  for (int i = 1; i <= count; ++i) {
    auto text = "Subject: s" + std::to_string(i) + "\r\n\r\nx\r\n";
    client("APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text);
  }
}

struct Two {
  Server server;
  Client a{server};
  Client b{server};

  explicit Two(int messages) {
    a.login();
    fill(a, messages);
    a("SELECT INBOX");
    b.login();
    b("SELECT INBOX");
  }
};

TEST_CASE("two sessions see each other's changes at their next command") {
  Two two(3);
  two.a("STORE 2 +FLAGS (\\Flagged)");
  CHECK(two.b("NOOP") == "* 2 FETCH (UID 2 FLAGS (\\Flagged))\nOK Nothing done\n");
  CHECK(two.b("NOOP") == "OK Nothing done\n");
  fill(two.a, 1);
  CHECK(two.b("NOOP") == "* 4 EXISTS\n* 0 RECENT\nOK Nothing done\n");
  two.b("STORE 1 +FLAGS.SILENT (\\Deleted)");
  two.b("EXPUNGE");
  CHECK(two.a("CHECK") == "* 1 EXPUNGE\nOK All is on disk\n");
}

/// Does something once when a view has been read, before its reader goes on.
class InterruptedViews final : public mailbox::Views {
 public:
  explicit InterruptedViews(std::unique_ptr<mailbox::Views> below) : below_(std::move(below)) {}
  std::function<Task<void>()> before;
  std::function<Task<void>()> between;

  Task<Result<std::shared_ptr<const mailbox::View>>> open(mailbox::AccountId account,
                                                          mailbox::MailboxId mailbox) override {
    if (auto act = std::exchange(before, {})) co_await act();
    auto view = co_await below_->open(account, mailbox);
    if (auto act = std::exchange(between, {})) co_await act();
    co_return view;
  }
  Held held() const override { return below_->held(); }
  std::size_t kept_by(mailbox::AccountId account, mailbox::MailboxId mailbox,
                      const std::shared_ptr<const mailbox::View>& view) const override {
    return below_->kept_by(account, mailbox, view);
  }

 private:
  std::unique_ptr<mailbox::Views> below_;
};

/// A server whose views are interrupted by another client that flags the second message.
struct Interrupted {
  Server server;
  InterruptedViews* views = new InterruptedViews(std::move(server.views));
  Client client;

  Interrupted() : client((server.views.reset(views), server)) {
    client.login();
    fill(client, 2);
    client("SELECT INBOX");
  }

  Task<void> flag() {
    bool told = false;
    auto topic = store::Store::kEveryTopic;
    auto listening = server.store->subscribe(Server::kAccount, topic, [&] { told = true; });
    auto step = [&](store::Transaction& tx) -> Result<void> {
      auto inbox = mailbox::find_mailbox(tx, Server::kAccount, "INBOX");
      std::vector<mailbox::Uid> uids{2};
      mailbox::StoreFlags wish{mailbox::FlagChange::Add, mailbox::kFlagged, {}, {}};
      TRY_DO(mailbox::store_flags(tx, Server::kAccount, inbox->id, uids, wish, server.loop.now()));
      return {};
    };
    CHECK(co_await server.store->transact({Server::kAccount}, step));
    while (!told) co_await yield_now();
  }
};

TEST_CASE("what is committed while SELECT reads the mailbox is told") {
  Interrupted one;
  one.client("UNSELECT");
  one.views->between = [&] { return one.flag(); };
  CHECK(one.client("SELECT INBOX")
            .ends_with("* 2 FETCH (UID 2 FLAGS (\\Flagged))\nOK [READ-WRITE] Opened\n"));
}

TEST_CASE("what somebody else changes while STORE is answered is not told as it was before") {
  Interrupted one;
  one.views->before = [&] { return one.flag(); };
  CHECK(one.client("STORE 1:2 +FLAGS (\\Seen)") ==
        "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen \\Recent))\n"
        "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))\nOK Stored\n");
  CHECK(one.client("NOOP") == "OK Nothing done\n");
}

TEST_CASE(".SILENT leaves out what the command has stored, not what others changed before") {
  Two two(4);
  two.a("STORE 1 +FLAGS (\\Flagged)");
  CHECK(two.b("STORE 1:2 +FLAGS.SILENT (\\Seen)") ==
        "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen))\nOK Stored\n");
  two.a("STORE 3 +FLAGS (\\Seen)");
  CHECK(two.b("STORE 3 +FLAGS.SILENT (\\Seen)") == "* 3 FETCH (UID 3 FLAGS (\\Seen))\nOK Stored\n");
  two.a("STORE 4 +FLAGS (\\Flagged)");
  CHECK(two.b("STORE 3:4 +FLAGS (\\Answered)") ==
        "* 4 FETCH (UID 4 FLAGS (\\Answered \\Flagged))\n"
        "* 3 FETCH (UID 3 FLAGS (\\Answered \\Seen))\nOK Stored\n");
  CHECK(two.b("NOOP") == "OK Nothing done\n");
}

TEST_CASE("no EXPUNGE during commands by number; expunged messages keep theirs until then") {
  Two two(4);
  two.a("STORE 2 +FLAGS.SILENT (\\Deleted)");
  two.a("EXPUNGE");
  CHECK(two.b("FETCH 2:3 UID") == "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\nOK Fetched\n");
  CHECK(two.b("FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject)]") ==
        "* 2 FETCH (BODY[HEADER.FIELDS (Subject)] {15}\nSubject: s2\n\n)\nOK Fetched\n");
  CHECK(two.b("FETCH 2 BODY.PEEK[TEXT]") == "* 2 FETCH (BODY[TEXT] {3}\nx\n)\nOK Fetched\n");
  CHECK(two.b("SEARCH SUBJECT s3") == "* SEARCH 3\nOK Searched\n");
  CHECK(two.b("STORE 3 +FLAGS (\\Seen)") == "* 3 FETCH (UID 3 FLAGS (\\Seen))\nOK Stored\n");
  CHECK(two.b("STORE 2:3 +FLAGS.SILENT (\\Seen)") ==
        "NO [EXPUNGEISSUED] Some of the messages have been expunged\n");
  CHECK(two.b("COPY 2 Archive") ==
        "* 2 EXPUNGE\nNO [EXPUNGEISSUED] Some of the messages have been expunged\n");
  CHECK(two.b("FETCH 2 UID") == "* 2 FETCH (UID 3)\nOK Fetched\n");
}

TEST_CASE("the UID forms may tell EXPUNGE, behind their answers") {
  Two two(3);
  two.a("STORE 1 +FLAGS.SILENT (\\Deleted)");
  two.a("EXPUNGE");
  CHECK(two.b("UID FETCH 2:3 (UID)") ==
        "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\n* 1 EXPUNGE\nOK Fetched\n");
}

TEST_CASE("IDLE tells at once, also after the session has let go of its rows") {
  Two two(2);
  two.b.send("i IDLE\r\n");
  CHECK(two.b.read_until("\r\n") == "+ idling\n");
  two.a("STORE 1 +FLAGS (\\Flagged)");
  CHECK(two.b.read_until("\r\n") == "* 1 FETCH (UID 1 FLAGS (\\Flagged))\n");
  two.server.loop.run(sleep_for(15s));
  CHECK(two.server.views->held().views == 1);
  fill(two.a, 1);
  CHECK(two.b.read_until("RECENT\r\n") == "* 3 EXISTS\n* 0 RECENT\n");
  two.server.loop.run(sleep_for(15s));
  two.a("STORE 2 +FLAGS.SILENT (\\Deleted)");
  CHECK(two.b.read_until("\r\n") == "* 2 FETCH (UID 2 FLAGS (\\Deleted))\n");
  two.a("EXPUNGE");
  CHECK(two.b.read_until("\r\n") == "* 2 EXPUNGE\n");
  two.b.send("done\r\n");
  CHECK(two.b.answer("i") == "OK Idled\n");
  // Without a mailbox, and with something else than DONE.
  two.b("UNSELECT");
  two.b.send("j IDLE\r\n");
  two.b.read_until("\r\n");
  two.b.send("j2 NOOP\r\n");
  CHECK(two.b.answer("j") == "BAD IDLE ends with DONE\n");
  two.b.send("k IDLE\r\nDONE\r\nl NOOP\r\n");
  two.b.read_until("\r\n");
  CHECK(two.b.answer("k") == "OK Idled\n");
  CHECK(two.b.answer("l") == "OK Nothing done\n");
}

TEST_CASE("a parked session answers by the numbers that its client knows") {
  Two two(4);
  two.server.loop.run(sleep_for(15s));
  two.a("STORE 1 +FLAGS.SILENT (\\Deleted)");
  two.a("EXPUNGE");
  CHECK(two.b("FETCH 2 UID") == "* 2 FETCH (UID 2)\nOK Fetched\n");
  two.server.loop.run(sleep_for(15s));
  CHECK(two.b("STORE 3 +FLAGS (\\Seen)") == "* 3 FETCH (UID 3 FLAGS (\\Seen))\nOK Stored\n");
  two.server.loop.run(sleep_for(15s));
  CHECK(two.b("NOOP") == "* 1 EXPUNGE\nOK Nothing done\n");
  CHECK(two.b("FETCH 1:* UID") ==
        "* 1 FETCH (UID 2)\n* 2 FETCH (UID 3)\n* 3 FETCH (UID 4)\nOK Fetched\n");
}

TEST_CASE("the selected mailbox is deleted, renamed; INBOX is renamed") {
  Two two(2);
  two.a("CREATE x");
  two.a("SELECT x");
  two.b("SELECT x");
  two.a("RENAME x y");
  CHECK(two.b("NOOP") == "OK Nothing done\n");
  CHECK(two.a("DELETE y") == "* OK [CLOSED] The mailbox is closed\nOK Deleted\n");
  two.b.send("n NOOP\r\n");
  CHECK(two.b.end() == "* BYE The mailbox has been deleted or replaced\n");
  Client c(two.server);
  c.login();
  c("SELECT INBOX");
  two.a("RENAME INBOX old");
  CHECK(c("NOOP") == "* 2 EXPUNGE\n* 1 EXPUNGE\nOK Nothing done\n");
  CHECK(two.a("STATUS old (MESSAGES)") == "* STATUS old (MESSAGES 2)\nOK Status told\n");
}

TEST_CASE("CONDSTORE and QRESYNC") {
  Two two(5);
  CHECK(two.b("ENABLE QRESYNC X-UNKNOWN") == "* ENABLED QRESYNC\nOK Enabled\n");
  two.a("STORE 2:3 +FLAGS.SILENT (\\Deleted)");
  CHECK(two.b("NOOP") ==
        "* 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ (8))\n"
        "* 3 FETCH (UID 3 FLAGS (\\Deleted) MODSEQ (8))\nOK Nothing done\n");
  two.a("EXPUNGE");
  CHECK(two.b("NOOP") == "* VANISHED 2:3\nOK Nothing done\n");
  two.a("STORE 1 +FLAGS.SILENT (\\Seen)");
  two.b("UNSELECT");
  auto opened = two.b("SELECT INBOX (QRESYNC (1795219200 7 1:5))");
  CHECK(opened.find("* OK [HIGHESTMODSEQ 10]") != std::string::npos);
  CHECK(
      opened.ends_with("* VANISHED (EARLIER) 2:3\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))\n"
                       "OK [READ-WRITE] Opened\n"));
  // Another UIDVALIDITY: nothing of it.
  opened = two.b("SELECT INBOX (QRESYNC (1 7 1:5))");
  CHECK(opened.find("VANISHED") == std::string::npos);
  // From a future that never was.
  opened = two.b("SELECT INBOX (QRESYNC (1795219200 99999 1:5))");
  CHECK(opened.find("* VANISHED (EARLIER) 2:3\n") != std::string::npos);
  CHECK(two.b("UID FETCH 1:* FLAGS (CHANGEDSINCE 7 VANISHED)") ==
        "* VANISHED (EARLIER) 2:3\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (10))\nOK Fetched\n");
  auto all = two.b("UID SEARCH MODSEQ 1");
  CHECK(all.find("(MODSEQ 10)") != std::string::npos);
  CHECK(two.b("UID SEARCH MODSEQ 99999") == all);
  CHECK(two.b("UID SEARCH MODSEQ 10").find("(MODSEQ 10)") != std::string::npos);
  CHECK(two.b("UID SEARCH MODSEQ 11").find("(MODSEQ") == std::string::npos);
  CHECK(two.b("EXPUNGE") == "OK [HIGHESTMODSEQ 10] Expunged\n");
  CHECK(two.a("SELECT INBOX (QRESYNC (1795219200 7))") == "BAD QRESYNC: ENABLE QRESYNC first\n");
}

/// B, which does without QRESYNC, has removed message `number`.
void expunge(Client& client, int number) {
  client("STORE " + std::to_string(number) + " +FLAGS.SILENT (\\Deleted)");
  client("EXPUNGE");
}

TEST_CASE("QRESYNC: while an expunge is held back, HIGHESTMODSEQ stays before it") {
  Two two(3);
  two.a("ENABLE QRESYNC");
  expunge(two.b, 1);  // changes 6 and 7; the mailbox was at 5
  CHECK(two.a("STORE 3 +FLAGS (\\Flagged)") ==
        "* 3 FETCH (UID 3 FLAGS (\\Flagged \\Recent) MODSEQ (8))\n"
        "* OK [HIGHESTMODSEQ 5] Expunged messages are told later\nOK Stored\n");
  CHECK(two.a("FETCH 3 (UID MODSEQ)") ==
        "* 3 FETCH (UID 3 MODSEQ (8))\n"
        "* OK [HIGHESTMODSEQ 5] Expunged messages are told later\nOK Fetched\n");
  CHECK(two.a("SEARCH MODSEQ 8") ==
        "* SEARCH 3 (MODSEQ 8)\n"
        "* OK [HIGHESTMODSEQ 5] Expunged messages are told later\nOK Searched\n");
  CHECK(two.a("STORE 1:3 (UNCHANGEDSINCE 5) +FLAGS (\\Seen)")
            .find("* OK [HIGHESTMODSEQ 5] Expunged messages are told later\nOK [MODIFIED ") !=
        std::string::npos);
  CHECK(two.a("FETCH 2 BODY[TEXT]")
            .ends_with("* OK [HIGHESTMODSEQ 5] Expunged messages are told later\nOK Fetched\n"));
  // What the client would ask for if its connection were lost now.
  Client again(two.server);
  again.login();
  again("ENABLE QRESYNC");
  CHECK(again("SELECT INBOX (QRESYNC (1795219200 5 1:3))").find("* VANISHED (EARLIER) 1\n") !=
        std::string::npos);
  // Told all, it need not come back to 5.
  auto told = two.a("NOOP");
  CHECK(told == "* VANISHED 1\n* OK [HIGHESTMODSEQ 9] All is told\nOK Nothing done\n");
  CHECK(two.a("FETCH 1 (UID)") == "* 1 FETCH (UID 2)\nOK Fetched\n");
}

TEST_CASE("QRESYNC: what is held back through IDLE and a parked session") {
  Two two(3);
  two.a("ENABLE QRESYNC");
  expunge(two.b, 1);
  CHECK(two.a("FETCH 2 (UID)") ==
        "* 2 FETCH (UID 2)\n"
        "* OK [HIGHESTMODSEQ 5] Expunged messages are told later\nOK Fetched\n");
  two.server.loop.run(sleep_for(15s));
  two.a.send("i IDLE\r\n");
  CHECK(two.a.read_until("VANISHED 1\r\n") == "+ idling\n* VANISHED 1\n");
  two.server.loop.run(sleep_for(15s));
  two.a.send("DONE\r\n");
  CHECK(two.a.answer("i") == "* OK [HIGHESTMODSEQ 7] All is told\nOK Idled\n");
  // The UID forms hold nothing back; others do not know the word.
  expunge(two.b, 1);
  CHECK(two.a("UID FETCH 3 (UID)") == "* 2 FETCH (UID 3)\n* VANISHED 2\nOK Fetched\n");
  two.b("APPEND INBOX {3+}\r\nabc");
  two.a("NOOP");
  two.a("STORE 1 +FLAGS.SILENT (\\Deleted)");
  two.a("EXPUNGE");
  CHECK(two.b("FETCH 1 (UID MODSEQ)").find("HIGHESTMODSEQ") == std::string::npos);
}

TEST_CASE("QRESYNC: CLOSE tells no change behind an expunge that is not told") {
  Two two(3);
  two.a("ENABLE QRESYNC");
  expunge(two.b, 1);
  two.b("STORE 1 +FLAGS.SILENT (\\Flagged)");
  CHECK(two.a("CLOSE") == "OK Closed\n");
}

TEST_CASE("QRESYNC: an expunge is told once, and UIDs to come are none") {
  Two two(4);
  two.a("ENABLE QRESYNC");
  expunge(two.b, 2);  // changes 7 and 8
  // Still counted: without EARLIER, behind the answers.
  CHECK(two.a("UID FETCH 1:* (UID) (CHANGEDSINCE 6 VANISHED)") == "* VANISHED 2\nOK Fetched\n");
  CHECK(two.a("UID FETCH 1:* (UID) (CHANGEDSINCE 6 VANISHED)") ==
        "* VANISHED (EARLIER) 2\nOK Fetched\n");
  expunge(two.b, 1);
  // Nobody remembers.
  CHECK(two.a("UID FETCH 1:4294967295 (UID) (CHANGEDSINCE 99999 VANISHED)") ==
        "* VANISHED (EARLIER) 2\n* 1 FETCH (UID 1 MODSEQ (3))\n"
        "* 2 FETCH (UID 3 MODSEQ (5))\n* 3 FETCH (UID 4 MODSEQ (6))\n"
        "* VANISHED 1\nOK Fetched\n");
  CHECK(two.a("UID FETCH 1:4294967295 (UID) (CHANGEDSINCE 99999 VANISHED)")
            .starts_with("* VANISHED (EARLIER) 1:2\n* 1 FETCH"));
  CHECK(two.a("UID FETCH 4:4294967295 (UID) (CHANGEDSINCE 6 VANISHED)") == "OK Fetched\n");
  two.a("UNSELECT");
  // What a client has seen of a future that a restore has taken back is gone.
  CHECK(two.a("SELECT INBOX (QRESYNC (1795219200 99999 1:9))")
            .find("* VANISHED (EARLIER) 1:2,5:9\n") != std::string::npos);
  CHECK(two.a("SELECT INBOX (QRESYNC (1795219200 6 1:9))").find("* VANISHED (EARLIER) 1:2\n") !=
        std::string::npos);
}

TEST_CASE("QRESYNC: an expunge while SELECT reads the mailbox is told once") {
  Server server;
  auto* views = new InterruptedViews(std::move(server.views));
  server.views.reset(views);
  Client client(server);
  client.login();
  fill(client, 3);
  client("ENABLE QRESYNC");
  views->between = [&]() -> Task<void> {
    bool told = false;
    auto topic = store::Store::kEveryTopic;
    auto listening = server.store->subscribe(Server::kAccount, topic, [&] { told = true; });
    auto step = [&](store::Transaction& tx) -> Result<void> {
      auto inbox = mailbox::find_mailbox(tx, Server::kAccount, "INBOX");
      std::vector<mailbox::Uid> uids{2};
      mailbox::expunge_messages(tx, Server::kAccount, inbox->id, uids, false, server.loop.now());
      return {};
    };
    CHECK(co_await server.store->transact({Server::kAccount}, step));
    while (!told) co_await yield_now();
  };
  auto opened = client("SELECT INBOX (QRESYNC (1795219200 5 1:3))");
  CHECK(opened.find("EARLIER") == std::string::npos);
  CHECK(opened.ends_with("* VANISHED 2\nOK [READ-WRITE] Opened\n"));
}

TEST_CASE("a UID SEARCH by message numbers holds expunges back, one by UIDs does not") {
  Two two(4);
  expunge(two.a, 1);
  CHECK(two.b("UID SEARCH 2:4 NOT DELETED") == "* SEARCH 2 3 4\nOK Searched\n");
  CHECK(two.b("UID SEARCH UID 2:4") == "* SEARCH 2 3 4\n* 1 EXPUNGE\nOK Searched\n");
}

TEST_CASE("LIST, LSUB and what they show") {
  Server server;
  Client client(server);
  client.login();
  CHECK(client("LIST \"\" \"\"") == "* LIST (\\Noselect) \"/\" \"\"\nOK Listed\n");
  CHECK(client("LIST \"\" *") ==
        "* LIST (\\HasNoChildren) \"/\" INBOX\n"
        "* LIST (\\HasNoChildren \\Archive) \"/\" Archive\n"
        "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\n"
        "* LIST (\\HasNoChildren \\Junk) \"/\" Junk\n"
        "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
        "* LIST (\\HasNoChildren \\Trash) \"/\" Trash\n"
        "OK Listed\n");
  CHECK(client("CREATE a/b/c").starts_with("OK [MAILBOXID (m"));
  CHECK(client("CREATE a/b/c").starts_with("NO [ALREADYEXISTS]"));
  CHECK(client("CREATE inbox").starts_with("NO [ALREADYEXISTS]"));
  CHECK(client("CREATE a//b").starts_with("NO [CANNOT]"));
  CHECK(client("CREATE \"a*\"").starts_with("NO [CANNOT]"));
  CHECK(client("CREATE r&AOk-sum&AOk-").starts_with("OK"));
  CHECK(client("CREATE s (USE (\\Flagged))").starts_with("OK"));
  CHECK(client("CREATE s2 (USE (\\Flagged))").starts_with("NO [USEATTR]"));
  CHECK(client("CREATE s2 (USE (\\Nonsense))").starts_with("NO [USEATTR]"));
  CHECK(client("LIST a %") == "* LIST (\\HasChildren) \"/\" a\nOK Listed\n");
  CHECK(client("LIST \"\" a/%") == "* LIST (\\HasChildren) \"/\" a/b\nOK Listed\n");
  CHECK(client("LIST \"\" r*") == "* LIST (\\HasNoChildren) \"/\" r&AOk-sum&AOk-\nOK Listed\n");
  CHECK(client("LIST (SPECIAL-USE) \"\" s*") ==
        "* LIST (\\HasNoChildren \\Flagged) \"/\" s\nOK Listed\n");
  CHECK(client("LIST \"\" (INBOX a) RETURN (STATUS (MESSAGES) SUBSCRIBED)") ==
        "* LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX\n* LIST (\\HasChildren) \"/\" a\n"
        "* STATUS INBOX (MESSAGES 0)\n* STATUS a (MESSAGES 0)\nOK Listed\n");

  client("SUBSCRIBE a/b/c");
  CHECK(client("LSUB \"\" a/%") == "* LSUB (\\Noselect) \"/\" a/b\nOK Listed\n");
  CHECK(client("LSUB \"\" a/*") == "* LSUB (\\HasNoChildren) \"/\" a/b/c\nOK Listed\n");
  CHECK(client("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" a") ==
        "* LIST (\\HasChildren) \"/\" a (CHILDINFO (\"SUBSCRIBED\"))\nOK Listed\n");
  CHECK(client("SUBSCRIBE nowhere").starts_with("NO [NONEXISTENT]"));
  CHECK(client("DELETE a/b/c") == "OK Deleted\n");
  CHECK(client("LIST (SUBSCRIBED) \"\" a/b/*") ==
        "* LIST (\\NonExistent \\Subscribed) \"/\" a/b/c\nOK Listed\n");
  CHECK(client("UNSUBSCRIBE a/b/c") == "OK Unsubscribed\n");
  CHECK(client("LSUB \"\" a/*") == "OK Listed\n");
  CHECK(client("RENAME a z") == "OK Renamed\n");
  CHECK(client("LIST \"\" z/*") == "* LIST (\\HasNoChildren) \"/\" z/b\nOK Listed\n");
  CHECK(client("RENAME nowhere q").starts_with("NO [NONEXISTENT]"));
  CHECK(client("RENAME z Sent").starts_with("NO [ALREADYEXISTS]"));
  CHECK(client("DELETE INBOX").starts_with("NO"));
  CHECK(client("DELETE nowhere").starts_with("NO [NONEXISTENT]"));
  CHECK(client("STATUS nowhere (MESSAGES)").starts_with("NO [NONEXISTENT]"));
  CHECK(client("DELETE z") == "OK Deleted\n");
  CHECK(
      client("LIST \"\" z*") ==
      "* LIST (\\Noselect \\HasChildren) \"/\" z\n* LIST (\\HasNoChildren) \"/\" z/b\nOK Listed\n");
  CHECK(client("SELECT z") == "NO [NOSELECT] There is no such mailbox\n");
}

TEST_CASE("ENABLE IMAP4rev2: names in UTF-8, no RECENT, ESEARCH, LIST at SELECT") {
  Server server;
  Client client(server);
  client.login();
  client("CREATE r&AOk-");
  fill(client, 1);
  CHECK(client("ENABLE IMAP4rev2") == "* ENABLED IMAP4rev2\nOK Enabled\n");
  CHECK(client("LIST \"\" r*") == "* LIST (\\HasNoChildren) \"/\" \"r\xc3\xa9\"\nOK Listed\n");
  auto opened = client("SELECT INBOX");
  CHECK(opened.find("RECENT") == std::string::npos);
  CHECK(opened.find("UNSEEN") == std::string::npos);
  CHECK(opened.find("* LIST () \"/\" INBOX\n") != std::string::npos);
  CHECK(client("SEARCH ALL") == "* ESEARCH (TAG \"a7\") ALL 1\nOK Searched\n");
  CHECK(client("FETCH 1 FLAGS") == "* 1 FETCH (FLAGS ())\nOK Fetched\n");
}

TEST_CASE("more than a transaction holds: STORE, COPY, MOVE, EXPUNGE go in pieces") {
  Server server;
  Client client(server);
  client.login();
  std::string append = "APPEND INBOX";
  for (int i = 0; i < 900; ++i) append += " {3+}\r\nabc";
  for (int i = 0; i < 3; ++i) CHECK(client(append).starts_with("OK [APPENDUID"));
  client("SELECT INBOX");
  CHECK(client("STORE 1:* +FLAGS.SILENT (\\Seen)") == "OK Stored\n");
  CHECK(client("STATUS INBOX (UNSEEN)") == "* STATUS INBOX (UNSEEN 0)\nOK Status told\n");
  auto copied = client("COPY 1:* Archive");
  CHECK(copied.starts_with("OK [COPYUID 1795219203 1:2700 "));
  // A second copy shows where it went: not to the UIDs of where it came from.
  copied = client("COPY 1:1500 Archive");
  client("EXAMINE Archive");
  auto [first, last] = std::pair(client("FETCH 2701 (UID)"), client("FETCH 4200 (UID)"));
  auto uid_in = [](std::string_view text) {
    auto at = text.find("UID ") + 4;
    return std::string(text.substr(at, text.find(')') - at));
  };
  CHECK(copied ==
        "OK [COPYUID 1795219203 1:1500 " + uid_in(first) + ":" + uid_in(last) + "] Copied\n");
  client("SELECT Archive");
  client("STORE 2701:* +FLAGS.SILENT (\\Deleted)");
  client("EXPUNGE");
  client("SELECT INBOX");
  CHECK(client("STATUS Archive (MESSAGES UNSEEN)") ==
        "* STATUS Archive (MESSAGES 2700 UNSEEN 0)\nOK Status told\n");
  client("SELECT Archive");
  auto moved = client("MOVE 1:2500 Trash");
  CHECK(moved.ends_with("* 2 EXPUNGE\n* 1 EXPUNGE\nOK Done\n"));
  client("STORE 1:* +FLAGS.SILENT (\\Deleted)");
  CHECK(client("CLOSE") == "OK Closed\n");
  CHECK(client("STATUS Archive (MESSAGES)") == "* STATUS Archive (MESSAGES 0)\nOK Status told\n");
  CHECK(client("STATUS Trash (MESSAGES)") == "* STATUS Trash (MESSAGES 2500)\nOK Status told\n");
}

}  // namespace
}  // namespace hikyaku::imapd::testing
