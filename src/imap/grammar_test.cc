#include "imap/grammar.h"

#include <doctest/doctest.h>

#include "imap/characters.h"

namespace hikyaku::imap {
namespace {

Result<Command> parse(std::string_view text, NameForm form = NameForm::Utf7) {
  return parse_command(text, form, {});
}

template <class T>
T good(std::string_view text, NameForm form = NameForm::Utf7) {
  CAPTURE(text);
  auto command = parse(text, form);
  REQUIRE_MESSAGE(command.has_value(), command.error().text);
  REQUIRE(std::holds_alternative<T>(command->arguments));
  return std::get<T>(command->arguments);
}

void bad(std::string_view text, ErrorCode code = ErrorCode::Invalid) {
  CAPTURE(text);
  auto command = parse(text);
  REQUIRE_FALSE(command.has_value());
  CHECK_MESSAGE(command.error().code == code, command.error().text);
}

/// A compact picture of a search tree for the tables below.
std::string picture(const SearchKey& key) {
  using Kind = SearchKey::Kind;
  auto list = [&](std::string_view name) {
    std::string text(name);
    text += '(';
    for (auto& child : key.children) {
      if (&child != &key.children.front()) text += ' ';
      text += picture(child);
    }
    return text + ')';
  };
  switch (key.kind) {
    case Kind::All:
      return "all";
    case Kind::And:
      return list("and");
    case Kind::Or:
      return list("or");
    case Kind::Not:
      return list("not");
    case Kind::Numbers:
      return key.set.to_string();
    case Kind::Uids:
      return "uid:" + key.set.to_string();
    case Kind::System:
      return std::string(flag_name(key.flag));
    case Kind::Keyword:
      return "keyword:" + key.text;
    case Kind::Header:
      return "header:" + key.field + "=" + key.text;
    case Kind::Subject:
      return "subject=" + key.text;
    case Kind::From:
      return "from=" + key.text;
    case Kind::To:
      return "to=" + key.text;
    case Kind::Cc:
      return "cc=" + key.text;
    case Kind::Bcc:
      return "bcc=" + key.text;
    case Kind::Body:
      return "body=" + key.text;
    case Kind::Text:
      return "text=" + key.text;
    case Kind::Before:
      return "<" + format_date(key.day);
    case Kind::On:
      return "=" + format_date(key.day);
    case Kind::Since:
      return ">=" + format_date(key.day);
    case Kind::SentBefore:
      return "sent<" + format_date(key.day);
    case Kind::SentOn:
      return "sent=" + format_date(key.day);
    case Kind::SentSince:
      return "sent>=" + format_date(key.day);
    case Kind::SavedBefore:
      return "saved<" + format_date(key.day);
    case Kind::SavedOn:
      return "saved=" + format_date(key.day);
    case Kind::SavedSince:
      return "saved>=" + format_date(key.day);
    case Kind::SaveDateSupported:
      return "savedate?";
    case Kind::Larger:
      return "larger:" + std::to_string(key.number);
    case Kind::Smaller:
      return "smaller:" + std::to_string(key.number);
    case Kind::Older:
      return "older:" + std::to_string(key.number);
    case Kind::Younger:
      return "younger:" + std::to_string(key.number);
    case Kind::ModSeq:
      return "modseq:" + std::to_string(key.number);
    case Kind::EmailId:
      return "email:" + key.text;
    case Kind::ThreadId:
      return "thread:" + key.text;
  }
  return "?";
}

void search(std::string_view arguments, std::string_view expected) {
  auto command = good<SearchCommand>("a SEARCH " + std::string(arguments));
  CHECK(picture(command.program.key) == expected);
}

TEST_CASE("commands without arguments") {
  for (std::string_view name : {"CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "NAMESPACE", "IDLE",
                                "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "noop", "cApAbIlItY"}) {
    auto command = parse("a1 " + std::string(name));
    CHECK_MESSAGE(command.has_value(), name);
    CHECK(command->tag == "a1");
    bad("a1 " + std::string(name) + " x");
    bad("a1 " + std::string(name) + " ");
  }
}

TEST_CASE("tags and unknown commands") {
  CHECK(parse("A.1]=: NOOP").has_value());
  bad("");
  bad(" NOOP");
  bad("+ NOOP");
  bad("a+1 NOOP");
  bad("a\"1 NOOP");
  bad("a1");
  bad("a1 ");
  bad("a1  NOOP");
  bad("a1 FROBNICATE x");
  bad("a1 UID");
  bad("a1 UID NOOP");
  bad("a1 UID UID FETCH 1 FLAGS");
  bad("POST / HTTP/1.1");
  CHECK(parse("a1 FROB").error().text == "unknown command FROB");
  CHECK(parse("a1 SELECT").error().text == "expected a space at the end of the command");
  CHECK(parse("a1 SELECT (").error().text == "expected a mailbox name at byte 11, found \"(\"");
}

TEST_CASE("LOGIN and AUTHENTICATE") {
  auto login = good<LoginCommand>("a LOGIN \"fred\\\"x\" {7}\r\nfat man");
  CHECK(login.user == "fred\"x");
  CHECK(login.password == "fat man");
  CHECK(good<LoginCommand>("a login a@b.test p]w").password == "p]w");
  CHECK(good<LoginCommand>("a LOGIN {2+}\r\nab {0}\r\n").password.empty());
  bad("a LOGIN fred");
  bad("a LOGIN fred pass word");
  bad("a LOGIN \"fred pass");
  bad("a LOGIN \"fr\\ed\" pass");
  bad("a LOGIN {9}\r\nab cd");  // a literal longer than what there is
  bad("a LOGIN fred (pass)");

  auto plain = good<AuthenticateCommand>("a AUTHENTICATE plain");
  CHECK(plain.mechanism == "PLAIN");
  CHECK_FALSE(plain.initial_response.has_value());
  CHECK(*good<AuthenticateCommand>("a AUTHENTICATE PLAIN AGEAYg==").initial_response == "AGEAYg==");
  CHECK(*good<AuthenticateCommand>("a AUTHENTICATE EXTERNAL =").initial_response == "=");
  CHECK(good<AuthenticateCommand>("a AUTHENTICATE SCRAM-SHA-256-PLUS").mechanism ==
        "SCRAM-SHA-256-PLUS");
  bad("a AUTHENTICATE");
  bad("a AUTHENTICATE PLAIN ");
  bad("a AUTHENTICATE PLAIN !");
  bad("a AUTHENTICATE PLAIN AA BB");
}

TEST_CASE("ID and ENABLE") {
  auto id = good<IdCommand>("a ID (\"name\" \"x\" \"os\" NIL)");
  REQUIRE(id.fields.size() == 2);
  CHECK(id.fields[0].second == "x");
  CHECK_FALSE(id.fields[1].second.has_value());
  CHECK(good<IdCommand>("a ID NIL").fields.empty());
  CHECK(good<IdCommand>("a ID ()").fields.empty());
  bad("a ID");
  bad("a ID (\"name\")");
  bad("a ID (name x)");
  std::string many = "a ID (";
  for (int i = 0; i < 31; ++i) many += (i ? " \"a" : "\"a") + std::to_string(i) + "\" NIL";
  bad(many + ")", ErrorCode::TooLarge);
  bad("a ID (\"" + std::string(31, 'x') + "\" NIL)", ErrorCode::TooLarge);

  CHECK(good<EnableCommand>("a ENABLE condstore X-Y").capabilities ==
        std::vector<std::string>{"CONDSTORE", "X-Y"});
  bad("a ENABLE");
  bad("a ENABLE A ");
}

TEST_CASE("SELECT and EXAMINE") {
  auto select = good<SelectCommand>("a SELECT inbox");
  CHECK(select.mailbox == "INBOX");
  CHECK_FALSE(select.read_only);
  CHECK(good<SelectCommand>("a EXAMINE \"a b\"").read_only);
  CHECK(good<SelectCommand>("a SELECT &ZeVnLIqe-").mailbox == "日本語");
  CHECK(good<SelectCommand>("a SELECT \"日本語\"", NameForm::Utf8).mailbox == "日本語");
  CHECK(good<SelectCommand>("a SELECT x (CONDSTORE)").condstore);
  auto sync = *good<SelectCommand>(
                   "a SELECT x (QRESYNC (67890007 20050715194045000 41,43:211 (1,5:6 2,7:8)))")
                   .qresync;
  CHECK(sync.uid_validity == 67890007);
  CHECK(sync.modseq == 20050715194045000);
  CHECK(sync.known_uids->to_string() == "41,43:211");
  CHECK(sync.sequence_match->first.to_string() == "1,5:6");
  CHECK(good<SelectCommand>("a SELECT x (QRESYNC (1 2 (1 2)))").qresync->sequence_match);
  CHECK_FALSE(good<SelectCommand>("a SELECT x (QRESYNC (1 2))").qresync->known_uids);
  bad("a SELECT x (QRESYNC (0 2))");
  bad("a SELECT x (QRESYNC (1 2 1:*))");
  bad("a SELECT x (QRESYNC (1 2 $))");
  bad("a SELECT x (QRESYNC (1 2 (1:2 5)))");  // sets of different length
  bad("a SELECT x (FOO)");
  bad("a SELECT x y");
  bad("a SELECT R&D", ErrorCode::Unsupported);
}

TEST_CASE("CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE") {
  CHECK(good<CreateCommand>("a CREATE a/b/").mailbox == "a/b");
  CHECK(good<CreateCommand>("a CREATE x (USE (\\Sent \\Drafts))").special_uses ==
        std::vector<std::string>{"\\Sent", "\\Drafts"});
  CHECK(good<CreateCommand>("a CREATE x (USE ())").special_uses.empty());
  bad("a CREATE x (USE (Sent))");
  bad("a CREATE x (FOO)");
  bad("a CREATE");
  CHECK(good<DeleteCommand>("a DELETE {3}\r\na b").mailbox == "a b");
  CHECK(good<RenameCommand>("a RENAME inbox old/").to == "old");
  CHECK(good<RenameCommand>("a RENAME inbox old/").from == "INBOX");
  bad("a RENAME x");
  CHECK(good<SubscribeCommand>("a SUBSCRIBE x").mailbox == "x");
  CHECK(good<UnsubscribeCommand>("a UNSUBSCRIBE x").mailbox == "x");
}

TEST_CASE("LIST and LSUB") {
  auto list = good<ListCommand>("a LIST \"\" *");
  CHECK(list.reference.empty());
  CHECK(list.patterns == std::vector<std::string>{"*"});
  CHECK_FALSE(list.extended);
  CHECK(good<ListCommand>("a LIST \"\" \"\"").patterns == std::vector<std::string>{""});
  CHECK(good<ListCommand>("a LIST &ZeVnLIqe-/ %/&ZeVnLIqe-").patterns[0] == "%/日本語");
  CHECK(good<ListCommand>("a LIST \"\" R&D*").patterns[0] == "R&D*");
  CHECK(good<ListCommand>("a LSUB \"\" %").lsub);
  bad("a LSUB (SUBSCRIBED) \"\" *");
  bad("a LSUB \"\" (a b)");
  bad("a LSUB \"\" * RETURN ()");

  auto extended = good<ListCommand>(
      "a LIST (SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE) \"\" (INBOX \"x%\" {1}\r\n*) RETURN "
      "(SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN))");
  CHECK(extended.extended);
  CHECK(extended.select_subscribed);
  CHECK(extended.select_remote);
  CHECK(extended.select_recursive_match);
  CHECK(extended.select_special_use);
  CHECK(extended.patterns == std::vector<std::string>{"INBOX", "x%", "*"});
  CHECK(extended.return_subscribed);
  CHECK(extended.return_children);
  CHECK(extended.return_special_use);
  CHECK(extended.return_status->has(StatusItem::Unseen));
  CHECK_FALSE(extended.return_status->has(StatusItem::Size));
  CHECK(good<ListCommand>("a LIST () \"\" %").extended);
  CHECK(good<ListCommand>("a LIST \"\" % RETURN ()").extended);
  bad("a LIST (RECURSIVEMATCH) \"\" %");
  bad("a LIST (FOO) \"\" %");
  bad("a LIST \"\" ()");
  bad("a LIST \"\" % RETURN (STATUS ())");
  bad("a LIST \"\" % RETURN (FOO)");
  bad("a LIST \"\" % RETURNS ()");
  bad("a LIST \"\"");
  bad("a LIST \"\" " + std::string(1001, '*'), ErrorCode::TooLarge);
}

TEST_CASE("STATUS") {
  auto status = good<StatusCommand>(
      "a STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ "
      "MAILBOXID)");
  CHECK(status.items.bits == 511);
  bad("a STATUS x ()");
  bad("a STATUS x MESSAGES");
  bad("a STATUS x (FOO)");
  bad("a STATUS (MESSAGES)");
}

std::string fetched(std::string_view what) {
  auto command = good<FetchCommand>("a FETCH 1 " + std::string(what));
  std::string text = std::to_string(command.items.attributes);
  for (auto& item : command.items.bodies) text += ' ' + request_label(item);
  return text;
}

TEST_CASE("FETCH") {
  CHECK(fetched("FLAGS") == "2");
  CHECK(fetched("fast") == "14");
  CHECK(fetched("ALL") == "15");
  CHECK(fetched("FULL") == "79");
  CHECK(fetched("(FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY MODSEQ EMAILID "
                "THREADID SAVEDATE)") == "2047");
  CHECK(fetched("BODY[]") == "0 BODY[]");
  CHECK(fetched("body.peek[header]<0.100>") == "0 BODY.PEEK[HEADER]<0.100>");
  CHECK(fetched("BODY[1.2.3]") == "0 BODY[1.2.3]");
  CHECK(fetched("BODY[1.2.MIME]") == "0 BODY[1.2.MIME]");
  CHECK(fetched("BODY[4.2.HEADER]") == "0 BODY[4.2.HEADER]");
  CHECK(fetched("BODY[4.TEXT]") == "0 BODY[4.TEXT]");
  CHECK(fetched("BODY[HEADER.FIELDS (From \"to\" {2}\r\ncc)]") ==
        "0 BODY[HEADER.FIELDS (From to cc)]");
  CHECK(fetched("BODY[1.HEADER.FIELDS.NOT (X)]<5.6>") == "0 BODY[1.HEADER.FIELDS.NOT (X)]<5.6>");
  CHECK(fetched("(RFC822 RFC822.HEADER RFC822.TEXT)") == "0 RFC822 RFC822.HEADER RFC822.TEXT");
  CHECK(fetched("(BINARY[1] BINARY.PEEK[2]<0.9> BINARY.SIZE[3] BINARY[])") ==
        "0 BINARY[1] BINARY.PEEK[2]<0.9> BINARY.SIZE[3] BINARY[]");
  CHECK(fetched("(BODY[] BODY[] FLAGS FLAGS)") == "2 BODY[]");  // once is enough
  CHECK(fetched("BODY[]<0.9223372036854775807>") == "0 BODY[]<0.9223372036854775807>");

  CHECK(good<FetchCommand>("a UID FETCH 1:* FLAGS").items.has(FetchAtt::Uid));
  auto changed = good<FetchCommand>("a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)");
  CHECK(changed.modifiers.changed_since == 12345);
  CHECK(changed.modifiers.vanished);
  CHECK(changed.items.has(FetchAtt::ModSeq));
  bad("a FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)");
  bad("a UID FETCH 1 (FLAGS) (VANISHED)");
  bad("a FETCH 1 (FLAGS) (FOO 1)");

  for (std::string_view what : {"",
                                "()",
                                "FOO",
                                "FLAGS UID",
                                "(FLAGS",
                                "(FLAGS )",
                                "BODY[",
                                "BODY[0]",
                                "BODY[1.]",
                                "BODY[1..2]",
                                "BODY[MIME]",
                                "BODY[FOO]",
                                "BODY[HEADER.FIELDS]",
                                "BODY[HEADER.FIELDS ()]",
                                "BODY[]<0>",
                                "BODY[]<0.0>",
                                "BODY[]<.1>",
                                "BODY[]<-1.1>",
                                "BODY[1 ]",
                                "BINARY[HEADER]",
                                "BINARY[1.MIME]",
                                "BINARY.SIZE[1]<0.1>",
                                "FLAGS[1]",
                                "RFC822.FOO",
                                "BODY.PEEK",
                                "ALLFLAGS",
                                "BODY[99999999999]"})
    bad("a FETCH 1 " + std::string(what));
  bad("a FETCH x FLAGS");
  bad("a FETCH 0 FLAGS");
  bad("a FETCH 1,,2 FLAGS");
  bad("a FETCH 1");
  std::string deep = "a FETCH 1 BODY[1";
  for (int i = 0; i < 100; ++i) deep += ".1";
  bad(deep + "]", ErrorCode::TooLarge);
  std::string many = "a FETCH 1 (BODY[1]";
  for (int i = 2; i < 203; ++i) many += " BODY[" + std::to_string(i) + "]";
  bad(many + ")", ErrorCode::TooLarge);

  CHECK(good<FetchCommand>("a FETCH 1 RFC822").items.sets_seen());
  CHECK_FALSE(
      good<FetchCommand>("a FETCH 1 (RFC822.HEADER BODY.PEEK[] BINARY.SIZE[1])").items.sets_seen());
  auto item = good<FetchCommand>("a FETCH 1 BODY.PEEK[1.HEADER.FIELDS (A B)]<7.9>").items.bodies[0];
  CHECK(response_label(item) == "BODY[1.HEADER.FIELDS (A B)]<7>");
}

TEST_CASE("STORE") {
  auto store = good<StoreCommand>("a STORE 1:3 +FLAGS.SILENT (\\Seen work)");
  CHECK(store.mode == StoreCommand::Mode::Add);
  CHECK(store.silent);
  CHECK(store.flags.keywords == std::vector<std::string>{"work"});
  CHECK(good<StoreCommand>("a STORE 1 FLAGS ()").flags.empty());
  CHECK(good<StoreCommand>("a STORE 1 -flags \\Seen \\Deleted").flags.system == 9);
  CHECK(good<StoreCommand>("a UID STORE 1 (UNCHANGEDSINCE 0) FLAGS \\Seen").unchanged_since == 0);
  bad("a STORE 1 FLAGS");
  bad("a STORE 1 FLAGS \\Foo");
  bad("a STORE 1 *FLAGS ()");
  bad("a STORE 1 FLAGS (\\Seen");
  bad("a STORE 1 FLAGS (\\Seen) x");
  bad("a STORE 1 (UNCHANGEDSINCE x) FLAGS ()");
  bad("a STORE 1 FLAGSX ()");
}

TEST_CASE("COPY, MOVE, EXPUNGE") {
  CHECK(good<CopyCommand>("a COPY 2:4 x").mailbox == "x");
  CHECK(good<CopyCommand>("a UID COPY $ x").set.is_saved_result());
  CHECK(good<MoveCommand>("a UID MOVE 2 inbox").mailbox == "INBOX");
  CHECK(good<ExpungeCommand>("a UID EXPUNGE 3:5").uids->to_string() == "3:5");
  bad("a UID EXPUNGE");
  bad("a EXPUNGE 3");
  bad("a COPY 1");
  bad("a MOVE x 1");
}

TEST_CASE("SEARCH") {
  search("ALL", "and(all)");
  search("answered DELETED draft FLAGGED recent SEEN",
         "and(\\Answered \\Deleted \\Draft \\Flagged \\Recent \\Seen)");
  search(
      "UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN OLD",
      "and(not(\\Answered) not(\\Deleted) not(\\Draft) not(\\Flagged) not(\\Seen) not(\\Recent))");
  search("NEW", "and(and(\\Recent not(\\Seen)))");
  search("KEYWORD $Junk UNKEYWORD work", "and(keyword:$Junk not(keyword:work))");
  search("FROM smith TO \"a b\" CC {1}\r\nx BCC \"\" SUBJECT s BODY b TEXT t",
         "and(from=smith to=a b cc=x bcc= subject=s body=b text=t)");
  search("HEADER X-Foo \"\" HEADER subject b", "and(header:X-Foo= header:subject=b)");
  search("BEFORE 1-Feb-1994 ON \"2-Feb-1994\" SINCE 3-Feb-1994",
         "and(<1-Feb-1994 =2-Feb-1994 >=3-Feb-1994)");
  search("SENTBEFORE 1-Feb-1994 SENTON 2-Feb-1994 SENTSINCE 3-Feb-1994",
         "and(sent<1-Feb-1994 sent=2-Feb-1994 sent>=3-Feb-1994)");
  search("SAVEDBEFORE 1-Feb-1994 SAVEDON 2-Feb-1994 SAVEDSINCE 3-Feb-1994 SAVEDATESUPPORTED",
         "and(saved<1-Feb-1994 saved=2-Feb-1994 saved>=3-Feb-1994 savedate?)");
  search("LARGER 0 SMALLER 5000000000 OLDER 60 YOUNGER 3600",
         "and(larger:0 smaller:5000000000 older:60 younger:3600)");
  search("MODSEQ 620162338", "and(modseq:620162338)");
  search("MODSEQ \"/flags/\\\\draft\" all 620162338", "and(modseq:620162338)");
  search("EMAILID M-_1 THREADID t2", "and(email:M-_1 thread:t2)");
  search("1:5,7 UID 3:* $ UID $", "and(1:5,7 uid:3:* $ uid:$)");
  search("OR SEEN (FLAGGED NOT DRAFT) NOT (1 2)",
         "and(or(\\Seen and(\\Flagged not(\\Draft))) not(and(1 2)))");
  search("OR OR SEEN DRAFT NOT NOT DELETED", "and(or(or(\\Seen \\Draft) not(not(\\Deleted))))");

  for (std::string_view arguments : {"",
                                     "FOO",
                                     "()",
                                     "(SEEN",
                                     "SEEN)",
                                     "NOT",
                                     "OR SEEN",
                                     "KEYWORD",
                                     "KEYWORD (x)",
                                     "FROM",
                                     "BEFORE x",
                                     "BEFORE 31-Feb-2000",
                                     "LARGER x",
                                     "LARGER -1",
                                     "OLDER 0",
                                     "YOUNGER 4294967296",
                                     "UID",
                                     "UID x",
                                     "1,",
                                     "SEEN  DRAFT",
                                     "SEEN ",
                                     "MODSEQ x",
                                     "MODSEQ \"a\" foo 1",
                                     "EMAILID",
                                     "EMAILID !",
                                     "HEADER x",
                                     "SEENX",
                                     "UNRECENT",
                                     "0",
                                     "RETURN SEEN",
                                     "RETURN (FOO) SEEN",
                                     "RETURN () ",
                                     "CHARSET",
                                     "CHARSET UTF-8"})
    bad("a SEARCH " + std::string(arguments));

  auto program =
      good<SearchCommand>(
          "a UID SEARCH RETURN (MIN max COUNT SAVE) CHARSET \"utf-8\" TEXT {2}\r\n\xc3\xa9")
          .program;
  CHECK(program.extended);
  CHECK(program.wants(SearchReturn::Save));
  CHECK_FALSE(program.wants(SearchReturn::All));
  CHECK(program.charset == "UTF-8");
  CHECK(program.key.children[0].text == "\xc3\xa9");
  CHECK(good<SearchCommand>("a SEARCH RETURN () SEEN").program.wants(SearchReturn::All));
}

TEST_CASE("SEARCH is bounded in depth, number and text") {
  auto nested = [](int depth) {
    return "a SEARCH " + std::string(static_cast<std::size_t>(depth), '(') + "SEEN" +
           std::string(static_cast<std::size_t>(depth), ')');
  };
  CHECK(parse(nested(49)).has_value());
  bad(nested(50), ErrorCode::TooLarge);
  bad(nested(30'000), ErrorCode::TooLarge);
  std::string nots = "a SEARCH ";
  for (int i = 0; i < 10'000; ++i) nots += "NOT ";
  bad(nots + "SEEN", ErrorCode::TooLarge);
  std::string many = "a SEARCH SEEN";
  for (int i = 0; i < 2'000; ++i) many += " SEEN";
  bad(many, ErrorCode::TooLarge);
  bad("a SEARCH TEXT " + std::string(1'001, 'x'), ErrorCode::TooLarge);
}

TEST_CASE("literals announced at the end of a line") {
  auto header = [](std::string_view line) { return literal_at_end(line); };
  CHECK(header("a {12}")->size == 12);
  CHECK(header("a {12}")->synchronizing);
  CHECK(header("a {12}")->begin == 2);
  CHECK_FALSE(header("a {12+}")->synchronizing);
  CHECK(header("a ~{12+}")->binary);
  CHECK(header("a ~{12}")->begin == 2);
  CHECK(header("{99999999999999999999}")->too_large);
  CHECK(header("{9223372036854775807}")->size == 9223372036854775807ULL);
  CHECK(header("{9223372036854775808}")->too_large);
  for (std::string_view line :
       {"", "}", "{}", "{+}", "12}", "{12", "{12-}", "{1 2}", "{12}x", "+}"})
    CHECK_MESSAGE(!header(line).has_value(), line);
}

}  // namespace
}  // namespace hikyaku::imap
