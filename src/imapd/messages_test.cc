// Commands on messages, and what is told about them, byte by byte.
#include <doctest/doctest.h>

#include "base/async.h"
#include "imapd/fixture_test.h"

namespace hikyaku::imapd::testing {
namespace {

using namespace std::chrono_literals;

/// A message with two parts, the second a message with one.
const std::string kNested =
    "From: Ann <ann@a.test>\r\n"
    "To: u@a.test\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Date: Fri, 20 Nov 2026 23:30:00 -0800\r\n"
    "Message-ID: <1@a.test>\r\n"
    "X-Odd: something\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "SGVsbG8gV29ybGQ=\r\n"
    "--b\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "From: inner@a.test\r\n"
    "Subject: inner\r\n"
    "\r\n"
    "needle in here\r\n"
    "--b--\r\n";

std::string append(Client& client, const std::string& message, const std::string& options = "",
                   const std::string& mailbox = "INBOX") {
  return client("APPEND " + mailbox + " " + options + "{" + std::to_string(message.size()) +
                "+}\r\n" + message);
}
std::string simple(int number) {
  return "Subject: s" + std::to_string(number) + "\r\n\r\nbody\r\n";
}
void fill(Client& client, int count) {
  for (int i = 1; i <= count; ++i) append(client, simple(i));
}

TEST_CASE("SELECT, EXAMINE, CLOSE, UNSELECT: what is told") {
  Server server;
  Client client(server);
  client.login();
  fill(client, 2);
  CHECK(client("SELECT inbox") ==
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"
        "* 2 EXISTS\n"
        "* 2 RECENT\n"
        "* OK [UNSEEN 1] The first unseen message\n"
        "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] These flags are "
        "kept\n"
        "* OK [UIDVALIDITY 1795219200] UIDs are valid\n"
        "* OK [UIDNEXT 3] The next UID\n"
        "* OK [HIGHESTMODSEQ 4] Changes up to here\n"
        "* OK [MAILBOXID (m1)] Its name for ever\n"
        "OK [READ-WRITE] Opened\n");
  // A second session finds nothing recent.
  Client other(server);
  other.login();
  auto examined = other("EXAMINE INBOX");
  CHECK(examined.find("* 0 RECENT\n") != std::string::npos);
  CHECK(examined.find("PERMANENTFLAGS ()") != std::string::npos);
  CHECK(examined.ends_with("OK [READ-ONLY] Opened for reading\n"));
  CHECK(other("STORE 1 +FLAGS (\\Seen)") ==
        "NO [READ-ONLY] STORE: the mailbox was opened read-only\n");
  CHECK(other("EXPUNGE").starts_with("NO [READ-ONLY]"));
  CHECK(client("STORE 1 +FLAGS.SILENT (\\Deleted)") == "OK Stored\n");
  CHECK(other("CLOSE") == "OK Closed\n");
  CHECK(other("STATUS INBOX (MESSAGES)").starts_with("* STATUS INBOX (MESSAGES 2)\n"));
  CHECK(client("UNSELECT") == "OK Unselected\n");
  CHECK(client("SELECT INBOX").find("* 2 EXISTS\n* 0 RECENT\n") != std::string::npos);
  CHECK(client("SELECT nowhere") ==
        "* OK [CLOSED] The mailbox is closed\nNO [NONEXISTENT] There is no such mailbox\n");
  CHECK(client("FETCH 1 FLAGS") == "BAD FETCH: select a mailbox first\n");
  client("SELECT INBOX");
  CHECK(client("CLOSE") == "OK Closed\n");
  CHECK(client("STATUS INBOX (MESSAGES UIDNEXT UNSEEN SIZE DELETED)") ==
        "* STATUS INBOX (MESSAGES 1 UIDNEXT 3 UNSEEN 1 DELETED 0 SIZE 21)\nOK Status told\n");
}

TEST_CASE("FETCH of rows") {
  Server server;
  Client client(server);
  client.login();
  append(client, simple(1), "(\\Seen $x) \"17-Jul-1996 02:44:25 -0700\" ");
  append(client, simple(2));
  client("SELECT INBOX");
  CHECK(client("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)") ==
        "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent $x) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
        "RFC822.SIZE 21)\n"
        "* 2 FETCH (UID 2 FLAGS (\\Recent) INTERNALDATE \"21-Nov-2026 00:00:00 +0000\" RFC822.SIZE "
        "21)\n"
        "OK Fetched\n");
  CHECK(client("FETCH 2 FAST").starts_with("* 2 FETCH (FLAGS (\\Recent) INTERNALDATE"));
  CHECK(client("UID FETCH 2:* FLAGS") == "* 2 FETCH (UID 2 FLAGS (\\Recent))\nOK Fetched\n");
  CHECK(client("UID FETCH 77:* FLAGS") == "* 2 FETCH (UID 2 FLAGS (\\Recent))\nOK Fetched\n");
  CHECK(client("UID FETCH 77 FLAGS") == "OK Fetched\n");
  CHECK(client("FETCH 3 FLAGS") == "BAD there is no message of that number\n");
  CHECK(client("FETCH 0 FLAGS").starts_with("BAD"));
  CHECK(client("FETCH 1 (EMAILID THREADID SAVEDATE)") ==
        "* 1 FETCH (EMAILID (e1) THREADID (t1) SAVEDATE \"21-Nov-2026 00:00:00 +0000\")\n"
        "OK Fetched\n");
  client("SELECT Drafts");
  CHECK(client("FETCH 1:* FLAGS") == "OK Fetched\n");
  CHECK(client("UID FETCH 1:* FLAGS") == "OK Fetched\n");
  CHECK(client("FETCH 1 FLAGS").starts_with("BAD"));
}

TEST_CASE("FETCH of records: envelope, structure, header fields") {
  Server server;
  Client client(server);
  client.login();
  append(client, kNested);
  append(client, simple(2));
  client("SELECT INBOX");
  CHECK(client("FETCH 1 ENVELOPE") ==
        "* 1 FETCH (ENVELOPE (\"Fri, 20 Nov 2026 23:30:00 -0800\" \"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" "
        "((\"Ann\" NIL \"ann\" \"a.test\")) ((\"Ann\" NIL \"ann\" \"a.test\")) ((\"Ann\" NIL "
        "\"ann\" \"a.test\")) ((NIL NIL \"u\" \"a.test\")) NIL NIL NIL \"<1@a.test>\"))\n"
        "OK Fetched\n");
  CHECK(client("FETCH 1 BODY") ==
        "* 1 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"base64\" 16 1)"
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 52 (NIL \"inner\" ((NIL NIL \"inner\" "
        "\"a.test\")) ((NIL NIL \"inner\" \"a.test\")) ((NIL NIL \"inner\" \"a.test\")) NIL NIL "
        "NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 14 1) 4) "
        "\"mixed\"))\nOK Fetched\n");
  CHECK(client("FETCH 1:2 (UID BODY.PEEK[HEADER.FIELDS (Subject X-Nothing)])") ==
        "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject X-Nothing)] {40}\n"
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\n)\n"
        "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (Subject X-Nothing)] {15}\n"
        "Subject: s2\n\n)\nOK Fetched\n");
  CHECK(client("FETCH 2 BODY.PEEK[HEADER.FIELDS (To)]<0.1>") ==
        "* 2 FETCH (BODY[HEADER.FIELDS (To)]<0> {1}\n)\nOK Fetched\n");
  CHECK(client("FETCH 1 (FLAGS)") == "* 1 FETCH (FLAGS (\\Recent))\nOK Fetched\n");
}

TEST_CASE("FETCH of contents: parts of parts, partial ones, decoded ones; \\Seen") {
  Server server;
  Client client(server);
  client.login();
  append(client, kNested);
  client("SELECT INBOX");
  auto whole = Client::plain(kNested);
  auto size = std::to_string(kNested.size());
  CHECK(client("FETCH 1 BODY.PEEK[]") ==
        "* 1 FETCH (BODY[] {" + size + "}\n" + whole + ")\nOK Fetched\n");
  struct Case {
    std::string asked, label, answer;
  };
  for (auto& one : std::vector<Case>{
           {"BODY.PEEK[1]", "BODY[1]", "{16}\nSGVsbG8gV29ybGQ="},
           {"BODY.PEEK[1]<3.4>", "BODY[1]<3>", "{4}\nsbG8"},
           {"BODY.PEEK[1]<16.4>", "BODY[1]<16>", "{0}\n"},
           {"BODY.PEEK[1]<99.4>", "BODY[1]<99>", "{0}\n"},
           {"BODY.PEEK[1.MIME]", "BODY[1.MIME]",
            "{78}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
            "base64\n\n"},
           {"BODY.PEEK[2.HEADER]", "BODY[2.HEADER]",
            "{38}\nFrom: inner@a.test\nSubject: inner\n\n"},
           {"BODY.PEEK[2.TEXT]", "BODY[2.TEXT]", "{14}\nneedle in here"},
           {"BODY.PEEK[2.1]", "BODY[2.1]", "{14}\nneedle in here"},
           {"BODY.PEEK[2.HEADER.FIELDS (subject)]", "BODY[2.HEADER.FIELDS (subject)]",
            "{18}\nSubject: inner\n\n"},
           {"BODY.PEEK[HEADER.FIELDS (X-Odd)]", "BODY[HEADER.FIELDS (X-Odd)]",
            "{20}\nX-Odd: something\n\n"},
           {"BODY.PEEK[3]", "BODY[3]", "NIL"},
           {"BODY.PEEK[1.2.3.HEADER]", "BODY[1.2.3.HEADER]", "NIL"},
           {"BINARY.PEEK[1]", "BINARY[1]", "{11}\nHello World"},
           {"BINARY.PEEK[1]<6.100>", "BINARY[1]<6>", "{5}\nWorld"},
           {"BINARY.PEEK[1]<2.3>", "BINARY[1]<2>", "{3}\nllo"},
           {"BINARY.SIZE[1]", "BINARY.SIZE[1]", "11"},
           {"RFC822.HEADER", "RFC822.HEADER",
            "{" + std::to_string(kNested.find("\r\n\r\n") + 4) + "}\n" +
                Client::plain(kNested.substr(0, kNested.find("\r\n\r\n") + 4))},
       }) {
    CAPTURE(one.asked);
    CHECK(client("FETCH 1 " + one.asked) ==
          "* 1 FETCH (" + one.label + " " + one.answer + ")\nOK Fetched\n");
  }
  CHECK(
      client("FETCH 1 (BODY[2.TEXT] UID)") ==
      "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) BODY[2.TEXT] {14}\nneedle in here)\nOK Fetched\n");
  CHECK(client("FETCH 1 BODY[2.TEXT]") ==
        "* 1 FETCH (BODY[2.TEXT] {14}\nneedle in here)\nOK Fetched\n");
}

TEST_CASE("a large message is streamed, and its parts are where they should be") {
  Server server;
  Client client(server);
  client.login();
  std::string line = repeat("x", 76) + "\r\n";
  auto text = repeat(line, 20'000);
  auto message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text +
                 "\r\n--b\r\nContent-Type: text/plain\r\n\r\nlast\r\n--b--\r\n";
  CHECK(append(client, message).starts_with("OK [APPENDUID 1795219200 1]"));
  client("SELECT INBOX");
  auto answer = client("FETCH 1 BODY.PEEK[]");
  CHECK(answer == "* 1 FETCH (BODY[] {" + std::to_string(message.size()) + "}\n" +
                      Client::plain(message) + ")\nOK Fetched\n");
  CHECK(client("FETCH 1 BODY.PEEK[2]") == "* 1 FETCH (BODY[2] {4}\nlast)\nOK Fetched\n");
  CHECK(client("FETCH 1 BINARY.SIZE[1]") ==
        "* 1 FETCH (BINARY.SIZE[1] " + std::to_string(text.size()) + ")\nOK Fetched\n");
  CHECK(client("FETCH 1 BODY.PEEK[1]<1000000.10>") ==
        "* 1 FETCH (BODY[1]<1000000> {10}\n" + Client::plain(text.substr(1'000'000, 10)) +
            ")\nOK Fetched\n");
  CHECK(client("SEARCH TEXT last") == "* SEARCH 1\nOK Searched\n");
}

TEST_CASE("STORE: replaced, added, removed, silent; conditional") {
  Server server;
  Client client(server);
  client.login();
  fill(client, 3);
  client("SELECT INBOX");
  CHECK(
      client("STORE 1:2 FLAGS (\\Seen work)") ==
      "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)\n"
      "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work \\*)] These flags "
      "are kept\n"
      "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent work))\n"
      "* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent work))\n"
      "OK Stored\n");
  CHECK(client("STORE 1 -FLAGS (\\Seen)") ==
        "* 1 FETCH (UID 1 FLAGS (\\Recent work))\nOK Stored\n");
  CHECK(client("UID STORE 1 +FLAGS.SILENT (\\Flagged)") == "OK Stored\n");
  CHECK(client("STORE 9 +FLAGS (\\Seen)") == "BAD there is no message of that number\n");
  CHECK(client("UID STORE 9 +FLAGS (\\Seen)") == "OK Stored\n");
  CHECK(client("STORE 1 +FLAGS (\\Bogus)").starts_with("BAD"));
  CHECK(client("FETCH 1:3 (FLAGS MODSEQ)") ==
        "* 1 FETCH (FLAGS (\\Flagged \\Recent work) MODSEQ (8))\n"
        "* 2 FETCH (FLAGS (\\Seen \\Recent work) MODSEQ (6))\n"
        "* 3 FETCH (FLAGS (\\Recent) MODSEQ (5))\n"
        "OK Fetched\n");
  CHECK(client("STORE 1:3 (UNCHANGEDSINCE 6) +FLAGS.SILENT (\\Draft)") ==
        "* 2 FETCH (UID 2 MODSEQ (9))\n"
        "* 3 FETCH (UID 3 MODSEQ (9))\n"
        "OK [MODIFIED 1] Some messages were changed meanwhile\n");
  CHECK(client("FETCH 1:3 (UID) (CHANGEDSINCE 8)") ==
        "* 2 FETCH (UID 2 MODSEQ (9))\n* 3 FETCH (UID 3 MODSEQ (9))\nOK Fetched\n");
}

TEST_CASE("a thousand messages that are apart: what is told of them is one set") {
  Server server;
  Client client(server);
  client.login();
  std::string append = "APPEND INBOX";
  for (int i = 0; i < 800; ++i) append += " {3+}\r\nabc";
  for (int i = 0; i < 3; ++i) CHECK(client(append).starts_with("OK [APPENDUID"));
  client("SELECT INBOX");
  std::string odd = "1";
  for (int i = 3; i < 2'400; i += 2) odd += "," + std::to_string(i);
  CHECK((client("COPY " + odd + " Archive") ==
         "OK [COPYUID 1795219203 " + odd + " 65568:66767] Copied\n"));
  client("STORE " + odd + " +FLAGS.SILENT (\\Answered)");
  CHECK((client("SEARCH RETURN (SAVE) ANSWERED") == "OK Searched\n"));
  CHECK((client("UID SEARCH RETURN (ALL) $") ==
         "* ESEARCH (TAG \"a9\") UID ALL " + odd + "\nOK Searched\n"));
  CHECK((client("UID STORE $ (UNCHANGEDSINCE 1) +FLAGS (\\Seen)") ==
         "OK [MODIFIED " + odd + "] Some messages were changed meanwhile\n"));
  CHECK((client("STORE 2:2400 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)") ==
         "OK [MODIFIED 2:2400] Some messages were changed meanwhile\n"));
  // Their UIDs stay apart, and are neighbours.
  client("STORE 1:2400 +FLAGS.SILENT (\\Deleted)");
  client("STORE $ -FLAGS.SILENT (\\Deleted)");
  client("ENABLE QRESYNC");
  std::string vanished = "* VANISHED 2";
  for (int i = 4; i <= 2'400; i += 2)
    vanished += (i == 2'002 ? "\n* VANISHED " : ",") + std::to_string(i);
  CHECK(client("EXPUNGE").starts_with(vanished + "\nOK ["));
  for (std::size_t at = 0; (at = vanished.find("VANISHED ", at)) != std::string::npos; at += 9)
    vanished.insert(at + 9, "(EARLIER) ");
  CHECK(client("UID FETCH 1:* (UID) (CHANGEDSINCE 1 VANISHED)").starts_with(vanished + "\n* 1 "));
  CHECK((client("STORE $ (UNCHANGEDSINCE 1) +FLAGS (\\Seen)") ==
         "OK [MODIFIED 1:1200] Some messages were changed meanwhile\n"));
  CHECK(client("SEARCH RETURN (COUNT) $").ends_with(" COUNT 1200\nOK Searched\n"));
}

TEST_CASE("EXPUNGE and UID EXPUNGE") {
  Server server;
  Client client(server);
  client.login();
  fill(client, 5);
  client("SELECT INBOX");
  client("STORE 2:4 +FLAGS.SILENT (\\Deleted)");
  CHECK(client("UID EXPUNGE 1:3") == "* 3 EXPUNGE\n* 2 EXPUNGE\nOK Expunged\n");
  CHECK(client("FETCH 1:* UID") ==
        "* 1 FETCH (UID 1)\n* 2 FETCH (UID 4)\n* 3 FETCH (UID 5)\nOK Fetched\n");
  CHECK(client("EXPUNGE") == "* 2 EXPUNGE\nOK Expunged\n");
  CHECK(client("EXPUNGE") == "OK Expunged\n");
}

TEST_CASE("COPY and MOVE") {
  Server server;
  Client client(server);
  client.login();
  fill(client, 3);
  client("SELECT INBOX");
  CHECK(client("COPY 1:2 Archive") == "OK [COPYUID 1795219203 1:2 1:2] Copied\n");
  CHECK(client("COPY 1 nowhere") == "NO [TRYCREATE] There is no such mailbox\n");
  CHECK(client("UID COPY 99 Archive") == "OK Nothing to copy\n");
  CHECK(client("COPY 9 Archive").starts_with("BAD"));
  CHECK(client("MOVE 1,3 Archive") ==
        "* OK [COPYUID 1795219203 1,3 3:4] Moved\n* 3 EXPUNGE\n* 1 EXPUNGE\nOK Done\n");
  CHECK(client("UID MOVE 77 Archive") == "OK Nothing to move\n");
  CHECK(client("STATUS Archive (MESSAGES)") == "* STATUS Archive (MESSAGES 4)\nOK Status told\n");
  // Into the mailbox itself.
  CHECK(client("COPY 1 INBOX") == "* 2 EXISTS\n* 2 RECENT\nOK [COPYUID 1795219200 2 4] Copied\n");
}

TEST_CASE("APPEND: TRYCREATE, several at once, refused ones, empty ones, full mailboxes") {
  Server server;
  Client client(server);
  client.login();
  CHECK(append(client, "x", "", "nowhere") == "NO [TRYCREATE] There is no such mailbox\n");
  client.send("a APPEND nowhere {5}\r\n");
  CHECK(client.answer("a") == "NO [TRYCREATE] There is no such mailbox\n");
  CHECK(client("APPEND INBOX (\\Seen) {3+}\r\nabc (\\Draft) {4+}\r\ndefg") ==
        "OK [APPENDUID 1795219200 1:2] Appended\n");
  // The second is empty: nothing is appended (RFC 3502).
  CHECK(client("APPEND INBOX {3+}\r\nabc {0+}\r\n").starts_with("NO an empty message"));
  client.send("b APPEND INBOX {3}\r\n");
  CHECK(client.read_until("\r\n") == "+ OK\n");
  client.send("abc\r\n");
  CHECK(client.answer("b").starts_with("OK [APPENDUID 1795219200 "));
  CHECK(client("APPEND INBOX (\\Bogus) {3+}\r\nabc").starts_with("BAD"));
  CHECK(client("NOOP") == "OK Nothing done\n");
  std::string nul("x\0y", 3);
  CHECK(append(client, nul) == "NO A message that holds NUL needs a binary literal (RFC 3516)\n");
  CHECK(client("APPEND INBOX ~{3+}\r\n" + nul).starts_with("OK [APPENDUID"));

  server.transact([](store::Transaction& tx) -> Result<void> {
    mailbox::set_quota(tx, Server::kAccount, 100);
    return {};
  });
  CHECK(append(client, repeat("x", 200)) == "NO [OVERQUOTA] The mailboxes are full\n");
  client.send("c APPEND INBOX {200}\r\n");
  CHECK(client.answer("c") == "NO [OVERQUOTA] The mailboxes are full\n");
  client("SELECT INBOX");
  CHECK(append(client, "small").starts_with("* "));
}

TEST_CASE("NUL goes out in a binary literal and in no other") {
  Server server;
  Client client(server);
  client.login();
  std::string_view message("Subject: s\0t\r\n\r\na\0b", 19);
  CHECK(client("APPEND INBOX ~{19+}\r\n" + std::string(message)).starts_with("OK [APPENDUID"));
  client("SELECT INBOX");
  CHECK(client("FETCH 1 (RFC822.SIZE BODY.PEEK[TEXT])") ==
        "* 1 FETCH (RFC822.SIZE 19 BODY[TEXT] {3}\na\x80"
        "b)\nOK Fetched\n");
  CHECK(client("FETCH 1 BODY.PEEK[TEXT]<1.2>") ==
        "* 1 FETCH (BODY[TEXT]<1> {2}\n\x80"
        "b)\nOK Fetched\n");
  for (auto what :
       {"BODY[]", "RFC822", "BODY[HEADER]", "BODY[HEADER.FIELDS (Subject)]", "ENVELOPE"})
    CHECK(client("FETCH 1 " + std::string(what)).find('\0') == std::string::npos);
  CHECK(client("FETCH 1 BINARY.PEEK[1]") ==
        std::string("* 1 FETCH (BINARY[1] ~{3}\na\0b)\nOK Fetched\n", 42));
}

TEST_CASE("an APPEND is taken at every split") {
  Server server;
  for (std::size_t limit : {1, 2, 3, 7, 50}) {
    Client client(server);
    client.login();
    client.stream().set_read_limit(limit);
    auto answer = append(client, kNested, "(\\Seen) ", "Drafts");
    CHECK(answer.starts_with("OK [APPENDUID 1795219201 "));
    client("SELECT Drafts");
    auto fetched = client("FETCH * BODY.PEEK[]");
    CHECK(fetched.find(Client::plain(kNested)) != std::string::npos);
  }
}

TEST_CASE("SEARCH: every key") {
  Server server;
  Client client(server);
  client.login();
  append(client, kNested, "(\\Seen $k) \"17-Jul-1996 02:44:25 -0700\" ");
  append(client,
         "From: bob@b.test\r\nCc: cc@b.test\r\nBcc: bcc@b.test\r\nSubject: plain\r\n\r\nhay\r\n",
         "(\\Flagged \\Answered \\Draft) ");
  append(client,
         "Subject: =?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=\r\nContent-Type: text/plain; "
         "charset=shift_jis\r\n\r\n\x93\xfa\x96{\x8c\xea\r\n",
         "(\\Deleted) ");
  client("SELECT INBOX");
  struct Case {
    std::string key, found;
  };
  for (auto& one : std::vector<Case>{
           {"ALL", " 1 2 3"},
           {"SEEN", " 1"},
           {"UNSEEN", " 2 3"},
           {"FLAGGED", " 2"},
           {"UNFLAGGED", " 1 3"},
           {"ANSWERED", " 2"},
           {"UNANSWERED", " 1 3"},
           {"DRAFT", " 2"},
           {"UNDRAFT", " 1 3"},
           {"DELETED", " 3"},
           {"UNDELETED", " 1 2"},
           {"NEW", " 2 3"},
           {"OLD", ""},
           {"RECENT", " 1 2 3"},
           {"KEYWORD $K", " 1"},
           {"UNKEYWORD $k", " 2 3"},
           {"KEYWORD nobody", ""},
           {"1:2", " 1 2"},
           {"UID 2:*", " 2 3"},
           {"NOT 1", " 2 3"},
           {"OR 1 3", " 1 3"},
           {"(1 2)", ""},
           {"BEFORE 18-Jul-1996", " 1"},
           {"ON 17-Jul-1996", " 1"},
           {"SINCE 18-Jul-1996", " 2 3"},
           {"SENTON 20-Nov-2026", " 1"},
           {"SENTBEFORE 20-Nov-2026", ""},
           {"SENTSINCE 21-Nov-2026", " 2 3"},
           {"LARGER 200", " 1"},
           {"SMALLER 200", " 2 3"},
           {"OLDER 1000", " 1"},
           {"YOUNGER 1000", " 2 3"},
           {"FROM ann", " 1"},
           {"FROM ANN@A", " 1"},
           {"TO u@a", " 1"},
           {"CC cc@", " 2"},
           {"BCC bcc@", " 2"},
           {"SUBJECT plain", " 2"},
           {"CHARSET UTF-8 SUBJECT {7+}\r\nGR\xc3\x9c\xc3\x9f"
            "E",
            " 1"},
           {"CHARSET UTF-8 SUBJECT {9+}\r\n\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", " 3"},
           {"CHARSET SHIFT_JIS BODY {4+}\r\n\x93\xfa\x96{", " 3"},
           {"CHARSET UTF-8 TEXT {6+}\r\n\xe6\x97\xa5\xe6\x9c\xac", " 3"},
           {"HEADER X-Odd some", " 1"},
           {"HEADER X-Odd \"\"", " 1"},
           {"HEADER Subject \"\"", " 1 2 3"},
           {"BODY needle", " 1"},
           {"BODY \"Hello World\"", " 1"},
           {"BODY x-odd", ""},
           {"TEXT x-odd", " 1"},
           {"TEXT hay", " 2"},
           {"TEXT \"Transfer-Encoding: base64\"", " 1"},
           {"TEXT inner@a", " 1"},
           {"OR BODY absent OR TEXT hay BODY needle", " 1 2"},
           {"OR SUBJECT absent OR SUBJECT plain FROM ann", " 1 2"},
           {"BODY hay SEEN", ""},
           {"OR BODY hay BODY needle", " 1 2"},
           {"NOT BODY hay", " 1 3"},
           {"EMAILID e2", " 2"},
           {"THREADID t3", " 3"},
           {"SAVEDON 21-Nov-2026", " 1 2 3"},
           {"SAVEDBEFORE 21-Nov-2026", ""},
           {"SAVEDATESUPPORTED", " 1 2 3"},
           {"MODSEQ 4", " 2 3 (MODSEQ 5)"},
       }) {
    CAPTURE(one.key);
    CHECK(client("SEARCH " + one.key) == "* SEARCH" + one.found + "\nOK Searched\n");
  }
  CHECK(client("SEARCH CHARSET KLINGON TEXT x").starts_with("NO [BADCHARSET"));
  CHECK(client("UID SEARCH 2:3") == "* SEARCH 2 3\nOK Searched\n");
  CHECK(client("SEARCH RETURN (MIN MAX COUNT ALL) ALL") ==
        "* ESEARCH (TAG \"a71\") MIN 1 MAX 3 COUNT 3 ALL 1:3\nOK Searched\n");
}

TEST_CASE("SEARCH RETURN (SAVE) and \"$\"") {
  Server server;
  Client client(server);
  client.login();
  fill(client, 4);
  client("SELECT INBOX");
  CHECK(client("SEARCH RETURN (SAVE) 2:3") == "OK Searched\n");
  CHECK(client("FETCH $ UID") == "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\nOK Fetched\n");
  CHECK(client("UID SEARCH RETURN (COUNT) NOT $").find("COUNT 2") != std::string::npos);
  client("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
  client("EXPUNGE");
  CHECK(client("FETCH $ UID") == "* 2 FETCH (UID 3)\nOK Fetched\n");
  CHECK(client("SEARCH RETURN (SAVE MIN) ALL").find("MIN 1") != std::string::npos);
  CHECK(client("FETCH $ UID") == "* 1 FETCH (UID 1)\nOK Fetched\n");
  CHECK(client("SEARCH CHARSET KLINGON RETURN (SAVE) ALL").starts_with("BAD"));
  CHECK(client("SEARCH RETURN (SAVE) CHARSET KLINGON TEXT x").starts_with("NO [BADCHARSET"));
  CHECK(client("FETCH $ UID") == "OK Fetched\n");
}

}  // namespace
}  // namespace hikyaku::imapd::testing
