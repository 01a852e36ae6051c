#include "imap/response.h"

#include <doctest/doctest.h>

#include "imap/date.h"
#include "imap/response_data.h"

namespace hikyaku::imap {
namespace {

NumberSet numbers(std::string_view text) {
  return SequenceSet::parse(text)->resolve(0);
}

template <class Write>
std::string written(Write write) {
  std::string out;
  write(out);
  return out;
}

TEST_CASE("FETCH, item by item, and our client reads it back") {
  std::string out;
  FetchResponse fetch(out, 12);
  fetch.uid(5);
  fetch.flags(bit(Flag::Seen) | bit(Flag::Recent), {"$x"});
  fetch.modseq(77);
  fetch.internal_date(*parse_date_time("17-Jul-1996 02:44:25 -0700"));
  fetch.rfc822_size(5'000'000'000);
  fetch.email_id("M1");
  fetch.thread_id("");
  fetch.save_date(std::nullopt);
  fetch.envelope("(NIL NIL)");
  fetch.body_structure("(\"TEXT\" \"PLAIN\")");
  fetch.number("BINARY.SIZE[1]", 7);
  fetch.nil("BODY[9]");
  fetch.literal("BODY[TEXT]", "a\r\n)");
  fetch.begin_literal8("BINARY[1]", 1);
  out += '\0';
  fetch.end();
  std::string expected =
      "* 12 FETCH (UID 5 FLAGS (\\Seen \\Recent $x) MODSEQ (77) INTERNALDATE "
      "\"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE 5000000000 EMAILID (M1) THREADID NIL SAVEDATE "
      "NIL "
      "ENVELOPE (NIL NIL) BODYSTRUCTURE (\"TEXT\" \"PLAIN\") BINARY.SIZE[1] 7 BODY[9] NIL "
      "BODY[TEXT] "
      "{4}\r\na\r\n) BINARY[1] ~{1}\r\n";
  expected += '\0';
  CHECK(out == expected + ")\r\n");

  ResponseParser parser;
  std::string_view input = out;
  std::string content;
  ResponseParser::Event event;
  while ((event = parser.next(input)) != ResponseParser::Event::Response) {
    REQUIRE(event != ResponseParser::Event::Fatal);
    REQUIRE(event != ResponseParser::Event::NeedMore);
    if (event == ResponseParser::Event::ContentData) content += parser.data();
  }
  CHECK(content == std::string("a\r\n)\0", 5));
  auto data = read_fetch(parser.response()).value();
  CHECK(data.uid == 5);
  CHECK(data.size == 5'000'000'000);
  CHECK(data.flags->keywords == std::vector<std::string>{"$x"});
}

TEST_CASE("numbers that change") {
  CHECK(written([](auto& out) { append_exists(out, 23); }) == "* 23 EXISTS\r\n");
  CHECK(written([](auto& out) { append_recent(out, 0); }) == "* 0 RECENT\r\n");
  CHECK(written([](auto& out) { append_expunge(out, 3); }) == "* 3 EXPUNGE\r\n");
  CHECK(written([](auto& out) { append_vanished(out, numbers("3:5,9"), true); }) ==
        "* VANISHED (EARLIER) 3:5,9\r\n");
  CHECK(written([](auto& out) { append_vanished(out, {}, false); }).empty());
}

TEST_CASE("lists of mailboxes") {
  auto list = [](ListEntry entry, NameForm form = NameForm::Utf7) {
    return written([&](auto& out) { append_list(out, entry, form); });
  };
  CHECK(list({"INBOX", {"\\HasNoChildren"}, {}}) == "* LIST (\\HasNoChildren) \"/\" INBOX\r\n");
  CHECK(list({"日本語", {}, {}}) == "* LIST () \"/\" &ZeVnLIqe-\r\n");
  CHECK(list({"日本語", {}, {}}, NameForm::Utf8) == "* LIST () \"/\" \"日本語\"\r\n");
  CHECK(list({"a \"b\"", {"\\A", "\\B"}, {"SUBSCRIBED"}}) ==
        "* LIST (\\A \\B) \"/\" \"a \\\"b\\\"\" (CHILDINFO (\"SUBSCRIBED\"))\r\n");
  CHECK(list({"x\r\n* BYE", {}, {}}) == "* LIST () \"/\" \"x&AA0ACg-* BYE\"\r\n");
  CHECK(written([](auto& out) { append_list_root(out); }) == "* LIST (\\Noselect) \"/\" \"\"\r\n");
  CHECK(written([](auto& out) { append_namespace(out); }) ==
        "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
}

TEST_CASE("STATUS writes what was asked for") {
  StatusValues values{1, 2, 3, 4, 5, 6, 7, 8, "F1"};
  StatusItems all{511}, some{};
  some.add(StatusItem::UidNext);
  CHECK(written([&](auto& out) { append_status(out, "a b", NameForm::Utf7, all, values); }) ==
        "* STATUS \"a b\" (MESSAGES 1 RECENT 2 UIDNEXT 3 UIDVALIDITY 4 UNSEEN 5 DELETED 6 SIZE 7 "
        "HIGHESTMODSEQ 8 MAILBOXID (F1))\r\n");
  CHECK(written([&](auto& out) { append_status(out, "x", NameForm::Utf7, some, values); }) ==
        "* STATUS x (UIDNEXT 3)\r\n");
}

TEST_CASE("SEARCH and ESEARCH") {
  SearchProgram program;
  auto whole = [&](SearchResponse::Form form, NumberSet found,
                   std::optional<std::uint64_t> modseq) {
    SearchResponse response(form, std::move(found), modseq);
    return written([&](auto& out) {
      response.begin(out, "a\"1", true, program);
      while (response.append_some(out)) {
      }
      response.end(out);
    });
  };
  auto search = [&](std::string_view set, std::optional<std::uint64_t> modseq = std::nullopt) {
    return whole(SearchResponse::Form::Search, set.empty() ? NumberSet() : numbers(set), modseq);
  };
  CHECK(search("") == "* SEARCH\r\n");
  CHECK(search("1:3,7") == "* SEARCH 1 2 3 7\r\n");
  CHECK(search("7", 9) == "* SEARCH 7 (MODSEQ 9)\r\n");
  CHECK(search("", 9) == "* SEARCH\r\n");
  CHECK(search("4294967295") == "* SEARCH 4294967295\r\n");

  program.options = 15;
  auto esearch = [&](NumberSet found, std::optional<std::uint64_t> modseq = std::nullopt) {
    return whole(SearchResponse::Form::ESearch, std::move(found), modseq);
  };
  CHECK(esearch(numbers("2,8:9"), 5) ==
        "* ESEARCH (TAG \"a\\\"1\") UID MIN 2 MAX 9 COUNT 3 MODSEQ 5 ALL 2,8:9\r\n");
  CHECK(esearch({}, 5) == "* ESEARCH (TAG \"a\\\"1\") UID COUNT 0\r\n");
  program.options = 0;
  CHECK(esearch(numbers("4")) == "* ESEARCH (TAG \"a\\\"1\") UID ALL 4\r\n");
  program.options = static_cast<std::uint8_t>(SearchReturn::All);
  CHECK(esearch({}) == "* ESEARCH (TAG \"a\\\"1\") UID\r\n");

  // In pieces, whose ends are not seen.
  std::string all;
  for (int i = 1; i <= 5'000; ++i) all += " " + std::to_string(i);
  CHECK(search("1:5000") == "* SEARCH" + all + "\r\n");
  NumberSet odd;
  std::string odds;
  for (int i = 1; i <= 5'000; i += 2) {
    odd.add(static_cast<std::uint32_t>(i));
    odds += (odds.empty() ? "" : ",") + std::to_string(i);
  }
  CHECK(esearch(odd) == "* ESEARCH (TAG \"a\\\"1\") UID ALL " + odds + "\r\n");
}

TEST_CASE("FLAGS, PERMANENTFLAGS, ID, ENABLED, CAPABILITY") {
  CHECK(written([](auto& out) { append_mailbox_flags(out, {"w"}); }) ==
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft w)\r\n");
  CHECK(permanent_flags({"w"}, true, true).code ==
        "PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft w \\*)");
  CHECK(permanent_flags({}, false, true).code == "PERMANENTFLAGS ()");
  CHECK(written([](auto& out) { append_id(out, {{"name", "x"}, {"os", std::nullopt}}); }) ==
        "* ID (\"name\" \"x\" \"os\" NIL)\r\n");
  CHECK(written([](auto& out) { append_id(out, {}); }) == "* ID NIL\r\n");
  CHECK(written([](auto& out) { append_enabled(out, {"CONDSTORE"}); }) ==
        "* ENABLED CONDSTORE\r\n");
  CHECK(written([](auto& out) { append_capability(out, "IMAP4rev1"); }) ==
        "* CAPABILITY IMAP4rev1\r\n");
}

}  // namespace
}  // namespace hikyaku::imap
