#include <doctest/doctest.h>

#include "pop3/command.h"
#include "pop3/replies.h"
#include "pop3/response_parser.h"
#include "pop3/rules.h"
#include "testing/every_split.h"

namespace hikyaku::pop3 {
namespace {

template <class T>
T good(std::string_view line) {
  CAPTURE(line);
  auto command = parse_command(line);
  REQUIRE_MESSAGE(command.has_value(), command.error().text);
  REQUIRE(std::holds_alternative<T>(*command));
  return std::get<T>(*command);
}

void bad(std::string_view line) {
  CAPTURE(line);
  CHECK_FALSE(parse_command(line).has_value());
}

TEST_CASE("commands") {
  for (std::string_view line : {"QUIT", "stat", "Noop", "RSET", "CAPA", "STLS", "UTF8", "QUIT ",
                                "LIST", "UIDL", "AUTH", "LANG"})
    CHECK_MESSAGE(parse_command(line).has_value(), line);
  CHECK(good<UserCommand>("USER fred@a.test").name == "fred@a.test");
  CHECK(good<UserCommand>("user  two words ").name == "two words");
  CHECK(good<PassCommand>("PASS  a b ").password == " a b ");  // spaces belong to it
  CHECK(good<PassCommand>("PASS \xc3\xa9").password == "\xc3\xa9");
  CHECK(good<ApopCommand>("APOP mrose C4C9334bac560ecc979e58001b3e22fb").digest ==
        "c4c9334bac560ecc979e58001b3e22fb");
  CHECK(good<AuthCommand>("AUTH plain AGEAYg==").mechanism == "PLAIN");
  CHECK(*good<AuthCommand>("AUTH PLAIN =").initial_response == "=");
  CHECK(good<AuthCommand>("AUTH").mechanism.empty());
  CHECK(good<RetrCommand>("RETR 4294967295").message == 4294967295);
  CHECK(good<DeleCommand>("DELE  7 ").message == 7);
  CHECK(good<ListCommand>("LIST 3").message == 3);
  CHECK_FALSE(good<UidlCommand>("UIDL").message.has_value());
  CHECK(good<TopCommand>("TOP 1 0").lines == 0);
  CHECK(good<TopCommand>("top 1 5000000000").lines == 5000000000);
  CHECK(good<LangCommand>("LANG ja").tag == "ja");

  bad("");
  bad(" ");
  bad("FOO");
  bad("QUITX");
  bad("STAT 1");
  bad("USER");
  bad("USER ");
  bad("PASS");
  bad("PASS ");
  bad("APOP mrose");
  bad("APOP mrose c4c9334bac560ecc979e58001b3e22f");  // 31 digits
  bad("APOP mrose c4c9334bac560ecc979e58001b3e22fx");
  bad("APOP a b c4c9334bac560ecc979e58001b3e22fb");
  bad("AUTH PLAIN a!b");
  bad("AUTH PLAIN a b");
  bad("RETR");
  bad("RETR 0");
  bad("RETR -1");
  bad("RETR 1 2");
  bad("RETR 4294967296");
  bad("TOP 1");
  bad("TOP 1 -1");
  bad("TOP 1 x");
  bad("LIST x");
  bad("NO\rOP");
  bad(std::string_view("NOOP\0", 5));
}

std::string read_lines(std::string_view first, std::string_view second, std::size_t limit = 10) {
  LineReader reader(limit);
  std::string text;
  for (auto piece : {first, second}) {
    while (true) {
      auto event = reader.next(piece);
      if (event == LineReader::Event::NeedMore) break;
      text += event == LineReader::Event::TooLong ? "!" : std::string(reader.line());
      text += '|';
    }
  }
  return text;
}

TEST_CASE("lines at every split") {
  auto same = [](std::string_view input, std::string_view expected) {
    testing::every_split(
        input, [&](auto first, auto second) { REQUIRE(read_lines(first, second) == expected); });
  };
  same("STAT\r\nQUIT\r\n", "STAT|QUIT|");
  same("STAT\nQUIT\n", "STAT|QUIT|");
  same("\r\n\n", "||");
  same("1234567890\r\nx\r\n", "1234567890|x|");
  same("12345678901\r\nx\r\n", "!|x|");
  same("123456789012345678901234567890\r\nx\r\n", "!|x|");
  same("a\rb\r\n", "a\rb|");
  same("no end", "");
}

std::string stuffed(std::string_view first, std::string_view second,
                    std::uint64_t lines = DotStuffer::kAllLines) {
  DotStuffer stuffer(lines);
  std::string out;
  stuffer.add(first, out);
  stuffer.add(second, out);
  stuffer.finish(out);
  return out;
}

TEST_CASE("dot-stuffing at every split, and back") {
  auto both = [](std::string_view message, std::string_view wire, std::string_view back) {
    testing::every_split(message,
                         [&](auto first, auto second) { REQUIRE(stuffed(first, second) == wire); });
    auto whole = std::string(wire) + "+OK";
    testing::every_split(whole, [&](auto first, auto second) {
      BodyDecoder decoder;
      std::string out;
      bool done = decoder.next(first, out);
      std::string left(first);
      if (!done) {
        REQUIRE(first.empty());
        REQUIRE(decoder.next(second, out));
        left.clear();
      }
      left += second;
      REQUIRE(out == back);
      REQUIRE(left == "+OK");
    });
  };
  both("", ".\r\n", "");
  both("a: b\r\n\r\n.\r\n", "a: b\r\n\r\n..\r\n.\r\n", "a: b\r\n\r\n.\r\n");
  both(".", "..\r\n.\r\n", ".\r\n");
  both("..a\r\n.b", "...a\r\n..b\r\n.\r\n", "..a\r\n.b\r\n");
  both("a\n.b\n", "a\r\n..b\r\n.\r\n", "a\r\n.b\r\n");  // bare LF
  both("a\r.b\r", "a\r\n..b\r\n.\r\n", "a\r\n.b\r\n");  // bare CR
  both("a\r\n\r\nb", "a\r\n\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n");
  both("\r\n", "\r\n.\r\n", "\r\n");
}

TEST_CASE("TOP sends the header, the empty line and so many lines") {
  std::string_view message = "A: 1\r\nB: 2\r\n\r\none\r\n.two\r\nthree";
  auto top = [&](std::uint64_t lines, std::string_view expected) {
    testing::every_split(message, [&](auto first, auto second) {
      REQUIRE(stuffed(first, second, lines) == std::string(expected) + ".\r\n");
    });
  };
  top(0, "A: 1\r\nB: 2\r\n\r\n");
  top(1, "A: 1\r\nB: 2\r\n\r\none\r\n");
  top(2, "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n");
  top(3, "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\nthree\r\n");
  top(99, "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\nthree\r\n");
  DotStuffer stuffer(0);
  std::string out;
  stuffer.add(message, out);
  CHECK(stuffer.done());  // there is no need to read the body
  message = "no body";
  top(5, "no body\r\n");
}

std::string reply(const Reply& what) {
  std::string out;
  append_reply(out, what);
  return out;
}

TEST_CASE("replies are one line") {
  CHECK(reply(ok("")) == "+OK\r\n");
  CHECK(reply(ok("2 messages")) == "+OK 2 messages\r\n");
  CHECK(reply(mailbox_in_use()) == "-ERR [IN-USE] another session has this mailbox\r\n");
  CHECK(reply(err("x\r\n+OK\xff")) == "-ERR x  +OK?\r\n");
  CHECK(reply(err("[AUTH] no")) == "-ERR (AUTH] no\r\n");
  CHECK(reply(greeting("a.test", "<1.2@a.test>")) == "+OK a.test ready <1.2@a.test>\r\n");
  CHECK(reply(reply_for(Error{ErrorCode::Unavailable, "busy", nullptr})) ==
        "-ERR [SYS/TEMP] busy\r\n");
  CHECK(
      reply(reply_for(Error{ErrorCode::Corrupt, "body 7 cannot be read", nullptr})) ==
      "-ERR [SYS/PERM] this message is damaged on the server; the administrator has been told\r\n");
}

TEST_CASE("what is allowed when") {
  CapabilitySettings settings;
  Session session;
  auto refused = [&](std::string_view line) {
    auto answer = check(session, settings, *parse_command(line));
    return answer ? reply(*answer) : "";
  };
  CHECK(refused("USER x").starts_with("-ERR [SYS/PERM] STLS first"));
  CHECK(refused("PASS x").starts_with("-ERR [SYS/PERM] STLS first"));
  CHECK(refused("STAT") == "-ERR STAT: log in first\r\n");
  CHECK(refused("QUIT").empty());
  CHECK(refused("CAPA").empty());
  CHECK(refused("STLS").empty());
  CHECK(refused("AUTH PLAIN").empty());  // the mechanism decides
  CHECK(refused("UTF8") == "-ERR UTF8 is switched off\r\n");
  CHECK(refused("APOP x c4c9334bac560ecc979e58001b3e22fb").starts_with("-ERR [SYS/PERM]"));
  session.tls = true;
  CHECK(refused("STLS") == "-ERR TLS is on already\r\n");
  CHECK(refused("USER x").empty());
  CHECK(refused("PASS x") == "-ERR USER first\r\n");
  session.user = "x";
  CHECK(refused("PASS x").empty());
  session.phase = Phase::Transaction;
  CHECK(refused("USER x") == "-ERR USER: you are logged in already\r\n");
  CHECK(refused("RETR 1").empty());
  session.phase = Phase::Update;
  CHECK(refused("NOOP") == "-ERR the session is ending\r\n");
  for (std::string_view name :
       {"APOP", "AUTH", "CAPA", "DELE", "LANG", "LIST", "NOOP", "PASS", "QUIT", "RETR", "RSET",
        "STAT", "STLS", "TOP", "UIDL", "USER", "UTF8"})
    CHECK_MESSAGE(rule_of(find_verb(name)).verb == find_verb(name), name);
}

TEST_CASE("CAPA by state") {
  CapabilitySettings settings;
  settings.mechanisms = {"PLAIN", "SCRAM-SHA-256-PLUS"};
  settings.mechanisms_on_loopback = {"PLAIN", "SCRAM-SHA-256"};
  settings.mechanisms_without_tls = {"SCRAM-SHA-256"};
  Session session;
  auto list = [&] {
    std::string text;
    for (auto& line : capabilities(session, settings)) text += line + "|";
    return text;
  };
  CHECK(list() ==
        "TOP|UIDL|RESP-CODES|AUTH-RESP-CODE|PIPELINING|STLS|SASL SCRAM-SHA-256|EXPIRE "
        "NEVER|IMPLEMENTATION Hikyaku|");
  CHECK_FALSE(mechanism_offered(session, settings, "PLAIN"));
  session.plaintext_allowed = true;
  CHECK(list() ==
        "TOP|UIDL|RESP-CODES|AUTH-RESP-CODE|PIPELINING|STLS|USER|SASL PLAIN SCRAM-SHA-256|EXPIRE "
        "NEVER|IMPLEMENTATION Hikyaku|");
  session.tls = true;
  CHECK(list() ==
        "TOP|UIDL|RESP-CODES|AUTH-RESP-CODE|PIPELINING|USER|SASL PLAIN SCRAM-SHA-256-PLUS|EXPIRE "
        "NEVER|IMPLEMENTATION Hikyaku|");
  CHECK(mechanism_offered(session, settings, "PLAIN"));
}

TEST_CASE("a client reads replies") {
  auto status = [](std::string_view line) {
    auto parsed = parse_status(line);
    if (!parsed) return std::string("?");
    return std::to_string(static_cast<int>(parsed->kind)) + parsed->code + ":" + parsed->text;
  };
  CHECK(status("+OK") == "0:");
  CHECK(status("+OK hello") == "0:hello");
  CHECK(status("+ok hello") == "0:hello");
  CHECK(status("-ERR [in-use] busy") == "1IN-USE:busy");
  CHECK(status("-ERR [broken") == "1:[broken");
  CHECK(status("+ YWJj") == "2:YWJj");
  CHECK(status("+") == "2:");
  CHECK(status("OK") == "?");
  CHECK(status("+OKAY") == "?");
  CHECK(status("") == "?");
  CHECK(apop_timestamp("+OK x <1896.697170952@dbc.mtview.ca.us>").value() ==
        "<1896.697170952@dbc.mtview.ca.us>");
  CHECK_FALSE(apop_timestamp("+OK <hello> there").has_value());
  CHECK_FALSE(apop_timestamp("+OK").has_value());
  auto line = parse_numbered("3 120 extra");
  REQUIRE(line.has_value());
  CHECK(line->number == 3);
  CHECK(line->value == "120");
  CHECK_FALSE(parse_numbered("x 1").has_value());
  CHECK_FALSE(parse_numbered("3").has_value());
}

}  // namespace
}  // namespace hikyaku::pop3
