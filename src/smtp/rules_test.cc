#include "smtp/rules.h"

#include <doctest/doctest.h>

#include "smtp/replies.h"

namespace hikyaku::smtp {
namespace {

/// A session whose driver does what the rules allow and refuses nothing itself.
struct Server {
  Settings settings;
  Session session{settings};

  explicit Server(Settings s) : settings(std::move(s)) {}

  /// What is answered to `line`; allowed commands are carried out.
  std::string say(std::string_view line) {
    auto command = parse_command(line);
    if (!command) return counted(command.error().verb, command.error().reply);
    auto verb = verb_of(*command);
    if (auto refusal = check(session, *command)) return counted(verb, *refusal);
    return counted(verb, carry_out(*std::move(command)));
  }

  std::string counted(Verb verb, const Reply& reply) {
    auto instead = session.count(verb, reply);
    return (instead ? *instead : reply).to_string();
  }

  Reply carry_out(Command command) {
    if (auto* hello = std::get_if<Ehlo>(&command)) {
      auto name = hello->name;
      session.said_hello(name, true);
      return hello_reply(session, command);
    }
    if (auto* hello = std::get_if<Helo>(&command)) {
      session.said_hello(hello->name, false);
      return hello_reply(session, command);
    }
    if (auto* mail = std::get_if<Mail>(&command)) session.begin(std::move(*mail));
    if (auto* rcpt = std::get_if<Rcpt>(&command)) {
      if (rcpt->to.domain == "no.test") return replies::unknown_recipient(rcpt->to.to_string());
      if (rcpt->to.domain == "later.test") return replies::no_space();
      session.add_recipient(std::move(*rcpt));
    }
    if (std::holds_alternative<Data>(command)) session.end_transaction();
    if (auto* bdat = std::get_if<Bdat>(&command)) {
      session.transaction()->chunks_begun = true;
      if (bdat->size == 0 && !bdat->last) session.moved_nothing();
      if (bdat->last) session.end_transaction();
    }
    if (std::holds_alternative<Rset>(command)) session.end_transaction();
    if (std::holds_alternative<Starttls>(command)) session.started_tls();
    if (std::holds_alternative<Auth>(command)) session.logged_in("ann");
    return replies::ok();
  }
};

Settings mx() {
  Settings settings;
  settings.host_name = "mx.test";
  settings.max_size = 1000;
  settings.starttls = true;
  return settings;
}

Settings submission() {
  Settings settings = mx();
  settings.flavour = Flavour::Submission;
  settings.mechanisms_under_tls = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"};
  return settings;
}

/// One exchange a row: what is said, how the answer begins.
using Dialogue = std::vector<std::pair<std::string_view, std::string_view>>;
void run(Server server, const Dialogue& dialogue) {
  for (auto [line, answer] : dialogue) {
    CAPTURE(line);
    auto got = server.say(line);
    CHECK_MESSAGE(got.starts_with(answer), got);
  }
}

TEST_CASE("the order of commands") {
  run(Server(mx()), {
                        {"MAIL FROM:<a@x.test>", "503 5.5.1 Say EHLO"},
                        {"RCPT TO:<b@y.test>", "503 5.5.1 Say EHLO"},
                        {"DATA", "503 5.5.1 Say EHLO"},
                        {"NOOP", "250"},
                        {"RSET", "250"},
                        {"VRFY ann", "250"},
                        {"EHLO c.test", "250 mx.test"},
                        {"RCPT TO:<b@y.test>", "503 5.5.1 MAIL FROM:<address> must come first"},
                        {"DATA", "503 5.5.1 MAIL"},
                        {"MAIL FROM:<a@x.test>", "250"},
                        {"MAIL FROM:<a@x.test>", "503 5.5.1 There is a sender already"},
                        {"DATA", "503 5.5.1 RCPT TO:<address> must come first"},
                        {"STARTTLS", "503 5.5.1 STARTTLS cannot come within a message"},
                        {"RCPT TO:<b@no.test>", "550 5.1.1"},
                        {"DATA", "554 5.5.1 No recipient was accepted"},
                        {"RCPT TO:<b@later.test>", "452"},
                        {"DATA", "451 4.5.1"},
                        {"RCPT TO:<b@y.test>", "250"},
                        {"DATA", "250"},
                        {"DATA", "503 5.5.1 MAIL"},
                    });
}

TEST_CASE("RSET and EHLO end a transaction") {
  for (auto ending : {"RSET", "EHLO c.test", "HELO c.test"}) {
    run(Server(mx()), {
                          {"HELO c.test", "250 mx.test"},
                          {"MAIL FROM:<>", "250"},
                          {"RCPT TO:<b@y.test>", "250"},
                          {ending, "250"},
                          {"DATA", "503 5.5.1 MAIL"},
                      });
  }
}

TEST_CASE("chunks") {
  auto settings = mx();
  run(Server(settings), {
                            {"EHLO c.test", "250"},
                            {"BDAT 10 LAST", "503 5.5.1 MAIL"},
                            {"MAIL FROM:<a@x.test>", "250"},
                            {"BDAT 10", "503 5.5.1 RCPT"},
                            {"RCPT TO:<b@y.test>", "250"},
                            {"BDAT 10", "503 5.5.1 A chunk of this message was refused"},
                            {"RSET", "250"},
                            {"MAIL FROM:<a@x.test>", "250"},
                            {"RCPT TO:<b@y.test>", "250"},
                            {"BDAT 10", "250"},
                            {"RCPT TO:<b@y.test>", "503 5.5.1 RCPT cannot come between BDAT"},
                            {"DATA", "503 5.5.1 DATA cannot come between BDAT"},
                            {"NOOP", "250"},
                            {"BDAT 10 LAST", "250"},
                            {"MAIL FROM:<a@x.test> BODY=BINARYMIME", "555 5.5.4"},
                        });
  settings.binary_mime = true;
  run(Server(settings), {
                            {"EHLO c.test", "250"},
                            {"MAIL FROM:<a@x.test> BODY=BINARYMIME", "250"},
                            {"RCPT TO:<b@y.test>", "250"},
                            {"DATA", "503 5.5.1 BODY=BINARYMIME needs BDAT"},
                            {"BDAT 1 LAST", "250"},
                        });
  settings.chunking = false;
  run(Server(settings), {{"EHLO c.test", "250"}, {"BDAT 1", "502 5.5.1"}});
}

TEST_CASE("what is too much") {
  auto settings = mx();
  settings.max_recipients = 2;
  settings.smtputf8 = false;
  settings.dsn = false;
  run(Server(settings), {
                            {"EHLO c.test", "250"},
                            {"MAIL FROM:<a@x.test> SIZE=1001", "552 5.3.4"},
                            {"MAIL FROM:<a@x.test> SMTPUTF8", "555 5.5.4"},
                            {"MAIL FROM:<a@x.test> RET=FULL", "555 5.5.4"},
                            {"MAIL FROM:<a@x.test> SIZE=1000", "250"},
                            {"RCPT TO:<1@y.test> NOTIFY=NEVER", "555 5.5.4"},
                            {"RCPT TO:<1@y.test>", "250"},
                            {"RCPT TO:<2@y.test>", "250"},
                            {"RCPT TO:<3@y.test>", "452 4.5.3"},
                            {"DATA", "250"},
                        });
}

TEST_CASE("who is named twice is one recipient, and counts as two") {
  auto settings = mx();
  settings.max_recipients = 7;
  Server server(settings);
  for (auto line : {"EHLO c.test", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>",
                    "RCPT TO:<b@Y.test>", "RCPT TO:<b@y.test>"})
    CHECK(server.say(line).starts_with("250"));
  auto& recipients = server.session.transaction()->recipients;
  CHECK(recipients.size() == 1);
  for (auto line : {"RCPT TO:<B@y.test>", "RCPT TO:<b@y.test> NOTIFY=NEVER",
                    "RCPT TO:<b@y.test> NOTIFY=FAILURE ORCPT=rfc822;c@y.test",
                    "RCPT TO:<b@y.test> NOTIFY=NEVER"})
    CHECK(server.say(line).starts_with("250"));
  CHECK(recipients.size() == 4);
  CHECK(server.say("RCPT TO:<b@y.test>").starts_with("452 4.5.3"));
  for (auto line : {"RSET", "MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>"})
    CHECK(server.say(line).starts_with("250"));
  CHECK(server.session.transaction()->recipients.size() == 1);
}

TEST_CASE("UTF-8 addresses need SMTPUTF8") {
  run(Server(mx()), {
                        {"EHLO c.test", "250"},
                        {"MAIL FROM:<\xC3\xBC@x.test>", "553 5.6.7"},
                        {"MAIL FROM:<a@x.test>", "250"},
                        {"RCPT TO:<\xC3\xBC@y.test>", "553 5.6.7"},
                        {"RSET", "250"},
                        {"MAIL FROM:<\xC3\xBC@x.test> SMTPUTF8", "250"},
                        {"RCPT TO:<\xC3\xBC@y.test>", "250"},
                    });
}

TEST_CASE("no login and no TLS where they are not offered") {
  auto settings = mx();
  settings.starttls = false;
  run(Server(settings), {
                            {"EHLO c.test", "250"},
                            {"AUTH PLAIN", "502 5.5.1 No login on this port"},
                            {"STARTTLS", "502 5.5.1"},
                        });
}

TEST_CASE("submission") {
  run(Server(submission()),
      {
          {"EHLO c.test", "250"},
          {"MAIL FROM:<a@x.test>", "530 5.7.0 Log in first: STARTTLS, then AUTH"},
          {"VRFY ann", "530 5.7.0"},
          {"AUTH PLAIN", "538 5.7.11"},
          {"AUTH SCRAM-SHA-256", "538 5.7.11"},
          {"STARTTLS", "250"},
          {"MAIL FROM:<a@x.test>", "530 5.7.0 Log in first: AUTH"},
          {"AUTH PLAIN", "503 5.5.1 Say EHLO"},  // STARTTLS has made everything be forgotten
          {"EHLO c.test", "250"},
          {"STARTTLS", "503 5.5.1 TLS is on"},
          {"AUTH CRAM-MD5", "504 5.5.4 Unknown mechanism; these are offered: SCRAM-SHA-256-PLUS"},
          {"AUTH PLAIN", "250"},
          {"AUTH PLAIN", "503 5.5.1 You are logged in"},
          {"MAIL FROM:<a@x.test>", "250"},
          {"AUTH PLAIN", "503 5.5.1 AUTH cannot come within a message"},
      });
}

TEST_CASE("TLS may be asked for first") {
  auto settings = mx();
  settings.require_tls = true;
  run(Server(settings), {
                            {"EHLO c.test", "250"},
                            {"NOOP", "250"},
                            {"MAIL FROM:<a@x.test>", "530 5.7.0 STARTTLS"},
                            {"STARTTLS", "250"},
                            {"EHLO c.test", "250"},
                            {"MAIL FROM:<a@x.test>", "250"},
                        });
}

TEST_CASE("programs on this machine need no HELO") {
  auto settings = mx();
  settings.flavour = Flavour::Local;
  run(Server(settings), {{"MAIL FROM:<a@x.test>", "250"}, {"RCPT TO:<b@y.test>", "250"}});
}

TEST_CASE("patience has an end") {
  auto settings = mx();
  settings.max_errors = 3;
  Server errors(settings);
  for (int i = 0; i < 3; ++i) CHECK(errors.say("BADGER").starts_with("500 5.5.2"));
  CHECK(errors.say("BADGER").starts_with("421 4.7.0 mx.test: too many errors"));
  settings.max_junk = 3;
  Server junk(settings);
  for (int i = 0; i < 3; ++i) CHECK(junk.say("NOOP").starts_with("250"));
  CHECK(junk.say("NOOP").starts_with("421 4.7.0"));
  junk.session.message_accepted();
  CHECK(junk.say("NOOP").starts_with("250"));
  // Chunks without an octet; one that ends a message does move something.
  settings.max_junk = 4;
  run(Server(settings), {{"EHLO c.test", "250"},
                         {"MAIL FROM:<a@x.test>", "250"},
                         {"RCPT TO:<b@y.test>", "250"},
                         {"BDAT 0", "250"},
                         {"BDAT 7", "250"},
                         {"BDAT 0", "250"},
                         {"BDAT 0", "250"},
                         {"BDAT 0 LAST", "250"},
                         {"MAIL FROM:<a@x.test>", "250"},
                         {"RCPT TO:<b@y.test>", "250"},
                         {"BDAT 0", "421 4.7.0"}});
  CHECK(Server(mx()).say("GET / HTTP/1.1").starts_with("421"));
}

TEST_CASE("as many recipients as a message may have are put off for nothing, and no more") {
  auto settings = mx();
  settings.max_recipients = 3;
  settings.max_errors = 2;
  // Too many, and those who cannot have it for the time being.
  for (std::string_view address : {"b@y.test", "b@later.test"}) {
    Server server(settings);
    auto name = "RCPT TO:<" + std::string(address) + ">";
    auto accepted = address == "b@y.test" ? 3 : 0;
    server.say("EHLO c.test");
    // The next transaction has its own; errors are of the whole session.
    for (int i = 0; i < 2; ++i) {
      CHECK(server.say("MAIL FROM:<a@x.test>").starts_with("250"));
      for (int k = 0; k < accepted; ++k) CHECK(server.say(name).starts_with("250"));
      for (int k = 0; k < 3; ++k) CHECK(server.say(name).starts_with("452"));
      CHECK(server.say("RSET").starts_with("250"));
    }
    CHECK(server.say("MAIL FROM:<a@x.test>").starts_with("250"));
    for (int k = 0; k < accepted; ++k) CHECK(server.say(name).starts_with("250"));
    for (int k = 0; k < 5; ++k) CHECK(server.say(name).starts_with("452"));
    CHECK(server.say(name).starts_with("421 4.7.0 mx.test: too many errors"));
  }
}

TEST_CASE("what EHLO offers") {
  Server server(submission());
  CHECK(server.say("HELO c.test") == "250 mx.test");
  CHECK(server.say("EHLO c.test") ==
        "250 mx.test PIPELINING SIZE 1000 8BITMIME ENHANCEDSTATUSCODES SMTPUTF8 DSN CHUNKING "
        "STARTTLS LIMITS RCPTMAX=1000 HELP");
  server.say("STARTTLS");
  CHECK(server.say("EHLO c.test") ==
        "250 mx.test PIPELINING SIZE 1000 8BITMIME ENHANCEDSTATUSCODES SMTPUTF8 DSN CHUNKING "
        "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN LIMITS RCPTMAX=1000 HELP");
}

TEST_CASE("the protocol word of Received") {
  Server server(submission());
  server.say("HELO c.test");
  CHECK(with_protocol(server.session) == "SMTP");
  server.say("EHLO c.test");
  CHECK(with_protocol(server.session) == "ESMTP");
  server.say("STARTTLS");
  server.say("EHLO c.test");
  CHECK(with_protocol(server.session) == "ESMTPS");
  server.say("AUTH PLAIN");
  CHECK(with_protocol(server.session) == "ESMTPSA");
  server.say("MAIL FROM:<a@x.test> SMTPUTF8");
  CHECK(with_protocol(server.session) == "UTF8SMTPSA");
}

TEST_CASE("clients may pipeline what RFC 2920 says") {
  for (auto verb : {Verb::Mail, Verb::Rcpt, Verb::Rset, Verb::Bdat})
    CHECK(!rule_of(verb).last_in_group);
  for (auto verb : {Verb::Ehlo, Verb::Data, Verb::Vrfy, Verb::Expn, Verb::Noop, Verb::Quit,
                    Verb::Starttls, Verb::Auth})
    CHECK(rule_of(verb).last_in_group);
}

}  // namespace
}  // namespace hikyaku::smtp
