#include "smtp/command.h"

#include <doctest/doctest.h>

#include "smtp/parameters.h"

namespace hikyaku::smtp {
namespace {

template <class T>
T good(std::string_view line) {
  CAPTURE(line);
  auto command = parse_command(line);
  REQUIRE_MESSAGE(command, command.error().reply.to_string());
  REQUIRE(std::holds_alternative<T>(*command));
  return std::get<T>(std::move(*command));
}

void bad(std::string_view line, std::string_view reply_begins) {
  CAPTURE(line);
  auto command = parse_command(line);
  REQUIRE(!command);
  auto reply = command.error().reply.to_string();
  CHECK_MESSAGE(reply.starts_with(reply_begins), reply);
}

TEST_CASE("HELO and EHLO take what people and programs say") {
  CHECK(good<Helo>("HELO pc1").name == "pc1");
  CHECK(good<Ehlo>("EHLO [10.1.1.10]").name == "[10.1.1.10]");
  CHECK(good<Ehlo>("ehlo Mail.Example.org  ").name == "Mail.Example.org");
  CHECK(good<Ehlo>("EHLO my_pc.local").name == "my_pc.local");
  CHECK(good<Ehlo>("EHLO [IPv6:2001:db8::1]").name == "[IPv6:2001:db8::1]");
  bad("HELO <a.com>", "501 5.5.4 Use HELO host.name, without angle brackets");
  bad("EHLO <a.com>", "501 5.5.4 Use EHLO host.name, without angle brackets");
  bad("HELO", "501 5.5.4 Syntax: HELO host.name");
  bad("EHLO a b", "501 5.5.4 Syntax: EHLO host.name");
  bad("EHLO a(b", "501 5.5.4 Syntax: EHLO host.name");
  bad("EHLO \x8f\x52", "501 5.5.4 Syntax: EHLO host.name");
  bad("EHLO " + std::string(256, 'x'), "501 5.5.4 Syntax: EHLO host.name");
}

TEST_CASE("MAIL FROM") {
  CHECK(good<Mail>("MAIL FROM:<a@x.test>").from.to_string() == "a@x.test");
  CHECK(good<Mail>("mail from: <a@x.test>").from.to_string() == "a@x.test");  // typed by hand
  CHECK(good<Mail>("MAIL FROM:<>").from.is_null());
  CHECK(good<Mail>("MAIL FROM:<\"a b\"@x.test> SIZE=5").parameters.size == 5);
  auto all = good<Mail>(
      "MAIL FROM:<a@x.test> SIZE=1000 BODY=8bitmime SMTPUTF8 AUTH=<> RET=HDRS ENVID=a+2Bb");
  CHECK(all.parameters == MailParameters{.size = 1000,
                                         .body = Body::EightBitMime,
                                         .smtputf8 = true,
                                         .auth = "<>",
                                         .ret = Return::Headers,
                                         .envid = "a+b"});
  CHECK(good<Mail>("MAIL FROM:<a@x.test> AUTH=e+3Dmc2@example.com").parameters.auth ==
        "e=mc2@example.com");
  CHECK(good<Mail>("MAIL FROM:<a@x.test> SIZE=99999999999999999999").parameters.size == UINT64_MAX);
  bad("MAIL FROM <a@x.test>", "501 5.5.4 Syntax: MAIL FROM:<address>");
  bad("MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>");
  bad("MAIL FROM:", "501 5.5.4 Syntax: MAIL FROM:<address>");
  bad("MAIL TO:<a@x.test>", "501 5.5.4 Syntax: MAIL FROM:<address>");
  bad("MAIL FROM:<a@x.test>SIZE=1", "501 5.5.4 Syntax: MAIL FROM:<address>");
  bad("MAIL FROM:a@x.test", "501 5.5.4 The address must stand in angle brackets. Syntax: MAIL");
  bad("MAIL FROM:<a@x.test", "501 5.5.4 The address must stand in angle brackets");
  bad("MAIL FROM:<a>", "501 5.1.7 Bad sender address: there is no @");
  bad("MAIL FROM:<a@x.test> SIZE", "501 5.5.4 Bad value of SIZE");
  bad("MAIL FROM:<a@x.test> SIZE=-1", "501 5.5.4 Bad value of SIZE");
  bad("MAIL FROM:<a@x.test> SIZE=1 size=1", "501 5.5.4 The parameter SIZE stands twice");
  bad("MAIL FROM:<a@x.test> BODY=9BIT", "501 5.5.4 Bad value of BODY");
  bad("MAIL FROM:<a@x.test> SMTPUTF8=1", "501 5.5.4 Bad value of SMTPUTF8");
  bad("MAIL FROM:<a@x.test> RET=ALL", "501 5.5.4 Bad value of RET");
  bad("MAIL FROM:<a@x.test> ENVID=+4", "501 5.5.4 Bad value of ENVID");
  bad("MAIL FROM:<a@x.test> ENVID=+0A", "501 5.5.4 Bad value of ENVID");  // a line end smuggled in
  bad("MAIL FROM:<a@x.test> ENVID=" + std::string(101, 'x'), "501 5.5.4 Bad value of ENVID");
  bad("MAIL FROM:<a@x.test> REQUIRETLS", "555 5.5.4 Unknown parameter REQUIRETLS of MAIL FROM");
  bad("MAIL FROM:<a@x.test> HOLDFOR=10", "555 5.5.4 Unknown parameter HOLDFOR");
  bad("MAIL FROM:<a@x.test> =", "555 5.5.4");
}

TEST_CASE("RCPT TO") {
  CHECK(good<Rcpt>("RCPT TO:<b@x.test>").to.to_string() == "b@x.test");
  CHECK(good<Rcpt>("rcpt to:  <b@x.test>").to.to_string() == "b@x.test");
  CHECK(good<Rcpt>("RCPT TO:<Postmaster>").to.is_postmaster());
  auto all = good<Rcpt>("RCPT TO:<b@x.test> NOTIFY=success,DELAY ORCPT=rfc822;Bob+2Bx@y.test");
  CHECK(all.parameters.notify == Notify{.success = true, .delay = true});
  CHECK(all.parameters.orcpt == OriginalRecipient{"rfc822", "Bob+x@y.test"});
  CHECK(good<Rcpt>("RCPT TO:<b@x.test> NOTIFY=NEVER").parameters.notify == Notify{});
  bad("RCPT TO <b@x.test>", "501 5.5.4 Syntax: RCPT TO:<address>");
  bad("RCPT TO:b@x.test", "501 5.5.4 The address must stand in angle brackets. Syntax: RCPT TO");
  bad("RCPT TO:<>", "501 5.1.3 Bad recipient address");
  bad("RCPT TO:<b@x..test>", "501 5.1.3 Bad recipient address: the domain x..test");
  bad("RCPT TO:<b@x.test> NOTIFY=NEVER,DELAY", "501 5.5.4 Bad value of NOTIFY");
  bad("RCPT TO:<b@x.test> NOTIFY=", "501 5.5.4 Bad value of NOTIFY");
  bad("RCPT TO:<b@x.test> ORCPT=b@x.test", "501 5.5.4 Bad value of ORCPT");
  bad("RCPT TO:<b@x.test> SIZE=1", "555 5.5.4 Unknown parameter SIZE of RCPT TO");
}

TEST_CASE("the other commands") {
  CHECK(good<Bdat>("BDAT 100").size == 100);
  CHECK(!good<Bdat>("BDAT 100").last);
  CHECK(good<Bdat>("bdat 0 last").last);
  CHECK(good<Bdat>("BDAT 18446744073709551616").size == UINT64_MAX);  // octets follow all the same
  CHECK(good<Bdat>("BDAT 99999999999999999999999 LAST").last);
  bad("BDAT", "501 5.5.4 Syntax: BDAT");
  bad("BDAT x", "501 5.5.4 Syntax: BDAT");
  bad("BDAT 1 END", "501 5.5.4 Syntax: BDAT");
  good<Data>("data ");
  good<Rset>("RSET");
  good<Noop>("NOOP what ever");
  good<Quit>("quit");
  good<Starttls>("STARTTLS");
  bad("DATA now", "501 5.5.4 Syntax: DATA");
  bad("QUIT x", "501 5.5.4 Syntax: QUIT");
  CHECK(good<Vrfy>("VRFY ann").text == "ann");
  bad("VRFY", "501 5.5.4 Syntax: VRFY");
  CHECK(good<Help>("HELP").topic.empty());
  CHECK(good<Auth>("auth plain").mechanism == "PLAIN");
  CHECK(!good<Auth>("AUTH PLAIN").initial_response);
  CHECK(good<Auth>("AUTH PLAIN =").initial_response == "");
  CHECK(good<Auth>("AUTH SCRAM-SHA-256-PLUS abc=").initial_response == "abc=");
  bad("AUTH", "501 5.5.4 Syntax: AUTH");
  bad("AUTH PLAIN a b", "501 5.5.4 Syntax: AUTH");
  CHECK(good<Obsolete>("soml from:<a>").verb == "SOML");
  CHECK(good<Foreign>("GET / HTTP/1.1").verb == "GET");
  CHECK(good<Unknown>("BADGER").verb == "BADGER");
  CHECK(good<Unknown>("").verb.empty());
  CHECK(good<Unknown>(" EHLO x").verb.empty());
  CHECK(verb_of(Command{Unknown{}}) == Verb::Unknown);
  CHECK(verb_of(Command{Starttls{}}) == Verb::Starttls);
}

TEST_CASE("xtext and ORCPT there and back") {
  for (std::string text : {"", "plain", "a+b=c", "with space", "\xC3\xBC\r\n\x7f"})
    CHECK(decode_xtext(encode_xtext(text)) == text);
  CHECK(encode_xtext("a+b=c d") == "a+2Bb+3Dc+20d");
  for (auto text : {"+", "+2", "+2g", "+2b", "a=b", "a b"}) CHECK(!decode_xtext(text));
  auto orcpt = parse_orcpt("UTF-8;\\x{676F}@\\x{E9}.test");
  REQUIRE(orcpt);
  CHECK(orcpt->type == "UTF-8");  // passed on as it came (RFC 3461 §5.2.1 (d))
  CHECK(orcpt->address == "\xE6\x9D\xAF@\xC3\xA9.test");
  CHECK(format_orcpt(*orcpt, false) == "UTF-8;\\x{676F}@\\x{E9}.test");
  CHECK(format_orcpt(*orcpt, true) == "UTF-8;\xE6\x9D\xAF@\xC3\xA9.test");
  CHECK(parse_orcpt(format_orcpt(*orcpt, false)) == *orcpt);
  CHECK(parse_orcpt(format_orcpt(*orcpt, true)) == *orcpt);
  OriginalRecipient odd{"utf-8", "a b+c=\\@\xF0\x9F\x98\x80.test"};
  CHECK(parse_orcpt(format_orcpt(odd, false)) == odd);
  CHECK(parse_orcpt(format_orcpt(odd, true)) == odd);
  for (auto text : {"", ";a", "rfc822;", "rfc822", "utf-8;\\x{D800}", "utf-8;\\x{110000}",
                    "utf-8;\\x41", "utf-8;\xC3", "rfc822;+C3", "rfc822;+0D+0A"}) {
    CAPTURE(text);
    CHECK(!parse_orcpt(text));
  }
}

}  // namespace
}  // namespace hikyaku::smtp
